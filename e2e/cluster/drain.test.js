// One of two servers ends: asked to, then without a word.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { io } from "socket.io-client";
import { connected } from "../lib/throng.js";
import { Numbered, usePair } from "../lib/pair.js";
import { until } from "../lib/process.js";

const drain = 3000; // ms

const notify = async (addr, text) => {
  const res = await fetch(`http://${addr}/send_notification?msg=${text}`);
  assert.equal(res.status, 200);
  await res.body.cancel();
};

const ready = (addr) => fetch(`http://${addr}/readyz`).then(async (res) => {
  await res.body.cancel();
  return res.status;
}, () => 0);

for (const kind of ["nginx", "haproxy"]) {
  describe(`behind ${kind}`, () => {
    const t = usePair("--drain-time", `${drain}ms`);

    test("TERM: clients move to the other server, once, within 10 s", async (c) => {
      const { pair } = t;
      const front = await pair.front(kind);
      const clients = await pair.connect(80, front.url, "/notify");
      clients.push(...await pair.connect(20, front.url, "/notify", { transports: ["polling"] }));
      await upgraded(clients.slice(0, 80));
      const histories = clients.map((s) => {
        const h = { numbers: new Numbered(), left: 0, back: 0, sid: s.io.engine.id };
        s.on("notification", ({ msg }) => h.numbers.take(msg));
        s.on("disconnect", () => { h.left = performance.now(); });
        s.on("connect", () => { h.back = performance.now(); });
        return h;
      });

      const [going, staying] = pair.addrs;
      const begun = performance.now();
      pair.demos[0].program.signal("SIGTERM");
      await until(async () => await ready(going) === 503, "not ready");
      assert.equal(await ready(staying), 200);
      let sent = 0;
      let ended = false;
      pair.demos[0].program.exited.then((how) => { ended = how; });
      const newcomers = [];
      while (!ended || performance.now() - begun < drain + 3000) {
        await notify(staying, `n:${sent++}`);
        if (sent % 10 === 0) newcomers.push(...await pair.connect(2, front.url, "/notify"));
        assert.ok(performance.now() - begun < 15000, "the server does not end");
        await new Promise((r) => setTimeout(r, 25));
      }
      assert.deepEqual(ended, { code: 0, signal: null }, pair.demos[0].program.stderr);
      await Promise.all(clients.map((s) => connected(s)));
      await notify(staying, `n:${sent}`);
      const last = sent;
      await until(() => histories.every(({ numbers }) => numbers.last.n === last), "the last message");

      const moved = clients.filter((s) => s.losses > 0);
      // A WebSocket through the server that ends, to a session of the other, moves, too.
      const [least, most] = [clients.length / 5, clients.length * 0.95];
      assert.ok(moved.length > least && moved.length < most, `${moved.length} of ${clients.length} moved`);
      for (const [i, s] of clients.entries()) {
        const { numbers, left, back } = histories[i];
        assert.ok(s.losses <= 1 && s.connects === 1 + s.losses, `client ${i}: ${s.losses} losses, ${s.connects} connects`);
        assert.deepEqual(numbers.wrong, []);
        const missed = sent + 1 - numbers.seen.n;
        if (s.losses === 0) assert.equal(missed, 0, `client ${i} stayed and missed ${missed}`);
        else assert.ok(back - begun < 10000 && back > left, `client ${i} was back after ${back - begun} ms`);
        histories[i].missed = missed;
      }
      // They did not all leave at once.
      const left = histories.filter((h) => h.left).map((h) => h.left - begun).sort((a, b) => a - b);
      assert.ok(left.at(-1) - left[0] > drain / 2, `left from ${left[0]} to ${left.at(-1)} ms`);
      for (const s of newcomers) assert.deepEqual([s.connects, s.losses], [1, 0], "a newcomer");
      const away = histories.filter((h) => h.left);
      c.diagnostic(`${kind}: ${away.length} of ${clients.length} moved, away for ` +
        `${Math.round(Math.max(...away.map((h) => h.back - h.left)))} ms at most, missed ` +
        `${away.reduce((n, h) => n + h.missed, 0)} of ${away.length * (sent + 1)} messages`);
      // A poll may come when its session has just ended; nothing else fails.
      const over = new Set(clients.map((s, i) => s.losses > 0 && histories[i].sid));
      if (front.kind === "nginx") {
        assert.deepEqual((await front.failures()).filter((line) =>
          !/^400 /.test(line) || !over.has(line.match(/sid=([^&]+)/)?.[1])), []);
      }
      pair.leave();
    });

    test("kill -9, one after the other: clients go where there is a server", async () => {
      const { pair } = t;
      await pair.run(0);
      const front = await pair.front(kind);
      const clients = await pair.connect(40, front.url, "/notify");
      // A client whose WebSocket is just being opened through a server that
      // dies, for a session on the other one, has stopped to poll: it finds
      // out by its heartbeat alone.
      await upgraded(clients);
      clients.push(...await pair.connect(10, front.url, "/notify", { transports: ["polling"] }));
      for (const i of [0, 1]) {
        const before = clients.map((s) => s.connects);
        const begun = performance.now();
        await pair.demos[i].kill();
        const moved = () => clients.filter((s, k) => s.connects > before[k]).length;
        await until(() => moved() > 0 && clients.every((s) => s.connected), "connected again", 15000);
        assert.ok(performance.now() - begun < 15000);
        await hears(clients, pair.addrs[1 - i], `k${i}`);
        await pair.run(i);
        const newcomers = await balanced(pair, front);
        await hears([...clients, ...newcomers], pair.addrs[i], `r${i}`);
        for (const s of newcomers) s.disconnect();
        await upgraded(clients.slice(0, 40));
      }
      pair.leave();
    });
  });
}

const upgraded = (clients) => until(
  () => clients.every((s) => s.io.engine.transport.name === "websocket"), "all upgraded", 20000);

// A message from the server at addr reaches each of the clients once.
async function hears(clients, addr, text) {
  const got = clients.map(() => 0);
  const off = clients.map((s, i) => {
    const f = ({ msg }) => { if (msg === text) got[i]++; };
    s.on("notification", f);
    return () => s.off("notification", f);
  });
  await notify(addr, text);
  await until(() => got.every((n) => n > 0), `${text} at all`, 10000);
  off.forEach((f) => f());
  assert.ok(got.every((n) => n === 1), String(got));
}

// New clients come to both servers again. They poll: nginx takes a server for
// well again when a request to it has ended, which a WebSocket does late.
async function balanced(pair, front) {
  const all = [];
  await until(async () => {
    const list = await pair.connect(10, front.url, "/compute", { transports: ["polling"] });
    all.push(...list);
    const counts = await Promise.all(pair.addrs.map(connections));
    return counts.every((n) => n >= 5);
  }, "balanced", 10000);
  for (const s of all) s.disconnect();
  return pair.connect(10, front.url, "/notify");
}

// The connections of one server, as its dashboard has them.
async function connections(addr) {
  const s = io(`http://${addr}/dashboard`, { forceNew: true, transports: ["websocket"] });
  try {
    return await new Promise((resolve, reject) => {
      s.on("server_update", (u) => resolve(u.connections));
      s.on("connect_error", reject);
      setTimeout(() => reject(new Error("no figures")), 5000).unref();
    });
  } finally {
    s.disconnect();
  }
}
