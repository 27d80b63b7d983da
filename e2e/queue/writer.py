"""A process that is no server and publishes emits, as users write them.

    writer.py URL flask|manager

Each line of standard input is a call in JSON: [method, arguments, keywords].
Once it has returned, "ok" or the error is a line of standard output. Values
{"$bin": "hexadecimal"} are bytes, {"$tuple": [...]} tuples.
"""

import json
import sys
from operator import attrgetter


def value(v):
    if isinstance(v, dict):
        if "$bin" in v:
            return bytes.fromhex(v["$bin"])
        if "$tuple" in v:
            return tuple(value(e) for e in v["$tuple"])
        return {k: value(e) for k, e in v.items()}
    if isinstance(v, list):
        return [value(e) for e in v]
    return v


url, kind = sys.argv[1:]
if kind == "flask":
    from flask_socketio import SocketIO

    # What the manual of Flask-SocketIO says for external processes.
    target = SocketIO(message_queue=url)
else:
    import socketio

    target = socketio.RedisManager(url, write_only=True)

print("ready", flush=True)
for line in sys.stdin:
    method, args, kwargs = json.loads(line)
    try:
        attrgetter(method)(target)(*value(args), **value(kwargs))
        print("ok", flush=True)
    except Exception as e:
        print(f"error: {e!r}", flush=True)
