// throng emit and throng serve: clients of two instances, and of none.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Broker } from "../lib/broker.js";
import { Program, until } from "../lib/process.js";
import { Instance } from "../lib/serve.js";

let broker, a, b;

before(async () => {
  broker = await Broker.start();
  [a, b] = await Promise.all(["a", "b"].map((id) => Instance.start(
    "--valkey", broker.url, "--node-id", id, "--namespace", "/chat")));
});

after(async () => {
  await a?.stop();
  await b?.stop();
  await broker?.stop();
});

async function run(...args) {
  const p = new Program(process.env.THRONG_BINARY, args);
  return { code: (await p.exited).code, stderr: p.stderr };
}

async function emit(...args) {
  const { code, stderr } = await run("emit", "--valkey", broker.url, ...args);
  assert.equal(code, 0, stderr);
}

const last = (s) => until(() => s.got.at(-1)?.[0] === "end", "the last event", 10000)
  .catch((err) => { throw new Error(`${err.message}; got ${JSON.stringify(s.got)}`); });

test("each client of both instances gets an event once", async () => {
  const all = await Promise.all([a.connect(), b.connect(), b.connect(), a.connect("/chat"), b.connect("/chat")]);
  const [a1, b1, b2, chatA, chatB] = all;
  const file = join(broker.dir, "bytes");
  await writeFile(file, Buffer.from([0, 255, 10]));
  await emit("ev", '{"a": 1.50, "b": [null]}', "2", '"three"');
  await emit("--string", "ev", '{"a"', "text");
  await emit("--binary", file, "ev", "--", "-1");
  await emit("--room", b1.id, "--room", a1.id, "ev", "1");
  await emit("--except", b1.id, "ev", "2");
  await emit("--room", "nobody", "ev", "3");
  await emit("--namespace", "/chat", "ev", "4");
  await emit("end");
  await emit("--namespace", "/chat", "end");
  const first = [["ev", { a: 1.5, b: [null] }, 2, "three"], ["ev", '{"a"', "text"],
    ["ev", -1, Buffer.from([0, 255, 10])]];
  await Promise.all(all.map(last));
  assert.deepEqual(a1.got, [...first, ["ev", 1], ["ev", 2], ["end"]]);
  assert.deepEqual(b1.got, [...first, ["ev", 1], ["end"]]);
  assert.deepEqual(b2.got, [...first, ["ev", 2], ["end"]]);
  for (const s of [chatA, chatB]) assert.deepEqual(s.got, [["ev", 4], ["end"]]);
  for (const s of all) s.disconnect();
});

test("wrong use ends with 2, a broker that is not there with 1", async () => {
  for (const [args, code, says] of [
    [["ev", "hello"], 2, /argument 1 is not JSON: hello .*--string/],
    [["ev", "1", "{'a': 1}"], 2, /argument 2 is not JSON/],
    [[], 2, /requires at least 1 arg/],
    [["--binary", "/does/not/exist", "ev"], 2, /--binary: .*no such file/],
    [["connect"], 2, /reserved/],
    [["--namespace", "/a,b", "ev"], 2, /comma/],
    [["--valkey", "http://user:secret@x", "ev"], 2, /--valkey: the URL is none of/],
    [["--valkey", "valkey://127.0.0.1:1", "ev"], 1, /127\.0\.0\.1:1/],
  ]) {
    const got = await run("emit", "--valkey", broker.url, ...args);
    assert.equal(got.code, code, `${args}: ${got.stderr}`);
    assert.match(got.stderr, says);
    assert.doesNotMatch(got.stderr, /secret/);
  }
  const none = await run("emit", "ev");
  assert.equal(none.code, 2);
  assert.match(none.stderr, /--valkey is needed/);
});

test("serve: health, other namespaces, events that nothing handles", async () => {
  const health = await fetch(`${a.url}/healthz`);
  assert.equal(health.status, 200);
  assert.equal(await health.text(), "ok\n");
  assert.equal((await fetch(`${a.url}/`)).status, 404);
  await assert.rejects(a.connect("/nowhere"), /Invalid namespace/);

  const s = await a.connect("/chat");
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(await s.timeout(5000).emitWithAck("question", i),
      { error: 'no application handles the event "question"' });
  }
  s.emit("no answer wanted");
  await a.logged(/no application handles this event" event="no answer wanted" namespace=\/chat/);
  assert.equal(a.program.stderr.match(/no application handles this event" event=question/g).length, 1);
  s.disconnect();
});

test("a second server with the same node id ends with 78", async () => {
  const got = await run("serve", "--listen", "127.0.0.1:0", "--valkey", broker.url, "--node-id", "a");
  assert.equal(got.code, 78, got.stderr);
  assert.match(got.stderr, /node "a" .* is taken by a process that lives/);
});
