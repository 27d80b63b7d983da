// The broadcast's client half. Events in the namespace /:
//   to the server    message {msg}
//   from the server  status {msg}, response {message}
"use strict";

function broadcast() {
  const socket = io();
  const el = (id) => document.getElementById(id);

  page.follow(socket, (connected) => {
    el("send-button").disabled = !connected;
  });

  socket.on("status", (status) => page.line(status.msg, "note"));
  socket.on("response", (response) => page.line(response.message));

  el("send").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!socket.connected) return;
    socket.emit("message", { msg: el("text").value });
    el("text").value = "";
  });
}

// When the client could not be loaded, page.js has said so.
if (window.io) {
  page.state("connecting");
  broadcast();
}
