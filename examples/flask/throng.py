"""The two ways between an application and throng: calls and pushes."""
import hashlib
import hmac
import json
import os
import time
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from flask import abort, g, request

KEY = os.environ["THRONG_APP_SECRET"].encode()
SERVERS = os.environ["API_URLS"].split(",")  # the internal ports
HEAD = {"Authorization": "Bearer " + os.environ["THRONG_API_KEYS"],
        "Content-Type": "application/json"}


def receive(app):
    """Checks what is posted below /_throng/; then g.call is the call. A ValueError
    of a route is the event's acknowledgement."""
    @app.before_request
    def signed():
        if request.path.startswith("/_throng/"):
            stamp = request.headers.get("Throng-Timestamp", "0")
            text = stamp.encode() + b"." + request.get_data()
            want = "sha256=" + hmac.new(KEY, text, hashlib.sha256).hexdigest()
            given = request.headers.get("Throng-Signature", "")
            if not hmac.compare_digest(given, want) or abs(time.time() - int(stamp)) > 300:
                abort(401)
            g.call = request.get_json()
            g.sid, g.me = g.call["sid"], g.call["session"]

    @app.errorhandler(ValueError)
    def failed(error):
        return {"error": str(error)}


def field(name, kind=str):
    """A member of the event's first argument. Clients may send anything."""
    data = g.call["args"][0] if g.call["args"] else None
    value = data.get(name) if isinstance(data, dict) else None
    if type(value) is not kind:
        raise ValueError(f"{name} is missing, or of another kind")
    return value


def ask(what, **body):
    """Uses the HTTP API of the first server that is there. What goes through one
    server arrives in this order; what two of them emit may change places."""
    data = json.dumps(body).encode() if body else None
    for url in SERVERS:
        try:
            with urlopen(Request(f"{url}/api/v1/{what}", data, HEAD), timeout=5) as answer:
                return json.load(answer)
        except HTTPError:
            raise  # it is there, and has refused
        except URLError as error:
            away = error
    raise away


def push(namespace, event, data, *rooms):
    ask("emit", namespace=namespace, rooms=rooms, event=event, args=[data])
