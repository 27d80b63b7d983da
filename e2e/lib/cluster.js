// Several servers that are one: processes of e2e/testserver joined by one
// Valkey, and clients spread over them.
import assert from "node:assert/strict";
import { Broker } from "./broker.js";
import { until } from "./process.js";
import { Server } from "./throng.js";

export class Cluster {
  // Without a broker there can be only one server.
  static async start({ nodes, broker }) {
    const c = new Cluster();
    c.servers = [];
    c.controls = [];
    c.joined = broker;
    try {
      if (broker) c.broker = await Broker.start();
      c.servers = await Promise.all(Array.from({ length: nodes }, (_, i) => Server.start(
        "-keep-handshake", ...(broker ? ["-valkey", c.broker.url, "-node-id", `n${i}`] : []))));
      c.controls = await Promise.all(c.servers.map((s) => s.connect("/control")));
      await until(async () => {
        const seen = await Promise.all(c.controls.map((_, i) => c.call(i, { do: "nodes" })));
        return seen.every(({ value }) => value.others.length === nodes - 1);
      }, "servers know each other", 10000);
    } catch (err) {
      await c.stop();
      throw err;
    }
    return c;
  }

  // The id of a server, and those of the others.
  id(i) { return this.joined ? `n${i}` : ""; }

  others(i) { return this.servers.map((_, k) => this.id(k)).filter((_, k) => k !== i); }

  // Has a server call its API.
  call(i, what, ...args) {
    return this.controls[i].timeout(20000).emitWithAck("call", what, ...args);
  }

  // A client that is not yet connected, of the server whose turn it is.
  client(k, nsp, options) {
    return this.servers[k % this.servers.length].client(nsp, options);
  }

  // After a scenario nobody is left, and no server has seen what it could not
  // read.
  async empty() {
    for (const i of this.servers.keys()) {
      for (const nsp of ["/", "/chat"]) {
        await until(async () => {
          const { value, error } = await this.call(i, { do: "count", nsp });
          return value === 0 && !error;
        }, `nobody in ${nsp}`);
      }
      const { value } = await this.call(i, { do: "nodes" });
      assert.equal(value.drops.cluster_entry ?? 0, 0, "entries that were refused");
    }
  }

  async stop() {
    const ends = await Promise.allSettled(this.servers.map((s) => s.stop()));
    await this.broker?.stop();
    for (const e of ends) if (e.status === "rejected") throw e.reason;
  }
}
