// Requests that fetch cannot make.
import { Agent, request } from "node:http";

// One HTTP request; resolves to {status, headers, body, port}, where port is
// the local one: equal ports mean one connection.
export function ask(addr, path, { method = "GET", headers = {}, body, agent } = {}) {
  const [host, port] = addr.split(":");
  return new Promise((resolve, reject) => {
    const req = request({ host, port, path, method, headers, agent }, (res) => {
      const local = res.socket.localPort;
      let text = "";
      res.setEncoding("utf8");
      res.on("data", (s) => { text += s; });
      res.on("end", () => resolve({ status: res.statusCode, headers: res.headers, body: text, port: local }));
    });
    req.on("upgrade", (res, socket) => {
      socket.destroy();
      resolve({ status: 101, headers: res.headers, body: "", port: 0 });
    });
    req.on("error", reject);
    req.end(body);
  });
}

// A WebSocket handshake with the given headers.
export function handshake(addr, path, headers = {}, agent = undefined) {
  return ask(addr, path, {
    agent,
    headers: {
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
      ...headers,
    },
  });
}

export const keepAlive = () => new Agent({ keepAlive: true, maxSockets: 1 });
