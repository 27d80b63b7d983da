// The applications of `throng demo` from official clients, row by row.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { io } from "socket.io-client";
import { Demo, freePort } from "../lib/browser.js";
import { until } from "../lib/process.js";
import { ask, connected, wait } from "../lib/throng.js";

const require = createRequire(import.meta.url);
const demo = {};
const clients = new Set();
before(async () => { demo.d = await Demo.start(await freePort()); });
after(async () => {
  for (const s of clients) s.disconnect();
  assert.deepEqual(await demo.d?.stop(), { code: 0, signal: null });
});

// A connected client that remembers what it has heard, in order: heard(name)
// resolves to the arguments of the next event of that name that it has not
// told of yet.
async function open(nsp, { lib = io, names = [], ...options } = {}) {
  const s = lib(demo.d.url + nsp, { forceNew: true, reconnection: false, ...options });
  clients.add(s);
  const queues = new Map();
  const queue = (name) => queues.get(name) ?? queues.set(name, []).get(name);
  if (s.onAny) s.onAny((name, ...args) => queue(name).push(args));
  // Clients before 3 have no catch-all listener.
  else for (const name of names) s.on(name, (...args) => queue(name).push(args));
  s.heard = async (name, ms) => {
    await until(() => queue(name).length > 0, `event ${name}`, ms);
    return queue(name).shift();
  };
  s.pending = (name) => queue(name).length;
  s.skip = async (name, match, ms) => {
    for (;;) {
      const [arg] = await s.heard(name, ms);
      if (match(arg)) return arg;
    }
  };
  await connected(s);
  return s;
}

const close = (...sockets) => { for (const s of sockets) s.disconnect(); };

describe("chat", () => {
  for (const nsp of ["/chat", "/"]) {
    test(`rooms in ${nsp}`, async () => {
      const [a, b, c] = await Promise.all([open(nsp), open(nsp), open(nsp)]);
      for (const [s, room] of [[a, "kitchen"], [b, "kitchen"], [c, "garden"]]) {
        s.emit("join_room", { room });
        assert.deepEqual(await s.heard("room_message"), [`Joined ${room}`]);
      }
      assert.deepEqual(await a.heard("room_message"), ["Joined kitchen"]);
      await a.skip("room_members", ({ room, count }) => room === "kitchen" && count === 2);

      a.emit("room_message", { room: "kitchen", msg: "soup" });
      if (nsp === "/chat") assert.deepEqual(await a.heard("status"), [{ msg: "Message queued" }]);
      assert.deepEqual(await a.heard("room_message"), ["soup"]);
      assert.deepEqual(await b.heard("room_message"), ["soup"]);

      a.emit("typing", { room: "kitchen", typing: true });
      assert.deepEqual(await b.heard("typing"), [{ room: "kitchen", sid: a.id, typing: true }]);

      assert.deepEqual(await ask(b, "leave_room", { room: "kitchen" }), []);
      await a.skip("room_members", ({ count }) => count === 1);
      a.emit("room_message", { room: "kitchen", msg: "alone" });
      assert.deepEqual(await a.heard("room_message"), ["alone"]);
      b.emit("room_message", { room: "kitchen", msg: "from outside" });
      assert.deepEqual(await b.heard("request_error"),
        [{ event: "room_message", msg: "join the room first" }]);
      assert.equal(b.pending("room_message"), 0);
      assert.equal(c.pending("room_message"), 0);
      close(a, b, c);
    });
  }
});

describe("broadcast", () => {
  test("to all, to the sender, as a chat", async () => {
    const [a, b] = await Promise.all([open("/"), open("/")]);
    assert.deepEqual(await a.heard("status"), [{ msg: "Connected" }]);
    a.emit("message", { msg: "hello" });
    assert.deepEqual(await a.heard("response"), [{ message: "hello" }]);
    assert.deepEqual(await b.heard("response"), [{ message: "hello" }]);
    a.send("text");
    assert.deepEqual(await a.heard("response"), [{ data: "Message received!" }]);
    b.emit("chat message", "hi");
    assert.deepEqual(await a.heard("chat message"), ["hi"]);
    assert.deepEqual(await b.heard("chat message"), ["hi"]);
    assert.equal(b.pending("response"), 0);
    close(a, b);
  });
});

