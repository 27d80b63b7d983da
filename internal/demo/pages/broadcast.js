// The broadcast's client half. Events in the namespace /:
//   to the server    message {msg}, message "text", chat message "text"
//   from the server  status {msg}, response {message} or {data}, chat message "text"
"use strict";

function broadcast() {
  const socket = io();
  const el = page.el;

  page.follow(socket, (connected) => page.enable("#send button", connected));

  socket.on("status", (status) => page.line(status.msg, "note", "status"));
  socket.on("response", (response) => page.line(response.message ?? response.data, "message", "response"));
  socket.on("chat message", (text) => page.line(text, "message", "chat message"));
  socket.on("request_error", (err) => page.line(`${err.event}: ${err.msg}`, "bad"));

  el("send").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!socket.connected) return;
    const text = el("text").value;
    switch (event.submitter?.value) {
      case "chat message": socket.emit("chat message", text); break;
      case "send": socket.send(text); break;
      default: socket.emit("message", { msg: text });
    }
    el("text").value = "";
  });
}

// When the client could not be loaded, page.js has said so.
if (window.io) {
  page.state("connecting");
  broadcast();
}
