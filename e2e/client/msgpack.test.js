// Clients with socket.io-msgpack-parser beside one with the default parser.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import parser from "socket.io-msgpack-parser";
import { ask, connected, event, use } from "../lib/throng.js";

for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
  describe(`msgpack, ${transports}`, () => {
    const ctx = use("-loops", "2");
    const packed = { parser, transports };

    test("events, acknowledgements and binary go both ways", async () => {
      const s = await ctx.server.connect("/", packed);
      const args = [1, -2.5, "ü€", { list: [null, true], b: Buffer.from([0, 255]) }];
      assert.deepEqual(await ask(s, "echo-ack", ...args), args[0]);
      const back = event(s, "echo");
      s.emit("echo", ...args);
      assert.deepEqual(await back, args);
      assert.equal(await ask(s, "hex", Buffer.from([0, 4, 255])), "0004ff");
      const binary = event(s, "binary");
      s.emit("binary-please");
      const [first, { list, text }] = await binary;
      assert.deepEqual([...first], [1, 2, 3]);
      assert.deepEqual([...list[0]], [4]);
      assert.deepEqual([...list[1].deep], [5, 6]);
      assert.equal(text, "t");
    });

    test("a broadcast reaches both parsers; refusals arrive", async () => {
      const sockets = await Promise.all([packed, packed, { transports }].map(
        (o) => ctx.server.connect("/news", o)));
      const all = sockets.map((s) => event(s, "published"));
      sockets[0].emit("publish", "p", Buffer.from([7]));
      for (const [p, b] of await Promise.all(all)) {
        assert.equal(p, "p");
        assert.deepEqual([...b], [7]);
      }
      for (const [nsp, message] of [["/closed", "closed today"], ["/nowhere", "Invalid namespace"]]) {
        await assert.rejects(connected(ctx.server.client(nsp, packed)), { message });
      }
      const s = await ctx.server.connect("/auth", { ...packed, auth: { token: "secret" } });
      assert.equal(await ask(s, "whoami"), "user of secret");
    });
  });
}
