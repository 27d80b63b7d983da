// Runs the scenarios of e2e/scenarios with one JavaScript client. The steps
// are described in e2e/scenarios/README.md; e2e/python/run.py is the same for
// the Python client.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const limit = 10000;

export const scenarios = JSON.parse(
  readFileSync(new URL("../scenarios/scenarios.json", import.meta.url)));

// missing says why a client cannot play scenario, "" if it can. lacks maps
// abilities to reasons.
export function missing(scenario, lacks = {}) {
  return (scenario.needs ?? []).map((n) => lacks[n]).filter(Boolean).join("; ");
}

// within rejects when the promise that start makes takes too long.
function within(what, start) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what}: not within ${limit} ms`)), limit);
    const done = (f) => (v) => { clearTimeout(timer); f(v); };
    start(done(resolve), done(reject));
  });
}

// Inbox keeps what a socket received of the events a scenario speaks of.
class Inbox {
  constructor() { this.events = []; this.waiting = []; }

  put(v) {
    if (this.waiting.length) this.waiting.shift()(v);
    else this.events.push(v);
  }

  take(what) {
    if (this.events.length) return Promise.resolve(this.events.shift());
    return within(what, (resolve) => { this.waiting.push(resolve); });
  }
}

// Player plays one scenario. row is the client: io, options, old (Socket.IO
// protocol 4), transport (the final one).
export class Player {
  constructor(url, row, scenario) {
    Object.assign(this, { url, row, scenario, sockets: {}, ids: {} });
    this.names = new Set(scenario.steps.flatMap((s) => s.event ?? []));
  }

  async play() {
    for (const [i, step] of this.scenario.steps.entries()) {
      const verb = Object.keys(step)[0];
      const about = `step ${i + 1}, ${JSON.stringify(step).slice(0, 100)}`;
      assert.ok(verb in this, `${about}: no such verb`);
      try {
        await this[verb](step);
      } catch (err) {
        throw new Error(`${about}: ${err.message}`);
      }
    }
  }

  end() { for (const s of Object.values(this.sockets)) s.disconnect(); }

  open(nsp, { query, auth } = {}) {
    const options = { forceNew: true, reconnection: false, ...this.row.options };
    // Old clients append an object as "[object Object]" to the namespace.
    if (query) options.query = this.row.old ? encoded(query) : query;
    if (auth) options.auth = auth;
    return this.row.io(this.url + nsp, options);
  }

  // keep registers what a socket will receive, before it can.
  keep(name, socket) {
    this.sockets[name] = socket;
    socket.inbox = {};
    socket.answers = {};
    for (const event of [...this.names, "disconnect"]) {
      const inbox = socket.inbox[event] = new Inbox();
      socket.on(event, (...args) => {
        const ack = typeof args.at(-1) === "function" ? args.pop() : null;
        inbox.put(args.map(plain));
        if (ack && socket.answers[event]) ack(...socket.answers[event]);
      });
    }
    return within("connection", (resolve, reject) => {
      socket.once("connect", () => { this.ids[name] = socket.id; resolve(); });
      for (const e of ["connect_error", "error"]) socket.once(e, (why) => reject(new Error(
        `refused: ${why?.message ?? JSON.stringify(why)}`)));
    });
  }

  async connect({ connect, nsp = "/", also = {}, ...more }) {
    const socket = this.open(nsp, more);
    const all = [this.keep(connect, socket)];
    for (const [name, other] of Object.entries(also)) {
      all.push(this.keep(name, socket.io.socket(other)));
    }
    await Promise.all(all);
  }

  async refused({ refused, error, old }) {
    const socket = this.open(refused);
    this.sockets[refused] = socket;
    const got = await within("refusal", (resolve, reject) => {
      socket.once("connect", () => reject(new Error("connected")));
      socket.once(this.row.old ? "error" : "connect_error", resolve);
    });
    if (this.row.old) return assert.deepEqual(got, old);
    assert.deepEqual({ message: got.message, ...(got.data && { data: got.data }) }, error);
  }

  id({ id }) { assert.match(this.sockets[id].id, /^[\w-]{20}$/); }

  async transport({ transport }) {
    const { engine } = this.sockets[transport].io;
    if (engine.transport.name !== this.row.transport) {
      await within("upgrade", (resolve) => engine.once("upgrade", resolve));
    }
    assert.equal(engine.transport.name, this.row.transport);
  }

  emit({ emit, args }) { this.sockets[emit].emit(...args.map((v) => this.value(v))); }

  async ask({ ask, args, reply, part }) {
    const got = await this.reply(ask, args);
    if (reply) same(got, this.expected(reply));
    for (const [key, want] of Object.entries(part ?? {})) same(got[0][key], want);
  }

  async until({ until, args, reply }) {
    const end = Date.now() + limit;
    for (;;) {
      const got = await this.reply(until, args);
      if (JSON.stringify(got) === JSON.stringify(this.expected(reply))) return;
      assert.ok(Date.now() < end, `still ${JSON.stringify(got)}`);
      await new Promise((r) => setTimeout(r, 20));
    }
  }

  reply(name, args) {
    return within("answer", (resolve) => {
      this.sockets[name].emit(...args.map((v) => this.value(v)),
        (...got) => resolve(got.map(plain)));
    });
  }

  answer({ answer, event, with: values }) {
    this.sockets[answer].answers[event] = values.map((v) => this.value(v));
  }

  async expect({ expect, event, args }) {
    same(await this.sockets[expect].inbox[event].take(event), this.expected(args));
  }

  // What was sent to the socket before is there when an answer is.
  async silent({ silent, event }) {
    await this.reply(silent, ["echo-ack", "settle"]);
    assert.deepEqual(this.sockets[silent].inbox[event].events, []);
  }

  burst({ burst, event, count, with: more }) {
    for (let i = 0; i < count; i++) {
      this.sockets[burst].emit(event, i, ...(more ? [this.value(more)] : []));
    }
  }

  async stream({ stream, event, count, with: more }) {
    for (let i = 0; i < count; i++) {
      same(await this.sockets[stream].inbox[event].take(`${event} ${i}`),
        this.expected(more ? [i, more] : [i]));
    }
  }

  async lost({ lost, reason }) {
    const [why] = await this.sockets[lost].inbox.disconnect.take("disconnect");
    assert.ok(reason.includes(why), `disconnected: ${why}`);
  }

  leave({ leave }) { this.sockets[leave].disconnect(); }

  async again({ again }) {
    const socket = this.sockets[again];
    const before = this.ids[again];
    // Clients before 4 take the end of the old connection for the new one's.
    const { engine } = socket.io;
    if (engine.readyState !== "closed") {
      await within("end", (resolve) => engine.once("close", resolve));
    }
    await within("connection", (resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("connect_error", reject);
      socket.connect();
    });
    this.ids[again] = socket.id;
    assert.notEqual(socket.id, before);
  }

  // value is a value of a scenario as it is given to the client.
  value(v) {
    if (v === null || typeof v !== "object") return v;
    if (Array.isArray(v)) return v.map((e) => this.value(e));
    if ("$bin" in v) return Buffer.from(v.$bin, "hex");
    if ("$zeros" in v) return Buffer.alloc(v.$zeros);
    if ("$repeat" in v) return v.$repeat[0].repeat(v.$repeat[1]);
    if ("$id" in v) return this.ids[v.$id];
    return Object.fromEntries(Object.entries(v).map(([k, e]) => [k, this.value(e)]));
  }

  expected(v) { return plain(this.value(v)); }
}

const encoded = (query) => Object.entries(query)
  .map((pair) => pair.map(encodeURIComponent).join("=")).join("&");

// plain turns whichever kind of bytes a client hands out into {$bin: hex}.
export function plain(v) {
  if (v instanceof ArrayBuffer) return { $bin: Buffer.from(v).toString("hex") };
  if (ArrayBuffer.isView(v)) {
    return { $bin: Buffer.from(v.buffer, v.byteOffset, v.byteLength).toString("hex") };
  }
  if (Array.isArray(v)) return v.map(plain);
  if (v === null || typeof v !== "object") return v;
  return Object.fromEntries(Object.entries(v).map(([k, e]) => [k, plain(e)]));
}

function same(got, want) {
  try {
    assert.deepStrictEqual(got, want);
  } catch {
    const short = (v) => JSON.stringify(v)?.slice(0, 300);
    throw new Error(`got ${short(got)}, expected ${short(want)}`);
  }
}
