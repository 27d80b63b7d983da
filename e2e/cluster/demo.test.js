// The demo on two servers: whichever a request or a client comes to, everybody
// gets everything once.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "../lib/browser.js";
import { usePair } from "../lib/pair.js";
import { until } from "../lib/process.js";
import { ask } from "../lib/throng.js";

const t = usePair();
let browser;
let watchers; // clients of the ten-second event, from the beginning
before(async () => {
  await t.ready();
  browser = await launch();
  watchers = await listeners("/test", "my response");
  for (const s of watchers) {
    s.times = [];
    s.on("my response", ({ data }) => { if (data === "Server generated event") s.times.push(performance.now()); });
  }
});
after(async () => { await browser?.close(); });

// A page of one of the servers, and clients of both.
async function open(path) {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(15000);
  await page.goto(`http://${t.pair.addrs[1]}${path}`);
  return page;
}

const lines = (page, text) => page.$$eval("#log li",
  (all, want) => all.filter((li) => li.textContent === want).length, text);

const get = async (i, path) => {
  const res = await fetch(`http://${t.pair.addrs[i]}${path}`);
  assert.equal(res.status, 200);
  return res.json();
};

// Two clients, one of each server, and what they get of an event.
async function listeners(nsp, name) {
  const list = [];
  for (const addr of t.pair.addrs) {
    const [s] = await t.pair.connect(1, `http://${addr}`, nsp);
    s.got = [];
    s.on(name, (arg) => s.got.push(arg));
    list.push(s);
  }
  return list;
}

// What was under way to a client has arrived after a message from each server
// that comes behind it.
async function quiet(...clients) {
  for (const addr of t.pair.addrs) {
    const text = `quiet ${Math.random()}`;
    const all = clients.map((s) => new Promise((resolve) => {
      s.io.socket("/notify").on("notification", ({ msg }) => msg === text && resolve());
    }));
    await Promise.all(clients.map((s) => until(() => s.io.socket("/notify").connected, "a second namespace")));
    await fetch(`http://${addr}/send_notification?msg=${encodeURIComponent(text)}`);
    await Promise.all(all);
  }
}

test("/send_notification on one: a page of the other shows it once", async () => {
  const page = await open("/notify");
  const clients = await listeners("/notify", "notification");
  await page.waitForSelector("#state[data-state=\"connected\"]");
  assert.deepEqual(await get(0, "/send_notification"), { status: "Notification sent" });
  await page.waitForFunction(() => [...document.querySelectorAll("#log li")]
    .some((li) => li.textContent === "System update available!"));
  await get(0, "/send_notification?msg=last");
  await page.waitForFunction(() => [...document.querySelectorAll("#log li")]
    .some((li) => li.textContent === "last"));
  assert.equal(await lines(page, "System update available!"), 1);
  await until(() => clients.every((s) => s.got.length === 2), "both");
  for (const s of clients) assert.deepEqual(s.got.map((n) => n.msg), ["System update available!", "last"]);
  await page.context().close();
});

test("/trigger_metrics reaches both once; what is timed comes from the own server", async () => {
  const clients = await listeners("/dashboard", "server_update");
  const timed = clients.map(() => 0);
  // Each server tells its own clients once a second.
  await until(() => clients.every((s) => s.got.length >= 2), "figures");
  clients.forEach((s, i) => { timed[i] = s.got.length; });
  const begun = performance.now();
  await new Promise((r) => setTimeout(r, 4000));
  const ticks = (performance.now() - begun) / 1000;
  clients.forEach((s, i) => {
    const n = s.got.length - timed[i];
    assert.ok(n >= ticks - 2 && n <= ticks + 2, `${n} figures in ${ticks} s`);
  });
  // Right behind a timed one there is time for ten triggered ones.
  const before = clients.map((s) => s.got.length);
  for (let n = 0; n < 30; n++) assert.deepEqual(await get(0, "/trigger_metrics"), { status: "Metrics update triggered" });
  const took = (performance.now() - begun) / 1000 - ticks;
  await quiet(...clients);
  clients.forEach((s, i) => {
    const n = s.got.length - before[i];
    assert.ok(n >= 30 && n <= 30 + Math.ceil(took) + 3, `${n} figures of 30 in ${took} s`);
  });
});

test("chat: a room has members on both, everyone hears everything once", async () => {
  const [a, b] = await listeners("/chat", "room_message");
  const counts = [];
  b.on("room_members", ({ count }) => counts.push(count));
  await ask(a, "join_room", { room: "kitchen" });
  await ask(b, "join_room", { room: "kitchen" });
  await until(() => counts.at(-1) === 2, "two members");
  for (let n = 0; n < 20; n++) {
    a.emit("room_message", { room: "kitchen", msg: `a${n}` });
    b.emit("room_message", { room: "kitchen", msg: `b${n}` });
  }
  const said = (s, who) => s.got.filter((m) => new RegExp(`^${who}\\d+$`).test(m));
  const all = (who) => Array.from({ length: 20 }, (_, n) => `${who}${n}`);
  await until(() => [a, b].every((s) => s.got.filter((m) => /^[ab]\d+$/.test(m)).length >= 40), "all");
  await quiet(a, b);
  for (const s of [a, b]) for (const who of "ab") assert.deepEqual(said(s, who), all(who));
  // The room of a client's own is nobody else's, on whichever server.
  const refused = new Promise((resolve) => b.on("request_error", resolve));
  b.emit("join_room", { room: a.id });
  assert.match((await refused).msg, /one client alone/);
});

test("compute: the result is told on both, once", async () => {
  const clients = await listeners("/compute", "computation_result");
  clients[0].emit("compute", { limit: 1000 });
  await until(() => clients.every((s) => s.got.length > 0), "the result");
  await quiet(...clients);
  for (const s of clients) assert.deepEqual(s.got, [{ result: 332833500 }]);
});

test("the ten-second event comes once each time, from the own server", async () => {
  await until(() => watchers.every((s) => s.times.length >= 2), "two events", 25000);
  for (const { times } of watchers) {
    for (let i = 1; i < times.length; i++) {
      const gap = times[i] - times[i - 1];
      assert.ok(gap > 9000 && gap < 12000, `${gap} ms between two`);
    }
  }
});
