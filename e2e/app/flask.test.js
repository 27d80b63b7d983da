// An application of Flask routes behind throng, four worker processes of
// gunicorn, clients of the official kind.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { io } from "socket.io-client";
import { freePort } from "../lib/port.js";
import { Program, until } from "../lib/process.js";
import { Instance } from "../lib/serve.js";

const example = fileURLToPath(new URL("../../examples/flask/", import.meta.url));
let dir, port, key, site, throng;
const clients = new Set();

before(async () => {
  dir = await mkdtemp(join(tmpdir(), "throng-flask-"));
  key = join(dir, "key");
  await writeFile(key, "a key of the tests, long enough\n");
  port = await freePort();
  await startSite();
  throng = await Instance.start("--upstream", `http://127.0.0.1:${port}`, "--app-secret-file", key,
    "--app-url", `http://127.0.0.1:${port}/_throng/{event}`);
});

after(async () => {
  for (const c of clients) c.disconnect();
  await throng?.stop();
  await site?.stop();
  await rm(dir, { recursive: true, force: true });
});

async function startSite() {
  site = new Program(`${example}.venv/bin/gunicorn`, ["--workers", "4", "--bind",
    `127.0.0.1:${port}`, "--chdir", example, "--worker-tmp-dir", dir, "app:app"],
    { env: { THRONG_SECRET_FILE: key } });
  await until(async () => {
    if (site.child.exitCode !== null) throw new Error(site.stderr);
    return fetch(`http://127.0.0.1:${port}/`).then((r) => r.ok, () => false);
  }, "the site", 20000);
}

function client(auth) {
  const s = io(throng.url, { auth, forceNew: true, reconnection: false });
  clients.add(s);
  s.got = [];
  s.onAny((...all) => s.got.push(all));
  return s;
}

async function enter(name) {
  const s = client({ name });
  await got(s, "welcome", name);
  return s;
}

function got(s, ...want) {
  return until(() => s.got.some((e) => JSON.stringify(e) === JSON.stringify(want)),
    `${JSON.stringify(want)} among ${JSON.stringify(s.got)}`);
}

const ask = (s, ...args) => s.timeout(5000).emitWithAck(...args);

test("pages come through the same port, the endpoint does not", async () => {
  const page = await fetch(`${throng.url}/`);
  assert.match(await page.text(), /socket\.io\.js/);
  for (const path of ["/_throng/connect", "/_throng/say", "//_throng/say", "/%5fthrong/say"]) {
    assert.equal((await fetch(throng.url + path, { method: "POST", body: "{}" })).status, 404, path);
  }
  const direct = await fetch(`http://127.0.0.1:${port}/_throng/say`, { method: "POST", body: "{}" });
  assert.equal(direct.status, 401, "and only signed calls are taken");
});

test("a client is refused with message and data", async () => {
  const s = client({});
  const err = await new Promise((resolve) => { s.on("connect_error", resolve); });
  assert.equal(err.message, "who are you?");
  assert.deepEqual(err.data, { field: "name" });
});

test("a chat with rooms", async () => {
  const [ann, bob, eve] = await Promise.all(["Ann", "Bob", "Eve"].map(enter));
  assert.deepEqual(await ask(ann, "join", "a"), ["room:a"]);
  assert.deepEqual(await ask(bob, "join", "a"), ["room:a"]);
  assert.deepEqual(await ask(bob, "join", "b"), ["room:a", "room:b"]);
  await got(ann, "joined", "Bob");
  assert.ok(Number.isInteger(await ask(bob, "say", "a", "h\u00e9llo")));
  for (const s of [ann, bob]) await got(s, "said", "Bob", "h\u00e9llo");
  assert.deepEqual(await ask(eve, "say", "a", "let me in"), { error: "join the room first", code: "failed" });
  assert.deepEqual(await ask(ann, "leave", "a"), []);
  await got(bob, "left", "Ann");
  await ask(ann, "join", "b");
  bob.disconnect();
  await got(ann, "left", "Bob");
  assert.ok(!eve.got.some(([name]) => name === "said" || name === "left"));
});

test("an event without a route is answered", async () => {
  const s = await enter("Zoe");
  assert.deepEqual(await ask(s, "nonsense"),
    { error: "the application does not handle this", code: "failed" });
});

test("all workers share the load, in the order of each client", async () => {
  const all = await Promise.all([...Array(8)].map((_, i) => enter(`c${i}`)));
  const pids = new Set();
  await Promise.all(all.map(async (s, i) => {
    await ask(s, "join", `own${i}`);
    const answers = await Promise.all([...Array(50)].map((_, n) => ask(s, "say", `own${i}`, n)));
    for (const pid of answers) pids.add(pid);
    const said = s.got.filter(([name]) => name === "said").map(([, , n]) => n);
    assert.deepEqual(said, [...Array(50).keys()]);
  }));
  assert.equal(pids.size, 4, `${[...pids]}`);
});

test("no event is lost without a word when a worker is killed", async () => {
  const all = await Promise.all([...Array(8)].map((_, i) => enter(`k${i}`)));
  await Promise.all(all.map((s) => ask(s, "join", "k")));
  const victim = await ask(all[0], "say", "k", "who?");
  let fine = 0;
  const told = new Map();
  const work = all.map(async (s) => {
    for (let n = 0; n < 40; n++) {
      const answer = await ask(s, "say", "k", n);
      if (Number.isInteger(answer)) fine++;
      else told.set(answer.code, (told.get(answer.code) ?? 0) + 1);
    }
  });
  setTimeout(() => process.kill(victim, "SIGKILL"), 50);
  await Promise.all(work);
  const failed = [...told.values()].reduce((a, b) => a + b, 0);
  assert.equal(fine + failed, 320);
  assert.ok(failed <= 16, JSON.stringify([...told]));
});

test("a site that is down, and comes back", async () => {
  const s = await enter("Dan");
  await site.stop();
  const answer = await ask(s, "say", "x", "hello?");
  assert.equal(answer.code, "unavailable");
  assert.ok(answer.retry_after > 0);
  const other = client({ name: "Ed" });
  const err = await new Promise((resolve) => { other.on("connect_error", resolve); });
  assert.equal(err.message, "the application is not available");
  assert.ok(err.data.retry_after > 0);
  assert.equal((await fetch(`${throng.url}/`)).status, 502);
  await startSite();
  await until(async () => Array.isArray(await ask(s, "join", "x")), "an answer", 20000);
  await throng.logged(/did not handle what a client did" event=say namespace=\/ code=unavailable/);
});
