// Requests go to two servers in turn, whoever they are from: nothing in the
// balancer keeps a client to its server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../lib/process.js";
import { Numbered, usePair } from "../lib/pair.js";
import { ask } from "../lib/throng.js";

const t = usePair();

const notify = async (addr, text) => {
  const res = await fetch(`http://${addr}/send_notification?msg=${text}`);
  assert.equal(res.status, 200);
  await res.body.cancel();
};

// Emits numbers on both servers at the same time.
const emit = (addrs, count) => Promise.all(addrs.map(async (addr, i) => {
  for (let n = 0; n < count; n++) await notify(addr, `${i}:${n}`);
}));

function listen(socket) {
  const numbers = new Numbered();
  socket.on("notification", ({ msg }) => numbers.take(msg));
  return numbers;
}

const complete = (numbers, count) => until(
  () => numbers.every((n) => n.seen[0] >= count && n.seen[1] >= count),
  "all messages", 20000).then(() => {
  for (const n of numbers) assert.deepEqual([n.wrong, n.seen], [[], { 0: count, 1: count }]);
});

test("200 clients with the default transports behind the plainest nginx", async () => {
  const { pair } = t;
  const front = await pair.front("plain nginx");
  // While they upgrade messages go both ways.
  const clients = [];
  for (let i = 0; i < 4; i++) clients.push(...await pair.connect(50, front.url, "/notify"));
  const numbers = clients.map(listen);
  const chats = clients.map((s) => s.io.socket("/test"));
  const sent = chats.map(async (s) => {
    const got = [];
    s.on("my response", ({ data }) => got.push(data));
    for (let n = 0; n < 10; n++) s.emit("my event", { data: `n${n}` });
    await until(() => got.length >= 11, "ten answers", 20000);
    assert.deepEqual(got.filter((x) => x !== "Server generated event"),
      ["Connected", ...Array.from({ length: 10 }, (_, n) => `n${n}`)]);
  });
  await emit(pair.addrs, 50);
  await Promise.all(sent);
  await complete(numbers, 50);
  await until(() => clients.every((s) => s.io.engine.transport.name === "websocket"),
    "all upgraded", 20000);
  await emit(pair.addrs, 10).then(() => until(
    () => numbers.every((n) => n.seen[0] === 60 && n.seen[1] === 60), "all again", 20000));
  assert.deepEqual(await front.failures(), []);
  assert.ok(clients.every((s) => s.connects === 1 && s.losses === 0));
  const { [pair.addrs[0]]: a, [pair.addrs[1]]: b } = await front.sessions();
  assert.ok(a > 50 && b > 50, `${a} and ${b} of 200`);
  pair.leave();
});

test("polling alone, each request on the other server, with binary values", async () => {
  const { pair } = t;
  const front = await pair.front("plain nginx");
  const clients = await pair.connect(20, front.url, "/notify", { transports: ["polling"] });
  const numbers = clients.map(listen);
  const echoes = clients.map(async (s, i) => {
    const compute = s.io.socket("/compute");
    for (let n = 0; n < 10; n++) {
      const big = Buffer.alloc(100 + 5000 * n, i);
      assert.deepEqual(await ask(compute, "echo", big, n), big);
    }
  });
  await emit(pair.addrs, 30);
  await Promise.all([complete(numbers, 30), ...echoes]);
  assert.deepEqual(await front.failures(), []);
  assert.ok(clients.every((s) => s.connects === 1 && s.losses === 0));

  // The requests of one session went to both.
  const to = {};
  for (const { url, last } of await front.log()) {
    const sid = url.match(/sid=([^&]+)/)?.[1];
    if (sid) (to[sid] ??= new Set()).add(last);
  }
  assert.equal(Object.keys(to).length, 20);
  assert.ok(Object.values(to).every((servers) => servers.size === 2));
  pair.leave();
});
