// Plays the scenarios of e2e/scenarios/cluster.json on a cluster, whose steps
// are described in e2e/scenarios/README.md.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import parser from "socket.io-msgpack-parser";
import { until } from "./process.js";
import { plain } from "./scenario.js";
import { ask, connected } from "./throng.js";

export const { clients: rooms, scenarios } = JSON.parse(
  readFileSync(new URL("../scenarios/cluster.json", import.meta.url)));

// Clients differ in what must not matter. What is volatile goes to none that
// polls: it would be dropped between two polls.
const kinds = [
  { transports: ["websocket"] },
  { transports: ["polling", "websocket"] },
  { transports: ["websocket"], parser },
  { transports: ["websocket"] },
  { transports: ["websocket"] },
  { transports: ["polling"] },
  { transports: ["websocket"] },
  { transports: ["websocket"] },
];

// Play is one scenario, with act the number of the server that acts.
export class Play {
  constructor(cluster, act) {
    Object.assign(this, { cluster, act, clients: new Map(), all: [], ids: [], fences: 0 });
  }

  async run(steps) {
    await Promise.all(rooms.map((names, k) => this.connect(k, {}, names)));
    for (const [i, step] of steps.entries()) {
      try {
        await this.step(step, {});
      } catch (err) {
        err.message = `step ${i + 1}, ${JSON.stringify(step).slice(0, 120)}: ${err.message}`;
        throw err;
      }
    }
    for (const [k, c] of this.clients) assert.deepEqual(c.seen, [], `client ${k} at the end`);
  }

  end() { for (const s of this.all) s.disconnect(); }

  async connect(k, { nsp = "/", with: other }, names = []) {
    const kind = kinds[k % kinds.length];
    const s = other === undefined ?
      this.cluster.client(k, nsp, { ...kind, query: { name: `client ${k}` },
        auth: { token: k }, extraHeaders: { "X-Trace": `trace ${k}` } }) :
      this.clients.get(other).io.socket(nsp, { auth: { token: k } });
    Object.assign(s, { k, node: (other ?? k) % this.cluster.servers.length,
      seen: [], passed: {} });
    s.onAny((...args) => this.got(s, args));
    s.on("disconnect", (reason) => { s.lost = reason; });
    this.clients.set(k, s);
    this.all.push(s);
    await connected(s);
    this.ids[k] = s.id;
    // Behind what the server does and says when somebody comes.
    const { error } = await ask(s, "call", { do: "join", rooms: names });
    assert.equal(error, "");
    s.seen = [];
  }

  got(s, args) {
    if (args[0] === "fence") { s.passed[args[1]] = args[2]; s.onFence?.(); return; }
    const ack = typeof args.at(-1) === "function" ? args.pop() : null;
    const event = args.map(plain);
    if (ack && this.leaving?.includes(s.k)) { s.disconnect(); this.clients.delete(s.k); return; }
    s.seen.push(event);
    if (ack && !this.silent?.includes(s.k)) ack(args, s.k);
  }

