// The example in Flask: everything of examples/compose.yml as processes, which
// are two throng behind nginx, four Flask workers, a Celery worker and Valkey;
// official clients of both throng and of nginx, then its pages in Chromium.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { io } from "socket.io-client";
import { Compose } from "../lib/compose.js";
import { usePages } from "../lib/pages.js";
import { until } from "../lib/process.js";
import { pageTests } from "./flask.pages.js";

const file = fileURLToPath(new URL("../../examples/compose.yml", import.meta.url));
const secrets = { THRONG_APP_SECRET: "a key of the tests, long enough", THRONG_API_KEYS: "and-another-one-of-the-tests" };
let c;
const t = usePages(async () => {
  c = await Compose.start(file, secrets);
  c.url = `http://${c.addr("nginx", 8080)}`;
  // Beat's first measurement: the Celery worker is there.
  const s = client("/dashboard");
  await until(() => s.got.length > 0, `a measurement; ${c.running.celery.stderr}`, 20000);
  s.disconnect();
  return c;
});
const clients = new Set();
after(() => { for (const s of clients) s.disconnect(); });

// where: throng1, throng2, or nginx with what a browser does, polling first.
function client(nsp, { where = "nginx", ...options } = {}) {
  const port = where === "nginx" ? 8080 : 5000;
  const s = io(`http://${c.addr(where, port)}${nsp}`, {
    forceNew: true, reconnection: false, ...where !== "nginx" && { transports: ["websocket"] }, ...options });
  clients.add(s);
  s.got = [];
  s.onAny((...all) => s.got.push(all));
  s.heard = (...want) => until(() => s.got.some((e) => JSON.stringify(e) === JSON.stringify(want)),
    `${JSON.stringify(want)} among ${JSON.stringify(s.got)}`, 10000);
  s.all = (name) => s.got.filter(([n]) => n === name).map(([, data]) => data);
  s.ask = (...args) => s.timeout(15000).emitWithAck(...args);
  return s;
}

async function open(nsp, options) {
  await t.ready();
  const s = client(nsp, options);
  await until(() => s.connected, "a connection", 10000);
  return s;
}

const enter = (name, where) => open("/chat", { auth: { name }, where });
const leave = (...sockets) => { for (const s of sockets) s.disconnect(); };
// One on each throng, and so on.
const crowd = (n, nsp = "/compute") => Promise.all(Array.from({ length: n },
  (_, i) => open(nsp, { auth: { name: `c${i}` }, where: `throng${1 + i % 2}` })));

test("all that the compose file says means something", async () => {
  await t.ready();
  for (const [name, program] of Object.entries(c.running)) {
    assert.doesNotMatch(program.stderr,
      /sets nothing|"level":"(WARN|ERROR)"|Traceback|\[ERROR\]/, name);
  }
  for (const asset of ["style.css", "page.js", "chart.js", "throng.svg"]) {
    const [ours, demos] = await Promise.all(["examples/flask/static/assets", "internal/demo/pages"]
      .map((dir) => readFile(new URL(`../../${dir}/${asset}`, import.meta.url), "utf8")));
    assert.equal(ours, demos, `${asset} is the demo's`);
  }
});

test("pages come through the same port, the endpoint does not", async () => {
  await t.ready();
  for (const path of ["/", "/chat.html", "/assets/style.css", "/socket.io/socket.io.min.js"]) {
    assert.equal((await fetch(c.url + path)).status, 200, path);
  }
  for (const path of ["/_throng/connect", "/_throng/echo", "//_throng/echo", "/%5fthrong/echo"]) {
    assert.equal((await fetch(c.url + path, { method: "POST", body: "{}" })).status, 404, path);
  }
  const direct = await fetch(`http://${c.addr("flask", 8000)}/_throng/echo`, { method: "POST", body: "{}" });
  assert.equal(direct.status, 401, "and only signed calls are taken");
});

