// Computing, notifications and the dashboard.
import assert from "node:assert/strict";
import { test } from "node:test";
import { leave, usePages } from "../lib/pages.js";

const t = usePages();

const get = async (path) => {
  const res = await fetch(t.demo.url + path);
  return { status: res.status, body: await res.json() };
};

test("a billion squares are added up, and everybody gets the result", async () => {
  const [a, b] = await t.openMany(2, "/compute");
  await a.does("#start", { "#limit": "1000000000" });
  await a.hears("Computation started");
  await b.shows("#result", /^3\.33333332833333\d+e\+26$/);
  await a.shows("#result", /^333,333,332,833,333,333,500,000,000$/);
  await a.shows("#check", /^agrees with the formula/);
  await leave(a, b);
});

test("others are answered during a computation, which can be canceled", async () => {
  const [a, b] = await t.openMany(2, "/compute");
  await a.does("#start", { "#limit": "10000000000" });
  await a.page.waitForFunction(() => document.getElementById("progress").value > 0);
  await echoes(b, 5);
  assert.equal(await a.page.isDisabled("#start"), true, "it goes on");
  await a.click("#cancel");
  await a.hears("The computation was canceled");
  await a.does("#start", { "#limit": "1000" });
  await a.shows("#result", /^332,833,500$/);
  await leave(a, b);
});

// A visitor's page shows so many echoes more.
function echoes(v, n) {
  return v.page.evaluate((n) => new Promise((done) => {
    new MutationObserver(() => --n || done()).observe(document.getElementById("echo"), { childList: true });
  }), n);
}

test("bad limits are answered in words", async () => {
  const a = await t.open("/compute");
  for (const bad of ["-5", "1.5", "many", "1e30"]) {
    await a.click("#start:enabled", { timeout: 5000 }).catch(() => {});
    const before = await a.page.$$eval("#log li.bad", (all) => all.length);
    await a.does("#start", { "#limit": bad });
    await a.page.waitForFunction((n) => document.querySelectorAll("#log li.bad").length > n, before);
    assert.match(await a.page.$eval("#log li.bad:last-child", (li) => li.textContent), /^compute: \S/);
  }
  assert.equal(await a.page.isDisabled("#start"), false);
  await leave(a);
});

test("an HTTP request notifies everybody", async () => {
  const [a, b] = await t.openMany(2, "/notify");
  assert.deepEqual(await get("/send_notification"), { status: 200, body: { status: "Notification sent" } });
  await Promise.all([a, b].map((v) => v.hears("System update available!")));
  await get("/send_notification?msg=" + encodeURIComponent("Kaffee & <b>Kuchen</b> ☕"));
  await Promise.all([a, b].map((v) => v.hears("Kaffee & <b>Kuchen</b> ☕")));
  await a.does("#send-button", { "#text": "from the page" });
  await b.hears("from the page");
  await a.shows("#answer", /Notification sent/);
  await b.shows("#count", /^3$/);
  assert.equal(await b.page.title(), "(3) Notify - throng");
  await leave(a, b);
});

test("a request that fails is said and tried again", async () => {
  const a = await t.open("/notify");
  let failures = 1;
  await a.page.route("**/send_notification*", (route) =>
    (failures-- > 0 ? route.abort() : route.continue()));
  await a.does("#send-button", { "#text": "at last" });
  await a.page.waitForSelector("#problem:not([hidden])");
  assert.match(await a.page.textContent("#problem"), /trying again/);
  await a.hears("at last");
  await a.page.waitForSelector("#problem", { state: "hidden" });
  await a.page.context().close(); // the failure was logged
});

test("the dashboard shows this machine, each second and when asked", async () => {
  const a = await t.open("/dashboard");
  await a.page.waitForFunction(() => Number(document.getElementById("updates").textContent) >= 2);
  for (const [id, least, most] of [["cpu", 0, 100], ["memory", 0.1, 100],
    ["connections", 1, 100], ["messages", 0, 1e5], ["lag", 0, 1e4]]) {
    const n = await a.number(`#${id}`);
    assert.ok(n >= least && n <= most, `${id}: ${n}`);
    assert.match(await a.page.getAttribute(`#${id}-chart .trace`, "d"), /^M[\d.]+ [\d.]+L/);
  }
  const updates = await a.number("#updates");
  assert.deepEqual(await get("/trigger_metrics"),
    { status: 200, body: { status: "Metrics update triggered" } });
  await a.page.waitForFunction((n) => Number(document.getElementById("updates").textContent) > n, updates);
  await a.click("#trigger button:not(.copy)");
  await a.shows("#answer", /Metrics update triggered/);
  const other = await t.open("/dashboard");
  await a.page.waitForFunction(() => Number(document.getElementById("connections").textContent) >= 2);
  await leave(a, other);
});
