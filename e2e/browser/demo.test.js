// What all pages of the demo have in common, and the index.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { Demo, freePort } from "../lib/browser.js";
import { usePages } from "../lib/pages.js";

const t = usePages();
const apps = ["chat", "broadcast", "test", "compute", "notify", "dashboard"];
const paths = ["/", ...apps.map((name) => `/${name}`)];

before(async () => {
  await t.ready();
  await mkdir(t.out.dir, { recursive: true });
});

// Something to see on each page.
const scenes = {
  chat: async (v) => {
    await v.does("#join-button", { "#name": "Ada", "#room": "kitchen" });
    await v.hears("Joined kitchen");
    await v.does("#send-button", { "#text": "The soup is ready" });
    await v.hears("Ada: The soup is ready");
  },
  broadcast: async (v) => {
    await v.does("#send-button", { "#text": "Good morning, everybody" });
    await v.hears("Good morning, everybody");
  },
  test: async (v) => {
    await v.does("#emit", { "#emit_data": "hello" });
    await v.shows("#ping-pong", /\d/);
  },
  compute: async (v) => {
    await v.does("#start", { "#limit": "1000000" });
    await v.shows("#check", /^agrees/);
    await v.page.waitForTimeout(1500); // a curve needs time
  },
  notify: async (v) => {
    await v.does("#send-button", { "#text": "Deployment at noon" });
    await v.hears("Deployment at noon");
  },
  dashboard: (v) => v.shows("#updates", /^[3-9]/),
};

