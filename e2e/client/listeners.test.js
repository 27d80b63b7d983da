import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, event, use } from "../lib/throng.js";

const ctx = use();

describe("the outgoing catch-all", () => {
  test("sees emits and broadcasts to the socket in their order, and no acks", async () => {
    const s = await ctx.server.connect("/outgoing");
    const other = await ctx.server.connect("/outgoing");
    const others = event(other, "others");
    assert.equal(await ask(s, "go"), "acknowledged");
    await others;
    const seen = async (id, n) => {
      const all = () => ctx.server.program.lines.map((l) => JSON.parse(l))
        .filter((e) => e.event === "outgoing" && e.id === id);
      await ctx.server.journal(() => all().length >= n, "outgoing events");
      return all().map((e) => [e.name, e.args, e.attachments]);
    };
    assert.deepEqual(await seen(s.id, 2), [
      ["emitted", [1, "two"], 0],
      ["broadcast", [{ _placeholder: true, num: 0 }], 1],
    ]);
    assert.deepEqual(await seen(other.id, 2), [
      ["broadcast", [{ _placeholder: true, num: 0 }], 1],
      ["others", [null], 0],
    ]);
  });
});

describe("per-event middleware", () => {
  async function guarded() {
    const s = await ctx.server.connect("/guarded");
    const steps = [];
    s.on("step", (what, name) => steps.push(`${what} ${name}`));
    return [s, steps];
  }

  test("runs behind the catch-all and before the handler", async () => {
    const [s, steps] = await guarded();
    assert.equal(await ask(s, "allowed"), "handled");
    assert.deepEqual(steps, ["first allowed", "any allowed", "guard allowed", "own guard allowed",
      "handler allowed"]);
  });

  test("stops an event with an error, which goes to the error handler", async () => {
    const [s, steps] = await guarded();
    const refused = event(s, "refused");
    assert.deepEqual(await ask(s, "forbidden"), { refused: "not allowed" });
    assert.deepEqual(await refused, ["forbidden", "not allowed"]);
    assert.deepEqual(steps, ["first forbidden", "any forbidden", "guard forbidden"]);
    assert.equal(await ask(s, "allowed"), "handled", "the socket goes on");
  });

  test("is in front of the handler for everything else, too", async () => {
    const [s, steps] = await guarded();
    assert.deepEqual(await s.timeout(5000).emitWithAck("whatever", 1, [2]), "nobody listens to whatever");
    assert.deepEqual(steps.at(-1), "unhandled whatever");
    assert.deepEqual(steps.length, 5);
  });

  test("a handler that runs once leaves the next to the others", async () => {
    const [s] = await guarded();
    assert.equal(await ask(s, "once"), "only once");
    assert.equal(await ask(s, "once"), "nobody listens to once");
  });
});
