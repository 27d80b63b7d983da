// Two processes of the demo that are one server, behind a front.
import { after, before } from "node:test";
import { Manager } from "socket.io-client";
import { Broker } from "./broker.js";
import { Demo, freePort } from "./browser.js";
import { Front } from "./front.js";
import { connected } from "./throng.js";

export class Pair {
  static async start(...args) {
    const p = new Pair();
    p.args = args;
    p.clients = new Set();
    p.ports = [await freePort(), await freePort()];
    p.addrs = p.ports.map((port) => `127.0.0.1:${port}`);
    p.demos = [];
    p.fronts = [];
    p.broker = await Broker.start();
    try {
      await Promise.all([0, 1].map((i) => p.run(i)));
    } catch (err) {
      await p.stop();
      throw err;
    }
    return p;
  }

  // Starts one of the two; also again.
  async run(i) {
    this.demos[i] = await Demo.start(this.ports[i], "--valkey", this.broker.url, ...this.args);
  }

  async front(kind) {
    const f = await Front.start(kind, this.addrs);
    this.fronts.push(f);
    return f;
  }

  // A client with the default transports, unless options say otherwise, that
  // keeps count of its connections and of what came when it should not.
  client(url, nsp, options = {}) {
    const manager = new Manager(url, { forceNew: true, ...options });
    const socket = manager.socket(nsp);
    socket.connects = 0;
    socket.losses = 0;
    socket.on("connect", () => { socket.connects++; });
    socket.on("disconnect", () => { socket.losses++; });
    this.clients.add(socket);
    return socket;
  }

  async connect(n, url, nsp, options = {}) {
    const list = Array.from({ length: n }, () => this.client(url, nsp, options));
    await Promise.all(list.map((s) => connected(s, 20000)));
    return list;
  }

  leave() {
    for (const c of this.clients) c.io._close();
    this.clients.clear();
  }

  async stop() {
    this.leave();
    for (const f of this.fronts) await f.stop();
    for (const d of this.demos.filter(Boolean)) d.program.signal("SIGTERM");
    for (const d of this.demos.filter(Boolean)) await d.stop();
    await this.broker.stop();
  }
}

// use starts a pair for the tests of a file.
export function usePair(...args) {
  const holder = {};
  const start = async () => { holder.pair = await Pair.start(...args); };
  // Once, and whichever hook comes first: they do not wait for each other.
  holder.ready = () => (holder.starting ??= start());
  before(holder.ready);
  after(async () => { await holder.pair?.stop(); });
  return holder;
}

// Messages with numbers, each kind in its own order; take(text) is called with
// "kind:number".
export class Numbered {
  constructor() {
    this.last = {};
    this.seen = {};
    this.wrong = [];
  }

  take(text) {
    const [kind, number] = text.split(":");
    const n = Number(number);
    const before = this.last[kind] ?? -1;
    if (n <= before) this.wrong.push(`${text} after ${kind}:${before}`);
    this.last[kind] = Math.max(n, before);
    this.seen[kind] = (this.seen[kind] ?? 0) + 1;
  }
}
