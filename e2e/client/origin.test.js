import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { connected, event, Server, use } from "../lib/throng.js";
import { handshake } from "../lib/http.js";

const ctx = use();
const target = "/socket.io/?EIO=4&transport=websocket";

describe("without allowed origins", () => {
  test("a page of the same host and port may connect", async () => {
    const s = ctx.server.client("/", { extraHeaders: { origin: ctx.server.url } });
    await connected(s);
  });

  test("a program that sends no Origin may connect", async () => {
    await ctx.server.connect();
  });

  for (const origin of ["https://evil.example", "http://127.0.0.1:1", "null", "http://127.0.0.1.evil.example"]) {
    test(`a page of ${origin} may not`, async () => {
      const s = ctx.server.client("/", { extraHeaders: { origin } });
      const [err] = await event(s, "connect_error");
      assert.equal(err.message, "websocket error");
    });
  }

  test("the refusal is a 400 whose text names the option", async () => {
    const res = await handshake(ctx.server.addr, target, { Origin: "https://evil.example" });
    assert.equal(res.status, 400);
    assert.match(res.body, /cors_allowed_origins/);
  });

  test("the refusal is logged with the origin, the host and the option", async () => {
    const server = await Server.start(); // a log of its own: repeated lines are sampled
    try {
      await handshake(server.addr, target, { Origin: "https://logged.example" });
      await server.logged(/logged\.example/);
      const line = server.program.stderr.split("\n").find((l) => l.includes("logged.example"));
      assert.ok(line.includes(server.addr), line);
      assert.match(line, /cors_allowed_origins|CORSAllowedOrigins/);
    } finally {
      await server.stop();
    }
  });

  test("default ports follow the scheme of the Origin", async () => {
    const as = (Host, Origin) => handshake(ctx.server.addr, target, { Host, Origin });
    assert.equal((await as("app.example", "http://app.example")).status, 101);
    assert.equal((await as("app.example", "https://app.example")).status, 101);
    assert.equal((await as("app.example:443", "https://app.example")).status, 101);
    assert.equal((await as("app.example", "https://app.example:443")).status, 101);
    assert.equal((await as("app.example:80", "https://app.example")).status, 400);
    assert.equal((await as("APP.example", "http://app.EXAMPLE")).status, 101);
    assert.equal((await as("app.example", "http://app.example:8080")).status, 400);
  });
});

describe("with allowed origins", () => {
  test("those may connect, others may not", async () => {
    const server = await Server.start("-origins", "https://a.example,https://b.example:8443");
    try {
      const status = async (Origin) => (await handshake(server.addr, target, { Origin })).status;
      assert.equal(await status("https://a.example"), 101);
      assert.equal(await status("https://b.example:8443"), 101);
      assert.equal(await status("https://b.example"), 400);
      assert.equal(await status("http://a.example"), 400);
    } finally {
      await server.stop();
    }
  });

  test("a star allows all", async () => {
    const server = await Server.start("-origins", "*");
    try {
      assert.equal((await handshake(server.addr, target, { Origin: "https://any.example" })).status, 101);
    } finally {
      await server.stop();
    }
  });
});
