import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, event, Server, use, wait } from "../lib/throng.js";

const ctx = use("-ping-interval", "300ms", "-ping-timeout", "1500ms");

describe("the heartbeat", () => {
  test("keeps an idle connection over many intervals", async () => {
    const s = await ctx.server.connect();
    const pings = [];
    s.io.on("ping", () => pings.push(Date.now()));
    let lost = null;
    s.on("disconnect", (reason) => { lost = reason; });
    await wait(2500);
    assert.equal(lost, null);
    assert.ok(pings.length >= 4 && pings.length <= 9, `${pings.length} pings in 2.5 s of 300 ms`);
    assert.equal(await ask(s, "echo-ack", "alive"), "alive");
  });

  test("tells the client its times", async () => {
    const s = await ctx.server.connect();
    assert.equal(s.io.engine._pingInterval ?? s.io.engine.pingInterval, 300);
    assert.equal(s.io.engine._pingTimeout ?? s.io.engine.pingTimeout, 1500);
  });

  test("ends a connection whose client stopped answering: ping timeout", async () => {
    const s = await ctx.server.connect();
    const { id } = s;
    const from = Date.now();
    s.io.engine.transport.ws._socket.pause();
    // Hearing no ping the client gives up when the server does: it must not be first.
    clearTimeout(s.io.engine._pingTimeoutTimer);
    const bye = await ctx.server.goodbye(id);
    assert.equal(bye.disconnect.reason, "ping timeout");
    const took = Date.now() - from;
    assert.ok(took >= 1400 && took < 4500, `${took} ms`);
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
    await ask(s, "hold", 2500);
    assert.equal(lost, null);
  });
});

test("a connection that joins no namespace is closed after the connect timeout", async () => {
  const server = await Server.start("-connect-timeout", "500ms");
  try {
    const manager = server.client("/", { autoConnect: false }).io;
    await new Promise((resolve, reject) => manager.open((err) => (err ? reject(err) : resolve())));
    const from = Date.now();
    await new Promise((r) => manager.once("close", r));
    const took = Date.now() - from;
    assert.ok(took >= 300 && took < 5000, `${took} ms`);
  } finally {
    await server.stop();
  }
});
