import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Server, ask, connected, event, use } from "../lib/throng.js";

const ctx = use();

describe("reasons", () => {
  test("the client leaves its only namespace: client namespace disconnect", async () => {
    const s = await ctx.server.connect();
    const { id } = s;
    const reason = event(s, "disconnect");
    s.disconnect();
    assert.equal((await reason)[0], "io client disconnect");
    const bye = await ctx.server.goodbye(id);
    assert.equal(bye.disconnecting.reason, "client namespace disconnect");
    assert.equal(bye.disconnect.reason, "client namespace disconnect");
  });

  test("the server disconnects the socket: server namespace disconnect", async () => {
    const s = await ctx.server.connect();
    const news = s.io.socket("/news");
    await connected(news);
    const { id } = s;
    const reason = event(s, "disconnect");
    s.emit("disconnect-me", false);
    assert.equal((await reason)[0], "io server disconnect");
    assert.equal((await ctx.server.goodbye(id)).disconnect.reason, "server namespace disconnect");
    assert.equal(news.connected, true, "the connection stays for the other namespace");
    assert.deepEqual(await ask(news, "name"), "/news");
  });

  test("the server closes the connection: every namespace is left", async () => {
    const s = await ctx.server.connect();
    const news = s.io.socket("/news");
    await connected(news);
    const ids = [s.id, news.id];
    const reasons = [event(s, "disconnect"), event(news, "disconnect")];
    s.emit("disconnect-me", true);
    for (const r of reasons) assert.equal((await r)[0], "io server disconnect");
    for (const id of ids) {
      assert.equal((await ctx.server.goodbye(id)).disconnect.reason, "server namespace disconnect");
    }
  });

  test("the transport is closed: transport close", async () => {
    const s = await ctx.server.connect();
    const { id } = s;
    s.io.engine.close();
    assert.equal((await ctx.server.goodbye(id)).disconnect.reason, "transport close");
  });

  test("the TCP connection is cut: transport close", async () => {
    const s = await ctx.server.connect();
    const { id } = s;
    s.io.engine.transport.ws._socket.destroy();
    assert.equal((await ctx.server.goodbye(id)).disconnect.reason, "transport close");
  });

  test("an invalid packet: forced close", async () => {
    const s = await ctx.server.connect();
    const { id } = s;
    const reason = event(s, "disconnect");
    s.io.engine.write('2{"not":"a list"}');
    assert.equal((await reason)[0], "transport close");
    assert.equal((await ctx.server.goodbye(id)).disconnect.reason, "forced close");
  });

  test("an invalid Engine.IO packet: parse error", async () => {
    const s = await ctx.server.connect();
    const { id } = s;
    s.io.engine.transport.ws.send("z");
    assert.equal((await ctx.server.goodbye(id)).disconnect.reason, "parse error");
  });

  for (const [what, text] of Object.entries({
    "a reserved event name": '2["disconnect"]',
    "a second CONNECT": "0",
    "an event in a namespace not joined": '2/news,["x"]',
    "an unknown packet type": '7["x"]',
    "more than ten attachments": '511-["x"]',
    "broken JSON": '2["x',
  })) {
    test(`${what}: forced close`, async () => {
      const s = await ctx.server.connect();
      const { id } = s;
      s.io.engine.write(text);
      assert.equal((await ctx.server.goodbye(id)).disconnect.reason, "forced close");
    });
  }
});

describe("handlers of the end", () => {
  test("run once, disconnecting first, with rooms still joined", async () => {
    const s = await ctx.server.connect();
    await ask(s, "join", "goodbye");
    const { id } = s;
    s.disconnect();
    const bye = await ctx.server.goodbye(id);
    assert.deepEqual(bye.disconnecting.rooms.sort(), [id, "goodbye"].sort());
    assert.deepEqual(bye.disconnect.rooms, []);
    await ask(await ctx.server.connect(), "echo-ack", 0);
    const of = ctx.server.program.lines.map((l) => JSON.parse(l)).filter((e) => e.id === id);
    assert.deepEqual(of.map((e) => e.event), ["connection", "disconnecting", "disconnect"]);
  });

  test("run after the events that came before the end", async () => {
    const s = await ctx.server.connect();
    const { id } = s;
    s.emit("hold", 100);
    s.emit("note", "before the end");
    await new Promise((r) => setTimeout(r, 30));
    s.disconnect();
    await ctx.server.goodbye(id);
    const of = ctx.server.program.lines.map((l) => JSON.parse(l)).filter((e) => e.id === id);
    assert.deepEqual(of.map((e) => e.event), ["connection", "note", "disconnecting", "disconnect"]);
  });
});

test("a client that is sent away does not come back; one that lost its connection does", async () => {
  const s = await ctx.server.connect("/", { reconnection: true, reconnectionDelay: 20 });
  const first = s.id;
  const lost = event(s, "disconnect");
  s.io.engine.close();
  await lost;
  await connected(s);
  assert.notEqual(s.id, first);
  const sentAway = event(s, "disconnect");
  s.emit("disconnect-me", false);
  const [reason] = await sentAway;
  assert.equal(reason, "io server disconnect");
  assert.equal(s.active, false);
});

describe("shutting down", () => {
  test("ends every socket with server shutting down, and the program with 0", async () => {
    const server = await Server.start();
    const clients = await server.connectMany(50);
    const ids = clients.map((c) => c.id);
    const reasons = Promise.all(clients.map((c) => event(c, "disconnect", 10000)));
    server.program.signal("SIGTERM");
    assert.deepEqual(await server.program.exited, { code: 0, signal: null });
    for (const [reason] of await reasons) assert.equal(reason, "transport close");
    for (const id of ids) {
      assert.equal((await server.goodbye(id)).disconnect.reason, "server shutting down");
    }
  });

  test("lets a handler finish that is running", async () => {
    const server = await Server.start();
    const s = await server.connect();
    s.emit("hold", 300);
    s.emit("note", "finished");
    await ask(await server.connect(), "echo-ack", 0);
    server.program.signal("SIGTERM");
    await server.program.exited;
    await server.journal((e) => e.event === "note" && e.text === "finished");
  });

  test("accepts nobody any more", async () => {
    const server = await Server.start();
    await server.connect();
    server.program.signal("SIGTERM");
    await server.program.exited;
    const late = server.client("/", { timeout: 2000 });
    await event(late, "connect_error");
  });
});