test("a client is refused with message and data", async () => {
  await t.ready();
  for (const where of ["throng1", "throng2", "nginx"]) {
    const s = client("/chat", { where });
    const err = await new Promise((resolve) => { s.on("connect_error", resolve); });
    assert.equal(err.message, "who are you?");
    assert.deepEqual(err.data, { field: "name" });
  }
});

test("a chat with rooms, over both throng", async () => {
  const [ann, bob, eve] = await Promise.all([enter("Ann", "throng1"), enter("Bob", "throng2"), enter("Eve", "nginx")]);
  const count = (n, room = "a") => ["room_members", { room, count: n }];
  assert.deepEqual(await ann.ask("join_room", { room: "a" }), ["room:a"]);
  await ann.heard(...count(1));
  assert.deepEqual(await bob.ask("join_room", { room: "a" }), ["room:a"]);
  assert.deepEqual(await bob.ask("join_room", { room: "b" }), ["room:a", "room:b"]);
  for (const s of [ann, bob]) {
    await s.heard("room_message", "Bob joined a");
    await s.heard(...count(2));
  }
  const { worker } = await bob.ask("room_message", { room: "a", msg: "h\u00e9llo" });
  assert.ok(Number.isInteger(worker));
  for (const s of [ann, bob]) await s.heard("room_message", "Bob: h\u00e9llo");
  ann.emit("typing", { room: "a", typing: true });
  await bob.heard("typing", { room: "a", sid: ann.id, typing: true });
  assert.deepEqual(await eve.ask("room_message", { room: "a", msg: "let me in" }),
    { error: "join the room first", code: "failed" });

  assert.deepEqual(await bob.ask("leave_room", { room: "b" }), ["room:a"]);
  bob.disconnect();
  await ann.heard("room_message", "Bob has gone");
  await until(() => ann.all("room_members").at(-1).count === 1, "one is left");
  assert.deepEqual(await eve.ask("join_room", { room: "a" }), ["room:a"]);
  await eve.ask("close_room", { room: "a" });
  for (const s of [ann, eve]) await s.heard("room_closed", { room: "a", by: "Eve" });
  await ann.ask("room_message", { room: "a", msg: "anybody?" });
  assert.equal(ann.all("typing").length, 0, "not of oneself");
  for (const s of [ann, eve]) assert.ok(!s.all("room_message").includes("Ann: anybody?"));
  leave(ann, eve);
});

test("whatever clients send is answered", async () => {
  const s = await enter("Zoe", "throng2");
  assert.deepEqual(await s.ask("nonsense"), { error: "the application does not handle this", code: "failed" });
  for (const event of ["join_room", "leave_room", "close_room", "room_message", "typing", "compute", "subscribe"]) {
    for (const bad of [undefined, null, 7, "text", [], {}, { room: 7, limit: "7", topic: null }]) {
      const answer = await s.ask(event, bad);
      assert.match(answer.error, /is missing, or of another kind/, `${event} ${JSON.stringify(bad)}`);
    }
  }
  for (const room of ["", "x".repeat(65)]) assert.match((await s.ask("join_room", { room })).error, /1 to 64 letters/);
  for (let n = 0; n < 20; n++) await s.ask("join_room", { room: `r${n}` });
  assert.match((await s.ask("join_room", { room: "one more" })).error, /20 rooms at once/);
  leave(s);
});

test("an HTTP request notifies everybody, or who follows a topic", async () => {
  const all = await Promise.all(["throng1", "throng2", "nginx"].map((where) => open("/notify", { where })));
  for (const s of all.slice(1)) await s.ask("subscribe", { topic: "builds" });
  const send = async (method, query) => (await fetch(`${c.url}/send_notification${query}`, { method })).json();
  for (const [method, query] of [["GET", ""], ["POST", "?topic=builds&msg=done"], ["GET", "?msg=T%20%26%20%C3%BC%E2%82%AC"]]) {
    assert.deepEqual(await send(method, query), { status: "Notification sent" });
  }
  for (const [i, s] of all.entries()) {
    await s.heard("notification", { msg: "T & ü€", topic: null });
    assert.deepEqual(s.all("notification").map(({ msg }) => msg),
      ["System update available!", ...i > 0 ? ["done"] : [], "T & ü€"]);
  }
  assert.equal((await fetch(`${c.url}/send_notification?msg=${"x".repeat(1001)}`)).status, 400);
  leave(...all);
});

