// Emits of other processes, unchanged programs of other makes, reach the
// clients of two instances, each once.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { Emitter } from "@socket.io/redis-emitter";
import { createClient } from "redis";
import { Broker } from "../lib/broker.js";
import { Program, until } from "../lib/process.js";
import { Instance } from "../lib/serve.js";
import { folder, python, Writer } from "../lib/writer.js";

let broker, a, b;

before(async () => {
  broker = await Broker.start();
  const flags = ["--valkey", broker.url, "--namespace", "/chat",
    "--flask-queue", broker.url, "--node-emitter", broker.url];
  [a, b] = await Promise.all(["a", "b"].map((id) => Instance.start(...flags, "--node-id", id)));
  for (const s of [a, b]) {
    await s.logged(/msg=subscribed queue=python/);
    await s.logged(/msg=subscribed queue=node/);
  }
});

after(async () => {
  await a?.stop();
  await b?.stop();
  await broker?.stop();
});

// Two clients on a, one on b, and one of each in /chat.
async function crowd() {
  const all = await Promise.all([a.connect(), a.connect(), b.connect(),
    a.connect("/chat"), b.connect("/chat")]);
  const [a1, a2, b1, chatA, chatB] = all;
  return { all, a1, a2, b1, chatA, chatB };
}

function leave({ all }) { for (const s of all) s.disconnect(); }

// Everybody has received exactly this, and nothing behind it: the last event
// was sent behind all others on the same way.
async function got(socket, ...want) {
  await until(() => socket.got.some(([name]) => name === "end"), "the last event", 10000)
    .catch((err) => { throw new Error(`${err.message}; got ${JSON.stringify(socket.got)}`); });
  assert.deepEqual(socket.got, [...want, ["end"]]);
}

for (const env of ["newest", "pickle"]) {
  for (const kind of ["flask", "manager"]) {
    // Several arguments are a tuple.
    const data = (...args) => args.length === 1 ? args : [{ $tuple: args }];

    test(`${env} ${kind}: what is emitted arrives as it is`, async () => {
      const c = await crowd();
      const w = await Writer.start(env, kind, broker.url);
      const values = [
        [{ a: 1, nested: { list: [1, 2.5, null, true, "\u00e9\u20ac\u{1f600}"] } }],
        ["text"], [["a", "list"]], [0], [false], [{}], [[]], [2 ** 53],
        ["one", 2, { three: 3 }],
        [{ $bin: "00ff01" }], [{ deep: [{ $bin: "" }, { $bin: "61" }] }], ["with", { $bin: "62" }],
      ];
      for (const v of values) await w.call("emit", ["ev", ...data(...v)], { namespace: "/" });
      await w.call("emit", ["ev", null], { namespace: "/" });
      await w.call("emit", ["unknown", 1], { namespace: "/nowhere" });
      await w.call("emit", ["ev", "chat"], { namespace: "/chat" });
      await w.end();
      const want = [...values.map((v) => ["ev", ...v.map(bytes)]), ["ev"]];
      for (const s of [c.a1, c.a2, c.b1]) await got(s, ...want);
      for (const s of [c.chatA, c.chatB]) await got(s, ["ev", "chat"]);
      leave(c);
    });

    test(`${env} ${kind}: rooms, exceptions, closed rooms`, async () => {
      const c = await crowd();
      const w = await Writer.start(env, kind, broker.url);
      // A manager makes sockets of others join; Flask has no way to do that.
      const m = kind === "manager" ? w : await Writer.start(env, "manager", broker.url);
      await manage(m, c);
      await settled(c);
      const emit = (what, kw) => w.call("emit", ["ev", what], { namespace: "/", ...kw });
      await emit("r", { room: "r" });
      await emit("to", { to: "r" });
      await emit("7", { room: 7 });
      await emit("both", { room: ["r", "s"] });
      await emit("skip", { skip_sid: c.a1.id });
      await emit("skip two", { room: "r", skip_sid: [c.a1.id, c.a2.id] });
      await emit("sid", { room: c.b1.id });
      await emit("chat", { room: "r", namespace: "/chat" });
      await w.call("close_room", kind === "flask" ? ["r"] : ["r", "/"], kind === "flask" ? { namespace: "/" } : {});
      await emit("closed", { room: "r" });
      await w.end();
      const said = (s, ...list) => got(s, ...list.map((what) => ["ev", what]));
      await said(c.a1, "r", "to", "both");
      await said(c.a2, "both", "skip");
      await said(c.b1, "r", "to", "7", "both", "skip", "skip two", "sid");
      await said(c.chatA, "chat");
      await said(c.chatB);
      leave(c);
    });
  }

  // A manager alone cannot: it asks its server first.
  test(`${env} flask: a socket is disconnected, wherever it is`, async () => {
    const c = await crowd();
    const w = await Writer.start(env, "flask", broker.url);
    const gone = [c.a1, c.b1].map((s) => once(s, "disconnect"));
    await w.call("server.disconnect", [c.a1.id], { namespace: "/" });
    await w.call("server.disconnect", [c.b1.id]);
    for (const [reason] of await Promise.all(gone)) assert.equal(reason, "io server disconnect");
    await w.end();
    for (const s of [c.a2, c.chatA, c.chatB]) await got(s);
    leave(c);
  });
}

