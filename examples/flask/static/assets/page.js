// What the demo pages share: the line that shows the connection's state, the
// list of messages, and plain words when something went wrong. Text from
// other people is only ever set as textContent, never as HTML.
"use strict";

const page = {
  el: (id) => document.getElementById(id),

  // Shows a connection's state; detail is small print beside it.
  state(state, detail = "") {
    page.el("state").dataset.state = state;
    page.el("state-text").textContent = state;
    page.el("state-detail").textContent = detail;
  },

  // Shows one fact about the connection; an empty text hides it.
  fact(id, text, on = false) {
    const chip = page.el(id);
    chip.hidden = text === "";
    chip.textContent = text;
    chip.toggleAttribute("data-on", on);
  },

  // Appends a line to the list of messages; the oldest go when it gets long.
  // Somebody who scrolled back to read is left there.
  line(text, kind = "message", label = "") {
    const log = page.el("log");
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const item = document.createElement("li");
    item.className = kind;
    item.textContent = text;
    item.dataset.time = new Date().toLocaleTimeString([], { hour12: false });
    if (label) item.dataset.label = label;
    log.append(item);
    while (log.children.length > 500) log.firstChild.remove();
    if (atEnd) log.scrollTop = log.scrollHeight;
  },

  // Says what went wrong; an empty text takes the message away.
  problem(text) {
    const p = page.el("problem");
    p.hidden = text === "";
    p.textContent = text;
  },

  // Switches all elements of that selector on or off.
  enable(selector, on) {
    for (const e of document.querySelectorAll(selector)) e.disabled = !on;
  },

  // Keeps the state line up to date; changed(connected) is called each time.
  // Old clients do not know active and recovered.
  follow(socket, changed = () => {}) {
    const again = page.el("again");
    let before = false; // was it connected before?
    let returns = true; // does the client try again by itself?

    socket.on("connect", () => {
      const engine = socket.io.engine;
      const show = () => page.fact("transport", engine.transport.name, true);
      page.problem("");
      page.state("connected");
      page.fact("sid", `sid ${socket.id || engine.id}`);
      if (socket.recovered) page.fact("session", "session recovered", true);
      else page.fact("session", before ? "new session" : "");
      again.hidden = true;
      before = returns = true;
      show();
      // It begins with polling and moves to WebSocket when that works.
      engine.once("upgrade", () => { if (socket.connected) show(); });
      changed(true);
    });

    const lost = (detail) => {
      page.fact("transport", "");
      page.fact("sid", "");
      page.fact("session", "");
      page.state(returns ? "connecting" : "disconnected", detail);
      again.hidden = returns;
      changed(false);
    };
    socket.on("disconnect", (reason) => {
      // The client comes back by itself unless one side said goodbye.
      returns = !/^io (server|client) disconnect$/.test(reason);
      lost(page.reasons[reason] || reason);
    });
    socket.on("connect_error", (err) => {
      // A refusal of the namespace is final; a failed connection is not.
      returns = socket.active !== false;
      if (!returns) page.problem(`The server refused the connection: ${err.message}`);
      lost(returns ? "the server cannot be reached" : err.message);
    });
    socket.io.on("reconnect_attempt", (attempt) => {
      page.state("connecting", `trying again, attempt ${attempt}`);
    });
    again.addEventListener("click", () => {
      returns = true;
      page.state("connecting");
      again.hidden = true;
      socket.connect();
    });
  },

  // Why a connection ended, in words.
  reasons: {
    "io server disconnect": "the server ended it",
    "io client disconnect": "this page ended it",
    "ping timeout": "the server went silent",
    "transport close": "the connection was lost",
    "transport error": "the connection failed",
  },

  // Fetches JSON, three times before it gives up and says so.
  async get(path) {
    for (let wait = 500; ; wait *= 2) {
      try {
        const res = await fetch(path, { signal: AbortSignal.timeout(5000) });
        if (!res.ok) throw new Error(`the server answered ${res.status}`);
        page.problem("");
        return await res.json();
      } catch (err) {
        if (wait > 1000) {
          page.problem(`GET ${path} did not work (${err.message}). Please try again.`);
          return null;
        }
        page.problem(`GET ${path} did not work (${err.message}), trying again...`);
        await new Promise((done) => setTimeout(done, wait));
      }
    }
  },

  // The middle one, and the one that a tenth is above.
  quantile(values, q) {
    const sorted = [...values].sort((a, b) => a - b);
    return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] : NaN;
  },

  // Copies what stands beside a button.
  async copy(button) {
    const code = button.parentElement.querySelector("code");
    const was = button.textContent;
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      // Without a secure context there is no clipboard: select it instead.
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = was; }, 1500);
  },

  // The theme somebody chose here; "" follows the system.
  theme() {
    try { return localStorage.getItem("theme") || ""; } catch { return ""; }
  },
};

document.documentElement.dataset.theme = page.theme();

document.addEventListener("DOMContentLoaded", () => {
  page.el("theme").addEventListener("click", () => {
    const now = page.theme() || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    const next = now === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    try { localStorage.setItem("theme", next); } catch { /* private mode */ }
  });
  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", () => page.copy(button));
  }
  // Where there is room the source stands open beside the app.
  if (matchMedia("(min-width: 72rem)").matches) {
    for (const source of document.querySelectorAll("details[data-wide]")) source.open = true;
  }
  const current = document.querySelector("nav [aria-current]");
  if (current) current.parentElement.scrollLeft = current.offsetLeft - 100;
  for (const e of document.querySelectorAll("[data-origin]")) {
    e.textContent = e.textContent.replace("http://HOST", location.origin);
  }
});

// A script's error event does not bubble, so it is caught on its way down.
document.addEventListener("error", (event) => {
  if (event.target.tagName !== "SCRIPT") return;
  const src = event.target.src;
  const tell = () => {
    page.state("disconnected");
    page.problem(
      `The Socket.IO client could not be loaded (${src}). ` +
      "Without npm at build time the page takes it from cdn.socket.io, " +
      "which needs access to the internet. Reload this page to try again.");
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", tell);
  else tell();
}, true);

setTimeout(() => {
  const problem = page.el("problem");
  if (problem && problem.hidden && !window.io) page.problem("Still waiting for the Socket.IO client to load...");
}, 5000);
