"""Chat, notifications, a dashboard and computations as ordinary Flask routes.

throng posts what clients do to the routes below /_throng/, and does what the
answers say. No state is kept here: any worker may handle any event.
"""
import os

from flask import Flask, g, request

import tasks
from throng import ask, field, push, receive

app = Flask(__name__)
receive(app)


def tell(room, event, data, **options):
    return {"emit": event, "to": room, "args": [data], **options}


def moved(step, room, rooms, word):
    tasks.recount(room)
    news = tell(room, "room_message", f"{g.me['name']} {word} {room[5:]}")
    return {"do": [step, {"set": {**g.me, "rooms": rooms}}, news, {"ack": [rooms]}]}


def joined():
    room = "room:" + field("room")
    if room not in g.me["rooms"]:
        raise ValueError("join the room first")
    return room


@app.post("/_throng/connect")
def connect():
    name = (g.call["auth"] or {}).get("name")
    if g.call["namespace"] == "/chat" and not name:
        return {"refuse": {"message": "who are you?", "data": {"field": "name"}}}
    return {"do": [{"set": {"name": str(name)[:32], "rooms": []}}]}


@app.post("/_throng/join_room")
def join_room():
    room = "room:" + field("room")  # ids of sockets are rooms, too: none of these
    if not 6 <= len(room) <= 69 or len(g.me["rooms"]) == 20:
        raise ValueError("a room's name has 1 to 64 letters; 20 rooms at once are enough")
    return moved({"join": room}, room, sorted({*g.me["rooms"], room}), "joined")


@app.post("/_throng/leave_room")
def leave_room():
    room = joined()
    return moved({"leave": room}, room, [r for r in g.me["rooms"] if r != room], "left")


@app.post("/_throng/close_room")
def close_room():
    room = joined()
    push("/chat", "room_closed", {"room": room[5:], "by": g.me["name"]}, room)
    ask("close_room", namespace="/chat", room=room)
    return {"do": []}


@app.post("/_throng/room_message")
def room_message():
    text = f"{g.me['name']}: {field('msg')[:1000]}"
    return {"do": [tell(joined(), "room_message", text), {"ack": [{"worker": os.getpid()}]}]}


@app.post("/_throng/typing")
def typing():
    news = {"room": field("room"), "sid": g.sid, "typing": field("typing", bool)}
    return {"do": [tell(joined(), "typing", news, **{"except": g.sid, "volatile": True})]}


@app.post("/_throng/disconnect")
def disconnect():
    tasks.cancel(g.sid)
    for room in g.me["rooms"]:
        tasks.recount(room)
    gone = f"{g.me['name']} has gone"
    return {"do": [tell(room, "room_message", gone) for room in g.me["rooms"]]}


@app.post("/_throng/compute")
def compute():
    tasks.compute(g.sid, g.call["id"], field("limit", int))
    return {"do": [{"ack": [{"msg": "Computation started"}]}]}


@app.post("/_throng/cancel_computation")
def cancel_computation():
    tasks.cancel(g.sid)
    return {"do": []}


@app.post("/_throng/echo")
def echo():
    return {"do": [{"ack": [{"worker": os.getpid()}]}]}


@app.post("/_throng/subscribe")
def subscribe():
    return {"do": [{"join": "topic:" + field("topic")[:64]}]}


@app.route("/send_notification", methods=["GET", "POST"])
def send_notification():
    msg = request.values.get("msg") or "System update available!"
    topic = request.values.get("topic")
    if len(msg) > 1000:
        return {"error": "msg has more than 1000 letters"}, 400
    rooms = ["topic:" + topic] if topic else []
    push("/notify", "notification", {"msg": msg, "topic": topic}, *rooms)
    return {"status": "Notification sent"}


@app.route("/trigger_metrics", methods=["GET", "POST"])
def trigger_metrics():
    tasks.measure.delay()
    return {"status": "Metrics update triggered"}
