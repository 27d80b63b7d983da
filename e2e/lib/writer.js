// A Python process that publishes emits; see e2e/queue/writer.py.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { fileURLToPath } from "node:url";

export const folder = fileURLToPath(new URL("../queue/", import.meta.url));
export const python = (env) => `${folder}${env}/.venv/bin/python`;

const children = new Set();
after(() => { for (const c of children) c.kill(); });

export class Writer {
  // env is newest or pickle, kind flask or manager.
  static async start(env, kind, url) {
    const w = new Writer();
    w.child = spawn(python(env), [`${folder}writer.py`, url, kind],
      { stdio: ["pipe", "pipe", "inherit"] });
    children.add(w.child);
    w.lines = createInterface({ input: w.child.stdout })[Symbol.asyncIterator]();
    assert.equal((await w.lines.next()).value, "ready");
    return w;
  }

  async call(method, args, kwargs = {}) {
    this.child.stdin.write(JSON.stringify([method, args, kwargs]) + "\n");
    assert.equal((await this.lines.next()).value, "ok", `${method} ${JSON.stringify(args)}`);
  }

  // The last event, behind all others of this process.
  async end() {
    await this.call("emit", ["end", null], { namespace: "/" });
    await this.call("emit", ["end", null], { namespace: "/chat" });
    this.child.stdin.end();
    await once(this.child, "exit");
  }
}
