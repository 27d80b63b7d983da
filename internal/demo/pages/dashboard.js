// The dashboard's client half. Events in the namespace /dashboard:
//   from the server  metrics_update {cpu, memory},
//                    server_update {connections, messages_in, messages_out, loop_lag_ms}
"use strict";

function dashboard() {
  const socket = io("/dashboard");
  const el = page.el;
  let updates = 0;

  const chart = (id, options) => new Chart(el(`${id}-chart`), options);
  const charts = {
    cpu: chart("cpu", { top: 100, unit: "percent" }),
    memory: chart("memory", { top: 100, unit: "percent" }),
    connections: chart("connections"),
    messages: chart("messages", { unit: "a second" }),
    lag: chart("lag", { unit: "ms" }),
  };
  function set(id, value, digits) {
    if (typeof value !== "number") return;
    el(id).textContent = value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
    charts[id].push(value);
  }

  page.follow(socket);

  socket.on("metrics_update", (m) => {
    set("cpu", m.cpu, 1);
    set("memory", m.memory, 1);
    el("updates").textContent = ++updates;
    el("last").textContent = new Date().toLocaleTimeString([], { hour12: false });
  });

  socket.on("server_update", (s) => {
    set("connections", s.connections, 0);
    set("messages", s.messages_in + s.messages_out, 0);
    set("lag", s.loop_lag_ms, 2);
  });

  el("trigger").addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await page.get("/trigger_metrics");
    if (answer) el("answer").textContent = `The server answered: ${answer.status}`;
  });
}

// When the client could not be loaded, page.js has said so.
if (window.io) {
  page.state("connecting");
  dashboard();
}
