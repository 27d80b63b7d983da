// What clients see does not depend on how many servers there are, nor on which
// of them acts: one file of scenarios for one, two and four processes.
import { after, before, describe, test } from "node:test";
import { Cluster } from "../lib/cluster.js";
import { Play, scenarios } from "../lib/together.js";

const clusters = {
  "one server": { nodes: 1, broker: false },
  "one server with a broker": { nodes: 1, broker: true },
  "two servers": { nodes: 2, broker: true },
  "four servers": { nodes: 4, broker: true },
};

describe("the same with", { concurrency: 4 }, () => {
  for (const [name, how] of Object.entries(clusters)) {
    describe(name, { concurrency: 1 }, () => {
      let cluster;
      before(async () => { cluster = await Cluster.start(how); });
      after(async () => { await cluster?.stop(); });
      for (const act of new Set([0, how.nodes - 1])) {
        for (const { name, steps } of scenarios) {
          test(`${name}, server ${act} acts`, async () => {
            const play = new Play(cluster, act);
            try {
              await play.run(steps);
            } finally {
              play.end();
            }
            await cluster.empty();
          });
        }
      }
    });
  }
});
