import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { io } from "socket.io-client";
import { ask, connected, event, use } from "../lib/throng.js";

const ctx = use();

describe("connecting", () => {
  test("gives each socket an id of its own, other than the connection's", async () => {
    const [a, b] = await ctx.server.connectMany(2);
    assert.match(a.id, /^[A-Za-z0-9_-]{20}$/);
    assert.notEqual(a.id, b.id);
    assert.notEqual(a.id, a.io.engine.id, "the connection's id is a secret");
    assert.match(a.io.engine.id, /^[A-Za-z0-9_-]{20}$/);
    assert.equal(a.io.engine.transport.name, "websocket");
    assert.ok(!a.recovered);
  });

  test("shows auth, query and headers in the handshake", async () => {
    const s = await ctx.server.connect("/", {
      auth: { token: "t", n: 1 },
      query: { lang: "de", x: "a b&c" },
      extraHeaders: { "X-Trace": "42" },
    });
    const h = await ask(s, "handshake");
    assert.deepEqual(h.auth, { token: "t", n: 1 });
    assert.equal(h.query.lang, "de");
    assert.equal(h.query.x, "a b&c");
    assert.equal(h.header, "42");
    assert.match(h.address, /^127\.0\.0\.1/);
  });

  test("without auth gives an empty object", async () => {
    const h = await ask(await ctx.server.connect(), "handshake");
    assert.deepEqual(h.auth, {});
  });

  test("runs connection handlers before the client's first event", async () => {
    const s = ctx.server.client();
    s.emit("handshake", () => {}); // queued by the client until connected
    const [status] = await event(s, "status");
    assert.deepEqual(status, { msg: "Connected" });
  });

  test("delivers what middleware and connection handlers emit, in order", async () => {
    const s = ctx.server.client("/welcome");
    const got = [];
    s.onAny((name, n) => got.push([name, n]));
    await event(s, "last");
    assert.deepEqual(got, [["from-middleware", 0], ["first", 1], ["second", 2], ["last", 3]]);
  });
});

describe("refusals", () => {
  test("of a middleware carry its message and data", async () => {
    const s = ctx.server.client("/auth");
    const [err] = await event(s, "connect_error");
    assert.equal(err.message, "not authorized");
    assert.deepEqual(err.data, { code: 401, content: "Please sign in" });
    assert.equal(s.connected, false);
    assert.equal(s.active, false, "the client does not try again by itself");
  });

  test("do not stand when the client tries again with better auth", async () => {
    const s = ctx.server.client("/auth", { auth: { token: "wrong" } });
    await event(s, "connect_error");
    s.auth = { token: "secret" };
    s.connect();
    await connected(s);
    assert.equal(await ask(s, "whoami"), "user of secret");
  });

  test("of a plain error carry its message and no data", async () => {
    const s = ctx.server.client("/closed");
    const [err] = await event(s, "connect_error");
    assert.equal(err.message, "closed today");
    assert.equal(err.data, undefined);
  });

  test("of an unknown namespace say Invalid namespace", async () => {
    const s = ctx.server.client("/nowhere");
    const [err] = await event(s, "connect_error");
    assert.equal(err.message, "Invalid namespace");
  });

  test("of one namespace leave the others connected", async () => {
    const root = await ctx.server.connect();
    const refused = root.io.socket("/auth");
    await event(refused, "connect_error");
    assert.equal(await ask(root, "echo-ack", 1), 1);
  });
});

describe("several namespaces on one connection", () => {
  async function two() {
    const root = await ctx.server.connect();
    const news = root.io.socket("/news"); // connects by itself
    await connected(news);
    return [root, news];
  }

  test("have ids of their own and share the connection", async () => {
    const [root, news] = await two();
    assert.equal(root.io.engine, news.io.engine);
    assert.notEqual(root.id, news.id);
  });

  test("do not hear each other's events", async () => {
    const [root, news] = await two();
    // The server greets a socket of the main namespace: an answer after it says that the greeting is past.
    await ask(root, "echo-ack", 0);
    const heard = [];
    root.onAny((name) => heard.push(`root ${name}`));
    news.onAny((name) => heard.push(`news ${name}`));
    news.emit("publish", "x");
    assert.deepEqual(await event(news, "published"), ["x"]);
    await ask(root, "echo-ack", 0);
    assert.deepEqual(heard, ["news published"]);
  });

  test("can be left and joined again, with a new id", async () => {
    const [root, news] = await two();
    const old = news.id;
    news.disconnect();
    const bye = await ctx.server.goodbye(old);
    assert.equal(bye.disconnect.reason, "client namespace disconnect");
    assert.equal(await ask(root, "echo-ack", "still here"), "still here");
    news.connect();
    await connected(news);
    assert.notEqual(news.id, old);
  });

  test("work with the client's own cache of connections", async () => {
    const options = { transports: ["websocket"], reconnection: false };
    const a = io(ctx.server.url + "/", options);
    const b = io(ctx.server.url + "/news", options);
    await Promise.all([connected(a), connected(b)]);
    assert.equal(a.io, b.io);
    a.disconnect();
    b.disconnect();
  });
});

test("500 clients at once all get in, with different ids", async () => {
  const clients = await ctx.server.connectMany(500, "/news");
  assert.equal(new Set(clients.map((c) => c.id)).size, 500);
  for (const c of clients) c.disconnect();
});
