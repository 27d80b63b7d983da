// What the demo pages share: the line that shows the connection's state, the
// list of messages, and plain words when something could not be loaded.
// Text from other people is only ever set as textContent, never as HTML.
"use strict";

const page = {
  // Shows a connection's state; detail is small print beside it.
  state(state, detail = "") {
    document.getElementById("state").dataset.state = state;
    document.getElementById("state-text").textContent = state;
    document.getElementById("state-detail").textContent = detail;
  },

  // Appends a line to the list of messages; the oldest go when it gets long.
  line(text, kind = "message") {
    const log = document.getElementById("log");
    const item = document.createElement("li");
    item.className = kind;
    item.textContent = text;
    log.append(item);
    while (log.children.length > 500) log.firstChild.remove();
    log.scrollTop = log.scrollHeight;
  },

  // Says what went wrong; an empty text takes the message away.
  problem(text) {
    const p = document.getElementById("problem");
    p.hidden = text === "";
    p.textContent = text;
  },

  // Keeps the state line up to date; changed(connected) is called each time.
  follow(socket, changed) {
    socket.on("connect", () => {
      const engine = socket.io.engine;
      const show = () => page.state("connected", `${engine.transport.name}, sid ${socket.id}`);
      page.problem("");
      show();
      // It begins with polling and moves to WebSocket when that works.
      engine.once("upgrade", () => { if (socket.connected) show(); });
      changed(true);
    });
    socket.on("disconnect", (reason) => {
      // The client comes back by itself unless the server sent it away.
      if (socket.active) page.state("connecting", `lost: ${reason}`);
      else page.state("disconnected", reason);
      changed(false);
    });
    socket.on("connect_error", (err) => {
      if (socket.active) page.state("connecting", `${err.message}, trying again`);
      else {
        page.state("disconnected");
        page.problem(`The server refused the connection: ${err.message}`);
      }
      changed(false);
    });
  },
};

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
  if (!window.io && document.getElementById("problem").hidden) {
    page.problem("Still waiting for the Socket.IO client to load...");
  }
}, 5000);
