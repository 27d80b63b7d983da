import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Demo, freePort, launch, shots } from "../lib/browser.js";

let browser, demo, port, out;
before(async () => {
  port = await freePort();
  [browser, demo, out] = await Promise.all([launch(), Demo.start(port), shots()]);
});
after(async () => {
  await browser?.close();
  await demo?.stop();
  await out?.done();
});

// A page with its complaints: nothing may go wrong unseen.
async function open(path, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.complaints = [];
  page.on("pageerror", (err) => page.complaints.push(String(err)));
  page.on("console", (m) => {
    if (m.type() === "error" || m.type() === "warning") page.complaints.push(m.text());
  });
  await page.goto(demo.url + path);
  return page;
}

const state = (page, want) => page.waitForSelector(`#state[data-state="${want}"]`, { timeout: 15000 });
const says = (page, text) =>
  page.waitForFunction((t) => [...document.querySelectorAll("#log li")].some((li) => li.textContent === t), text);
const lines = (page, text) =>
  page.$$eval("#log li", (items, t) => items.filter((li) => li.textContent === t).length, text);

async function join_(page, room) {
  await state(page, "connected");
  await page.fill("#room", room);
  await page.click("#join-button");
  await says(page, `Joined ${room}`);
}

async function say(page, text) {
  await page.fill("#text", text);
  await page.click("#send-button");
}

describe("chat", () => {
  test("two tabs talk in a room; a third, elsewhere, hears nothing", async () => {
    const [a, b, c] = await Promise.all([open("/chat"), open("/chat"), open("/chat")]);
    await join_(a, "kitchen");
    await join_(b, "kitchen");
    await join_(c, "garden");
    await say(a, "hello from a");
    await says(b, "hello from a");
    await say(b, "hello from b");
    await says(a, "hello from b");
    await says(a, "hello from a");
    await say(c, "anyone here?");
    await says(c, "anyone here?");
    assert.equal(await lines(c, "hello from a"), 0);
    assert.equal(await lines(a, "anyone here?"), 0);
    assert.equal(await lines(a, "hello from b"), 1, "once, not twice");
    await a.screenshot({ path: join(out.dir, "chat.png") });
    for (const p of [a, b, c]) {
      assert.deepEqual(p.complaints, []);
      await p.context().close();
    }
  });

  test("leaving a room ends what one hears of it", async () => {
    const [a, b] = await Promise.all([open("/chat"), open("/chat")]);
    await join_(a, "leaving");
    await join_(b, "leaving");
    await b.click("#leave-button");
    await says(b, "You left leaving");
    assert.equal(await b.isDisabled("#send-button"), true);
    await say(a, "still there?");
    await says(a, "still there?");
    await join_(b, "back");
    assert.equal(await lines(b, "still there?"), 0);
    await a.context().close();
    await b.context().close();
  });

  test("a name goes before the text", async () => {
    const a = await open("/chat");
    await join_(a, "names");
    await a.fill("#name", "Ada");
    await say(a, "hi");
    await says(a, "Ada: hi");
    await a.context().close();
  });

  test("markup in a message is text", async () => {
    const a = await open("/chat");
    await join_(a, "markup");
    const evil = "<img src=x onerror=\"document.title='owned'\"><b>bold</b>";
    await say(a, evil);
    await says(a, evil);
    assert.equal(await a.$("#log img, #log b"), null);
    assert.equal(await a.title(), "Chat - throng");
    await a.context().close();
  });
});

test("broadcast: what one tab says, every tab hears", async () => {
  const [a, b] = await Promise.all([open("/broadcast"), open("/broadcast")]);
  for (const p of [a, b]) {
    await state(p, "connected");
    await says(p, "Connected");
  }
  await say(a, "to everybody");
  await says(a, "to everybody");
  await says(b, "to everybody");
  assert.deepEqual([...a.complaints, ...b.complaints], []);
  await a.context().close();
  await b.context().close();
});

test("the state line names transport and id", async () => {
  const a = await open("/chat");
  await state(a, "connected");
  const text = await a.textContent("#state");
  assert.match(text.replace(/\s+/g, " "), /connected websocket, sid [A-Za-z0-9_-]{20}/);
  await a.context().close();
});

test("a server that dies is shown; when it comes back the chat goes on", async () => {
  const [a, b] = await Promise.all([open("/chat"), open("/chat")]);
  await join_(a, "phoenix");
  await join_(b, "phoenix");
  await demo.kill();
  await Promise.all([state(a, "connecting"), state(b, "connecting")]);
  assert.equal(await a.isDisabled("#send-button"), true);
  demo = await Demo.start(port);
  await Promise.all([state(a, "connected"), state(b, "connected")]);
  await says(a, "Joined phoenix");
  await says(b, "Joined phoenix");
  await say(a, "after the fire");
  await says(b, "after the fire");
  await a.context().close();
  await b.context().close();
});

describe("a phone's width", () => {
  for (const path of ["/", "/chat", "/broadcast"]) {
    for (const colorScheme of ["light", "dark"]) {
      test(`${path} in ${colorScheme} does not scroll sideways`, async () => {
        const page = await open(path, { viewport: { width: 360, height: 740 }, colorScheme });
        if (path !== "/") {
          await state(page, "connected");
          await page.evaluate("page.line(\"x\".repeat(400))");
          await page.fill("#text", "w".repeat(300));
        }
        const [scroll, client] = await page.evaluate(() =>
          [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
        assert.ok(scroll <= client, `${scroll} > ${client}`);
        const name = path === "/" ? "index" : path.slice(1);
        await page.screenshot({ path: join(out.dir, `${name}-360-${colorScheme}.png`) });
        await page.context().close();
      });
    }
  }
});

test("every control has a name for a screen reader", async () => {
  for (const path of ["/chat", "/broadcast"]) {
    const page = await open(path);
    const nameless = await page.$$eval("input, button, ol", (all) => all
      .filter((e) => !(e.labels?.length || e.textContent.trim() || e.ariaLabel))
      .map((e) => e.outerHTML));
    assert.deepEqual(nameless, []);
    await page.context().close();
  }
});

test("a client script that cannot be loaded is said in words", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.route("**/socket.io.min.js", (route) => route.abort());
  await page.goto(`${demo.url}/chat`);
  await page.waitForSelector("#problem:not([hidden])");
  assert.match(await page.textContent("#problem"), /could not be loaded/);
  assert.equal(await page.getAttribute("#state", "data-state"), "disconnected");
  await page.screenshot({ path: join(out.dir, "no-client.png") });
  await context.close();
});

test("without client files the page is sent to the CDN of the same version", async () => {
  const other = await Demo.start(await freePort(), "--client", "redirect");
  try {
    const res = await fetch(`${other.url}/socket.io/socket.io.min.js`, { redirect: "manual" });
    assert.equal(res.status, 302);
    assert.equal(res.headers.get("location"), "https://cdn.socket.io/4.8.4/socket.io.min.js");
  } finally {
    await other.stop();
  }
});

test("the client files are the official ones, cached by version", async () => {
  for (const name of ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"]) {
    const res = await fetch(`${demo.url}/socket.io/${name}`);
    assert.equal(res.status, 200);
    assert.equal(res.headers.get("content-type"), "application/javascript; charset=utf-8");
    assert.match((await res.text()).slice(0, 100), /Socket\.IO v4\.8\.4/);
    const again = await fetch(`${demo.url}/socket.io/${name}`, { headers: { "If-None-Match": res.headers.get("etag") } });
    assert.equal(again.status, 304);
  }
});
