import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, event, use, wait } from "../lib/throng.js";
import { ask as fetch, keepAlive } from "../lib/http.js";
import { numbers, underFire, upgraded } from "../lib/streams.js";

const polling = { transports: ["polling"] };
const both = { transports: ["polling", "websocket"] };

for (const loops of ["1", "2", "4"]) {
  describe(`${loops} loops`, () => {
    const ctx = use("-loops", loops, "-ping-interval", "1s", "-ping-timeout", "1s");

    test("the path's last slash may be left out", async () => {
      const s = await ctx.server.connect("/", { ...both, addTrailingSlash: false });
      await upgraded(s);
      assert.equal(await ask(s, "echo-ack", "x"), "x");
      const p = await ctx.server.connect("/", { ...polling, addTrailingSlash: false });
      assert.equal(await ask(p, "echo-ack", "y"), "y");
    });

    test("a client that only polls sends and receives everything", async () => {
      const sockets = await Promise.all(Array.from({ length: 10 }, () => ctx.server.connect("/", polling)));
      for (const s of sockets) {
        assert.equal(s.io.engine.transport.name, "polling");
        const args = [1, { b: Buffer.from([0, 1, 2, 255]) }, "ü👩‍🚀\u001e", null];
        const back = event(s, "echo");
        s.emit("echo", ...args);
        assert.deepEqual(await back, args);
        assert.deepEqual(await ask(s, "echo-ack", Buffer.from("x")), Buffer.from("x"));
        const big = "x".repeat(200_000);
        assert.equal(await ask(s, "echo-ack", big), big);
        const h = await ask(s, "handshake");
        assert.match(h.address, /^127\.0\.0\.1/);
      }
      for (const s of sockets) {
        const done = numbers(s, 200);
        s.emit("stream", 200, 2);
        await done;
      }
    });

    test("a polling client lives through many heartbeats", async () => {
      const s = await ctx.server.connect("/", polling);
      let lost = null;
      s.on("disconnect", (why) => { lost = why; });
      await wait(3500);
      assert.equal(lost, null);
      assert.equal(await ask(s, "echo-ack", 1), 1);
    });

    test("the client's end is noticed: transport close", async () => {
      const s = await ctx.server.connect("/", polling);
      const { id } = s;
      s.io.engine.close();
      assert.equal((await ctx.server.goodbye(id)).disconnect.reason, "transport close");
    });

    test("the server's end is told: io server disconnect", async () => {
      const s = await ctx.server.connect("/", polling);
      const { id } = s;
      const why = event(s, "disconnect");
      s.emit("disconnect-me", true);
      assert.equal((await why)[0], "io server disconnect");
      assert.equal((await ctx.server.goodbye(id)).disconnect.reason, "server namespace disconnect");
    });

    test("default transports end on WebSocket and lose nothing on the way", async () => {
      const sockets = await Promise.all(Array.from({ length: 20 }, () => ctx.server.connect("/", both)));
      await Promise.all(sockets.map(async (s) => {
        const done = numbers(s, 300);
        s.emit("stream", 300, 3);
        const answers = [];
        for (let i = 0; i < 100; i++) answers.push(ask(s, "echo-ack", i));
        assert.deepEqual(await Promise.all(answers), Array.from({ length: 100 }, (_, i) => i));
        await upgraded(s);
        await done;
        assert.equal(s.io.engine.transport.name, "websocket");
      }));
      await wait(2500); // heartbeats on the new transport
      for (const s of sockets) assert.equal(await ask(s, "echo-ack", "alive"), "alive");
    });

    test("50 clients upgrade under 50 messages a second each", async () => {
      await underFire(await Promise.all(Array.from({ length: 50 }, () =>
        ctx.server.connect("/", { ...both, upgrade: false }))), 200);
    });

    test("the upgraded client's end is noticed", async () => {
      const s = await ctx.server.connect("/", both);
      await upgraded(s);
      assert.equal(await ask(s, "echo-ack", 1), 1);
      const { id } = s;
      s.disconnect();
      assert.equal((await ctx.server.goodbye(id)).disconnect.reason, "client namespace disconnect");
      const t = await ctx.server.connect("/", both);
      await upgraded(t);
      const tid = t.id;
      t.io.engine.transport.ws._socket.destroy();
      assert.equal((await ctx.server.goodbye(tid)).disconnect.reason, "transport close");
    });

    test("broadcasts reach both kinds once", async () => {
      const list = [await ctx.server.connect("/", polling), await ctx.server.connect("/", both),
        await ctx.server.connect()];
      const room = `mixed-${loops}`;
      await Promise.all(list.map((s) => ask(s, "join", room)));
      const heard = list.map((s) => { const got = []; s.on("news", (x) => got.push(x)); return got; });
      for (let i = 0; i < 50; i++) await ask(list[2], "relay", { server: true, to: [room], arg: i });
      await Promise.all(list.map((s) => ask(s, "echo-ack", 0)));
      for (const got of heard) assert.deepEqual(got, Array.from({ length: 50 }, (_, i) => i));
    });

    test("a page, a poll and an upgrade share one kept connection", async () => {
      const agent = keepAlive();
      const first = await fetch(ctx.server.addr, "/hello", { agent });
      const open = await fetch(ctx.server.addr, "/socket.io/?EIO=4&transport=polling", { agent });
      assert.equal(open.status, 200);
      assert.equal(open.port, first.port, "one connection");
      const { sid } = JSON.parse(open.body.slice(1));
      const target = `/socket.io/?EIO=4&transport=polling&sid=${sid}`;
      const post = await fetch(ctx.server.addr, target, { agent, method: "POST", body: "40" });
      assert.equal(post.body, "ok");
      const poll = await fetch(ctx.server.addr, target, { agent });
      assert.match(poll.body, /^40\{"sid"/);
      agent.destroy();
    });
  });
}
