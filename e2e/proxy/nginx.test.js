// Behind nginx, which keeps its connections to the server: page, poll and
// upgrade come on the same ones, whoever they are from.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { io } from "socket.io-client";
import { ask as fetch, handshake, keepAlive } from "../lib/http.js";
import { Nginx } from "../lib/nginx.js";
import { ask, connected, use } from "../lib/throng.js";

for (const loops of ["1", "2"]) {
  describe(`${loops} loops behind nginx`, () => {
    const ctx = use("-loops", loops, "-ping-interval", "500ms", "-ping-timeout", "1s");
    let nginx;
    const clients = [];
    before(async () => { nginx = await Nginx.start(ctx.server.addr); });
    after(async () => {
      for (const c of clients) c.disconnect();
      await nginx?.stop();
    });

    // Without a transports option: polling, then the upgrade.
    const client = async (options = {}) => {
      const s = io(nginx.url, { forceNew: true, reconnection: false, ...options });
      clients.push(s);
      await connected(s);
      return s;
    };
    const remote = async () => (await fetch(nginx.addr, "/remote")).body;

    test("page, handshake, post, poll and upgrade share an upstream connection", async () => {
      const kept = await remote();
      assert.equal(await remote(), kept);
      const open = await fetch(nginx.addr, "/socket.io/?EIO=4&transport=polling");
      assert.equal(open.status, 200, open.body);
      const { sid } = JSON.parse(open.body.slice(1));
      const target = `/socket.io/?EIO=4&transport=polling&sid=${sid}`;
      assert.equal((await fetch(nginx.addr, target, { method: "POST", body: "40" })).body, "ok");
      assert.match((await fetch(nginx.addr, target)).body, /^40\{"sid"/);
      assert.equal((await fetch(nginx.addr, target, {
        method: "POST", body: '420["handshake"]',
      })).body, "ok");
      let answer = "";
      while (!answer.includes("430")) answer = (await fetch(nginx.addr, target)).body;
      assert.ok(answer.includes(`"address":"${kept}"`), `${answer}, not from ${kept}`);
      assert.equal(await remote(), kept);

      const up = await handshake(nginx.addr, target.replace("polling", "websocket"));
      assert.equal(up.status, 101);
      // The WebSocket has taken the connection with it.
      assert.notEqual(await remote(), kept);
      assert.equal((await fetch(nginx.addr, target, { method: "POST", body: "1" })).body, "ok");
    });

    test("official clients with default options upgrade and lose nothing", async () => {
      await Promise.all(Array.from({ length: 20 }, async (_, at) => {
        const s = await client({ upgrade: false });
        let next = 0;
        const done = new Promise((resolve, reject) => {
          s.on("disconnect", (why) => reject(new Error(`${why} at ${next}`)));
          s.on("n", (i) => {
            if (i !== next++) reject(new Error(`got ${i}, expected ${next - 1}`));
            if (i === at * 2) s.io.engine._probe("websocket");
            if (next === 200) resolve();
          });
        });
        s.emit("stream", 200, 10);
        await done;
        assert.equal(s.io.engine.transport.name, "websocket");
        s.off("disconnect");
      }));
      const s = await client();
      if (s.io.engine.transport.name !== "websocket") {
        await new Promise((resolve) => s.io.engine.once("upgrade", resolve));
      }
    });

    test("each transport alone lives through heartbeats, pages in between", async () => {
      const list = await Promise.all([
        client({ transports: ["polling"] }), client({ transports: ["polling"] }),
        client({ transports: ["websocket"] })]);
      for (const s of list) {
        const big = Buffer.alloc(300_000, 7); // nginx keeps it in a file
        assert.deepEqual(await ask(s, "echo-ack", big), big);
      }
      const agent = keepAlive();
      const end = Date.now() + 2500;
      while (Date.now() < end) {
        for (const [i, s] of list.entries()) {
          assert.equal(await ask(s, "echo-ack", i), i);
          assert.equal((await fetch(nginx.addr, "/hello?name=you", { agent })).body, "hello you\n");
        }
      }
      agent.destroy();
      assert.deepEqual(list.map((s) => s.io.engine.transport.name), ["polling", "polling", "websocket"]);
    });

    test("a client that goes is noticed at once", async () => {
      for (const transports of [["polling"], ["websocket"]]) {
        const s = await client({ transports });
        const { id } = s;
        s.io.engine.close();
        assert.equal((await ctx.server.goodbye(id)).disconnect.reason, "transport close");
      }
    });
  });
}