test("metrics come each second, once, and when asked", async () => {
  const [a, b] = await crowd(2, "/dashboard");
  const begin = Date.now();
  await until(() => Math.min(a.all("server_update").length, b.all("metrics_update").length) >= 3, "updates", 10000);
  const most = (Date.now() - begin) / 1000 + 2;
  assert.ok(a.all("metrics_update").length <= most, "one copy for all the workers");
  for (const { cpu, memory } of a.all("metrics_update")) {
    for (const v of [cpu, memory]) assert.ok(v >= 0 && v <= 100, `${v}`);
  }
  const { servers, connections, messages, loop_lag_ms: lag } = a.all("server_update").at(-1);
  assert.equal(servers, 2);
  assert.ok(connections >= 2 && messages > 0 && lag >= 0, JSON.stringify({ connections, messages, lag }));
  // More than the timer makes in that time.
  const seen = b.all("metrics_update").length;
  for (let n = 0; n < 6; n++) {
    assert.deepEqual(await (await fetch(`${c.url}/trigger_metrics`)).json(), { status: "Metrics update triggered" });
  }
  await until(() => b.all("metrics_update").length >= seen + 6, "six more", 4000);
  leave(a, b);
});

test("exact sums for who asked, while others are served", async () => {
  const [a, b] = await crowd(2);
  for (const [limit, result] of [[0, 0], [10, 285], [1000000, 333332833333500000]]) {
    assert.deepEqual(await a.ask("compute", { limit }), { msg: "Computation started" });
    await a.heard("computation_result", { limit, result });
  }
  await a.ask("compute", { limit: 1e7 });
  assert.match((await a.ask("compute", { limit: 1 })).error, /one computation at a time/);
  let echoes = 0;
  for (; a.all("computation_result").length < 4; echoes++) {
    assert.ok(Number.isInteger((await b.ask("echo")).worker));
  }
  assert.ok(echoes > 10, `${echoes} echoes meanwhile`);
  assert.ok(a.all("computation_progress").some(({ percent }) => percent > 0 && percent < 100));
  assert.deepEqual(a.got.at(-1), ["computation_result", { limit: 1e7, result: 333333283333335000000 }]);
  assert.deepEqual(b.got, [], "they are nobody else's");
  leave(a, b);
});

test("a computation is canceled, by word or by leaving; bad limits", async () => {
  const [a, b, d] = await crowd(3);
  for (const s of [a, b]) await s.ask("compute", { limit: 1e8 });
  for (const s of [a, b]) await until(() => s.all("computation_progress").length > 0, "progress", 10000);
  await a.ask("cancel_computation");
  await a.heard("computation_canceled", { limit: 1e8 });
  await a.ask("compute", { limit: 1e8 });
  leave(a, b); // both of Celery's processes were theirs
  await d.ask("compute", { limit: 3 });
  await until(() => d.all("computation_result").length === 1, "the result", 3000);
  for (const limit of [-1, 1e8 + 1, 2 ** 60]) assert.match((await d.ask("compute", { limit })).error, /from 0 to 100000000/);
  for (const limit of [0.5, "7", null, true, 1e30, [1]]) assert.match((await d.ask("compute", { limit })).error, /another kind/);
  leave(d);
});

