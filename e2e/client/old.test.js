// Clients 1.x and 2.x: Engine.IO 3 and Socket.IO 4.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { describe, test } from "node:test";
import { connected, event, use, wait } from "../lib/throng.js";
import { until } from "../lib/process.js";

const require = createRequire(import.meta.url);
const ways = {
  polling: { transports: ["polling"] },
  base64: { transports: ["polling"], forceBase64: true },
  websocket: { transports: ["websocket"] },
  upgrade: { transports: ["polling", "websocket"] },
};

// These clients have no promises.
const ask = (s, ...args) => new Promise((resolve, reject) => {
  const timer = setTimeout(() => reject(new Error(`no answer to ${args[0]}`)), 5000);
  s.emit(...args, (...reply) => { clearTimeout(timer); resolve(reply); });
});

for (const version of ["2", "1"]) {
  const io = require(`socket.io-client-${version}`);

  for (const [way, options] of Object.entries(ways)) {
    describe(`client ${version}, ${way}`, () => {
      const ctx = use("-eio3", "-loops", "2", "-ping-interval", "300ms", "-ping-timeout", "1s");
      const open = async (nsp = "/", more = {}) => {
        const s = io(ctx.server.url + nsp, {
          forceNew: true, reconnection: false, ...options, ...more,
        });
        ctx.server.clients.add(s);
        await connected(s);
        if (way === "upgrade" && s.io.engine.transport.name !== "websocket") {
          await new Promise((resolve) => s.io.engine.once("upgrade", resolve));
        }
        return s;
      };

      test("it is in / without asking, by the id it knows", async () => {
        const s = await open();
        assert.equal(s.io.engine.transport.name, way === "websocket" || way === "upgrade" ?
          "websocket" : "polling");
        assert.match(s.id, /^[\w-]{20}$/);
        const { id } = s;
        await ctx.server.journal((e) => e.event === "connection" && e.id === id);
        s.disconnect();
        const { disconnect } = await ctx.server.goodbye(id);
        assert.equal(disconnect.nsp, "/");
      });

      test("events, acknowledgements and binary go both ways", async () => {
        const s = await open();
        const args = [1, "two", { three: [4, null] }, "ü€"];
        assert.deepEqual(await ask(s, "echo-ack", ...args), args);
        const back = event(s, "echo");
        s.emit("echo", ...args);
        assert.deepEqual(await back, args);
        assert.deepEqual(await ask(s, "hex", Buffer.from([0, 4, 255])), ["0004ff"]);
        const binary = event(s, "binary");
        s.emit("binary-please");
        const [first, { list, text }] = await binary;
        assert.deepEqual([...Buffer.from(first)], [1, 2, 3]);
        assert.deepEqual([...Buffer.from(list[0])], [4]);
        assert.deepEqual([...Buffer.from(list[1].deep)], [5, 6]);
        assert.equal(text, "t");
      });

      test("other namespaces, their auth and refusals", async () => {
        const news = await open("/news");
        assert.deepEqual(await ask(news, "name"), ["/news"]);
        await ctx.server.journal((e) => e.event === "connection" && e.nsp === "/news" &&
          e.id.startsWith("/news#"));
        const published = event(news, "published");
        news.emit("publish", "p", Buffer.from([7]));
        const [p, b] = await published;
        assert.equal(p, "p");
        assert.deepEqual([...Buffer.from(b)], [7]);

        const auth = await open("/auth?token=secret");
        assert.deepEqual(await ask(auth, "whoami"), ["user of secret"]);
        for (const [nsp, error] of [
          ["/auth", { code: 401, content: "Please sign in" }],
          ["/closed", "closed today"],
          ["/nowhere", { message: "Invalid namespace" }],
        ]) {
          const s = io(ctx.server.url + nsp, { forceNew: true, reconnection: false, ...options });
          ctx.server.clients.add(s);
          const [got] = await event(s, "error");
          assert.deepEqual(got, error);
          s.disconnect();
        }
      });

      test("it stays, by its own pings", async () => {
        const s = await open();
        let lost = "";
        s.on("disconnect", (why) => { lost = why; });
        await wait(2000);
        assert.equal(lost, "");
        assert.deepEqual(await ask(s, "echo-ack", "still here"), ["still here"]);
      });
    });
  }
}

// They cannot come back to a session, so they get no offsets, and the new
// clients beside them do.
describe("with recovery", () => {
  const ctx = use("-eio3", "-loops", "2", "-recovery", "1m");
  const cases = Object.entries(ways).flatMap(([way, options]) =>
    ["2", "1"].map((version) => [version, way, options]));
  for (const [version, way, options] of cases) {
    test(`client ${version}, ${way}: events have the arguments they were given`, async () => {
      const s = require(`socket.io-client-${version}`)(`${ctx.server.url}/recovery`,
        { forceNew: true, reconnection: false, ...options });
      ctx.server.clients.add(s);
      await connected(s);
      const shown = [];
      s.on("shout", (...args) => shown.push(args));
      const other = await ctx.server.connect("/recovery");
      const last = event(other, "shout");
      await ask(s, "who"); // it is in the room now
      await ask(other, "who");
      await ask(s, "shout");
      assert.match((await last).at(-1), /^[\w-]{12}$/);
      await ask(other, "shout", 1, "two");
      await ask(other, "shout", Buffer.from([7]), "x".repeat(40));
      await ask(other, "shout", "end");
      await until(() => shown.some(([first]) => first === "end"), "the last event");
      assert.deepEqual(shown.map((args) => args.map((a) =>
        (typeof a === "object" ? [...Buffer.from(a)] : a))),
      [[1, "two"], [[7], "x".repeat(40)], ["end"]], "all but its own");
    });
  }
});

describe("without -eio3", () => {
  const ctx = use();
  test("old clients are refused", async () => {
    const s = require("socket.io-client-2")(ctx.server.url, { forceNew: true, reconnection: false });
    ctx.server.clients.add(s);
    await event(s, "connect_error");
  });
});
