// Workers behind a Valkey stream instead of HTTP: plain Python, and Celery.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createClient } from "redis";
import { io } from "socket.io-client";
import { Broker } from "../lib/broker.js";
import { Program, until } from "../lib/process.js";
import { Instance } from "../lib/serve.js";

const example = fileURLToPath(new URL("../../examples/worker/", import.meta.url));
const bin = `${example}.venv/bin/`;
let broker;

before(async () => { broker = await Broker.start(); });
after(async () => { await broker?.stop(); });

// A server whose calls go to a stream of its own.
class Site {
  static async start(stream) {
    const s = new Site();
    s.env = { THRONG_APP_VALKEY: broker.url, THRONG_APP_STREAM: stream, PYTHONDONTWRITEBYTECODE: "1",
      PYTHONPATH: example };
    s.programs = [];
    s.throng = await Instance.start("--app-stream", stream, "--app-valkey", broker.url,
      "--app-stream-idle", "2s", "--app-timeout", "30s");
    await s.throng.logged(/calls go to workers/);
    return s;
  }

  run(program, ...args) {
    const p = new Program(program, args, { env: this.env });
    this.programs.push(p);
    return p;
  }

  // For clients of a server that is another's to stop.
  of(throng) {
    this.throng = throng;
    return this;
  }

  worker() { return this.run(`${bin}python`, `${example}worker.py`); }

  client(auth) {
    const s = io(this.throng.url, { auth, forceNew: true, reconnection: false, timeout: 60000 });
    this.throng.clients.add(s);
    s.got = [];
    s.onAny((...all) => s.got.push(all));
    return s;
  }

  async enter(name) {
    const s = this.client({ name });
    await until(() => s.got.some((e) => e[0] === "welcome" && e[1] === name), `welcome of ${name}`, 30000);
    return s;
  }

  async stop() {
    await this.throng?.stop();
    for (const p of this.programs) await p.stop();
  }
}

const ask = (s, ...args) => s.timeout(40000).emitWithAck(...args);

// Every message of all is answered and heard, in the order of each sender, by
// everybody; kill is called on the way.
async function talk(all, count, kill) {
  for (const s of all) s.got.length = 0;
  const answers = await Promise.all(all.map(async (s, i) => {
    const list = [];
    for (let n = 0; n < count; n++) {
      list.push(await ask(s, "say", n));
      if (i === 0 && n === Math.floor(count / 3)) await kill?.();
    }
    return list;
  }));
  for (const list of answers) for (const a of list) assert.equal(typeof a, "string", JSON.stringify(a));
  for (const s of all) {
    await until(() => all.every((_, i) => new Set(said(s, i)).size === count), "all messages");
  }
  return answers.flat();
}

// A worker is stopped that waits for calls, so that one of the next is given to
// it, and killed when it has that in hand.
async function killed(site, worker, all, count) {
  await talk(all, count);
  await setTimeout(100); // now it waits
  worker.signal("SIGSTOP");
  await setTimeout(10);
  await talk(all, count, async () => {
    worker.signal("SIGKILL");
    await worker.exited;
  });
  await site.throng.logged(/calls of workers that do not answer go to others/);
}

const said = (s, i) => s.got.filter((e) => e[0] === "said" && e[1] === `c${i}`).map((e) => e[2]);
const crowd = (site, n) => Promise.all([...Array(n)].map((_, i) => site.enter(`c${i}`)));

