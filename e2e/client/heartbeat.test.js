import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, event, use, wait } from "../lib/throng.js";

const ctx = use("-ping-interval", "300ms", "-ping-timeout", "200ms", "-connect-timeout", "500ms");

describe("the heartbeat", () => {
  test("keeps an idle connection over many intervals", async () => {
    const s = await ctx.server.connect();
    const pings = [];
    s.io.on("ping", () => pings.push(Date.now()));
    let lost = null;
    s.on("disconnect", (reason) => { lost = reason; });
    await wait(2500);
    assert.equal(lost, null);
    assert.ok(pings.length >= 5 && pings.length <= 9, `${pings.length} pings in 2.5 s of 300 ms`);
    assert.equal(await ask(s, "echo-ack", "alive"), "alive");
  });

  test("tells the client its times", async () => {
    const s = await ctx.server.connect();
    assert.equal(s.io.engine._pingInterval ?? s.io.engine.pingInterval, 300);
    assert.equal(s.io.engine._pingTimeout ?? s.io.engine.pingTimeout, 200);
  });

  test("ends a connection whose client stopped answering: ping timeout", async () => {
    const s = await ctx.server.connect();
    const { id } = s;
    const from = Date.now();
    s.io.engine.transport.ws._socket.pause();
    const bye = await ctx.server.goodbye(id);
    assert.equal(bye.disconnect.reason, "ping timeout");
    const took = Date.now() - from;
    assert.ok(took >= 200 && took < 2000, `${took} ms`);
    s.io.engine.transport.ws._socket.destroy();
  });

  test("is noticed by the client when the server stops: ping timeout", async () => {
    const s = await ctx.server.connect();
    ctx.server.program.signal("SIGSTOP");
    try {
      const [reason] = await event(s, "disconnect");
      assert.equal(reason, "ping timeout");
    } finally {
      ctx.server.program.signal("SIGCONT");
    }
  });

  test("goes on while a handler is busy for several intervals", async () => {
    const s = await ctx.server.connect();
    let lost = null;
    s.on("disconnect", (reason) => { lost = reason; });
    await ask(s, "hold", 1500);
    assert.equal(lost, null);
  });
});

test("a connection that joins no namespace is closed after the connect timeout", async () => {
  const s = ctx.server.client("/", { autoConnect: false });
  const manager = s.io;
  await new Promise((resolve, reject) => manager.open((err) => (err ? reject(err) : resolve())));
  const from = Date.now();
  await new Promise((r) => manager.once("close", r));
  const took = Date.now() - from;
  assert.ok(took >= 300 && took < 3000, `${took} ms`);
});
