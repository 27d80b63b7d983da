"""Plays the scenarios of e2e/scenarios with the Python client.

    run.py URL sync|asyncio FINAL [--msgpack] TRANSPORT...

One JSON object a scenario on standard output: its name and, if it failed, the
error. FINAL is the transport expected in the end. e2e/lib/scenario.js is the
same for the JavaScript clients, e2e/scenarios/README.md describes the steps.
"""

import asyncio
import json
import pathlib
import queue
import sys
import threading
import time
import urllib.parse

import engineio
import socketio

LIMIT = 10

# By default the client gives up at a payload of 17 packets, whoever sends it:
# its manual's advice for programs that receive many.
engineio.payload.Payload.max_decode_packets = 1000

FILE = pathlib.Path(__file__).parent.parent / "scenarios" / "scenarios.json"


def in_order(eio):
    """Handles the messages of eio one after the other.

    The synchronous client starts a thread for each message, and on a busy
    machine they overtake each other: attachments their event, events others.
    """
    start, messages = eio.start_background_task, queue.Queue()

    def work():
        while True:
            target, args = messages.get()
            target(*args)

    threading.Thread(target=work, daemon=True).start()

    def start_background_task(target, *args, **kwargs):
        if target is eio.handlers.get("message"):
            return messages.put((target, args))
        return start(target, *args, **kwargs)

    eio.start_background_task = start_background_task


class Client:
    """One connection of either client, as coroutines."""

    def __init__(self, row):
        self.loop = asyncio.get_running_loop()
        self.sync = row.kind == "sync"
        options = {"reconnection": False}
        if row.msgpack:
            options["serializer"] = "msgpack"
        if self.sync:
            self.sio = socketio.Client(**options)
            in_order(self.sio.eio)
        else:
            self.sio = socketio.AsyncClient(**options)

    async def run(self, method, *args, **kwargs):
        f = getattr(self.sio, method)
        if self.sync:
            return await asyncio.to_thread(f, *args, **kwargs)
        return await f(*args, **kwargs)

    def on(self, event, nsp, handler):
        """handler runs on the loop, and at once: order is kept."""

        def threaded(*args):
            done = threading.Event()
            result = []

            def call():
                result.append(handler(*args))
                done.set()

            self.loop.call_soon_threadsafe(call)
            done.wait()
            return result[0]

        async def direct(*args):
            return handler(*args)

        self.sio.on(event, threaded if self.sync else direct, namespace=nsp)


class Socket:
    """A namespace on a connection, and what arrived there."""

    def __init__(self, client, nsp, events):
        self.client, self.nsp, self.answers = client, nsp, {}
        self.inbox = {e: asyncio.Queue() for e in [*events, "disconnect", "connect_error"]}
        for event in self.inbox:
            client.on(event, nsp, self.receiver(event))

    def receiver(self, event):
        def receive(*args):
            self.inbox[event].put_nowait([plain(a) for a in args])
            return self.answers.get(event)

        return receive

    @property
    def id(self):
        return self.client.sio.get_sid(self.nsp)

    async def take(self, event):
        return await asyncio.wait_for(self.inbox[event].get(), LIMIT)


