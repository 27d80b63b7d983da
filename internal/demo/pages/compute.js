// The computation's client half. Events in the namespace /compute:
//   to the server    compute {limit}, cancel_computation, echo
//   from the server  status {msg}, computation_progress {limit, done, percent},
//                    computation_result {result}, computation_canceled {limit},
//                    request_error {event, msg}
"use strict";

function compute() {
  const socket = io("/compute");
  const el = page.el;
  let running = 0; // the limit that the server works on for us; 0 for none

  function show(percent, text) {
    el("progress").value = percent;
    el("percent").textContent = text;
    el("start").disabled = !socket.connected || running > 0;
    el("cancel").disabled = !socket.connected || running === 0;
  }

  page.follow(socket, (connected) => {
    if (!connected && running) {
      running = 0;
      page.line("The computation ended with the connection; start it again", "bad");
      show(0, "lost with the connection");
    }
    show(el("progress").value, el("percent").textContent);
  });

  socket.on("status", (status) => page.line(status.msg, "note", "status"));

  socket.on("computation_progress", (p) => {
    if (running) show(p.percent, `${Math.floor(p.percent)} % of ${running.toLocaleString("en")}`);
  });

  socket.on("computation_result", (res) => {
    // Everybody gets every result: ours is the one we wait for.
    page.line(String(res.result), "message", "computation_result");
    el("result").textContent = Number.isSafeInteger(res.result)
      ? res.result.toLocaleString("en") : String(res.result);
    if (!running) {
      el("check").textContent = "somebody else's computation";
      return;
    }
    // JSON has the exact integer; JavaScript reads it as the nearest double.
    const n = BigInt(running);
    const exact = ((n - 1n) * n * (2n * n - 1n)) / 6n;
    if (Number(exact) === res.result) {
      el("result").textContent = exact.toLocaleString("en");
      el("check").textContent = "agrees with the formula (n−1)·n·(2n−1)/6";
    } else {
      el("check").textContent = `not what was asked for here (${exact.toLocaleString("en")})`;
      return;
    }
    running = 0;
    show(100, "done");
  });

  socket.on("computation_canceled", () => {
    running = 0;
    page.line("The computation was canceled", "note", "computation_canceled");
    show(0, "canceled");
  });

  socket.on("request_error", (err) => {
    page.line(`${err.event}: ${err.msg}`, "bad", "request_error");
    if (err.event !== "compute") return;
    running = 0;
    show(0, err.msg);
  });

  el("compute").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!socket.connected || running) return;
    // What is no number goes as it is: the server says what it thinks of it.
    const text = el("limit").value.trim();
    const limit = text === "" || Number.isNaN(Number(text)) ? text : Number(text);
    running = typeof limit === "number" && Number.isSafeInteger(limit) && limit > 0 ? limit : 0;
    el("result").textContent = "-";
    el("check").textContent = "\u00a0";
    show(0, running ? "started" : "asked");
    socket.emit("compute", { limit });
  });
  el("cancel").addEventListener("click", () => socket.emit("cancel_computation"));
  for (const preset of document.querySelectorAll("#presets button")) {
    preset.addEventListener("click", () => { el("limit").value = preset.value; });
  }

  // The proof that the server is not busy: an echo ten times a second.
  const chart = new Chart(el("echo-chart"), { keep: 100, unit: "ms" });
  const trips = [];
  let waiting = 0; // since when; 0 for not
  setInterval(() => {
    const now = performance.now();
    if (!socket.connected || (waiting && now - waiting < 5000)) return;
    waiting = now;
    socket.emit("echo", now, (sent) => {
      const ms = performance.now() - sent;
      waiting = 0;
      trips.push(ms);
      if (trips.length > 100) trips.shift();
      chart.push(ms);
      el("echo").textContent = ms.toFixed(1);
      el("median").textContent = page.quantile(trips, 0.5).toFixed(1);
      el("p90").textContent = page.quantile(trips, 0.9).toFixed(1);
    });
  }, 100);
}

// When the client could not be loaded, page.js has said so.
if (window.io) {
  page.state("connecting");
  compute();
}