  // What any server, or one of a list, has sent before has arrived afterwards.
  async fence(servers = [...this.cluster.servers.keys()]) {
    const n = ++this.fences;
    const all = [...this.clients.values()];
    const names = new Set(all.map((s) => s.nsp.startsWith("/child-") ? "children" : s.nsp));
    const arrived = Promise.all(all.map((s) => new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(
        `client ${s.k}: not all has come from all servers: ${JSON.stringify(s.passed)} of ${n}`)), 10000);
      const done = () => {
        if (servers.some((i) => s.passed[i] !== n)) return;
        clearTimeout(timer);
        s.onFence = null;
        resolve();
      };
      s.onFence = done;
      done();
    })));
    await Promise.all(servers.flatMap((i) => [...names].map((nsp) =>
      this.cluster.call(i, { do: "emit", nsp, event: "fence" }, i, n))));
    await arrived;
  }

  // value is a value of the file as it is given to a client or a server.
  value(v, vars) {
    if (typeof v === "string") {
      if (v === "$i" && vars.i !== undefined) return vars.i;
      return vars.i === undefined ? v : v.replace("$i", vars.i);
    }
    if (v === null || typeof v !== "object") return v;
    if (Array.isArray(v)) return v.map((e) => this.value(e, vars));
    if ("$bin" in v) return Buffer.from(v.$bin, "hex");
    if ("$zeros" in v) return Buffer.alloc(v.$zeros);
    if ("$id" in v) return this.ids[v.$id];
    return Object.fromEntries(Object.entries(v).map(([k, e]) => [k, this.value(e, vars)]));
  }

  expected(v, vars) { return plain(this.value(v, vars)); }

  // who turns a word or a list into numbers of clients.
  who(by, among) {
    const all = [...this.clients.keys()].sort((a, b) => a - b)
      .filter((k) => !among || among.includes(k));
    const here = (k) => this.clients.get(k).node === this.act;
    switch (by) {
      case "all": return all;
      case "none": return [];
      case "here": return all.filter(here);
      case "elsewhere": return all.filter((k) => !here(k));
    }
    return by;
  }

  async step(step, vars) {
    if (step.connect) {
      // Those that share a connection need it first.
      for (const later of [false, true]) {
        await Promise.all(Object.entries(step.connect)
          .filter(([, how]) => ("with" in how) === later)
          .map(([k, how]) => this.connect(Number(k), how)));
      }
    } else if (step.repeat) {
      // One after the other on the server, without waiting here.
      const all = [];
      for (let i = 0; i < step.repeat; i++) {
        for (const s of step.steps) all.push(this.step(s, { i }));
      }
      await Promise.all(all);
    } else if (step.leave) {
      await this.left(step.leave);
    } else if (step.series) {
      await this.check(step.series.map(({ by, events }) => ({ by, events: Array.from(
        { length: step.count }, (_, i) => events.map((e) => this.expected(e, { i }))).flat() })));
    } else if (step.burst) {
      await this.burst(step);
    } else if (step.heard !== undefined) {
      await this.heard(step);
    } else if (step.do === "until") {
      await until(async () => {
        const { value } = await this.ask(step.call, vars);
        return value === step.value;
      }, `${step.value}`);
    } else {
      await this.call(step, vars);
    }
  }

  // The server that is called: that which acts, or that of a client.
  origin(from) { return from === undefined ? this.act : this.clients.get(from).node; }

  // Sends the call to the server that acts, or to the one of a client.
  ask({ args = [], from, ...what }, vars) {
    const [event, ...rest] = what.do === "send" ? [undefined, ...args] : args;
    const list = [this.value({ ...what, event }, vars), ...this.value(rest, vars)];
    if (from === undefined) return this.cluster.call(this.act, ...list);
    return this.clients.get(from).timeout(20000).emitWithAck("call", ...list);
  }

  async call(step, vars) {
    const { sees, among, history, gone, cut = [], silent, leaving, value, ids, sockets, answers,
      others, error = "", errorAlone, errorOthers, missing, ...what } = step;
    Object.assign(this, { silent, leaving });
    const got = await this.ask(what, vars);
    Object.assign(this, { silent: null, leaving: null });

    const more = this.cluster.servers.length > 1;
    const fails = !this.cluster.joined && errorAlone ? errorAlone :
      more && errorOthers ? errorOthers : error;
    assert.equal(got.error, fails, `the error; the result: ${JSON.stringify(got)}`);
    if (missing) assert.deepEqual(got.missing ?? [], this.cluster.others(this.act), "who is missing");
    if (value !== undefined) assert.deepEqual(plain(got.value), this.expected(value, vars));
    if (ids) this.same(ids, got.value.map((s) => s.id ?? s));
    if (sockets) this.sockets(sockets, got.value, step.from);
    if (answers) {
      const mine = Object.fromEntries((got.value ?? []).map((a) => [this.ids.indexOf(a.from), plain(a.args)]));
      assert.equal(Object.keys(mine).length, got.value?.length ?? 0, "an answer of each");
      assert.deepEqual(mine, this.expected(answers, vars));
    }
    if (others !== undefined) {
      const list = others === null ? [] : this.cluster.others(this.act)
        .map((from) => ({ from, args: this.expected(others, vars) }));
      assert.deepEqual(plain(got.value ?? []).sort((a, b) => a.from < b.from ? -1 : 1), list);
    }
    // What another server says meanwhile may drop it.
    if (what.volatile) await this.fence([this.origin(step.from)]);
    if (gone) await this.lost(gone, cut);
    if (history) await this.check(history);
    if (sees) await this.check([{ by: this.who(sees, among), events: [this.expected(what.args, vars)] }]);
  }

  same(who, ids) {
    assert.deepEqual(ids.map((id) => this.ids.indexOf(id)).sort((a, b) => a - b), this.who(who));
  }

  // What FetchSockets tells is what was said and done before.
  sockets(want, list, from) {
    this.same(Object.keys(want).map(Number), list.map((s) => s.id));
    for (const s of list) {
      const k = this.ids.indexOf(s.id);
      const { node, nsp, io } = this.clients.get(k);
      const [own, ...more] = s.rooms;
      const name = io.opts.query.name;
      assert.deepEqual({ ...s, rooms: more.sort() }, { id: own, rooms: want[k], node: this.cluster.id(node),
        here: node === this.origin(from), nsp, data: { name }, query: name,
        trace: name.replace("client", "trace"), auth: { token: k } });
    }
  }

  // Everybody has seen what the groups say, in order, and nothing else.
  async check(groups) {
    await this.fence();
    const want = new Map([...this.clients.keys()].map((k) => [k, []]));
    for (const { by, events } of groups) for (const k of this.who(by)) want.set(k, events);
    for (const [k, events] of want) {
      assert.ok(this.clients.has(k), `client ${k} is not there`);
      assert.deepEqual(this.clients.get(k).seen, events, `client ${k}`);
    }
    for (const c of this.clients.values()) c.seen = [];
  }

  // Sockets that a server has disconnected, and those whose connection went
  // with them.
  async lost(gone, cut) {
    for (const k of [...gone, ...cut]) {
      const s = this.clients.get(k);
      await until(() => s.lost, `client ${k} is disconnected`);
      if (gone.includes(k)) assert.equal(s.lost, "io server disconnect", `client ${k}`);
      assert.deepEqual(s.seen, [], `client ${k}`);
      this.clients.delete(k);
    }
    for (const [k, s] of this.clients) assert.ok(!s.lost, `client ${k}: ${s.lost}`);
  }

  // Clients that go, until no server has them any more.
  async left(list) {
    for (const k of list) {
      this.clients.get(k).disconnect();
      this.clients.delete(k);
      for (const i of this.cluster.servers.keys()) {
        await until(async () => (await this.cluster.call(i, { do: "count", to: [this.ids[k]] })).value === 0,
          `client ${k} has left`);
      }
    }
  }

  // Clients that emit at the same time: what each has sent comes in order.
  async burst({ burst, to, event, count, by }) {
    await Promise.all(burst.flatMap((k) => Array.from({ length: count }, (_, i) =>
      ask(this.clients.get(k), "call", { do: "emit", to, event }, k, i))));
    await this.fence();
    const numbers = Array.from({ length: count }, (_, i) => i);
    for (const [k, c] of this.clients) {
      const got = Object.fromEntries(burst.map((from) => [from,
        c.seen.filter((e) => e[0] === event && e[1] === from).map((e) => e[2])]));
      assert.deepEqual(got, Object.fromEntries(burst.map((from) =>
        [from, by.includes(k) && from !== k ? numbers : []])), `client ${k}`);
      c.seen = [];
    }
  }

  // Each other server has heard 0, 1, 2 ... and what came then, in order
  // within each namespace; the one that acts has heard nothing.
  async heard({ heard, nsp, then }) {
    const want = [...Array.from({ length: heard }, (_, i) => [nsp, i]), ...then];
    for (const i of this.cluster.servers.keys()) {
      const got = [];
      const look = async () => {
        const { value } = await this.cluster.call(i, { do: "heard" });
        got.push(...value.map((e) => [e.nsp, ...plain(e.args)]));
      };
      const others = i !== this.act;
      if (others) await until(async () => { await look(); return got.length >= want.length; }, "all heard");
      await look();
      for (const name of ["/", "/chat"]) {
        assert.deepEqual(got.filter((e) => e[0] === name), others ? want.filter((e) => e[0] === name) : [],
          `server ${i}`);
      }
    }
  }
}
