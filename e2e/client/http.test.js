import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask as emit, event, use } from "../lib/throng.js";
import { ask, handshake, keepAlive } from "../lib/http.js";

const ctx = use();

describe("Engine.IO requests that are refused", () => {
  const poll = "/socket.io/?EIO=4&transport=polling";

  test("an unknown transport gets a 400 in JSON", async () => {
    const res = await ask(ctx.server.addr, `${poll}x`);
    assert.equal(res.status, 400);
    assert.match(res.headers["content-type"], /^application\/json/);
    assert.deepEqual(Object.keys(JSON.parse(res.body)), ["code", "message"]);
    assert.equal(JSON.parse(res.body).code, 0);
  });

  for (const [what, path, status, code] of [
    ["an unknown transport", "/socket.io/?EIO=4&transport=carrier", 400, 0],
    ["no transport", "/socket.io/?EIO=4", 400, 0],
    ["websocket without an upgrade", "/socket.io/?EIO=4&transport=websocket", 400, 3],
  ]) {
    test(`${what}: ${status}, code ${code}`, async () => {
      const res = await ask(ctx.server.addr, path);
      assert.equal(res.status, status);
      assert.equal(JSON.parse(res.body).code, code);
    });
  }

  test("an old protocol version", async () => {
    const res = await handshake(ctx.server.addr, "/socket.io/?EIO=3&transport=websocket");
    assert.equal(res.status, 400);
    assert.match(res.body, /Unsupported protocol version/);
  });

  test("an unknown session", async () => {
    const res = await handshake(ctx.server.addr, "/socket.io/?EIO=4&transport=websocket&sid=unknown");
    assert.equal(res.status, 400);
    assert.match(res.body, /Session ID unknown/);
  });

  test("a WebSocket handshake without a key", async () => {
    const res = await handshake(ctx.server.addr, "/socket.io/?EIO=4&transport=websocket", { "Sec-WebSocket-Key": "short" });
    assert.equal(res.status, 400);
  });
});

describe("HTTP handlers on the same port", () => {
  test("answer", async () => {
    const res = await ask(ctx.server.addr, "/hello?name=Ada");
    assert.equal(res.status, 200);
    assert.equal(res.body, "hello Ada\n");
    assert.ok(res.headers.date);
  });

  test("answer 404 where there is none", async () => {
    assert.equal((await ask(ctx.server.addr, "/nothing/here")).status, 404);
  });

  test("stream: the first part arrives while the handler still runs", async () => {
    const res = await fetch(`${ctx.server.url}/stream`);
    const reader = res.body.getReader();
    const text = async () => Buffer.from((await reader.read()).value ?? []).toString();
    assert.equal(await text(), "first\n");
    await fetch(`${ctx.server.url}/stream-on`, { method: "POST" }); // lets it go on
    assert.equal(await text(), "second\n");
    assert.equal((await reader.read()).done, true);
  });

  test("read a body of known length", async () => {
    const body = "ab".repeat(200_000);
    const res = await ask(ctx.server.addr, "/upper", { method: "POST", body });
    assert.equal(res.body, body.toUpperCase());
  });

  test("read a body in chunks", async () => {
    const res = await ask(ctx.server.addr, "/upper", {
      method: "POST", headers: { "Transfer-Encoding": "chunked" }, body: "in chunks",
    });
    assert.equal(res.body, "IN CHUNKS");
  });

  test("wait for Expect: 100-continue", async () => {
    const res = await ask(ctx.server.addr, "/upper", {
      method: "POST", headers: { Expect: "100-continue", "Content-Length": "2" }, body: "ok",
    });
    assert.equal(res.body, "OK");
  });

  test("keep one connection over several requests", async () => {
    const agent = keepAlive();
    try {
      const ports = new Set();
      for (const path of ["/hello?name=a", "/hello?name=b", "/nothing", "/hello?name=c"]) {
        ports.add((await ask(ctx.server.addr, path, { agent })).port);
      }
      assert.equal(ports.size, 1);
    } finally {
      agent.destroy();
    }
  });

  test("answer HEAD without a body", async () => {
    const res = await ask(ctx.server.addr, "/hello", { method: "HEAD" });
    assert.equal(res.status, 200);
    assert.equal(res.body, "");
  });

  test("may emit to sockets", async () => {
    const s = await ctx.server.connect();
    const news = event(s, "news");
    assert.equal((await fetch(`${ctx.server.url}/emit?msg=from+http`, { method: "POST" })).status, 204);
    assert.deepEqual(await news, ["from http"]);
  });

  test("that panic end their request, not the server", async () => {
    await assert.rejects(ask(ctx.server.addr, "/panic"));
    assert.equal((await ask(ctx.server.addr, "/hello")).status, 200);
    assert.equal(await emit(await ctx.server.connect(), "echo-ack", 1), 1);
  });

  test("leave Engine.IO in place on a connection that has served a page", async () => {
    const agent = keepAlive();
    try {
      const page = await ask(ctx.server.addr, "/hello", { agent });
      assert.equal(page.status, 200);
      const poll = await ask(ctx.server.addr, "/socket.io/?EIO=4&transport=polling", { agent });
      assert.equal(poll.status, 200);
      assert.equal(poll.port, page.port);
      const target = "/socket.io/?EIO=4&transport=websocket";
      assert.equal((await handshake(ctx.server.addr, target, {}, agent)).status, 101);
    } finally {
      agent.destroy();
    }
  });
});
