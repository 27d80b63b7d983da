// Pages of the demo on two instances, and a Python process that emits to them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Broker } from "../lib/broker.js";
import { Demo, freePort, launch } from "../lib/browser.js";
import { until } from "../lib/process.js";
import { Writer } from "../lib/writer.js";

const skip = process.env.CHROMIUM ? false : "no Chromium";
let browser, broker, demos = [];

before(async () => {
  if (skip) return;
  broker = await Broker.start();
  browser = await launch();
  for (const id of ["a", "b"]) {
    demos.push(await Demo.start(await freePort(), "--valkey", broker.url, "--node-id", id,
      "--flask-queue", broker.url));
  }
  for (const d of demos) {
    await until(() => /msg=subscribed/.test(d.program.stderr), "subscribed");
  }
});

after(async () => {
  await browser?.close();
  for (const d of demos) await d.stop();
  await broker?.stop();
});

const lines = (page) => page.$$eval("#log li", (items) => items.map((li) => li.textContent));
const says = (page, text) => page.waitForFunction(
  (t) => [...document.querySelectorAll("#log li")].some((li) => li.textContent === t), text);

async function open(demo, path) {
  const page = await (await browser.newContext()).newPage();
  await page.goto(demo.url + path);
  await page.waitForSelector('#state[data-state="connected"]', { timeout: 15000 });
  return page;
}

test("pages of both instances show what Flask-SocketIO emits, once", { skip }, async () => {
  const pages = await Promise.all(demos.map((d) => open(d, "/broadcast")));
  const w = await Writer.start("newest", "flask", broker.url);
  await w.call("emit", ["response", { message: "from Python" }]);
  await w.call("emit", ["response", { message: "last" }]);
  for (const p of pages) {
    await says(p, "last");
    assert.deepEqual((await lines(p)).slice(-2), ["from Python", "last"]);
    assert.equal((await lines(p)).filter((l) => l === "from Python").length, 1);
  }
});

test("a room with members on both instances hears a browser and a worker, once", { skip }, async () => {
  const [a, b] = await Promise.all(demos.map((d) => open(d, "/chat")));
  for (const p of [a, b]) {
    await p.fill("#room", "kitchen");
    await p.click("#join-button");
    await says(p, "Joined kitchen");
  }
  await a.fill("#text", "from a");
  await a.click("#send-button");
  for (const p of [a, b]) await says(p, "from a");
  const w = await Writer.start("pickle", "flask", broker.url);
  await w.call("emit", ["room_message", "nobody"], { to: "garden", namespace: "/chat" });
  await w.call("emit", ["room_message", "from Python"], { to: "kitchen", namespace: "/chat" });
  for (const p of [a, b]) {
    await says(p, "from Python");
    const got = await lines(p);
    assert.deepEqual(got.slice(-2), ["from a", "from Python"]);
    for (const text of ["from a", "from Python"]) {
      assert.equal(got.filter((l) => l === text).length, 1, text);
    }
  }
});
