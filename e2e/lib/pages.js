// The demo's pages in Chromium, with what one asks of all of them.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Demo, freePort, launch, shots } from "./browser.js";

const patience = 15000;
// Rather than at every frame: pages that are looked at need not be drawn.
const often = { polling: 50 };

// usePages starts a demo, or what else has a url and stop(), and a browser for
// the tests of a file.
export function usePages(startSite = (port) => Demo.start(port)) {
  const t = {};
  const start = async () => {
    t.port = await freePort();
    [t.browser, t.demo, t.out] = await Promise.all([launch(), startSite(t.port), shots()]);
  };
  // Once, and whichever hook comes first: they do not wait for each other.
  t.ready = () => (t.starting ??= start());
  before(t.ready);
  after(async () => {
    await t.browser?.close();
    await t.demo?.stop();
    await t.out?.done();
  });

  // Opens a page in a browser profile of its own. prepare(page) runs first.
  t.open = async (path, options = {}, prepare = async () => {}) => {
    await t.ready();
    const context = await t.browser.newContext(options);
    const v = new Visitor(await context.newPage());
    await prepare(v.page);
    await v.page.goto(t.demo.url + path);
    if (path !== "/") await v.state("connected");
    return v;
  };

  // Several visitors of a page at once.
  t.openMany = (n, path) => Promise.all(Array.from({ length: n }, () => t.open(path)));

  return t;
}

// Visitor is somebody at a page. Nothing may go wrong there unseen.
class Visitor {
  constructor(page) {
    this.page = page;
    this.complaints = [];
    page.setDefaultTimeout(patience);
    page.on("pageerror", (err) => this.complaints.push(String(err)));
    page.on("console", (m) => {
      if (m.type() === "error" || m.type() === "warning") this.complaints.push(m.text());
    });
  }

  // The log has a line with this text, or comes to have it.
  hears(text) {
    return this.page.waitForFunction(
      (t) => [...document.querySelectorAll("#log li")].some((li) => li.textContent === t), text, often);
  }

  heard(text) {
    return this.page.$$eval("#log li", (all, t) => all.filter((li) => li.textContent === t).length, text);
  }

  state(want) { return this.page.waitForSelector(`#state[data-state="${want}"]`); }

  // The element comes to show a text that matches.
  shows(selector, pattern) {
    return this.page.waitForFunction(
      ([s, source]) => new RegExp(source).test(document.querySelector(s).textContent),
      [selector, pattern.source], often);
  }

  async number(selector) { return Number((await this.page.textContent(selector)).replaceAll(",", "")); }

  async fill(fields) {
    for (const [selector, text] of Object.entries(fields)) await this.page.fill(selector, text);
  }

  click(selector) { return this.page.click(selector); }

  // Fills in and clicks.
  async does(button, fields = {}) {
    await this.fill(fields);
    await this.click(button);
  }

  // Goes, and everything was well.
  async leave() {
    assert.deepEqual(this.complaints, []);
    await this.page.context().close();
  }
}

export const leave = (...visitors) => Promise.all(visitors.map((v) => v.leave()));
