// The chat's client half. Events in the namespace /chat:
//   to the server    join_room {room}, leave_room {room},
//                    room_message {room, msg}, typing {room, typing}
//   from the server  room_message text, status {msg}, room_members {room, count},
//                    typing {room, sid, typing}, request_error {event, msg}
"use strict";

function chat() {
  const socket = io("/chat");
  const el = page.el;
  const typists = new Map(); // sid -> the timer that forgets it
  let room = ""; // the room we are in; "" for none
  let toldTyping = 0; // when we last said that we type; 0 for not

  function show() {
    el("current-room").textContent = room ? `Room ${room}` : "No room yet";
    el("text").placeholder = room ? `Say something to ${room}` : "Join a room first";
    el("join-button").disabled = !socket.connected;
    el("leave-button").disabled = !socket.connected || !room;
    el("send-button").disabled = !socket.connected || !room;
    if (!room || !socket.connected) {
      el("members").hidden = true;
      for (const sid of typists.keys()) types(sid, false);
    }
  }

  page.follow(socket, (connected) => {
    // A recovered session still has its rooms and gets what it missed. Any
    // other connection is a new socket for the server: it is in no room.
    if (connected && room && !socket.recovered) {
      socket.emit("join_room", { room });
      page.line(`Back in ${room}; what was said meanwhile is lost`, "note");
    }
    toldTyping = 0;
    show();
  });

  socket.on("room_message", (text) => page.line(text));

  socket.on("status", (status) => {
    el("sent").textContent = status.msg;
    setTimeout(() => { el("sent").textContent = ""; }, 2000);
  });

  socket.on("room_members", (members) => {
    if (members.room !== room) return;
    el("members").hidden = false;
    el("members").textContent = `${members.count} here`;
  });

  socket.on("request_error", (err) => {
    page.line(`${err.event}: ${err.msg}`, "bad");
  });

  // Somebody types until told otherwise, or for four seconds.
  function types(sid, on) {
    clearTimeout(typists.get(sid));
    typists.delete(sid);
    if (on) typists.set(sid, setTimeout(() => types(sid, false), 4000));
    const n = typists.size;
    el("typing").textContent = n === 0 ? "\u00a0" : n === 1 ? "Somebody is typing..." : `${n} people are typing...`;
  }

  socket.on("typing", (typing) => {
    if (typing.room === room) types(typing.sid, typing.typing);
  });

  // Says that we type, at most every two seconds.
  function tell(typing) {
    const now = Date.now();
    if (!socket.connected || !room || (typing && now - toldTyping < 2000) || (!typing && !toldTyping)) return;
    toldTyping = typing ? now : 0;
    socket.emit("typing", { room, typing });
  }

  el("text").addEventListener("input", () => tell(el("text").value !== ""));

  function leave() {
    tell(false);
    socket.emit("leave_room", { room });
    page.line(`You left ${room}`, "note");
    room = "";
    show();
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

  el("leave-button").addEventListener("click", leave);

  el("send").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!socket.connected || !room) return;
    const name = el("name").value.trim();
    const text = el("text").value;
    tell(false);
    socket.emit("room_message", { room, msg: name ? `${name}: ${text}` : text });
    el("text").value = "";
  });
}

// When the client could not be loaded, page.js has said so.
if (window.io) {
  page.state("connecting");
  chat();
}
