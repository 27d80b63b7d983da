// A valkey-server for the tests of one file.
import { mkdtemp, rm } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./port.js";
import { Program, until } from "./process.js";

export class Broker {
  static async start(...args) {
    const b = new Broker();
    b.dir = await mkdtemp(join(tmpdir(), "throng-valkey-"));
    b.port = await freePort();
    b.url = `redis://127.0.0.1:${b.port}`;
    b.program = new Program("valkey-server", ["--port", String(b.port), "--bind", "127.0.0.1",
      "--dir", b.dir, "--save", "", "--daemonize", "no", ...args]);
    await until(() => answers(b.port), "valkey-server", 10000);
    return b;
  }

  async stop() {
    await this.program.stop();
    await rm(this.dir, { recursive: true, force: true });
  }
}

function answers(port) {
  return new Promise((resolve) => {
    const c = createConnection(port, "127.0.0.1");
    c.once("connect", () => c.write("PING\r\n"));
    c.once("data", (b) => { c.destroy(); resolve(String(b).startsWith("+PONG")); });
    c.once("error", () => resolve(false));
  });
}