describe("plain workers", () => {
  let site, workers;
  before(async () => {
    site = await Site.start("throng:plain");
    workers = [1, 2, 3].map(() => site.worker());
  });
  after(() => site?.stop());

  test("a client is refused, accepted, heard and missed", async () => {
    const s = site.client({});
    const err = await new Promise((resolve) => { s.on("connect_error", resolve); });
    assert.equal(err.message, "who are you?");
    const [ann, bob] = await Promise.all(["Ann", "Bob"].map((n) => site.enter(n)));
    assert.equal(typeof await ask(ann, "say", "h\u00e9llo", { n: 1 }), "string");
    await until(() => bob.got.some((e) => JSON.stringify(e) === '["said","Ann","h\u00e9llo",{"n":1}]'), "said");
    assert.deepEqual(await ask(ann, "nonsense"), { error: "nobody handles nonsense", code: "failed" });
    bob.disconnect();
    await until(() => ann.got.some((e) => e[0] === "left" && e[1] === "Bob"), "left");
  });

  test("all workers share the load, in the order of each client", async () => {
    const all = await crowd(site, 8);
    const answers = await talk(all, 50);
    assert.equal(new Set(answers).size, 3);
    for (const s of all) for (let i = 0; i < 8; i++) assert.deepEqual(said(s, i), [...Array(50).keys()]);
    for (const s of all) s.disconnect();
  });

  test("a killed worker's events are handled by another", async () => {
    const all = await crowd(site, 8);
    await killed(site, workers[0], all, 30);
    for (const s of all) s.disconnect();
  });

  test("without a broker clients are told so, and served when it is back", async () => {
    const s = await site.enter("Dan");
    const args = broker.program.child.spawnargs.slice(1);
    await broker.program.stop();
    await site.throng.logged(/the broker of the application's workers is away/);
    const answer = await ask(s, "say", "hello?");
    assert.equal(answer.code, "unavailable");
    assert.ok(answer.retry_after > 0);
    for (const w of workers) await w.exited; // the example does not wait for a broker
    broker.program = new Program("valkey-server", args);
    await until(() => /calls go to workers[^]*calls go to workers/.test(site.throng.program.stderr),
      "the broker", 20000);
    workers = [site.worker()];
    assert.equal(typeof await ask(s, "say", "hello!"), "string");
  });
});

test("two servers, one of which dies", async () => {
  const flags = ["--valkey", broker.url, "--app-stream", "throng:two", "--app-stream-idle", "2s"];
  const site = new Site();
  site.env = { THRONG_APP_VALKEY: broker.url, THRONG_APP_STREAM: "throng:two", PYTHONPATH: example,
    PYTHONDONTWRITEBYTECODE: "1" };
  site.programs = [];
  let a;
  try {
    [a, site.throng] = await Promise.all(["a", "b"].map((id) => Instance.start(...flags, "--node-id", id)));
    for (const s of [a, site.throng]) await s.logged(/calls go to workers/);
    const worker = site.worker();
    const bob = await site.enter("Bob");
    const ann = await new Site().of(a).enter("Ann");
    assert.equal(typeof await ask(ann, "say", "one"), "string");
    await until(() => bob.got.some((e) => e[1] === "Ann" && e[2] === "one"), "a message from the other");
    worker.signal("SIGSTOP");
    ann.emit("say", "two");
    await until(async () => (await pending("throng:two")) > 0, "a call in hand");
    a.program.signal("SIGKILL");
    await a.program.exited;
    worker.signal("SIGCONT");
    await until(() => bob.got.some((e) => e[1] === "Ann" && e[2] === "two"), "the answer to a dead server", 20000);
    assert.equal(typeof await ask(bob, "say", "three"), "string");
    assert.equal(await pending("throng:two"), 0);
  } finally {
    await site.stop();
    a?.program.signal("SIGKILL");
  }
});

async function pending(stream) {
  const c = createClient({ url: broker.url });
  await c.connect();
  try {
    return (await c.xPending(stream, "throng")).pending;
  } finally {
    await c.quit();
  }
}

test("Celery workers, one of which is killed", async () => {
  const site = await Site.start("throng:celery");
  try {
    const worker = () => site.run(`${bin}python`, "-m", "celery", "-A", "tasks", "worker", "--pool", "solo",
      "--without-gossip", "--without-mingle", "--loglevel", "WARNING", "-n", `w${site.programs.length}@here`);
    const crew = [worker(), worker()];
    site.run(`${bin}python`, `${example}tasks.py`);
    const all = await crowd(site, 4);
    await until(async () => new Set(await talk(all, 10)).size === 2, "work of both", 30000);
    await killed(site, crew[0], all, 15);
  } finally {
    await site.stop();
  }
});