// The console in one namespace from one version of the client.
function consoleTests(nsp, blank, { binary = true, ...options } = {}) {
  const n = (name) => name.replaceAll(" ", blank);
  const names = ["my response", "my pong", "request_error"].map(n);
  const join = async () => {
    const s = await open(nsp, { names, ...options });
    s.answer = async () => (await s.heard(n("my response")))[0];
    assert.deepEqual(await s.answer(), { data: "Connected", count: 0 });
    return s;
  };

  test("events, rooms and the session's counter", async () => {
    const [a, b, c] = [await join(), await join(), await join()];
    // What the background task says in between is not for this test.
    for (const s of [a, b, c]) {
      s.answer = () => s.skip(n("my response"), (m) => m.data !== "Server generated event");
    }
    a.emit(n("my event"), { data: "one" });
    assert.deepEqual(await a.answer(), { data: "one", count: 1 });
    a.emit(n("my broadcast event"), { data: { all: [1] } });
    for (const s of [a, b, c]) assert.deepEqual(await s.answer(), { data: { all: [1] }, count: 2 });

    a.emit("join", { room: "a" });
    assert.deepEqual(await a.answer(), { data: "In rooms: a", count: 3 });
    a.emit("join", { room: "b" });
    assert.deepEqual(await a.answer(), { data: "In rooms: a, b", count: 4 });
    b.emit("join", { room: "a" });
    assert.deepEqual(await b.answer(), { data: "In rooms: a", count: 1 });
    a.emit("leave", { room: "b" });
    assert.deepEqual(await a.answer(), { data: "In rooms: a", count: 5 });

    c.emit(n("my room event"), { room: "a", data: "to a" });
    for (const s of [a, b]) assert.deepEqual(await s.answer(), { data: "to a", count: 1 });
    c.emit(n("close room"), { room: "a" });
    for (const s of [a, b]) {
      assert.deepEqual(await s.answer(), { data: "Room a is closing.", count: 2 });
    }
    c.emit(n("my room event"), { room: "a", data: "lost" });
    c.emit(n("my broadcast event"), { data: "heard" });
    for (const s of [a, b, c]) assert.deepEqual(await s.answer(), { data: "heard", count: 4 });

    a.emit(n("my event"), "no object");
    assert.deepEqual(await a.heard(n("request_error")).then(([e]) => e.event), n("my event"));
    a.emit(n("my event"), { data: "still here" });
    assert.deepEqual(await a.answer(), { data: "still here", count: 6 });
    close(a, b, c);
  });

  test("pings are answered, binary data comes back", async () => {
    const s = await join();
    s.emit(n("my ping"));
    assert.deepEqual(await s.heard(n("my pong")), []);
    if (binary) {
      s.emit(n("my event"), { data: Buffer.from([1, 2, 255]) });
      assert.deepEqual([...Buffer.from((await s.answer()).data)], [1, 2, 255]);
    }
    close(s);
  });

  for (const acks of [true, false]) {
    test(`a disconnect request, ${acks ? "acknowledged" : "by a page that does not"}`, async () => {
      const s = await join();
      let reason;
      s.on("disconnect", (r) => { reason = r; });
      const begin = Date.now();
      s.on(n("my response"), (m, ack) => { if (acks) ack?.(); });
      s.emit(n("disconnect request"));
      assert.deepEqual(await s.answer(), { data: "Disconnected!", count: 1 });
      await until(() => reason, "the disconnect");
      assert.equal(reason, "io server disconnect");
      assert.equal(Date.now() - begin < 900, acks);
    });
  }
}

describe("console, /test", () => consoleTests("/test", " "));
describe("console, / with underscores", () => {
  consoleTests("/", "_");
  test("unknown events come back", async () => {
    const s = await open("/");
    await s.skip("my_response", (m) => m.data === "Connected");
    s.emit("what is this", { two: 2 });
    assert.deepEqual(await s.skip("my_response", (m) => m.data !== "Server generated event"),
      { data: ["what is this", { two: 2 }], count: 1 });
    close(s);
  });
});
for (const version of ["2", "1", "1.3"]) {
  for (const transports of [["websocket"], ["polling"]]) {
    describe(`console, /test, client ${version}, ${transports}`, () => {
      consoleTests("/test", " ", {
        lib: require(`socket.io-client-${version}`),
        transports,
        // Client 1.3 takes a Buffer for an ArrayBuffer since there is
        // Buffer.buffer (Node 4), and sends zeros.
        binary: version !== "1.3",
      });
    });
  }
}

