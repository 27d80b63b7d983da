// Starts a server program, reads what it prints and ends it again.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

// Program is a child process whose stdout lines can be awaited.
export class Program {
  constructor(path, args, { env = {}, cwd, detached = false } = {}) {
    this.lines = [];
    this.stderr = "";
    this.waiters = new Set();
    this.child = spawn(path, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
      cwd,
      detached, // with a process group of its own
    });
    this.exited = new Promise((resolve) => {
      this.child.on("error", (err) => resolve({ code: null, signal: null, err }));
      this.child.on("exit", (code, signal) => resolve({ code, signal }));
    });
    this.exited.then((how) => {
      for (const w of this.waiters) w.fail(new Error(`ended: ${JSON.stringify(how)}\n${this.stderr}`));
    });
    this.child.stderr.on("data", (b) => { this.stderr = (this.stderr + b).slice(-20000); });
    createInterface({ input: this.child.stdout }).on("line", (line) => {
      this.lines.push(line);
      for (const w of this.waiters) w.look(line);
    });
  }

  // The first line, past or future, that match accepts (returns truthy for).
  line(match, what = "a line", ms = 5000) {
    for (const line of this.lines) {
      const got = match(line);
      if (got) return Promise.resolve(got);
    }
    return new Promise((resolve, reject) => {
      const done = (f, v) => { clearTimeout(timer); this.waiters.delete(w); f(v); };
      const timer = setTimeout(() => done(reject, new Error(
        `no ${what} within ${ms} ms\nstdout: ${this.lines.slice(-20).join("\n")}\nstderr: ${this.stderr}`)), ms);
      const w = {
        look: (line) => { const got = match(line); if (got) done(resolve, got); },
        fail: (err) => done(reject, err),
      };
      this.waiters.add(w);
    });
  }

  signal(name) { this.child.kill(name); }

  // Asks the program to end and returns how it did.
  async stop(ms = 10000) {
    this.child.kill("SIGTERM");
    const hard = setTimeout(() => this.child.kill("SIGKILL"), ms);
    const how = await this.exited;
    clearTimeout(hard);
    return how;
  }
}

// await until(() => cond) polls for what has no event of its own.
export async function until(cond, what = "condition", ms = 5000) {
  const end = Date.now() + ms;
  for (;;) {
    const got = await cond();
    if (got) return got;
    if (Date.now() > end) throw new Error(`${what}: not within ${ms} ms`);
    await new Promise((r) => setTimeout(r, 20));
  }
}
