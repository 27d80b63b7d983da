// Chromium and the throng binary for the browser tests.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { Program } from "./process.js";

// The demo has to come back on the same port.
export { freePort } from "./port.js";

// Chromium keeps to itself: no look-ups, no updates, no sandbox as root.
const flags = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

export async function launch() {
  const executablePath = process.env.CHROMIUM;
  assert.ok(executablePath, "CHROMIUM is not set: run these tests with `make e2e`");
  return chromium.launch({ executablePath, headless: true, args: flags });
}

// A folder for screenshots, kept when THRONG_SHOTS names one.
export async function shots() {
  if (process.env.THRONG_SHOTS) return { dir: process.env.THRONG_SHOTS, done: async () => {} };
  const dir = await mkdtemp(join(tmpdir(), "throng-shots-"));
  return { dir, done: () => rm(dir, { recursive: true, force: true }) };
}

export class Demo {
  static async start(port, ...args) {
    assert.ok(process.env.THRONG_BINARY, "THRONG_BINARY is not set: run these tests with `make e2e`");
    const d = new Demo();
    d.url = `http://127.0.0.1:${port}`;
    d.program = new Program(process.env.THRONG_BINARY, ["demo", "--listen", `127.0.0.1:${port}`, ...args]);
    await d.answers();
    return d;
  }

  async answers() {
    const end = Date.now() + 10000;
    for (;;) {
      try {
        if ((await fetch(this.url)).ok) return;
      } catch (err) {
        if (Date.now() > end) throw new Error(`the demo does not answer: ${err}\n${this.program.stderr}`);
      }
      await new Promise((r) => setTimeout(r, 50));
    }
  }

  stop() { return this.program.stop(); }

  // The end that leaves no time for a goodbye.
  async kill() {
    this.program.signal("SIGKILL");
    await this.program.exited;
  }
}
