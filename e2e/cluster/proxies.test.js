// nginx and HAProxy as they are shipped, plain and with TLS: the Node client
// and Chromium, and what the server believes of who they are.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { io } from "socket.io-client";
import { launch } from "../lib/browser.js";
import { Front } from "../lib/front.js";
import { Pair } from "../lib/pair.js";
import { until } from "../lib/process.js";
import { Server, ask, connected } from "../lib/throng.js";

for (const kind of ["nginx", "haproxy"]) {
  describe(kind, () => {
    let pair, front, browser;
    before(async () => {
      [pair, browser] = await Promise.all([Pair.start(), launch()]);
      front = await pair.front(kind);
    });
    after(async () => {
      await browser?.close();
      await pair?.stop();
    });

    for (const scheme of ["http", "https"]) {
      const url = () => (scheme === "https" ? front.secure : front.url);

      test(`the Node client over ${scheme}: polling, upgrade, WebSocket`, async () => {
        for (const transports of [["polling"], ["polling", "websocket"], ["websocket"]]) {
          const list = await pair.connect(4, url(), "/compute", { transports, ca: front.ca });
          const last = transports.at(-1);
          await until(() => list.every((s) => s.io.engine.transport.name === last), last);
          await Promise.all(list.map(async (s) => {
            for (const n of [1, 2, 3]) {
              const big = Buffer.alloc(n * 20000, n);
              assert.deepEqual(await ask(s, "echo", big), big);
            }
          }));
          assert.ok(list.every((s) => s.connects === 1 && s.losses === 0));
        }
        pair.leave();
      });

      test(`Chromium over ${scheme}`, async () => {
        const context = await browser.newContext({ ignoreHTTPSErrors: true });
        const page = await context.newPage();
        page.setDefaultTimeout(15000);
        const trouble = [];
        const sockets = [];
        page.on("pageerror", (err) => trouble.push(String(err)));
        page.on("console", (m) => { if (m.type() === "error") trouble.push(m.text()); });
        page.on("response", (r) => { if (r.status() >= 400) trouble.push(`${r.status()} ${r.url()}`); });
        page.on("websocket", (w) => sockets.push(w.url()));
        await page.goto(`${url()}/compute`);
        await page.fill("#limit", "1000");
        await page.click("#start:enabled");
        await page.waitForFunction(() => document.getElementById("result").textContent === "332,833,500");
        await until(() => sockets.length > 0, "an upgrade");
        assert.ok(sockets[0].startsWith(url().replace("http", "ws")), sockets[0]);
        assert.deepEqual(trouble, []);
        await context.close();
      });
    }

    test("client address and scheme: only from trusted proxies", async () => {
      const trusting = await Server.start("-trusted-proxies", "127.0.0.1/32");
      const wary = await Server.start();
      try {
        for (const [server, address, secure] of [
          [trusting, "127.0.0.1", true], [wary, /^127\.0\.0\.1:\d+$/, false],
        ]) {
          const f = await Front.start(kind, [server.addr, server.addr]);
          try {
            // What the client says of itself counts as far as the last proxy
            // that is trusted has written it.
            const h = await shake(f.secure, { ca: f.ca });
            if (address instanceof RegExp) assert.match(h.address, address);
            else assert.equal(h.address, address);
            assert.equal(h.secure, secure);
            assert.equal((await shake(f.url)).secure, false);
            const lie = await shake(f.url, { extraHeaders: {
              "X-Forwarded-For": "6.6.6.6, 203.0.113.9", "X-Forwarded-Proto": "https" } });
            assert.equal(lie.secure, false);
            if (server === trusting) assert.equal(lie.address, "203.0.113.9");
            else assert.match(lie.address, address);
          } finally {
            await f.stop();
          }
        }
        // Without the proxy nobody is believed whose address is not trusted:
        // here it is the proxy's own, so only the wary server can tell.
        const direct = await shake(wary.url, { extraHeaders: {
          "X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https" } });
        assert.match(direct.address, /^127\.0\.0\.1:/);
        assert.equal(direct.secure, false);
      } finally {
        await trusting.stop();
        await wary.stop();
      }
    });
  });
}

// What a server knows of a client that connects with these options.
async function shake(url, options = {}) {
  const s = io(url, { forceNew: true, reconnection: false, ...options });
  try {
    await connected(s);
    return await ask(s, "handshake");
  } finally {
    s.disconnect();
  }
}
