// The chat's client half. Events in the namespace /chat:
//   to the server    join_room {room}, leave_room {room}, room_message {room, msg}
//   from the server  room_message text
"use strict";

function chat() {
  const socket = io("/chat");
  const el = (id) => document.getElementById(id);
  let room = ""; // the room we are in; "" for none

  function show() {
    el("current-room").textContent = room || "nobody: join a room first";
    el("join-button").disabled = !socket.connected;
    el("leave-button").disabled = !socket.connected || !room;
    el("send-button").disabled = !socket.connected || !room;
  }

  page.follow(socket, (connected) => {
    // A new connection is a new socket for the server: it is in no room.
    if (connected && room) socket.emit("join_room", { room });
    show();
  });

  socket.on("room_message", (text) => page.line(text));

  function leave() {
    socket.emit("leave_room", { room });
    page.line(`You left ${room}`, "note");
    room = "";
  }

  el("join").addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = el("room").value.trim();
    if (!socket.connected || !wanted || wanted === room) return;
    if (room) leave();
    room = wanted;
    socket.emit("join_room", { room });
    show();
    el("text").focus();
  });

  el("leave-button").addEventListener("click", () => {
    leave();
    show();
  });

  el("send").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!socket.connected || !room) return;
    const name = el("name").value.trim();
    const text = el("text").value;
    socket.emit("room_message", { room, msg: name ? `${name}: ${text}` : text });
    el("text").value = "";
  });
}

// When the client could not be loaded, page.js has said so.
if (window.io) {
  page.state("connecting");
  chat();
}
