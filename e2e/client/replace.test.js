// A second process takes the port over: official clients stay on the sessions
// they have, by whatever transport, and move once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { io } from "socket.io-client";
import { until } from "../lib/process.js";
import { Instance } from "../lib/serve.js";
import { connected, wait } from "../lib/throng.js";

// Short heartbeats: many polls.
const args = ["--reuse-port", "--loops", "2", "--drain-time", "1500ms", "--ping-interval", "200ms"];

test("a process is replaced under polling and upgraded clients", async (c) => {
  const old = await Instance.start(...args);
  let fresh;
  const clients = [];
  const come = async (url, n) => {
    const some = Array.from({ length: n }, (_, i) => io(url, {
      forceNew: true, reconnectionDelay: 100, randomizationFactor: 0.5,
      transports: i % 2 ? ["polling"] : ["polling", "websocket"],
    }));
    for (const s of some) {
      Object.assign(s, { connects: 0, losses: [], errors: [] });
      s.on("connect", () => { s.connects++; });
      s.on("disconnect", (reason) => s.losses.push(reason));
      s.on("connect_error", (err) => s.errors.push(String(err)));
      clients.push(s);
    }
    await Promise.all(some.map((s) => connected(s)));
  };
  try {
    await come(old.url, 20);
    fresh = await Instance.start(...args, "--listen", new URL(old.url).host);
    // Requests of the first 20 may come to either, and so may these clients.
    await come(old.url, 20);
    const sessions = clients.map((s) => s.io.engine.id);
    await wait(500);
    assert.deepEqual(clients.map((s) => s.io.engine.id), sessions, "nobody has lost a session");
    const tag = sessions[0].slice(0, 2); // of the process
    const moving = clients.filter((s) => s.io.engine.id.startsWith(tag));

    old.program.signal("SIGTERM");
    assert.deepEqual(await old.program.exited, { code: 0, signal: null }, old.program.stderr);
    await until(() => clients.every((s) => s.connected && s.connects > (moving.includes(s) ? 1 : 0)),
      "everybody has come back");
    await wait(300);
    const reasons = {};
    for (const s of clients) {
      assert.deepEqual(s.errors, []);
      assert.equal(s.connects, s.losses.length + 1, "connects again at once");
      // A WebSocket that came to the old process moves with it, wherever its
      // session is; polls of the new one's sessions do not.
      const polls = !s.io.opts.transports.includes("websocket");
      const most = moving.includes(s) || !polls ? 1 : 0;
      assert.ok(s.losses.length <= most, `${polls ? "polling" : "upgraded"}: ${s.losses}`);
      for (const r of s.losses) reasons[r] = (reasons[r] ?? 0) + 1;
    }
    assert.ok(moving.length >= 20, `${moving.length} moved`);
    c.diagnostic(`${moving.length} of ${clients.length} moved: ${JSON.stringify(reasons)}`);
  } finally {
    for (const s of clients) s.disconnect();
    await fresh?.stop();
    await old.program.stop();
  }
});
