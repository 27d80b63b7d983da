// The classic console at /test, with the client the page comes with and with
// one of 2015.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { leave, usePages } from "../lib/pages.js";

const oldClient = new URL("../node_modules/socket.io-client-1.3/socket.io.js", import.meta.url);

const t = usePages();

// Somebody who is there from the beginning hears of the background task
// within ten seconds, while the other tests run.
let early;
before(async () => { early = await t.open("/test"); });

const clients = [
  ["client 4.8", "/test", async () => {}],
  ["client 4.8 in / with underscores", "/test?ns=/", async () => {}],
  ["client 1.3.5", "/test", async (page) => {
    const body = await readFile(oldClient);
    await page.route("**/socket.io.min.js", (route) => route.fulfill({ contentType: "text/javascript", body }));
  }],
];

for (const [name, path, prepare] of clients) {
  describe(name, () => {
    const all = [];
    before(async () => {
      all.push(...await Promise.all([0, 1, 2].map(() => t.open(path, {}, prepare))));
    });
    after(() => leave(...all));

    test("greets, echoes and counts", async () => {
      const [a] = all;
      await a.hears("Received #0: Connected");
      await a.does("#emit", { "#emit_data": "one" });
      const count = (li) => Number(/#(\d+)/.exec(li)[1]);
      const line = (text) => a.page.waitForFunction((x) => [...document.querySelectorAll("#log li")]
        .map((li) => li.textContent).find((s) => s.endsWith(`: ${x}`)), text).then((h) => h.jsonValue());
      const first = count(await line("one"));
      await a.does("#emit", { "#emit_data": "two" });
      const second = count(await line("two"));
      assert.ok(first >= 1 && second > first, `${first}, then ${second}`);
    });

    test("broadcasts to all", async () => {
      const [a, b, c] = all;
      await a.does("#broadcast", { "#broadcast_data": "to all" });
      await Promise.all([a, b, c].map((v) => ends(v, ": to all")));
    });

    test("rooms are apart, and close_room empties one", async () => {
      const [a, b, c] = all;
      await a.does("#join", { "#join_room": "red" });
      await ends(a, /: In rooms: .*\bred\b/);
      await b.does("#join", { "#join_room": "red" });
      await ends(b, /: In rooms: .*\bred\b/);
      await c.does("#join", { "#join_room": "blue" });
      await ends(c, /: In rooms: .*\bblue\b/);
      await a.does("#send_room", { "#room_name": "red", "#room_data": "for red" });
      await Promise.all([a, b].map((v) => ends(v, ": for red")));

      await c.does("#close", { "#close_room": "red" });
      await Promise.all([a, b].map((v) => ends(v, ": Room red is closing.")));
      await a.does("#send_room", { "#room_name": "red", "#room_data": "to nobody" });
      await a.does("#broadcast", { "#broadcast_data": "after it" });
      await Promise.all([a, b, c].map((v) => ends(v, ": after it")));
      for (const v of [a, b, c]) assert.equal(await has(v, ": to nobody"), false);
      assert.equal(await has(c, ": for red"), false);
      assert.equal(await has(c, "is closing."), false);
    });

    test("leaving a room is told", async () => {
      const [, , c] = all;
      await c.does("#leave", { "#leave_room": "blue" });
      await c.page.waitForFunction(() => /: In rooms: (?!.*\bblue\b)/.test(
        document.querySelector("#log li:last-child").textContent));
    });

    test("the average of the pings appears", async () => {
      const [a] = all;
      await a.shows("#ping-pong", /^\d+\.\d$/);
      await a.page.waitForFunction(() => Number(document.querySelector("#pings").textContent) >= 2);
      const average = await a.number("#ping-pong");
      assert.ok(average > 0 && average < 5000, `${average} ms`);
    });

    test("asked to, the server disconnects after the client's word", async () => {
      const [, b] = all;
      await b.click("#disconnect");
      await ends(b, ": Disconnected!");
      await b.hears("Acknowledged");
      await b.state("disconnected");
      await b.shows("#state-detail", /^the server ended it$/);
      assert.equal(await b.page.isDisabled("#emit"), true);
      await b.click("#again");
      await b.state("connected");
      await b.does("#emit", { "#emit_data": "back again" });
      await ends(b, ": back again");
    });
  });
}

test("the background task is heard", async () => {
  await ends(early, /^Received #\d+: Server generated event$/);
  await leave(early);
});

function has(v, end) {
  return v.page.$$eval("#log li", (all, x) => all.some((li) => li.textContent.endsWith(x)), end);
}

// A line comes to be there that ends so or matches.
function ends(v, end) {
  const [source, text] = end instanceof RegExp ? [end.source, ""] : ["", end];
  return v.page.waitForFunction(([re, x]) => [...document.querySelectorAll("#log li")]
    .some((li) => (re ? new RegExp(re).test(li.textContent) : li.textContent.endsWith(x))), [source, text]);
}
