"""A chat as a plain worker behind throng: no HTTP, as many of them as you like.

    throng serve --app-stream throng:app --app-valkey redis://127.0.0.1:6379
    python worker.py

What a worker does not acknowledge another one gets. docs/app.md describes calls,
answers and the stream.
"""
import contextlib
import json
import os
import socket

import redis

URL = os.environ.get("THRONG_APP_VALKEY", "redis://127.0.0.1:6379")
STREAM, GROUP = os.environ.get("THRONG_APP_STREAM", "throng:app"), "throng"
ME = f"{socket.gethostname()}-{os.getpid()}"
r = redis.Redis.from_url(URL, protocol=2, decode_responses=True)


def handle(call):
    if call["type"] == "connect":
        name = call["auth"].get("name")
        if not name:
            return {"refuse": {"message": "who are you?"}}
        return {"do": [{"set": {"name": name}}, {"join": "lobby"}, {"emit": "welcome", "args": [name]}]}
    name = call["session"]["name"]
    if call["type"] == "disconnect":
        return {"do": [{"emit": "left", "to": "lobby", "args": [name]}]}
    if call["event"] == "say":
        return {"do": [{"emit": "said", "to": "lobby", "args": [name, *call["args"]]}, {"ack": [ME]}]}
    return {"error": "nobody handles " + call["event"]}


def calls():
    with contextlib.suppress(redis.ResponseError):  # it is there
        r.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    while True:
        for _, entries in r.xreadgroup(GROUP, ME, {STREAM: ">"}, count=8, block=2000):
            yield from entries


def answer(entry, fields, text):
    reply = {"id": fields["id"], "namespace": fields["namespace"], "answer": json.dumps(text)}
    with r.pipeline() as p:  # all of it or nothing
        p.xadd(fields["reply"], reply, nomkstream=True)
        p.xack(STREAM, GROUP, entry).xdel(STREAM, entry).execute()


if __name__ == "__main__":
    for entry, fields in calls():
        answer(entry, fields, handle(json.loads(fields["call"])))
