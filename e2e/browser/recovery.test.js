// A page that loses its network for five seconds and comes back to its
// session: what it has missed is there, once, in order, and nothing else.
// Offline, Chromium holds WebSockets' bytes back and tells the page; the
// client then gives its connection up. The second test takes the bytes away.
import assert from "node:assert/strict";
import { createServer, connect as dial } from "node:net";
import { after, before, describe, test } from "node:test";
import { io } from "socket.io-client";
import { Demo, freePort, launch } from "../lib/browser.js";
import { event } from "../lib/throng.js";

const offlineTime = 5000;

// A network cable between the page and the server. While it is out, nothing
// passes in either direction and no end is told: the server goes on believing
// in its connections.
class Cable {
  static async start(port) {
    const c = new Cable();
    c.pairs = new Set();
    c.swallowed = 0;
    c.out = false;
    c.server = createServer((near) => {
      const far = dial(port, "127.0.0.1");
      const pair = { near, far, dead: c.out };
      c.pairs.add(pair);
      for (const [from, to] of [[near, far], [far, near]]) {
        from.on("data", (b) => {
          if (pair.dead) c.swallowed += b.length;
          else to.write(b);
        });
        from.on("error", () => {});
        from.on("close", () => { if (!pair.dead) to.destroy(); });
      }
    });
    await new Promise((r) => c.server.listen(0, "127.0.0.1", r));
    c.url = `http://127.0.0.1:${c.server.address().port}`;
    return c;
  }

  pull() {
    this.out = true;
    for (const p of this.pairs) p.dead = true;
  }

  // The browser drops the connections of its former network, as it does when
  // an address changes; those that the server has stay as they are.
  plug() {
    this.out = false;
    for (const p of this.pairs) if (p.dead) p.near.destroy();
  }

  stop() {
    for (const { near, far } of this.pairs) {
      near.destroy();
      far.destroy();
    }
    return new Promise((r) => this.server.close(r));
  }
}

let browser, demo, cable;
before(async () => {
  const port = await freePort();
  [browser, demo] = await Promise.all([launch(), Demo.start(port, "--recovery", "2m")]);
  cable = await Cable.start(port);
});
after(async () => {
  await browser?.close();
  await cable?.stop();
  await demo?.stop();
});

// A page with one socket, default options, that notes all it is shown. It has no
// other: at "offline" client 4.8.4 closes only every second one of a page.
async function open(url, room) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(url);
  await page.addScriptTag({ url: "/socket.io/socket.io.min.js" });
  await page.evaluate(async (room) => {
    const s = window.io("/chat");
    window.test = { s, shown: [], lost: 0 };
    s.onAny((name, ...args) => {
      // How many are in the room changes with the others' coming and going.
      if (name !== "room_members") window.test.shown.push([name, ...args]);
    });
    s.on("disconnect", () => { window.test.lost++; });
    await new Promise((r) => s.once("connect", r));
    if (s.io.engine.transport.name === "polling") {
      await new Promise((r) => s.io.engine.once("upgrade", r));
    }
    s.emit("join_room", { room });
  }, room);
  await page.waitForFunction(() => window.test.shown.length === 1);
  const { id, transport } = await page.evaluate(() =>
    ({ id: window.test.s.id, transport: window.test.s.io.engine.transport.name }));
  assert.equal(transport, "websocket");
  return { context, page, id };
}

// The test itself; cut and mend take the network away and bring it back.
async function loses(url, room, cut, mend) {
  const { context, page, id } = await open(url, room);
  const other = io(`${demo.url}/chat`, { transports: ["websocket"], forceNew: true });
  try {
    const joined = event(other, "room_message");
    other.emit("join_room", { room });
    await joined;
    const want = [`Joined ${room}`, `Joined ${room}`];
    let n = 0;
    const say = async () => {
      const heard = event(other, "room_message");
      const msg = `message ${++n}`;
      other.emit("room_message", { room, msg });
      await heard;
      want.push(msg);
    };
    for (let i = 0; i < 3; i++) await say();
    await page.waitForFunction(() => window.test.shown.length === 5);

    await cut(context);
    const began = Date.now();
    while (Date.now() - began < offlineTime) {
      await say();
      await new Promise((r) => setTimeout(r, 100));
    }
    assert.ok(n > 20, `${n} messages`);
    const off = await page.evaluate(() => ({ connected: window.test.s.connected,
      shown: window.test.shown.length, online: navigator.onLine }));
    assert.deepEqual(off, { connected: false, shown: 5, online: false });
    await mend(context);
    await page.waitForFunction(() => window.test.s.connected, null, { timeout: 20000 });
    for (let i = 0; i < 3; i++) await say();
    await page.waitForFunction((n) => window.test.shown.length >= n, want.length);

    const got = await page.evaluate(() => ({ recovered: window.test.s.recovered,
      id: window.test.s.id, shown: window.test.shown, lost: window.test.lost }));
    // The offset is the last argument of each; the page's handlers see it.
    for (const e of got.shown) assert.match(e.pop(), /^[\w-]{12}$/);
    assert.deepEqual(got.shown, want.map((msg) => ["room_message", msg]));
    assert.deepEqual([got.recovered, got.id, got.lost], [true, id, 1]);
  } finally {
    other.disconnect();
    await context.close();
  }
}

describe("offline for five seconds, default transports", () => {
  test("the browser says so and closes its connection", () =>
    loses(demo.url, "offline", (c) => c.setOffline(true), (c) => c.setOffline(false)));

  test("nothing passes, and the server has not noticed when the page is back", async () => {
    await loses(cable.url, "cable", async (c) => {
      cable.pull();
      await c.setOffline(true);
    }, async (c) => {
      cable.plug();
      await c.setOffline(false);
    });
    assert.ok(cable.swallowed > 0, "the cable was out while the server wrote");
  });
});