// Rooms: r has a1 and b1, s has a2 (which was in r, too), 7 has b1; in /chat r has chatA.
async function manage(m, c) {
  for (const [s, room] of [[c.a1, "r"], [c.a2, "r"], [c.b1, "r"], [c.a2, "s"], [c.b1, 7]]) {
    await m.call("enter_room", [s.id, "/", room]);
  }
  await m.call("enter_room", [c.chatA.id, "/chat", "r"]);
  await m.call("leave_room", [c.a2.id, "/", "r"]);
  for (const ns of ["/", "/chat"]) await m.call("emit", ["managed", null], { namespace: ns });
}

// What was done before has been done on both instances.
async function settled(c) {
  for (const s of c.all) {
    await until(() => s.got.some(([name]) => name === "managed"), "managed");
    s.got.length = 0;
  }
}

// bytes is what a client shows for {$bin}: a Buffer.
function bytes(v) {
  if (v === null || typeof v !== "object") return v;
  if (Array.isArray(v)) return v.map(bytes);
  if ("$bin" in v) return Buffer.from(v.$bin, "hex");
  return Object.fromEntries(Object.entries(v).map(([k, e]) => [k, bytes(e)]));
}

test("a Celery worker emits to both instances", async () => {
  const env = { QUEUE_URL: broker.url, PYTHONDONTWRITEBYTECODE: "1" };
  const c = await crowd();
  const worker = spawn(python("newest"), ["-m", "celery", "-A", "tasks", "worker", "--pool", "solo",
    "--concurrency", "1", "--without-gossip", "--without-mingle", "--loglevel", "WARNING"],
  { cwd: folder, env: { ...process.env, ...env }, stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  worker.stderr.on("data", (d) => { log += d; });
  const exited = once(worker, "exit");
  try {
    const p = new Program(python("newest"), [`${folder}delay.py`, "20"], { env });
    assert.equal((await p.exited).code, 0, p.stderr);
    for (const s of [c.a1, c.a2, c.b1]) {
      await until(() => s.got.length >= 20, `20 events, got ${s.got.length}\n${log}`, 30000);
    }
  } finally {
    worker.kill("SIGTERM");
    await exited;
  }
  // Behind the worker's last emit.
  const w = await Writer.start("newest", "flask", broker.url);
  await w.end();
  const want = Array.from({ length: 20 }, (_, n) => ["sum", { x: n, y: n, sum: 2 * n }]);
  for (const s of [c.a1, c.a2, c.b1]) await got(s, ...want);
  for (const s of [c.chatA, c.chatB]) await got(s);
  leave(c);
});

test("Node's emitter", async () => {
  const c = await crowd();
  const redis = createClient({ url: broker.url });
  await redis.connect();
  const io = new Emitter(redis);
  const rooms = (s, ...list) => io.in(s.id).socketsJoin(list);
  rooms(c.a1, "r");
  rooms(c.a2, "r", "s");
  rooms(c.b1, "r", "7");
  io.of("/chat").in(c.chatA.id).socketsJoin("r");
  io.in(c.a2.id).socketsLeave("r");
  io.emit("managed");
  io.of("/chat").emit("managed");
  await settled(c);

  io.emit("ev", { a: 1 }, "two", [3], null, undefined, new Date(0));
  io.emit("ev", Buffer.from([0, 255]), { b: new Uint8Array([1]) });
  io.to("r").emit("ev", "r");
  io.to(["r", "s"]).except(c.a1.id).emit("ev", "except");
  io.to("7").compress(false).emit("ev", "7");
  io.of("/chat").to("r").emit("ev", "chat");
  io.serverSideEmit("nobody", 1);
  const gone = [once(c.a1, "disconnect"), once(c.b1, "disconnect")];
  const sure = [once(c.a2, "end"), once(c.chatA, "end"), once(c.chatB, "end")];
  io.emit("end");
  io.of("/chat").emit("end");
  await Promise.all(sure);
  io.in(c.a1.id).disconnectSockets();
  io.in(c.b1.id).disconnectSockets(true);
  const reasons = (await Promise.all(gone)).map(([reason]) => reason);
  assert.deepEqual(reasons, ["io server disconnect", "io server disconnect"]);

  const first = [["ev", { a: 1 }, "two", [3], null, null, "1970-01-01T00:00:00.000Z"],
    ["ev", Buffer.from([0, 255]), { b: Buffer.from([1]) }]];
  await got(c.a1, ...first, ["ev", "r"]);
  await got(c.a2, ...first, ["ev", "except"]);
  await got(c.b1, ...first, ["ev", "r"], ["ev", "except"], ["ev", "7"]);
  await got(c.chatA, ["ev", "chat"]);
  await got(c.chatB);
  leave(c);
  await redis.quit();
});