test("the background task speaks to every version", async () => {
  const old = (version) => ({
    lib: require(`socket.io-client-${version}`), names: ["my response"],
  });
  const sockets = await Promise.all([
    open("/test"), open("/test", old("2")), open("/test", old("1.3")),
  ]);
  const generated = (m) => m.data === "Server generated event";
  const got = await Promise.all(sockets.map((s) => s.skip("my response", generated, 15000)));
  assert.ok(got[0].count > 0);
  for (const m of got) assert.equal(m.count, got[0].count);
  close(...sockets);
});

describe("compute", () => {
  test("exact sums for everybody", async () => {
    const [a, b] = await Promise.all([open("/compute"), open("/compute")]);
    for (const [limit, result] of [[0, 0], [10, 285], [1000000, 333332833333500000]]) {
      a.emit("compute", { limit });
      assert.deepEqual(await a.heard("status"), [{ msg: "Computation started" }]);
      assert.deepEqual(await a.heard("computation_result"), [{ result }]);
      assert.deepEqual(await b.heard("computation_result"), [{ result }]);
    }
    close(a, b);
  });

  test("a billion: progress, and others are served meanwhile", async () => {
    const [a, b] = await Promise.all([open("/compute", { transports: ["websocket"] }),
      open("/compute", { transports: ["websocket"] })]);
    a.emit("compute", { limit: 1e9 });
    await a.heard("status");
    const times = [];
    while (a.pending("computation_result") === 0) {
      const begin = performance.now();
      await ask(b, "echo", 1);
      times.push(performance.now() - begin);
      await wait(2);
    }
    assert.deepEqual(await a.heard("computation_result"), 
      [{ result: Number("333333332833333333500000000") }]);
    const [progress] = await a.heard("computation_progress");
    assert.equal(progress.limit, 1e9);
    assert.ok(progress.percent > 0 && progress.percent < 100);
    // The median: other programs may have the processor for a moment.
    times.sort((x, y) => x - y);
    const median = times[Math.floor(times.length / 2)];
    assert.ok(times.length > 10 && median < 20, `${times.length} echoes, median ${median} ms`);
    close(a, b);
  });

  test("cancel, bad limits", async () => {
    const s = await open("/compute");
    s.emit("compute", { limit: 1e10 });
    await s.heard("computation_progress");
    s.emit("cancel_computation");
    assert.deepEqual(await s.heard("computation_canceled"), [{ limit: 1e10 }]);
    for (const limit of [-1, 0.5, "7", null, undefined, 1e11, NaN, [1], {}]) {
      s.emit("compute", { limit });
      assert.deepEqual(await s.heard("request_error"), [{
        event: "compute", msg: "limit must be a whole number from 0 to 10000000000",
      }], String(limit));
    }
    s.emit("compute", { limit: 3 });
    assert.deepEqual(await s.heard("computation_result"), [{ result: 5 }]);
    close(s);
  });
});

const call = async (path, method = "GET") => {
  const res = await fetch(demo.d.url + path, { method });
  return [res.status, await res.json()];
};

test("notifications", async () => {
  const [a, b] = await Promise.all([open("/notify"), open("/notify")]);
  for (const [method, query, msg] of [
    ["GET", "", "System update available!"], ["POST", "", "System update available!"],
    ["GET", `?msg=${encodeURIComponent("Tea & ü€")}`, "Tea & ü€"],
  ]) {
    assert.deepEqual(await call(`/send_notification${query}`, method),
      [200, { status: "Notification sent" }]);
    for (const s of [a, b]) assert.deepEqual(await s.heard("notification"), [{ msg }]);
  }
  close(a, b);
});

test("metrics", async () => {
  const s = await open("/dashboard");
  for (let i = 0; i < 3; i++) {
    const [{ cpu, memory, ...rest }] = await s.heard("metrics_update");
    assert.deepEqual(rest, {});
    for (const v of [cpu, memory]) assert.ok(v >= 0 && v <= 100, `${v}`);
    assert.ok(memory > 0);
    const [server] = await s.heard("server_update");
    assert.ok(server.connections >= 1);
    assert.equal(typeof server.messages_in, "number");
    assert.equal(typeof server.messages_out, "number");
    assert.equal(typeof server.loop_lag_ms, "number");
  }
  const seen = s.pending("metrics_update");
  assert.deepEqual(await call("/trigger_metrics"), [200, { status: "Metrics update triggered" }]);
  await until(() => s.pending("metrics_update") > seen, "the triggered update", 800);
  close(s);
});
