// What `throng` does on the command line, with the real binary.
import assert from "node:assert/strict";
import { test } from "node:test";
import { io } from "socket.io-client";
import { Demo, freePort } from "../lib/browser.js";
import { Program } from "../lib/process.js";

async function run(...args) {
  const p = new Program(process.env.THRONG_BINARY, args);
  const how = await p.exited;
  return { code: how.code, stdout: p.lines.join("\n"), stderr: p.stderr };
}

const connect = (url, options = {}) => new Promise((resolve, reject) => {
  const s = io(url, { transports: ["websocket"], forceNew: true, reconnection: false, ...options });
  s.once("connect", () => resolve(s));
  s.once("connect_error", reject);
});

test("version names the browser client", async () => {
  const { code, stdout } = await run("version");
  assert.equal(code, 0);
  assert.match(stdout, /^throng \S+ go1\.\S+ linux\/\S+, browser client 4\.8\.4 \(embedded\)$/);
});

for (const args of [["nonsense"], ["demo", "--nonsense"], ["demo", "extra"], [],
  ["demo", "--listen", "no-port"], ["demo", "--loops", "-1"],
  ["demo", "--cors-allowed-origins", "not an origin"], ["demo", "--client", "nonsense"], ["demo", "--recovery", "25h"]]) {
  test(`wrong use ends with 2: throng ${args.join(" ")}`, async () => {
    const { code, stderr } = await run(...args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /throng: /);
  });
}

test("a taken address ends with 1 and says so", async () => {
  const port = await freePort();
  const demo = await Demo.start(port);
  try {
    const { code, stderr } = await run("demo", "--listen", `127.0.0.1:${port}`);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`127\\.0\\.0\\.1:${port}`));
    assert.match(stderr, /in use/);
  } finally {
    await demo.stop();
  }
});

test("--reuse-port lets two processes share an address", async () => {
  const port = await freePort();
  const a = await Demo.start(port, "--reuse-port");
  const b = new Program(process.env.THRONG_BINARY, ["demo", "--listen", `127.0.0.1:${port}`, "--reuse-port"]);
  try {
    const gone = await Promise.race([b.exited, new Promise((r) => setTimeout(r, 500, null))]);
    assert.equal(gone, null, b.stderr);
  } finally {
    await b.stop();
    await a.stop();
  }
});

test("the boot line names address, loops, processors and the file limit", async () => {
  const port = await freePort();
  const demo = await Demo.start(port, "--loops", "3");
  await demo.stop();
  const line = demo.program.stderr.split("\n").find((l) => l.includes("msg=listening"));
  for (const part of [`listen=127.0.0.1:${port}`, "loops=3", "gomaxprocs=", "open_files="]) {
    assert.ok(line?.includes(part), `${part} in: ${line}`);
  }
  assert.ok(Number(/gomaxprocs=(\d+)/.exec(line)[1]) >= 5, line);
});

for (const signal of ["SIGTERM", "SIGINT"]) {
  test(`${signal} ends with 0 and closes the clients`, async () => {
    const demo = await Demo.start(await freePort());
    const s = await connect(demo.url);
    const reason = new Promise((r) => s.once("disconnect", r));
    demo.program.signal(signal);
    assert.deepEqual(await demo.program.exited, { code: 0, signal: null });
    assert.equal(await reason, "transport close");
  });
}

test("cors-allowed-origins lets another origin in", async () => {
  const demo = await Demo.start(await freePort(), "--cors-allowed-origins", "https://shop.example");
  try {
    const s = await connect(demo.url, { extraHeaders: { origin: "https://shop.example" } });
    s.disconnect();
    await assert.rejects(connect(demo.url, { extraHeaders: { origin: demo.url } }));
  } finally {
    await demo.stop();
  }
});
