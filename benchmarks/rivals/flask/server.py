"""The contract of benchmarks/contractserver in Flask-SocketIO with gevent.

Debian's packages python3-flask-socketio, python3-gevent and
python3-gevent-websocket; defaults but for logs, which are off:

    /usr/bin/python3 server.py HOST:PORT
"""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402

from flask import Flask  # noqa: E402
from flask_socketio import SocketIO, emit, join_room  # noqa: E402
from gevent import pywsgi  # noqa: E402
from geventwebsocket.handler import WebSocketHandler  # noqa: E402

app = Flask(__name__)
sio = SocketIO(app, async_mode="gevent")


@sio.on("join")
def on_join(room):
    join_room(room)
    emit("joined", room)


@sio.on("echo")
def on_echo(payload):
    emit("echo", payload)


@sio.on("room")
def on_room(message):
    emit("room", message["d"], to=message["r"])


@sio.on("all")
def on_all(payload):
    emit("all", payload, broadcast=True)


host, port = sys.argv[1].rsplit(":", 1)
# A longer queue of connections than the default 256: they come all at once.
server = pywsgi.WSGIServer(
    (host, int(port)), app, handler_class=WebSocketHandler, log=None, backlog=4096
)
server.start()
print(f"listening on {host}:{server.server_port}", flush=True)
server.serve_forever()