class Player:
    def __init__(self, row, scenario):
        self.row, self.sockets, self.ids, self.clients = row, {}, {}, []
        self.steps = scenario["steps"]
        self.events = {s["event"] for s in self.steps if "event" in s}

    async def play(self):
        try:
            for i, step in enumerate(self.steps):
                verb = next(iter(step))
                try:
                    arguments = {k.replace("with", "with_"): v for k, v in step.items()}
                    await asyncio.wait_for(getattr(self, "do_" + verb)(**arguments), 3 * LIMIT)
                except Exception as err:
                    about = f"step {i + 1}, {json.dumps(step)[:100]}"
                    raise AssertionError(f"{about}: {type(err).__name__} {err}") from err
        finally:
            await asyncio.gather(*(c.run("disconnect") for c in self.clients))

    async def open(self, client, nsps, query=None, auth=None):
        url = self.row.url
        if query:
            url += "/?" + urllib.parse.urlencode(query)
        await client.run("connect", url, namespaces=nsps, auth=auth, wait_timeout=LIMIT,
                         transports=self.row.transports)

    async def do_connect(self, connect, nsp="/", also={}, query=None, auth=None):
        client = Client(self.row)
        self.clients.append(client)
        nsps = {connect: nsp, **also}
        for name, path in nsps.items():
            self.sockets[name] = Socket(client, path, self.events)
        await self.open(client, list(nsps.values()), query, auth)
        for name in nsps:
            self.ids[name] = self.sockets[name].id

    async def do_refused(self, refused, error, old):
        client = Client(self.row)
        self.clients.append(client)
        socket = Socket(client, refused, self.events)
        try:
            await self.open(client, [refused])
        except socketio.exceptions.ConnectionError:
            pass
        else:
            raise AssertionError("connected")
        same(await socket.take("connect_error"), [error])

    async def do_id(self, id):
        sid = self.sockets[id].id
        assert len(sid) == 20 and sid.replace("-", "").replace("_", "").isalnum(), sid

    async def do_transport(self, transport):
        got = self.sockets[transport].client.sio.transport()
        assert got == self.row.final, got

    def split(self, args):
        event, *rest = [self.value(a) for a in args]
        return event, tuple(rest)

    async def do_emit(self, emit, args):
        socket = self.sockets[emit]
        event, data = self.split(args)
        await socket.client.run("emit", event, data, namespace=socket.nsp)

    async def reply(self, name, args):
        socket = self.sockets[name]
        event, data = self.split(args)
        got = await socket.client.run("call", event, data, namespace=socket.nsp, timeout=LIMIT)
        got = list(got) if isinstance(got, tuple) else [] if got is None else [got]
        return [plain(v) for v in got]

    async def do_ask(self, ask, args, reply=None, part=None):
        got = await self.reply(ask, args)
        if reply is not None:
            same(got, self.expected(reply))
        for key, want in (part or {}).items():
            same(got[0][key], want)

    async def do_until(self, until, args, reply):
        end = time.monotonic() + LIMIT
        while (got := await self.reply(until, args)) != self.expected(reply):
            assert time.monotonic() < end, f"still {got}"
            await asyncio.sleep(0.02)

    async def do_answer(self, answer, event, with_):
        self.sockets[answer].answers[event] = tuple(self.value(v) for v in with_)

    async def do_expect(self, expect, event, args):
        same(await self.sockets[expect].take(event), self.expected(args))

    async def do_silent(self, silent, event):
        # What was sent to the socket before is there when an answer is.
        await self.reply(silent, ["echo-ack", "settle"])
        inbox = self.sockets[silent].inbox[event]
        assert inbox.empty(), inbox.get_nowait()

    async def do_burst(self, burst, event, count, with_=None):
        socket = self.sockets[burst]
        for i in range(count):
            data = (i,) if with_ is None else (i, self.value(with_))
            await socket.client.run("emit", event, data, namespace=socket.nsp)

    async def do_stream(self, stream, event, count, with_=None):
        for i in range(count):
            want = [i] if with_ is None else self.expected([i, with_])
            same(await self.sockets[stream].take(event), want)

    async def do_lost(self, lost, reason):
        [why] = await self.sockets[lost].take("disconnect")
        assert why in reason, why

    async def do_leave(self, leave):
        # The client leaves a single namespace only through the packet itself.
        socket = self.sockets[leave]
        if len(socket.client.sio.namespaces) == 1:
            return await socket.client.run("disconnect")
        sio = socket.client.sio
        await socket.client.run("_send_packet", sio.packet_class(
            socketio.packet.DISCONNECT, namespace=socket.nsp))

    async def do_again(self, again):
        socket = self.sockets[again]
        while socket.client.sio.connected or socket.client.sio.eio.state != "disconnected":
            await asyncio.sleep(0.01)
        await self.open(socket.client, [socket.nsp])
        assert socket.id != self.ids[again], socket.id
        self.ids[again] = socket.id

    def value(self, v):
        """A value of a scenario as it is given to the client."""
        if isinstance(v, list):
            return [self.value(e) for e in v]
        if not isinstance(v, dict):
            return v
        if "$bin" in v:
            return bytes.fromhex(v["$bin"])
        if "$zeros" in v:
            return bytes(v["$zeros"])
        if "$repeat" in v:
            return v["$repeat"][0] * v["$repeat"][1]
        if "$id" in v:
            return self.ids[v["$id"]]
        return {k: self.value(e) for k, e in v.items()}

    def expected(self, v):
        return plain(self.value(v))


def plain(v):
    if isinstance(v, (bytes, bytearray)):
        return {"$bin": v.hex()}
    if isinstance(v, (list, tuple)):
        return [plain(e) for e in v]
    if isinstance(v, dict):
        return {k: plain(e) for k, e in v.items()}
    # JSON has one kind of numbers, as the other clients have.
    return int(v) if isinstance(v, float) and v.is_integer() else v


def same(got, want):
    # As text, because to Python True is 1.
    a, b = json.dumps(got, sort_keys=True), json.dumps(plain(want), sort_keys=True)
    assert a == b, f"got {a[:300]}, expected {b[:300]}"


class Row:
    def __init__(self, url, kind, final, *transports):
        self.url, self.kind, self.final = url, kind, final
        self.msgpack = "--msgpack" in transports
        self.transports = [t for t in transports if t != "--msgpack"]


async def main(row):
    for scenario in json.loads(FILE.read_text()):
        result = {"scenario": scenario["name"]}
        try:
            await Player(row, scenario).play()
        except Exception as err:
            result["error"] = str(err)
        print(json.dumps(result), flush=True)


asyncio.run(main(Row(*sys.argv[1:])))
