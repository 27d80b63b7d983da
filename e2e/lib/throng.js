// The test server of e2e/testserver and official clients connected to it.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { io } from "socket.io-client";
import { Program, until } from "./process.js";

// What clients of the tests use unless a test says otherwise.
const transports = (process.env.THRONG_TRANSPORTS ?? "websocket").split(",");

export const wait = (ms) => new Promise((r) => setTimeout(r, ms));

export class Server {
  // flags are those of e2e/testserver, without -listen.
  static async start(...flags) {
    const path = process.env.THRONG_TESTSERVER;
    assert.ok(path, "THRONG_TESTSERVER is not set: run these tests with `make e2e`");
    const s = new Server();
    s.program = new Program(path, ["-listen", "127.0.0.1:0", ...flags]);
    const { addr } = await s.journal((e) => e.event === "listening", "address", 20000);
    s.addr = addr;
    s.url = `http://${addr}`;
    s.clients = new Set();
    return s;
  }

  // The first journal entry that match accepts. Entries: listening,
  // connection, disconnecting, disconnect.
  journal(match, what = "journal entry", ms = 5000) {
    return this.program.line((line) => {
      const e = JSON.parse(line);
      return match(e) ? e : null;
    }, what, ms);
  }

  // Waits for a line in the server's log.
  logged(pattern) {
    return until(() => pattern.test(this.program.stderr), `${pattern} in the log`);
  }

  // How the server says goodbye to a socket: its two lifecycle entries.
  async goodbye(id) {
    const disconnecting = await this.journal(
      (e) => e.event === "disconnecting" && e.id === id, `disconnecting of ${id}`);
    const disconnect = await this.journal(
      (e) => e.event === "disconnect" && e.id === id, `disconnect of ${id}`);
    return { disconnecting, disconnect };
  }

  // A client that is not yet connected.
  client(nsp = "/", options = {}) {
    const socket = io(this.url + nsp, {
      transports, forceNew: true, reconnection: false, ...options,
    });
    this.clients.add(socket);
    return socket;
  }

  // A connected client.
  async connect(nsp = "/", options = {}) {
    const socket = this.client(nsp, options);
    await connected(socket);
    return socket;
  }

  connectMany(n, nsp = "/") {
    return Promise.all(Array.from({ length: n }, () => this.connect(nsp)));
  }

  async stop() {
    for (const c of this.clients) c.disconnect();
    const how = await this.program.stop();
    assert.deepEqual(how, { code: 0, signal: null }, `the server's end\n${this.program.stderr}`);
  }
}

// use starts one server for the tests of a file.
export function use(...flags) {
  const holder = {};
  before(async () => { holder.server = await Server.start(...flags); });
  after(async () => { await holder.server?.stop(); });
  return holder;
}

// Resolves when socket is connected; the first refusal or loss is an error.
export function connected(socket, ms = 10000) {
  if (socket.connected) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const done = (f, v) => {
      clearTimeout(timer);
      socket.off("connect", yes);
      socket.off("connect_error", no);
      f(v);
    };
    const yes = () => done(resolve);
    const no = (err) => done(reject, err);
    const timer = setTimeout(() => no(new Error(`not connected within ${ms} ms`)), ms);
    socket.on("connect", yes);
    socket.on("connect_error", no);
  });
}

// The arguments of the next event of that name.
export function event(socket, name, ms = 5000) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.off(name, got);
      reject(new Error(`no event ${name} within ${ms} ms`));
    }, ms);
    const got = (...args) => { clearTimeout(timer); resolve(args); };
    socket.once(name, got);
  });
}

// Sends and awaits the server's answer.
export function ask(socket, name, ...args) {
  return socket.timeout(5000).emitWithAck(name, ...args);
}

// collect gathers the first arguments of all events of that name.
export function collect(socket, name) {
  const out = [];
  socket.on(name, (...args) => out.push(args[0]));
  return out;
}

// A round trip on each socket: whatever the server queued for them before
// has arrived afterwards.
export async function settle(...sockets) {
  await Promise.all(sockets.map((s) => ask(s, "echo-ack", "settle")));
}
