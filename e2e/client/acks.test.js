import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, event, use } from "../lib/throng.js";

const ctx = use();

describe("the server's answers", () => {
  for (const args of [[], ["x"], [1, { a: [2] }, null], [Buffer.from([1, 2]), "t"]]) {
    test(`carry ${args.length} arguments`, async () => {
      const s = await ctx.server.connect();
      const got = await new Promise((r) => s.emit("echo-ack", ...args, (...a) => r(a)));
      assert.deepEqual(got, args);
    });
  }

  test("come once, even if the handler answers twice", async () => {
    const s = await ctx.server.connect();
    let calls = 0;
    s.emit("ack-twice", () => { calls++; });
    await ask(s, "echo-ack", 0);
    await ask(s, "echo-ack", 0);
    assert.equal(calls, 1);
  });

  test("do not come from a handler that does not answer: the client times out", async () => {
    const s = await ctx.server.connect();
    await assert.rejects(s.timeout(200).emitWithAck("ack-never"), /operation has timed out/);
  });

  test("come from several events at once to the right callers", async () => {
    const s = await ctx.server.connect();
    const got = await Promise.all(Array.from({ length: 200 }, (_, i) => ask(s, "echo-ack", i)));
    assert.deepEqual(got, Array.from({ length: 200 }, (_, i) => i));
  });

  test("of a slow handler do not hold up those of another socket", async () => {
    const [a, b] = await ctx.server.connectMany(2);
    let held = true;
    const slow = ask(a, "hold", 500).then(() => { held = false; });
    await ask(b, "echo-ack", 1);
    assert.equal(held, true);
    await slow;
  });

  test("reach the client's retries", async () => {
    const s = ctx.server.client("/", { retries: 3, ackTimeout: 1000 });
    const got = await s.emitWithAck("echo-ack", "with retries");
    assert.equal(got, "with retries");
  });
});

describe("a handler that fails", () => {
  for (const [what, name, arg, want] of [
    ["with an error meant for the client is answered with it", "refuse", 1, { error: "no", data: 7 }],
    ["with any other error keeps its words to itself", "fail", 1, { error: "internal error" }],
    ["by a panic is answered too", "fall", 1, { error: "internal error" }],
    ["to read its argument says so", "sum", "not a list", { error: "invalid argument" }],
  ]) {
    test(what, async () => {
      assert.deepEqual(await ask(await ctx.server.connect(), name, arg), want);
    });
  }
});

describe("the client's answers", () => {
  test("reach the server's EmitWithAck", async () => {
    const s = await ctx.server.connect();
    s.on("question", (n, ack) => ack(n * 2, "second"));
    assert.deepEqual(await ask(s, "ask-me", { arg: 21, timeout: 2000 }), { answer: 42 });
  });

  test("may be binary", async () => {
    const s = await ctx.server.connect();
    s.on("question", (n, ack) => ack(Buffer.from([1, 2, 3])));
    assert.deepEqual(await ask(s, "ask-me-hex"), "010203");
  });

  test("that do not come end in a timeout that says so", async () => {
    const s = await ctx.server.connect();
    s.on("question", () => {});
    const got = await ask(s, "ask-me", { arg: 1, timeout: 100 });
    assert.match(got.error, /timed? ?out|deadline/i);
  });

  test("that come too late are ignored", async () => {
    const s = await ctx.server.connect();
    const late = new Promise((r) => s.on("question", (n, ack) => setTimeout(() => { ack(n); r(); }, 300)));
    await ask(s, "ask-me", { arg: 1, timeout: 50 });
    await late;
    assert.equal(await ask(s, "echo-ack", "alive"), "alive");
  });

  test("to several questions at once find the right one", async () => {
    const s = await ctx.server.connect();
    s.on("question", (n, ack) => setTimeout(() => ack(n), 50 - n));
    const got = await Promise.all([0, 10, 20, 30, 40].map((arg) => ask(s, "ask-me", { arg, timeout: 2000 })));
    assert.deepEqual(got.map((g) => g.answer), [0, 10, 20, 30, 40]);
  });

  test("nobody asked for are ignored", async () => {
    const s = await ctx.server.connect();
    s.io.engine.write('3999["x"]');
    assert.equal(await ask(s, "echo-ack", "alive"), "alive");
  });
});

describe("a broadcast with answers", () => {
  test("gathers one from each member", async () => {
    const clients = await ctx.server.connectMany(3);
    for (const [i, c] of clients.entries()) {
      await ask(c, "join", "voters");
      c.on("vote", (topic, ack) => ack(`${topic}${i}`));
    }
    const got = await ask(clients[0], "broadcast-ack", { to: ["voters"], timeout: 2000 });
    assert.equal(got.error, "");
    assert.deepEqual(got.responses.sort(), ["topic0", "topic1", "topic2"]);
  });

  test("ends at the timeout with the answers it has", async () => {
    const clients = await ctx.server.connectMany(3);
    for (const [i, c] of clients.entries()) {
      await ask(c, "join", "half");
      c.on("vote", (topic, ack) => { if (i !== 1) ack(i); });
    }
    const got = await ask(clients[0], "broadcast-ack", { to: ["half"], timeout: 300 });
    assert.notEqual(got.error, "");
    assert.deepEqual(got.responses.sort(), [0, 2]);
  });

  test("to nobody ends at once with no answer", async () => {
    const s = await ctx.server.connect();
    const from = Date.now();
    const got = await ask(s, "broadcast-ack", { to: ["empty room"], timeout: 4000 });
    assert.deepEqual(got, { responses: [], error: "" });
    assert.ok(Date.now() - from < 2000);
  });

  test("does not wait for a member that left", async () => {
    const [a, b] = await ctx.server.connectMany(2);
    for (const c of [a, b]) await ask(c, "join", "leavers");
    a.on("vote", (topic, ack) => ack("a"));
    b.on("vote", () => b.disconnect());
    const got = await ask(a, "broadcast-ack", { to: ["leavers"], timeout: 1500 });
    assert.deepEqual(got.responses, ["a"]);
  });
});

test("an event that asks for an answer may be answered by another event first", async () => {
  const s = await ctx.server.connect();
  const typed = event(s, "typed");
  s.emit("typed", { name: "x", count: 0 });
  const sum = ask(s, "sum", [1]);
  assert.deepEqual(await typed, [{ greeting: "hello x", count: 1 }]);
  assert.equal(await sum, 1);
});
