// Streams of numbers to official clients that change their transport.
import assert from "node:assert/strict";

// numbers collects the events of a stream and checks that each comes once, in
// order, with its attachment.
export function numbers(s, count, ms = 30000) {
  return new Promise((resolve, reject) => {
    let next = 0;
    const timer = setTimeout(() => reject(new Error(`${next} of ${count} numbers`)), ms);
    s.on("disconnect", (why) => { clearTimeout(timer); reject(new Error(`${why} at ${next}`)); });
    s.on("n", (i, data) => {
      if (i !== next) { clearTimeout(timer); reject(new Error(`got ${i}, expected ${next}`)); return; }
      if (i % 10 === 9 && Buffer.from(data)[0] !== i % 256) reject(new Error(`attachment of ${i}`));
      if (++next === count) { clearTimeout(timer); s.off("disconnect"); resolve(); }
    });
  });
}

// upgraded resolves when the client is on its WebSocket.
export function upgraded(s) {
  if (s.io.engine.transport.name === "websocket") return Promise.resolve();
  return new Promise((resolve) => s.io.engine.once("upgrade", resolve));
}

// The clients, connected with { upgrade: false }, ask for count numbers, one
// each 20 ms, and are let go to their WebSockets one after the other: on their
// own they would upgrade before the first number comes.
export function underFire(sockets, count, ms) {
  return Promise.all(sockets.map(async (s, at) => {
    const done = numbers(s, count, ms);
    s.on("n", (i) => { if (i === at) s.io.engine._probe("websocket"); });
    s.emit("stream", count, 20);
    const polled = [];
    s.on("n", (i) => { if (s.io.engine.transport.name === "polling") polled.push(i); });
    await upgraded(s);
    await done;
    assert.equal(s.io.engine.transport.name, "websocket");
    assert.ok(polled.length > at, `${polled.length} numbers before the upgrade`);
  }));
}
