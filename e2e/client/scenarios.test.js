// Every client plays every scenario; the table at the end shows which.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import parser from "socket.io-msgpack-parser";
import { missing, Player, scenarios } from "../lib/scenario.js";
import { Server } from "../lib/throng.js";

const require = createRequire(import.meta.url);
const ways = {
  polling: { transports: ["polling"], final: "polling" },
  websocket: { transports: ["websocket"], final: "websocket" },
  upgrade: { transports: ["polling", "websocket"], final: "websocket" },
};
const base64 = "in polling, four bytes of base64 are sent for three of binary";

// What a client cannot do, and why.
function lacks(version, way) {
  const out = {};
  if (version < "3") out.auth = "before 3, clients have no auth payload";
  if (version < "2" && way !== "websocket") {
    out.text = "in polling payloads of text, clients 1.x encode UTF-8 twice and expect the same; " +
      "nothing tells them from 2.x, which do not";
  }
  if (version < "1.7") out.binary = "1.3 takes a Buffer's memory for its content on Node 4 and later";
  return out;
}

// Rows of the table: name, client, way, what it lacks.
const rows = [];
for (const [version, name] of [["4.8", ""], ["3.1", "-3"], ["2.5", "-2"], ["1.7", "-1"],
  ["1.3", "-1.3"]]) {
  const io = require(`socket.io-client${name}`);
  for (const [way, { transports, final }] of Object.entries(ways)) {
    rows.push({ name: `JS ${version} ${way}`, io, transport: final, options: { transports },
      old: version < "3", lacks: lacks(version, way) });
  }
}
for (const [way, { transports, final }] of Object.entries(ways)) {
  rows.push({ name: `JS 4.8 msgpack ${way}`, io: require("socket.io-client"), transport: final,
    options: { transports, parser }, lacks: {
      huge: "the JavaScript msgpack parser writes whole numbers from 2^64 on modulo 2^64",
      ...(way !== "websocket" && { largest: base64 }),
    } });
}
for (const kind of ["sync", "asyncio"]) {
  for (const [way, { transports, final }] of Object.entries(ways)) {
    rows.push({ name: `Python ${kind} ${way}`, python: [kind, final, ...transports] });
  }
  rows.push({ name: `Python ${kind} msgpack`,
    python: [kind, "websocket", "--msgpack", "polling", "websocket"],
    lacks: { huge: "MessagePack has no integers from 2^64 on, and Python makes none floats" } });
}

// Python plays all scenarios in one process, which prints a JSON object each.
function python(url, args) {
  const path = process.env.THRONG_PYTHON;
  assert.ok(path, "THRONG_PYTHON is not set: run these tests with `make e2e`");
  const script = fileURLToPath(new URL("../python/run.py", import.meta.url));
  const child = spawn(path, [script, url, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (b) => { stderr = (stderr + b).slice(-4000); });
  const got = {}, waiting = {};
  createInterface({ input: child.stdout }).on("line", (line) => {
    const r = JSON.parse(line);
    got[r.scenario] = r;
    waiting[r.scenario]?.(r);
  });
  child.on("close", (code) => {
    for (const [name, f] of Object.entries(waiting)) {
      if (!got[name]) f({ error: `the client ended with ${code}: ${stderr}` });
    }
  });
  return {
    result: (name) => got[name] ? Promise.resolve(got[name]) :
      child.exitCode === null ? new Promise((resolve) => { waiting[name] = resolve; }) :
        Promise.resolve({ error: `the client ended with ${child.exitCode}: ${stderr}` }),
    stop: () => child.kill(),
  };
}

const results = {};

function table() {
  const width = Math.max(...rows.map((r) => r.name.length));
  const names = scenarios.map((s) => s.name);
  const line = (cells) => cells.map((c, i) =>
    i ? c.padEnd(Math.max(names[i - 1].length, 4)) : c.padEnd(width)).join(" | ");
  const reasons = new Map();
  const mark = (r) => {
    if (r === "ok" || r === undefined || r === "FAIL") return r ?? "?";
    if (!reasons.has(r)) reasons.set(r, reasons.size + 1);
    return `- ${reasons.get(r)}`;
  };
  const played = rows.filter((r) => results[r.name]); // not those left out by name
  const body = played.map((r) => line([r.name, ...names.map((n) => mark(results[r.name]?.[n]))]));
  return ["clients x scenarios", line(["", ...names]), ...body,
    ...[...reasons].map(([why, n]) => `- ${n}: ${why}`)].join("\n");
}

describe("scenarios", { concurrency: 6 }, () => {
  after(() => { console.log(table()); });
  for (const row of rows) {
    test(row.name, async (t) => {
      const server = await Server.start("-eio3", "-loops", "2",
        "-ping-interval", "500ms", "-ping-timeout", "5s");
      const mine = results[row.name] = {};
      const child = row.python && python(server.url, row.python);
      try {
        for (const scenario of scenarios) {
          const why = missing(scenario, row.lacks);
          if (why) { mine[scenario.name] = why; continue; }
          await t.test(scenario.name, async () => {
            mine[scenario.name] = "FAIL";
            if (child) {
              const { error } = await child.result(scenario.name);
              assert.ok(!error, error);
            } else {
              const player = new Player(server.url, row, scenario);
              try { await player.play(); } finally { player.end(); }
            }
            mine[scenario.name] = "ok";
          });
        }
      } finally {
        child?.stop();
        await server.stop();
      }
    });
  }
});
