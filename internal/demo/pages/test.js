// The console's client half. Events in the namespace /test; in / they are
// the same with underscores for the blanks:
//   to the server    my event {data}, my broadcast event {data}, join {room},
//                    leave {room}, close room {room}, my room event {room, data},
//                    disconnect request, my ping
//   from the server  my response {data, count}, my pong
// Clients back to version 1 run this, so it uses nothing that is newer there.
"use strict";

function test() {
  const nsp = new URLSearchParams(location.search).get("ns") === "/" ? "/" : "/test";
  const named = (event) => (nsp === "/" ? event.replaceAll(" ", "_") : event);
  const socket = io(location.origin + nsp); // whole: old clients forget the port
  const el = page.el;
  const rooms = new Set(); // what we joined, to join again

  el("namespace").textContent = nsp;
  el("example").textContent = named("my event");
  if (nsp === "/") {
    el("other").textContent = "Use /test and blanks";
    el("other").href = "?";
  }

  page.follow(socket, (connected) => {
    page.enable("#console button", connected);
    if (!connected || socket.recovered) return;
    for (const room of rooms) socket.emit("join", { room });
  });

  socket.on(named("my response"), (msg, acknowledge) => {
    const data = typeof msg.data === "string" ? msg.data : JSON.stringify(msg.data);
    page.line(`Received #${msg.count}: ${data}`);
    const closed = /^Room (.*) is closing\.$/.exec(data);
    if (closed) rooms.delete(closed[1]);
    // The server waits for this before it disconnects.
    if (typeof acknowledge === "function") {
      acknowledge();
      page.line("Acknowledged", "note");
    }
  });

  socket.on("request_error", (err) => page.line(`${err.event}: ${err.msg}`, "bad"));

  // What each form sends.
  const payload = {
    "my event": () => ({ data: el("emit_data").value }),
    "my broadcast event": () => ({ data: el("broadcast_data").value }),
    "join": () => ({ room: el("join_room").value.trim() }),
    "leave": () => ({ room: el("leave_room").value.trim() }),
    "my room event": () => ({ room: el("room_name").value.trim(), data: el("room_data").value }),
    "close room": () => ({ room: el("close_room").value.trim() }),
  };
  for (const form of document.querySelectorAll("#console form")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!socket.connected) return;
      const name = form.dataset.event;
      const arg = payload[name] ? payload[name]() : {};
      if (name === "join" && arg.room) rooms.add(arg.room);
      if (name === "leave") rooms.delete(arg.room);
      socket.emit(named(name), arg);
    });
  }
  el("clear").addEventListener("click", () => el("log").replaceChildren());

  // A round trip each second; shown is the average of the last 30.
  const trips = [];
  let sent = 0; // when the one under way began; 0 for none
  setInterval(() => {
    if (!socket.connected) { sent = 0; return; }
    if (sent && performance.now() - sent < 5000) return;
    sent = performance.now();
    socket.emit(named("my ping"));
  }, 1000);
  socket.on(named("my pong"), () => {
    if (!sent) return;
    trips.push(performance.now() - sent);
    sent = 0;
    if (trips.length > 30) trips.shift();
    const sum = trips.reduce((a, b) => a + b, 0);
    el("pings").textContent = trips.length;
    el("ping-pong").textContent = (sum / trips.length).toFixed(1);
  });
}

// When the client could not be loaded, page.js has said so.
if (window.io) {
  page.state("connecting");
  test();
}
