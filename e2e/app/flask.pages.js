// The example's pages in Chromium, through nginx and two throng.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { leave } from "../lib/pages.js";
import { until } from "../lib/process.js";

// compose() is what serves them, key that of throng's HTTP API.
export function pageTests(t, compose, key) {
  const get = async (path) => (await fetch(t.demo.url + path)).json();
  async function joins(v, room, name) {
    await v.does("#join-button", { "#room": room });
    await v.hears(`${name} joined ${room}`);
  }
  const says = (v, text) => v.does("#send-button", { "#text": text });

  const visitors = (...names) => Promise.all(names.map((name) => t.open(`/chat.html?name=${name}`)));

  // Takes note of every text that an element shows from now on: what passes by
  // in a moment need not be met.
  const follow = (v, selector) => v.page.evaluateHandle((s) => {
    const seen = [];
    new MutationObserver((records) => {
      for (const { addedNodes } of records) seen.push(...[...addedNodes].map((n) => n.textContent));
    }).observe(document.querySelector(s), { childList: true });
    return seen;
  }, selector);

  describe("pages", { concurrency: 2 }, () => {
    test("two talk in a room; a third, elsewhere, hears nothing", async () => {
      const [a, b, d] = await visitors("Ada", "Bob", "Dan");
      await joins(a, "kitchen", "Ada");
      await a.shows("#members", /^1 here$/);
      await joins(b, "kitchen", "Bob");
      await joins(d, "garden", "Dan");
      await a.hears("Bob joined kitchen");
      await Promise.all([a, b].map((v) => v.shows("#members", /^2 here$/)));
      await b.page.type("#text", "hm");
      await a.shows("#typing", /^Somebody is typing/);
      assert.equal((await b.page.textContent("#typing")).trim(), "", "not of oneself");
      await b.page.fill("#text", "");
      await a.shows("#typing", /^\s*$/);
      const evil = "<img src=x onerror=\"document.title='owned'\"><b>bold</b>";
      await says(a, evil);
      await b.hears(`Ada: ${evil}`);
      assert.equal(await b.page.$("#log img, #log b"), null, "markup is text");
      await a.shows("#sent", /^Sent by worker \d+, [\d.]+ ms$/);
      await says(b, "hello from b");
      await a.hears("Bob: hello from b");
      await says(d, "anyone here?");
      await d.hears("Dan: anyone here?");
      assert.equal(await d.heard("Bob: hello from b"), 0);
      assert.equal(await a.heard("Dan: anyone here?"), 0);
      assert.equal(await a.heard("Bob: hello from b"), 1, "once, not twice");

      await b.click("#leave-button");
      await b.hears("You left kitchen");
      await a.hears("Bob left kitchen");
      await a.shows("#members", /^1 here$/);
      await says(a, "still there?");
      await a.hears("Ada: still there?");
      await joins(b, "garden", "Bob");
      assert.equal(await b.heard("Ada: still there?"), 0);
      await d.page.context().close(); // gone without a word
      await b.hears("Dan has gone");
      await b.shows("#members", /^1 here$/);
      await leave(a, b);
    });

    test("a room is closed for all in it", async () => {
      const [a, b] = await visitors("Ada", "Bob");
      await joins(a, "brief", "Ada");
      await joins(b, "brief", "Bob");
      await a.click("#close-button");
      for (const v of [a, b]) {
        await v.hears("Ada has closed brief");
        await v.shows("#current-room", /^No room yet$/);
        assert.equal(await v.page.isDisabled("#send-button"), true);
      }
      await leave(a, b);
    });

    test("without a name one is refused in words", async () => {
      const [a] = await visitors("Ada");
      await a.shows("#transport", /^websocket$/);
      await a.fill({ "#name": "" });
      await a.page.press("#name", "Tab");
      await a.state("disconnected");
      await a.shows("#problem", /^The server refused the connection: who are you\?$/);
      await a.fill({ "#name": "Ada" });
      await a.page.press("#name", "Tab");
      await a.state("connected");
      assert.equal(await a.page.isHidden("#problem"), true);
      await a.page.context().close(); // an upgrade that ends with the refusal was logged
    });

    test("an HTTP request notifies everybody, or who follows", async () => {
      const [a, b] = await t.openMany(2, "/notify.html");
      await b.does("#follow-button", { "#topic": "builds" });
      await b.hears("You follow builds");
      await get("/send_notification?topic=builds&msg=green");
      await b.hears("green");
      assert.deepEqual(await get("/send_notification"), { status: "Notification sent" });
      await Promise.all([a, b].map((v) => v.hears("System update available!")));
      await a.does("#send-button", { "#text": "Kaffee & <b>Kuchen</b> \u2615" });
      await Promise.all([a, b].map((v) => v.hears("Kaffee & <b>Kuchen</b> \u2615")));
      await a.shows("#answer", /Notification sent/);
      assert.equal(await a.heard("green"), 0);
      await b.shows("#count", /^3$/);
      assert.equal(await b.page.title(), "(3) Notify - throng and Flask");
      await leave(a, b);
    });

    test("the dashboard shows this machine, each second and when asked", async () => {
      const [a, b] = await t.openMany(2, "/dashboard.html");
      await a.shows("#updates", /^([3-9]|\d\d)$/);
      await a.shows("#servers", /^2$/);
      for (const [id, least, most] of [["cpu", 0, 100], ["memory", 0.1, 100],
        ["connections", 2, 100], ["messages", 0, 1e5], ["lag", 0, 1e4]]) {
        const n = await a.number(`#${id}`);
        assert.ok(n >= least && n <= most, `${id}: ${n}`);
        assert.match(await a.page.getAttribute(`#${id}-chart .trace`, "d"), /^M[\d.]+ [\d.]+/);
      }
      await a.click("#trigger button:not(.copy)");
      await a.shows("#answer", /Metrics update triggered/);
      await leave(a, b);
    });

    test("squares are added up while others are answered", async () => {
      const [a, b] = await t.openMany(2, "/compute.html");
      await b.shows("#workers", /^[2-4]$/);
      const percents = await follow(a, "#percent");
      await a.does("#start", { "#limit": "10000000" });
      await a.hears("Computation started");
      await a.shows("#check", /^agrees with the formula/);
      await a.shows("#result", /^333,333,283,333,335,000,000$/);
      assert.equal(await b.page.textContent("#result"), "-", "it is not b's");
      const shown = await percents.jsonValue();
      assert.ok(shown.some((text) => /^[1-9]\d? % of 10,000,000$/.test(text)), `progress: ${shown}`);

      await a.does("#start", { "#limit": "100000000" });
      await a.page.waitForFunction(() => document.getElementById("progress").value > 0);
      assert.equal(await a.page.isDisabled("#start"), true);
      // Answered while it goes on: only what goes on can be canceled.
      const echoes = await follow(b, "#echo");
      await b.page.waitForFunction((seen) => seen.length >= 5, echoes, { polling: 50 });
      await a.click("#cancel");
      await a.hears("The computation was canceled");
      for (const bad of ["-5", "1.5", "many", "1e30"]) {
        const before = await a.page.$$eval("#log li.bad", (all) => all.length);
        await a.does("#start", { "#limit": bad });
        await a.page.waitForFunction((n) => document.querySelectorAll("#log li.bad").length > n, before);
      }
      await a.does("#start", { "#limit": "1000" });
      await a.shows("#result", /^332,833,500$/);
      await leave(a, b);
    });

    // Something to see on each page.
    const scenes = {
      "": async () => {},
      chat: async (v) => {
        await v.does("#join-button", { "#room": "harbor" });
        await v.shows("#members", /^1 here$/);
        await says(v, "The soup is ready");
        await v.shows("#sent", /^Sent/);
      },
      notify: async (v) => {
        await v.does("#send-button", { "#text": "Deployment at noon" });
        await v.hears("Deployment at noon");
      },
      dashboard: (v) => v.shows("#updates", /^[2-9]/),
      compute: async (v) => {
        await v.does("#start", { "#limit": "1000000" });
        await v.shows("#check", /^agrees/);
      },
    };
    test("none scrolls sideways, light on a desktop or dark on a phone", async () => {
      await t.ready();
      await mkdir(t.out.dir, { recursive: true });
      await Promise.all(Object.entries(scenes).map(async ([name, scene]) => {
        const v = await t.open(name ? `/${name}.html` : "/");
        await scene(v);
        for (const [look, colorScheme, viewport] of [["desktop", "light", { width: 1280, height: 800 }],
          ["360", "dark", { width: 360, height: 740 }]]) {
          await v.page.setViewportSize(viewport);
          await v.page.emulateMedia({ colorScheme });
          await v.page.screenshot({ path: join(t.out.dir, `flask-${name || "index"}-${look}-${colorScheme}.png`) });
          const over = await v.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(over <= 0, `${name} ${look}: ${over} px too wide`);
        }
        await v.leave();
      }));
    });
  });

  // The last: nobody starts it again.
  test("pages: one throng dies, and its visitors go on at the other", async () => {
    const names = ["Ada", "Bob", "Cyd"];
    const all = await visitors(...names);
    for (const [i, v] of all.entries()) await joins(v, "bridge", names[i]);
    const c = compose();
    const sid = (await all[0].page.textContent("#sid")).replace("sid ", "");
    const { sockets } = await (await fetch(`http://${c.addr("throng1", 5001)}/api/v1/rooms/room:bridge/sockets?namespace=/chat`,
      { headers: { Authorization: `Bearer ${key}` } })).json();
    assert.equal(sockets.length, 3);
    c.running[`throng${sockets.find(({ id }) => id === sid).node}`].signal("SIGKILL");
    await all[0].hears("Back in bridge; what was said meanwhile is lost");
    let n = 0;
    await until(async () => {
      await says(all[0], `all here? ${++n}`);
      await all[0].hears(`Ada: all here? ${n}`);
      return (await Promise.all(all.map((v) => v.heard(`Ada: all here? ${n}`)))).every((times) => times === 1);
    }, "everybody to be back", 30000);
    await Promise.all(all.map((v) => v.page.context().close())); // lost connections were logged
  });
}
