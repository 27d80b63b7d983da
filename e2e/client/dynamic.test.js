import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { until } from "../lib/process.js";
import { Server, ask, connected, event, use } from "../lib/throng.js";

const ctx = use();

describe("namespaces that match a pattern", () => {
  test("come into being with the first client, handlers and all", async () => {
    const s = ctx.server.client("/dynamic-1");
    assert.deepEqual(await event(s, "welcome"), ["/dynamic-1"]);
    await ctx.server.journal((e) => e.event === "new_namespace" && e.nsp === "/dynamic-1");
    const other = await ctx.server.connect("/dynamic-1");
    const heard = event(other, "published");
    s.emit("publish", { n: 1 });
    assert.deepEqual(await heard, [{ n: 1 }]);
    const made = ctx.server.program.lines.map((l) => JSON.parse(l))
      .filter((e) => e.event === "new_namespace" && e.nsp === "/dynamic-1");
    assert.equal(made.length, 1);
  });

  test("do not hear each other; their parent reaches them all", async () => {
    const a = await ctx.server.connect("/dynamic-2");
    const b = a.io.socket("/dynamic-3");
    await connected(b);
    const heard = [];
    b.on("published", (x) => heard.push(x));
    const own = event(a, "published");
    a.emit("publish", "to 2");
    assert.deepEqual(await own, ["to 2"]);
    const both = [event(a, "published"), event(b, "published")];
    a.emit("publish-to-all", "to all");
    for (const h of both) assert.deepEqual(await h, ["to all"]);
    assert.deepEqual(heard, ["to all"]);
  });

  test("run the parent's middleware", async () => {
    const s = ctx.server.client("/dynamic-13");
    const [err] = await event(s, "connect_error");
    assert.equal(err.message, "unlucky number");
  });

  test("are refused when the name does not match whole", async () => {
    for (const name of ["/dynamic-", "/dynamic-1x", "/xdynamic-1", "/dynamic-1/2"]) {
      const [err] = await event(ctx.server.client(name), "connect_error");
      assert.equal(err.message, "Invalid namespace", name);
    }
  });

  test("let in many clients that come at the same time", async () => {
    const clients = await ctx.server.connectMany(100, "/dynamic-77");
    const heard = clients.map((c) => event(c, "published"));
    clients[0].emit("publish", 7);
    for (const h of heard) assert.deepEqual(await h, [7]);
    for (const c of clients) c.disconnect();
  });
});

describe("namespaces that a function decides about", () => {
  test("let in who has the key, with typed handlers of two arguments", async () => {
    const s = await ctx.server.connect("/by-key", { auth: { Key: "secret" } });
    assert.equal(await ask(s, "add", 2, 3), 5);
  });

  test("are Invalid namespace while nobody has come with the key", async () => {
    const fresh = await Server.start();
    try {
      const [err] = await event(fresh.client("/by-key", { auth: { Key: "wrong" } }), "connect_error");
      assert.equal(err.message, "Invalid namespace");
    } finally {
      await fresh.stop();
    }
  });
});

describe("with -cleanup and a bound", () => {
  const small = use("-cleanup", "-max-dynamic", "2");

  test("empty namespaces go, and their places with them", async () => {
    const root = await small.server.connect();
    const sockets = await Promise.all(["/dynamic-1", "/dynamic-2"].map((n) => small.server.connect(n)));
    const [err] = await event(small.server.client("/dynamic-3"), "connect_error");
    assert.equal(err.message, "Too many namespaces");
    assert.deepEqual((await ask(root, "dynamic")).sort(), ["/dynamic-1", "/dynamic-2"]);
    const { id } = sockets[0];
    sockets[0].disconnect();
    await small.server.journal((e) => e.event === "disconnect" && e.id === id);
    await until(async () => (await ask(root, "dynamic")).join() === "/dynamic-2", "removed");
    const third = await small.server.connect("/dynamic-3");
    const again = event(small.server.client("/dynamic-1"), "connect_error");
    assert.equal((await again)[0].message, "Too many namespaces");
    third.disconnect();
    await until(async () => (await ask(root, "dynamic")).join() === "/dynamic-2", "removed again");
    await small.server.connect("/dynamic-1");
  });
});
