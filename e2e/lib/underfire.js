// node underfire.js URL CLIENTS NUMBERS: official clients at a server that
// sends streams, under 50 messages a second each while they upgrade. For runs
// in which others load the same server.
import { io } from "socket.io-client";
import { underFire } from "./streams.js";

const [url, clients, count] = process.argv.slice(2);
const sockets = Array.from({ length: Number(clients) }, () => io(url, {
  transports: ["polling", "websocket"], upgrade: false, forceNew: true, reconnection: false,
}));
await Promise.all(sockets.map((s) => new Promise((resolve, reject) => {
  s.once("connect", resolve);
  s.once("connect_error", reject);
})));
await underFire(sockets, Number(count), 120_000);
for (const s of sockets) s.disconnect();
console.log(`${clients} clients: ${count} numbers each`);
