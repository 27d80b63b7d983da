// The contract of benchmarks/contractserver in Node's socket.io, with its
// defaults: node server.js HOST:PORT
import { createServer } from "node:http";
import { Server } from "socket.io";

const [host, port] = process.argv[2].split(":");
const http = createServer();
const io = new Server(http);
io.on("connection", (s) => {
  s.on("join", (room) => {
    s.join(room);
    s.emit("joined", room);
  });
  s.on("echo", (payload) => s.emit("echo", payload));
  s.on("room", ({ r, d }) => io.to(r).emit("room", d));
  s.on("all", (payload) => io.emit("all", payload));
});
// More than the default backlog: the clients come all at once.
http.listen(Number(port), host, 4096, () => {
  const { address, port } = http.address();
  console.log(`listening on ${address}:${port}`);
});
