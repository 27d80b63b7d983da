// The notifications' client half. Events in the namespace /notify:
//   from the server  notification {msg}, after GET /send_notification
"use strict";

function notify() {
  const socket = io("/notify");
  const el = page.el;
  let count = 0;

  page.follow(socket);

  socket.on("notification", (notification) => {
    page.line(notification.msg, "message fresh");
    const item = el("log").lastChild;
    setTimeout(() => item.classList.remove("fresh"), 2000);
    count++;
    el("count").textContent = count;
    document.title = `(${count}) Notify - throng`;
  });

  el("notify").addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = el("text").value.trim();
    const answer = await page.get("/send_notification" + (text ? `?msg=${encodeURIComponent(text)}` : ""));
    if (!answer) return;
    el("answer").textContent = `The server answered: ${answer.status || answer.error}. It was a plain GET request:`;
    el("text").value = "";
  });
}

// When the client could not be loaded, page.js has said so.
if (window.io) {
  page.state("connecting");
  notify();
}