const widths = [
  ["desktop", { width: 1280, height: 800 }],
  ["360", { width: 360, height: 740 }],
];
test("no page scrolls sideways, in any theme, on a desktop and on a phone", async () => {
  await Promise.all(paths.map(async (path) => {
    const name = path.slice(1) || "index";
    const v = await t.open(path);
    if (scenes[name]) await scenes[name](v);
    for (const [look, viewport] of widths) {
      await v.page.setViewportSize(viewport);
      for (const colorScheme of ["light", "dark"]) {
        await v.page.emulateMedia({ colorScheme });
        await v.page.screenshot({ path: join(t.out.dir, `${name}-${look}-${colorScheme}.png`) });
      }
      await v.page.evaluate(() => {
        for (const source of document.querySelectorAll("details")) source.open = true;
        if (document.getElementById("log")) page.line("x".repeat(400), "message", "a label");
      });
      const [scroll, client] = await v.page.evaluate(() =>
        [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
      assert.ok(scroll <= client, `${path}, ${look}: ${scroll} > ${client}`);
      await v.page.evaluate(() => {
        for (const source of document.querySelectorAll("details")) source.open = false;
        document.querySelector("#log li:last-child")?.remove();
        scrollTo(0, 0);
      });
    }
    await v.leave();
  }));
});

test("every control has a name for a screen reader", async () => {
  await Promise.all(paths.map(async (path) => {
    const v = await t.open(path);
    const nameless = await v.page.$$eval("input, button, select, ol, progress, svg[role=img], a", (all) => all
      .filter((e) => !(e.labels?.length || e.textContent.trim() || e.ariaLabel))
      .map((e) => e.outerHTML));
    assert.deepEqual(nameless, [], path);
    const ids = await v.page.$$eval("[id]", (all) => all.map((e) => e.id));
    assert.equal(new Set(ids).size, ids.length, `${path}: ids are unique`);
    await v.leave();
  }));
});

test("the state line names transport and id, and stays in sight", async () => {
  const v = await t.open("/chat", { viewport: { width: 360, height: 740 } });
  await v.shows("#transport", /^websocket$/);
  await v.shows("#sid", /^sid [A-Za-z0-9_-]{20}$/);
  await v.page.evaluate(() => scrollTo(0, document.body.scrollHeight));
  const box = await v.page.locator("#state").boundingBox();
  assert.ok(box.y >= 0 && box.y < 100, `at ${box.y}`);
  await v.leave();
});

test("a browser without WebSocket stays with polling, and the page says so", async () => {
  const v = await t.open("/broadcast", {}, (page) => page.addInitScript(() => { delete window.WebSocket; }));
  await v.does("#send-button", { "#text": "over HTTP" });
  await v.hears("over HTTP");
  await v.shows("#transport", /^polling$/);
  await v.leave();
});

test("each application is shown beside its source", async () => {
  const v = await t.open("/chat", { viewport: { width: 1280, height: 800 } });
  const [go, js] = [await v.page.textContent("details:first-of-type code:not(summary code)"),
    await v.page.textContent("details:last-of-type pre")];
  assert.equal(go, await (await fetch(`${t.demo.url}/source/chat.go`)).text());
  assert.equal(js, await (await fetch(`${t.demo.url}/assets/chat.js`)).text());
  assert.equal(await v.page.isVisible("details:first-of-type pre"), true, "there is room for it");
  await v.leave();
});

test("the theme is switched by hand and remembered", async () => {
  const v = await t.open("/", { colorScheme: "light" });
  const back = () => v.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await back();
  await v.click("#theme");
  const dark = await back();
  assert.notEqual(dark, light);
  assert.equal(await v.page.isVisible("img.dark >> nth=0"), true);
  assert.equal(await v.page.isVisible("img.light >> nth=0"), false);
  await v.page.goto(`${t.demo.url}/notify`);
  assert.equal(await back(), dark);
  await v.leave();
});

describe("the index", () => {
  test("has a picture of each application", async () => {
    const v = await t.open("/");
    for (const name of apps) {
      const img = v.page.locator(`a[href="/${name}"] img.light, main a[href="/${name}"] img.light`);
      assert.ok(await img.evaluate((e) => e.decode().then(() => e.naturalWidth)) >= 600, name);
    }
    await v.leave();
  });

  for (const [id, works] of [
    ["plain.html", async (page) => {
      await page.fill("#text", "from the snippet");
      await page.click("button");
      await page.waitForFunction(() => document.querySelector("#messages").textContent === "from the snippet");
    }],
    ["module.html", (page) => page.waitForFunction(() =>
      document.querySelector("#messages").textContent.includes("Hello from a module"))],
  ]) {
    test(`has code to copy that works: ${id}`, async () => {
      const v = await t.open("/", { permissions: ["clipboard-read", "clipboard-write"] });
      await v.page.locator(`.code:has([id="${id}"]) .copy`).click();
      await v.page.waitForSelector("text=Copied");
      const code = await v.page.evaluate(() => navigator.clipboard.readText());
      await v.page.route("**/copied", (route) => route.fulfill({ contentType: "text/html", body: code }));
      await v.page.goto(`${t.demo.url}/copied`);
      if (id === "plain.html") await v.page.waitForEvent("console", (m) => m.text().startsWith("connected"));
      await works(v.page);
      await v.page.context().close();
    });
  }
});

test("a client script that cannot be loaded is said in words", async () => {
  const context = await t.browser.newContext();
  const page = await context.newPage();
  await page.route("**/socket.io.min.js", (route) => route.abort());
  await page.goto(`${t.demo.url}/chat`);
  await page.waitForSelector("#problem:not([hidden])");
  assert.match(await page.textContent("#problem"), /could not be loaded/);
  assert.equal(await page.getAttribute("#state", "data-state"), "disconnected");
  await page.screenshot({ path: join(t.out.dir, "no-client.png") });
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
    const res = await fetch(`${t.demo.url}/socket.io/${name}`);
    assert.equal(res.status, 200);
    assert.equal(res.headers.get("content-type"), "application/javascript; charset=utf-8");
    assert.match((await res.text()).slice(0, 100), /Socket\.IO v4\.8\.4/);
    const again = await fetch(`${t.demo.url}/socket.io/${name}`, { headers: { "If-None-Match": res.headers.get("etag") } });
    assert.equal(again.status, 304);
  }
});