test("four workers share the load, in the order of each client", async () => {
  const all = await crowd(16, "/chat");
  const shares = new Map();
  await Promise.all(all.map(async (s, i) => {
    await s.ask("join_room", { room: `own${i}` });
    const answers = await Promise.all(Array.from({ length: 60 },
      (_, n) => s.ask("room_message", { room: `own${i}`, msg: String(n) })));
    for (const { worker } of answers) shares.set(worker, (shares.get(worker) ?? 0) + 1);
    const said = s.all("room_message").filter((text) => text.includes(": "));
    assert.deepEqual(said, answers.map((_, n) => `c${i}: ${n}`));
  }));
  const counts = [...shares.values()];
  assert.equal(counts.length, 4, `${counts}`);
  assert.equal(counts.reduce((x, y) => x + y), 960);
  assert.ok(Math.min(...counts) >= 0.05 * 960, `${counts}`);
  leave(...all);
});

test("workers are killed under load, and no event is lost without a word", async (context) => {
  const all = await crowd(16, "/chat");
  const listeners = await Promise.all([enter("L1", "throng1"), enter("L2", "throng2")]);
  await Promise.all([...all, ...listeners].map((s) => s.ask("join_room", { room: "k" })));
  const killed = new Set();
  const done = []; // acknowledged: everybody has it
  const told = new Map(); // by code: perhaps not
  let answered = 0;
  await Promise.all(all.map(async (s, i) => {
    for (let n = 0; n < 40; n++) {
      const answer = await s.ask("room_message", { room: "k", msg: `${i}/${n}` });
      if (answer.code) told.set(answer.code, (told.get(answer.code) ?? 0) + 1);
      else done.push(`c${i}: ${i}/${n}`);
      answered++;
      // Three of the four, one after the other, with requests in their hands.
      if (answer.worker && answered >= 150 * (killed.size + 1) && killed.size < 3 && !killed.has(answer.worker)) {
        killed.add(answer.worker);
        process.kill(answer.worker, "SIGKILL");
      }
    }
  }));
  const failed = [...told.values()].reduce((a, b) => a + b, 0);
  context.diagnostic(`${killed.size} workers killed: ${done.length} done, ${JSON.stringify(Object.fromEntries(told))}`);
  assert.equal(killed.size, 3);
  assert.equal(done.length + failed, 640);
  for (const code of told.keys()) assert.ok(["lost", "unavailable"].includes(code), code);
  assert.ok(failed <= 48, `${failed} failed`); // what three workers and the backlog can have held
  for (const s of listeners) {
    await s.ask("room_message", { room: "k", msg: "end" });
    for (const l of listeners) {
      await until(() => l.all("room_message").filter((m) => m.endsWith(": end")).length > listeners.indexOf(s), "the end");
    }
  }
  for (const l of listeners) {
    const heard = new Set(l.all("room_message"));
    await until(() => done.every((text) => heard.has(text)), "all that was acknowledged");
  }
  leave(...all, ...listeners);
});

test("Flask is down, and comes back", async () => {
  const both = await crowd(2, "/chat");
  await c.end("flask");
  for (const [i, s] of both.entries()) {
    const answer = await s.ask("room_message", { room: "x", msg: "hello?" });
    assert.equal(answer.code, "unavailable");
    assert.ok(answer.retry_after > 0);
    const other = client("/chat", { auth: { name: "Ed" }, where: `throng${i + 1}` });
    const err = await new Promise((resolve) => { other.on("connect_error", resolve); });
    assert.equal(err.message, "the application is not available");
    assert.ok(err.data.retry_after > 0);
  }
  assert.equal((await fetch(`${c.url}/trigger_metrics`)).status, 502);
  assert.equal((await fetch(`${c.url}/chat.html`)).status, 200);
  await c.run("flask");
  for (const s of both) await until(async () => Array.isArray(await s.ask("join_room", { room: "x" })), "an answer", 20000);
  leave(...both);
});

pageTests(t, () => c, secrets.THRONG_API_KEYS);
