import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, event, use } from "../lib/throng.js";

const ctx = use();

describe("arguments", () => {
  const values = {
    "no argument": [],
    "a string": ["hello"],
    "an empty string": [""],
    "whole and broken numbers": [0, -1, 42, 1.5, -0.25, 1e21, 1e-7, 9007199254740991],
    "booleans and null": [true, false, null],
    "lists": [[], [1, [2, [3]]]],
    "objects": [{}, { a: { b: { c: [1, "2", null] } } }],
    "many": Array.from({ length: 50 }, (_, i) => i),
    "characters that JSON escapers touch": ["<a href=\"x\">&amp;</a>\u2028\u2029\u0000\u001f\\\"/"],
    "emoji and other scripts": ["👩‍🚀 grüße 世界 ‮"],
    "a lone surrogate": ["\ud83d and \udc00"],
    "keys in their order": [{ z: 1, a: 2, 10: 3 }],
    "an object that looks like __proto__": [JSON.parse('{"__proto__":{"x":1}}')],
  };
  for (const [what, args] of Object.entries(values)) {
    test(`${what} come back from a raw handler as they were`, async () => {
      const s = await ctx.server.connect();
      const answer = event(s, "echo");
      s.emit("echo", ...args);
      const got = await answer;
      assert.deepEqual(got, args);
      assert.equal(JSON.stringify(got), JSON.stringify(args), "even the order of keys");
    });
  }

  test("that JSON has no word for travel as JavaScript writes them", async () => {
    const s = await ctx.server.connect();
    const answer = event(s, "echo");
    s.emit("echo", NaN, -0, new Date(0), [undefined], { gone: undefined });
    assert.deepEqual(await answer, [null, 0, "1970-01-01T00:00:00.000Z", [null], {}]);
  });
});

describe("event names", () => {
  for (const name of ["message", "connection", "error", "", " ", "ü\"\\", "a".repeat(1000)]) {
    test(`${JSON.stringify(name.slice(0, 20))} reach the catch-all listener`, async () => {
      const s = await ctx.server.connect("/any");
      const answer = event(s, "heard");
      s.emit(name, 1, "two");
      assert.deepEqual(await answer, [name, 2]);
    });
  }

  test("nobody listens to are ignored", async () => {
    const s = await ctx.server.connect();
    s.emit("nobody listens", 1);
    assert.equal(await ask(s, "echo-ack", "alive"), "alive");
  });
});

describe("typed handlers", () => {
  test("get their struct", async () => {
    const s = await ctx.server.connect();
    const answer = event(s, "typed");
    s.emit("typed", { name: "Ada", count: 2, extra: true });
    assert.deepEqual(await answer, [{ greeting: "hello Ada", count: 3 }]);
  });

  test("answer by returning", async () => {
    const s = await ctx.server.connect();
    assert.equal(await ask(s, "sum", [1, 2, 3.5]), 6.5);
  });

  test("are not called with arguments of another type; the connection lives", async () => {
    const s = await ctx.server.connect();
    let called = false;
    s.on("typed", () => { called = true; });
    s.emit("typed", "not an object");
    s.emit("typed", { name: 1 });
    assert.equal(await ask(s, "echo-ack", "alive"), "alive");
    assert.equal(called, false);
  });

  test("get the zero value when the client sent nothing", async () => {
    const s = await ctx.server.connect();
    const answer = event(s, "typed");
    s.emit("typed");
    assert.deepEqual(await answer, [{ greeting: "hello ", count: 1 }]);
  });

  test("that panic hurt nobody", async () => {
    const s = await ctx.server.connect();
    s.emit("panic");
    assert.equal(await ask(s, "echo-ack", "alive"), "alive");
    assert.equal(await ask(await ctx.server.connect(), "echo-ack", 1), 1);
  });
});

describe("binary", () => {
  const bytes = (...n) => Buffer.from(n);

  test("comes back from a raw handler, nested and in order", async () => {
    const s = await ctx.server.connect();
    const answer = event(s, "echo");
    const args = [bytes(1, 2, 3), { list: [bytes(), { deep: bytes(255) }], text: "t" }, bytes(4)];
    s.emit("echo", ...args);
    assert.deepEqual(await answer, args);
  });

  test("arrives in a handler as bytes", async () => {
    const s = await ctx.server.connect();
    assert.equal(await ask(s, "hex", bytes(0, 1, 254, 255)), "0001feff");
    assert.equal(await ask(s, "hex", new Uint8Array([7, 8])), "0708");
    assert.equal(await ask(s, "hex", new Uint8Array([9]).buffer), "09");
  });

  test("is what []byte becomes, wherever it lies", async () => {
    const s = await ctx.server.connect();
    const answer = event(s, "binary");
    s.emit("binary-please");
    assert.deepEqual(await answer, [
      bytes(1, 2, 3), { list: [bytes(4), { deep: bytes(5, 6) }], text: "t" },
    ]);
  });

  test("of 900,000 bytes passes", async () => {
    const s = await ctx.server.connect();
    const big = Buffer.alloc(900_000, 0xab);
    const answer = event(s, "echo");
    s.emit("echo", big);
    assert.ok((await answer)[0].equals(big));
  });

  test("does not mix with text events sent around it", async () => {
    const s = await ctx.server.connect();
    const got = [];
    s.on("echo", (...a) => got.push(a));
    const done = new Promise((r) => s.on("echo", () => got.length === 300 && r()));
    for (let i = 0; i < 100; i++) {
      s.emit("echo", i);
      s.emit("echo", bytes(i), bytes(i, i));
      s.emit("echo", `t${i}`);
    }
    await done;
    for (let i = 0; i < 100; i++) {
      assert.deepEqual(got[3 * i], [i]);
      assert.deepEqual(got[3 * i + 1], [bytes(i), bytes(i, i)]);
      assert.deepEqual(got[3 * i + 2], [`t${i}`]);
    }
  });

  test("look-alikes are left alone: a placeholder object is only an object", async () => {
    const s = await ctx.server.connect();
    const args = [{ _placeholder: false, num: 0 }];
    const answer = event(s, "echo");
    s.emit("echo", ...args);
    assert.deepEqual(await answer, args);
  });
});

test("text of 900,000 characters passes", async () => {
  const s = await ctx.server.connect();
  const big = "ä".repeat(450_000);
  assert.equal(await ask(s, "echo-ack", big), big);
});

test("socket data belongs to one socket", async () => {
  const [a, b] = await ctx.server.connectMany(2);
  await ask(a, "data-set", "for a");
  await ask(b, "data-set", "for b");
  assert.equal(await ask(a, "data-get"), "for a");
  assert.equal(await ask(b, "data-get"), "for b");
});

test("a thousand events arrive in the order they were sent, both ways", async () => {
  const s = await ctx.server.connect();
  const got = [];
  const done = new Promise((r) => s.on("echo", (n) => { got.push(n); if (got.length === 1000) r(); }));
  for (let i = 0; i < 1000; i++) s.emit("echo", i);
  await done;
  assert.deepEqual(got, Array.from({ length: 1000 }, (_, i) => i));
});
