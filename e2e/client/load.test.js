import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, connected, event, use } from "../lib/throng.js";

const ctx = use("-mailbox-events", "8000");

describe("a client faster than its handlers", () => {
  test("sends 5,000 events in one tick to a handler of 1 ms: all are answered, in order", async () => {
    const s = await ctx.server.connect();
    const answers = [];
    const done = new Promise((resolve, reject) => {
      s.once("disconnect", (reason) => reject(new Error(`${reason} after ${answers.length} answers`)));
      for (let i = 0; i < 5000; i++) {
        s.emit("slow", i, (n) => { answers.push(n); if (answers.length === 5000) resolve(); });
      }
    });
    await done;
    assert.deepEqual(answers, Array.from({ length: 5000 }, (_, i) => i));
  });

  test("beyond the mailbox's bound is closed with a reason that says so, and counted", async () => {
    const other = await ctx.server.connect();
    const before = (await ask(other, "stats")).drops;
    const s = await ctx.server.connect();
    const { id } = s;
    s.emit("hold", 1000);
    const closed = event(s, "disconnect", 10000);
    for (let i = 0; i < 9000; i++) s.emit("ack-never", i);
    await closed;
    const bye = await ctx.server.goodbye(id);
    assert.match(bye.disconnect.reason, /mailbox/i);
    const drops = (await ask(other, "stats")).drops;
    const names = Object.keys(drops).filter((k) => /mailbox/i.test(k) && drops[k] > (before[k] ?? 0));
    assert.equal(names.length, 1, JSON.stringify(drops));
  });

  test("does not slow down the others", async () => {
    const busy = await ctx.server.connect();
    const calm = await ctx.server.connect();
    for (let i = 0; i < 500; i++) busy.emit("slow", i);
    const from = performance.now();
    for (let i = 0; i < 20; i++) await ask(calm, "echo-ack", i);
    const each = (performance.now() - from) / 20;
    assert.ok(each < 50, `${each.toFixed(1)} ms a round trip`);
    await ask(busy, "slow", 0);
  });
});

test("a client that does not read is closed; the others get everything", async () => {
  const lazy = await ctx.server.connect();
  const eager = await ctx.server.connect();
  for (const s of [lazy, eager]) await ask(s, "join", "flood");
  const { id } = lazy;
  lazy.io.engine.transport.ws._socket.pause();
  let got = 0;
  eager.on("news", () => got++);
  const text = "x".repeat(50_000);
  const total = 400; // 20 MB: more than kernel buffers and the bound together
  for (let i = 0; i < total; i++) {
    await ask(eager, "relay", { server: true, to: ["flood"], arg: text });
  }
  assert.equal(got, total);
  const bye = await ctx.server.goodbye(id);
  assert.match(bye.disconnect.reason, /slow consumer/);
  lazy.io.engine.transport.ws._socket.destroy();
});

test("clients that come and go in a crowd leave nothing behind", async () => {
  const watcher = await ctx.server.connect();
  const { connections, rooms } = await ask(watcher, "stats");
  for (let round = 0; round < 5; round++) {
    const crowd = await ctx.server.connectMany(50);
    await Promise.all(crowd.map((c, i) => ask(c, "join", [`crowd-${i % 7}`, "crowd"])));
    const ids = crowd.map((c) => c.id);
    for (const [i, c] of crowd.entries()) {
      if (i % 3 === 0) c.disconnect();
      else if (i % 3 === 1) c.io.engine.close();
      else c.io.engine.transport.ws._socket.destroy();
    }
    await Promise.all(ids.map((id) => ctx.server.goodbye(id)));
  }
  let stats;
  for (let i = 0; i < 100; i++) {
    stats = await ask(watcher, "stats");
    if (stats.connections === connections && stats.rooms === rooms) break;
    await new Promise((r) => setTimeout(r, 20));
  }
  assert.deepEqual([stats.connections, stats.rooms], [connections, rooms]);
});

test("reconnecting in a loop works every time", async () => {
  const s = await ctx.server.connect();
  const seen = new Set();
  for (let i = 0; i < 50; i++) {
    seen.add(s.id);
    s.disconnect();
    s.connect();
    await connected(s);
  }
  assert.equal(seen.size, 50);
});
