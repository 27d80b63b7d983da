// The chat and the broadcast, with several browsers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Demo, freePort } from "../lib/browser.js";
import { leave, usePages } from "../lib/pages.js";

const t = usePages();

async function joins(v, room) {
  await v.does("#join-button", { "#room": room });
  await v.hears(`Joined ${room}`);
}
const says = (v, text) => v.does("#send-button", { "#text": text });

test("two browsers talk in a room; a third, elsewhere, hears nothing", async () => {
  const [a, b, c] = await t.openMany(3, "/chat");
  await joins(a, "kitchen");
  await joins(b, "kitchen");
  await joins(c, "garden");
  await says(a, "hello from a");
  await b.hears("hello from a");
  await says(b, "hello from b");
  await a.hears("hello from b");
  await a.hears("hello from a");
  await says(c, "anyone here?");
  await c.hears("anyone here?");
  assert.equal(await c.heard("hello from a"), 0);
  assert.equal(await a.heard("anyone here?"), 0);
  assert.equal(await a.heard("hello from b"), 1, "once, not twice");
  await leave(a, b, c);
});

test("a room shows how many are in it and that somebody types", async () => {
  const [a, b] = await t.openMany(2, "/chat");
  await joins(a, "counted");
  await a.shows("#members", /^1 here$/);
  await joins(b, "counted");
  await a.shows("#members", /^2 here$/);
  await b.shows("#members", /^2 here$/);
  await b.page.type("#text", "hm");
  await a.shows("#typing", /^Somebody is typing/);
  assert.equal((await b.page.textContent("#typing")).trim(), "", "not of oneself");
  await b.page.fill("#text", "");
  await a.shows("#typing", /^\s*$/);
  await says(a, "noted");
  await a.shows("#sent", /^Message queued$/);
  await b.page.context().close(); // gone without a word
  await a.shows("#members", /^1 here$/);
  await leave(a);
});

test("leaving a room ends what one hears of it", async () => {
  const [a, b] = await t.openMany(2, "/chat");
  await joins(a, "leaving");
  await joins(b, "leaving");
  await b.click("#leave-button");
  await b.hears("You left leaving");
  assert.equal(await b.page.isDisabled("#send-button"), true);
  await says(a, "still there?");
  await a.hears("still there?");
  await joins(b, "back");
  assert.equal(await b.heard("still there?"), 0);
  await leave(a, b);
});

test("a name goes before the text, and markup is text", async () => {
  const a = await t.open("/chat");
  await joins(a, "markup");
  const evil = "<img src=x onerror=\"document.title='owned'\"><b>bold</b>";
  await a.does("#send-button", { "#name": "Ada", "#text": evil });
  await a.hears(`Ada: ${evil}`);
  assert.equal(await a.page.$("#log img, #log b"), null);
  assert.equal(await a.page.title(), "Chat - throng");
  await leave(a);
});

test("a broken connection is recovered, with what was said meanwhile", async (test) => {
  await t.ready();
  const usual = t.demo;
  t.demo = await Demo.start(await freePort(), "--recovery", "2m");
  test.after(async () => {
    await t.demo.stop();
    t.demo = usual;
  });
  const lines = [];
  const a = await t.open("/chat", {}, (page) => page.routeWebSocket(/socket\.io/, (ws) => {
    ws.connectToServer();
    lines.push(ws);
  }));
  await a.shows("#transport", /^websocket$/);
  const b = await t.open("/chat");
  await joins(a, "bridge");
  await joins(b, "bridge");
  const sid = await a.page.textContent("#sid");
  await lines.at(-1).close({ code: 1000 });
  await a.state("connecting");
  await says(b, "did you hear that?");
  await a.shows("#session", /^session recovered$/);
  assert.equal(await a.page.textContent("#sid"), sid);
  await a.hears("did you hear that?");
  await says(b, "and this?");
  await a.hears("and this?");
  assert.equal(await a.heard("did you hear that?"), 1);
  assert.equal(await a.heard("Joined bridge"), 2, "its own and b's: it did not have to join again");
  await leave(a, b);
});

test("a server that dies is shown; when it comes back the chat goes on", async () => {
  const [a, b] = await t.openMany(2, "/chat");
  await joins(a, "phoenix");
  await joins(b, "phoenix");
  await t.demo.kill();
  await Promise.all([a.state("connecting"), b.state("connecting")]);
  await a.shows("#state-detail", /attempt \d|cannot be reached/);
  assert.equal(await a.page.isDisabled("#send-button"), true);
  t.demo = await Demo.start(t.port);
  await Promise.all([a.state("connected"), b.state("connected")]);
  await a.shows("#session", /^new session$/);
  await a.hears("Back in phoenix; what was said meanwhile is lost");
  await a.shows("#members", /^2 here$/);
  await says(a, "after the fire");
  await b.hears("after the fire");
  assert.equal(await a.page.isHidden("#problem"), true);
  await Promise.all([a, b].map((v) => v.page.context().close())); // refused connections were logged
});

test("broadcast: what one browser says, every browser hears", async () => {
  const [a, b] = await t.openMany(2, "/broadcast");
  await Promise.all([a, b].map((v) => v.hears("Connected")));
  await says(a, "to everybody");
  await Promise.all([a, b].map((v) => v.hears("to everybody")));
  await a.does("#chat-message-button", { "#text": "the older way" });
  await Promise.all([a, b].map((v) => v.hears("the older way")));
  await a.does("#bare-button", { "#text": "for the server" });
  await a.hears("Message received!");
  await says(a, "last");
  await b.hears("last");
  assert.equal(await b.heard("Message received!"), 0);
  assert.equal(await b.heard("for the server"), 0);
  await leave(a, b);
});
