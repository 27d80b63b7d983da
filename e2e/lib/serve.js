// Processes of `throng serve` and clients of them.
import assert from "node:assert/strict";
import { io } from "socket.io-client";
import { Program, until } from "./process.js";
import { connected } from "./throng.js";

export class Instance {
  // args are those of throng serve, without --listen.
  static async start(...args) {
    assert.ok(process.env.THRONG_BINARY, "THRONG_BINARY is not set: run these tests with `make e2e`");
    const s = new Instance();
    s.program = new Program(process.env.THRONG_BINARY, ["serve", "--listen", "127.0.0.1:0",
      "--internal-listen", "127.0.0.1:0", "--log-format", "text", ...args]);
    s.clients = new Set();
    s.url = await s.logged(/ listen=(127\.0\.0\.1:\d+)/).then((m) => `http://${m[1]}`);
    return s;
  }

  // Waits for a line in the log.
  logged(pattern, ms = 20000) {
    return until(async () => {
      const m = this.program.stderr.match(pattern);
      if (!m && this.program.child.exitCode !== null) throw new Error(`ended: ${this.program.stderr}`);
      return m;
    }, `${pattern} in the log`, ms);
  }

  // A connected client, which keeps all events it receives: [name, ...args].
  async connect(nsp = "/") {
    const socket = io(this.url + nsp, {
      transports: ["websocket"], forceNew: true, reconnection: false });
    socket.got = [];
    socket.onAny((...all) => socket.got.push(all));
    this.clients.add(socket);
    await connected(socket);
    return socket;
  }

  async stop() {
    for (const c of this.clients) c.disconnect();
    const how = await this.program.stop();
    assert.deepEqual(how, { code: 0, signal: null }, this.program.stderr);
  }
}
