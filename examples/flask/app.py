"""A chat with rooms as an ordinary Flask application behind throng.

    THRONG_SECRET_FILE=key gunicorn --workers 4 --bind 127.0.0.1:8000 app:app
    throng serve --upstream http://127.0.0.1:8000 --app-secret-file key \
        --app-url 'http://127.0.0.1:8000/_throng/{event}'

throng holds the sockets and posts what clients do to the routes below
/_throng/; the answers say what to do. No state is kept here, so that any worker
may handle any event. docs/app.md describes calls and answers.
"""
import hashlib
import hmac
import os
import time

from flask import Flask, abort, g, request

app = Flask(__name__)
with open(os.environ["THRONG_SECRET_FILE"], "rb") as f:
    KEY = f.read().strip()


@app.before_request
def signed():
    if not request.path.startswith("/_throng/"):
        return
    stamp = request.headers.get("Throng-Timestamp", "0")
    text = stamp.encode() + b"." + request.get_data()
    want = "sha256=" + hmac.new(KEY, text, hashlib.sha256).hexdigest()
    given = request.headers.get("Throng-Signature", "")
    if not hmac.compare_digest(given, want) or abs(time.time() - int(stamp)) > 300:
        abort(401)
    g.call = request.get_json()


def do(*steps):
    return {"do": steps}


def tell(room, event, *args):
    return {"emit": event, "to": room, "args": args}


@app.post("/_throng/connect")
def connect():
    name = g.call["auth"].get("name")
    if not name:
        return {"refuse": {"message": "who are you?", "data": {"field": "name"}}}
    return do({"set": {"name": name, "rooms": []}}, {"emit": "welcome", "args": [name]})


@app.post("/_throng/join")
def join():
    me, room = g.call["session"], "room:" + g.call["args"][0]
    me["rooms"] = sorted({*me["rooms"], room})
    return do({"join": room}, {"set": me}, tell(room, "joined", me["name"]), {"ack": [me["rooms"]]})


@app.post("/_throng/leave")
def leave():
    me, room = g.call["session"], "room:" + g.call["args"][0]
    me["rooms"] = [r for r in me["rooms"] if r != room]
    return do({"leave": room}, {"set": me}, tell(room, "left", me["name"]), {"ack": [me["rooms"]]})


@app.post("/_throng/say")
def say():
    room, text = g.call["args"]
    if "room:" + room not in g.call["session"]["rooms"]:
        return {"error": "join the room first"}
    return do(tell("room:" + room, "said", g.call["session"]["name"], text), {"ack": [os.getpid()]})


@app.post("/_throng/disconnect")
def disconnect():
    me = g.call["session"]
    return do(*(tell(room, "left", me["name"]) for room in me["rooms"]))


@app.get("/")
def index():
    return """<!doctype html><title>Chat</title><h1>Chat</h1><ul id=log></ul>
<input id=text autofocus placeholder="a message, then Enter">
<script src="/socket.io/socket.io.js"></script><script>
const s = io({ auth: { name: "guest " + Math.floor(Math.random() * 1000) } });
const show = (what) => { log.append(Object.assign(document.createElement("li"), { textContent: what })); };
s.on("connect", () => s.emit("join", "lobby", () => {}));
s.on("said", (who, what) => show(who + ": " + what));
s.on("joined", (who) => show(who + " is here")); s.on("left", (who) => show(who + " has gone"));
text.onchange = () => { s.emit("say", "lobby", text.value, () => {}); text.value = ""; };
</script>"""
