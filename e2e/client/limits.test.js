import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, use } from "../lib/throng.js";

const ctx = use("-max-payload", "10000");

describe("maxPayload", () => {
  test("is announced to the client", async () => {
    const s = await ctx.server.connect();
    assert.equal(s.io.engine._maxPayload ?? s.io.engine.maxPayload, 10000);
  });

  test("lets a message of that size pass", async () => {
    const s = await ctx.server.connect();
    const text = "x".repeat(9900);
    assert.equal(await ask(s, "echo-ack", text), text);
  });

  for (const [what, payload] of [["text", "x".repeat(20000)], ["binary", Buffer.alloc(20000)]]) {
    test(`closes a connection that sends more ${what}: 1009, transport error`, async () => {
      const s = await ctx.server.connect();
      const { id } = s;
      const code = new Promise((r) => s.io.engine.transport.ws.addEventListener("close", (e) => r(e.code)));
      s.emit("echo", payload);
      assert.equal(await code, 1009);
      assert.equal((await ctx.server.goodbye(id)).disconnect.reason, "transport error");
    });
  }

  test("counts a message in fragments as a whole", async () => {
    const s = await ctx.server.connect();
    const { id } = s;
    const { ws } = s.io.engine.transport;
    for (let i = 0; i < 4; i++) ws.send(`4${"x".repeat(4000)}`, { fin: i === 3 });
    assert.equal((await ctx.server.goodbye(id)).disconnect.reason, "transport error");
  });
});

describe("binary events", () => {
  test("whose attachments never come do not hurt", async () => {
    const s = await ctx.server.connect();
    s.io.engine.transport.ws.send('452-["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
    s.io.engine.transport.ws.send(Buffer.from([1]));
    assert.equal(await ask(await ctx.server.connect(), "echo-ack", "others live"), "others live");
    s.disconnect();
  });

  test("with a placeholder out of range end the connection", async () => {
    const s = await ctx.server.connect();
    const { id } = s;
    s.io.engine.transport.ws.send('451-["echo",{"_placeholder":true,"num":7}]');
    s.io.engine.transport.ws.send(Buffer.from([1]));
    assert.equal((await ctx.server.goodbye(id)).disconnect.reason, "forced close");
  });

  test("interrupted by a text message end the connection", async () => {
    const s = await ctx.server.connect();
    const { id } = s;
    s.io.engine.transport.ws.send('451-["echo",{"_placeholder":true,"num":0}]');
    s.io.engine.transport.ws.send('42["echo",1]');
    assert.equal((await ctx.server.goodbye(id)).disconnect.reason, "forced close");
  });

  test("without an announcement end the connection", async () => {
    const s = await ctx.server.connect();
    const { id } = s;
    s.io.engine.transport.ws.send(Buffer.from([1, 2]));
    assert.equal((await ctx.server.goodbye(id)).disconnect.reason, "forced close");
  });
});

test("more namespaces than allowed are refused; those before stay", async () => {
  const s = await ctx.server.connect();
  const sockets = Array.from({ length: 80 }, (_, i) => s.io.socket(`/many-${i}`));
  const refused = [];
  await Promise.all(sockets.map((n) => new Promise((r) => {
    n.once("connect", r);
    n.once("connect_error", (err) => { refused.push(err.message); r(); });
  })));
  assert.equal(refused.length, 80 - 63, "64 with the default one");
  assert.deepEqual(new Set(refused), new Set(["Too many namespaces"]));
  assert.equal(await ask(sockets[0], "name"), "/many-0");
  assert.equal(await ask(s, "echo-ack", 1), 1);
});
