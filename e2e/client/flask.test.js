// What the example application of Flask-SocketIO does.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, connected, event, use } from "../lib/throng.js";

const ctx = use();

// A client of the application and the next answer to it.
async function join() {
  const s = ctx.server.client("/flask");
  const queue = [];
  const waiting = [];
  s.on("my_response", (m, ack) => {
    ack?.();
    if (m.data === "Server generated event") return;
    const w = waiting.shift();
    if (w) w(m); else queue.push(m);
  });
  const next = () => (queue.length ? Promise.resolve(queue.shift())
    : new Promise((r) => waiting.push(r)));
  await connected(s);
  assert.deepEqual(await next(), { data: "Connected", count: 0 });
  return [s, next];
}

describe("the Flask-SocketIO example", () => {
  test("counts what each client sends in its session", async () => {
    const [a, nextA] = await join();
    const [b, nextB] = await join();
    for (let i = 1; i <= 3; i++) {
      a.emit("my_event", { data: `n${i}` });
      assert.deepEqual(await nextA(), { data: `n${i}`, count: i });
    }
    b.emit("my_broadcast_event", { data: { all: true } });
    assert.deepEqual(await nextB(), { data: { all: true }, count: 1 });
    assert.deepEqual(await nextA(), { data: { all: true }, count: 1 });
    a.disconnect();
    b.disconnect();
  });

  test("sends from a background task", async () => {
    const [s] = await join();
    for (;;) {
      const [m] = await event(s, "my_response");
      if (m.data === "Server generated event") break;
    }
    s.disconnect();
  });

  test("joins, leaves and closes rooms", async () => {
    const [a, nextA] = await join();
    const [b, nextB] = await join();
    a.emit("join", { room: "blue" });
    assert.deepEqual(await nextA(), { data: `In rooms: ${a.id}, blue`, count: 1 });
    b.emit("join", { room: "blue" });
    await nextB();
    assert.deepEqual(await ask(a, "rooms_of", b.id), [b.id, "blue"]);
    assert.deepEqual(await ask(a, "members"), { blue: 2 });
    a.emit("my_room_event", { room: "blue", data: "hi" });
    assert.deepEqual(await nextA(), { data: "hi", count: 2 });
    assert.deepEqual(await nextB(), { data: "hi", count: 2 });
    a.emit("leave", { room: "blue" });
    assert.deepEqual(await nextA(), { data: `In rooms: ${a.id}`, count: 3 });
    a.emit("close_room", { room: "blue" });
    assert.deepEqual(await nextB(), { data: "Room blue is closing.", count: 4 });
    assert.deepEqual(await ask(a, "members"), {});
    assert.equal(b.connected, true);
    a.disconnect();
    b.disconnect();
  });

  test("answers pings, and what it does not know", async () => {
    const [s, next] = await join();
    const pong = event(s, "my_pong");
    s.emit("my_ping");
    await pong;
    s.emit("something else", 1, { two: 2 });
    assert.deepEqual(await next(), { data: ["something else", [1, { two: 2 }]], count: 1 });
    s.disconnect();
  });

  test("disconnects a client that asks, when it has got the answer", async () => {
    const [s, next] = await join();
    const gone = event(s, "disconnect");
    s.emit("disconnect_request");
    assert.deepEqual(await next(), { data: "Disconnected!", count: 1 });
    assert.equal((await gone)[0], "io server disconnect");
  });

  test("calls one client for another, and sends one away", async () => {
    const [a] = await join();
    const [b] = await join();
    b.on("question", (ack) => ack(42, "and more"));
    assert.deepEqual(await ask(a, "call", b.id, "question"), [42, "and more"]);
    const { id } = b;
    const gone = event(b, "disconnect");
    a.emit("send_away", id);
    assert.equal((await gone)[0], "io server disconnect");
    const answer = await ask(a, "call", id, "question");
    assert.match(answer.error, /no such socket/);
    a.disconnect();
  });
});
