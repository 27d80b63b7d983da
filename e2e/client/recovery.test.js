import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, connected, event, use } from "../lib/throng.js";

const modes = {
  websocket: { transports: ["websocket"] },
  polling: { transports: ["polling"] },
  upgrade: { transports: ["polling", "websocket"] },
};

// Events of a socket: everything it is shown, without the offset.
function shown(s) {
  const out = [];
  s.onAny((name, ...args) => {
    assert.equal(typeof args.pop(), "string", "the offset comes last");
    out.push([name, ...args]);
  });
  return out;
}

const again = { reconnection: true, reconnectionDelay: 300, reconnectionDelayMax: 300, randomizationFactor: 0 };

for (const loops of ["1", "2"]) {
  describe(`${loops} loops`, () => {
    const ctx = use("-loops", loops, "-recovery", "1m");

    for (const [name, options] of Object.entries(modes)) {
      test(`${name}: a client gets what it has missed, once, and nothing else`, async () => {
        const other = await ctx.server.connect("/recovery");
        for (let round = 0; round < 2; round++) {
          const s = await ctx.server.connect("/recovery", { ...options, ...again });
          const list = shown(s);
          const { id } = s;
          assert.equal(s.recovered, false);
          const want = [];
          const shout = async (...args) => {
            want.push(["shout", ...args]);
            await ask(other, "shout", ...args);
          };
          const lose = async () => {
            const lost = event(s, "disconnect");
            s.io.engine.close();
            await lost;
          };

          // Nothing received yet, nothing missed: recovered without an event. The
          // answer shows that the connection handlers have returned.
          await ask(s, "who");
          await lose();
          await connected(s);
          assert.equal(s.recovered, true);
          assert.equal(s.id, id);
          assert.deepEqual(list, []);

          // Nothing received yet, something missed.
          await lose();
          await shout(1);
          await shout("two", Buffer.from([1, 2]));
          await connected(s);
          assert.equal(s.recovered, true);
          await shout({ three: 3 });

          // Something received, something missed.
          await ask(s, "who");
          await lose();
          await shout(4);
          await connected(s);
          const who = await ask(s, "who");
          assert.deepEqual(who, { recovered: true, data: "kept", rooms: [id, "room"] });
          assert.equal(s.id, id);
          assert.deepEqual(list, want);

          s.disconnect();
          s.connect();
          await connected(s);
          assert.equal(s.recovered, false);
          assert.notEqual(s.id, id);
          s.disconnect();
        }
      });
    }
  });
}

describe("off", () => {
  const ctx = use();
  test("nothing is added and nothing recovered", async () => {
    const other = await ctx.server.connect("/recovery");
    const s = await ctx.server.connect("/recovery", again);
    const { id } = s;
    const got = event(s, "shout");
    await ask(other, "shout", 1);
    assert.deepEqual(await got, [1]);
    s.io.engine.close();
    await event(s, "connect");
    assert.ok(!s.recovered);
    assert.notEqual(s.id, id);
  });
});
