// nginx and HAProxy in front of instances, with the configurations that are
// shipped: only ports, certificates and places of files are put in.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask } from "./http.js";
import { freePort } from "./port.js";
import { Program, until } from "./process.js";

const shipped = (name) => readFileSync(new URL(`../../packaging/${name}`, import.meta.url), "utf8");

// replace puts a value in; a configuration that has changed is an error.
function replace(text, pattern, value) {
  assert.match(text, pattern);
  return text.replaceAll(new RegExp(pattern, "g"), value);
}

// The least that nginx needs.
const plainest = (listen, servers) => `
  upstream throng { ${servers.map((s) => `server ${s};`).join(" ")} }
  server {
    listen ${listen};
    location / {
      proxy_pass http://throng;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
      proxy_set_header Host $http_host;
    }
  }`;

// One worker: with several, each has its own turns of the round robin.
const around = (dir, sites) => `
${process.getuid() === 0 ? "user root;" : ""}
daemon off;
worker_processes 1;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log warn;
events { worker_connections 4096; }
http {
  log_format counted '$status $request_method $upstream_addr $upstream_status $request_uri';
  access_log ${dir}/access.log counted;
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi;
  scgi_temp_path ${dir}/scgi;
  ${sites}
}
`;

export class Front {
  // kind: "plain nginx", "nginx" or "haproxy"; servers: two addresses.
  static async start(kind, servers) {
    const f = new Front();
    f.kind = kind;
    f.dir = await mkdtemp(join(tmpdir(), "throng-front-"));
    for (let tries = 0; ; tries++) { // somebody else may take a port first
      await f.#configure(servers);
      let ended = null;
      f.program.exited.then((how) => { ended = how; });
      await until(() => ended ?? ask(f.addr, "/").then(() => true, () => false), kind);
      if (!ended) return f;
      assert.ok(tries < 3, `${kind}: ${JSON.stringify(ended)}\n${f.program.stderr}`);
    }
  }

  async #configure(servers) {
    const plain = `127.0.0.1:${await freePort()}`;
    const secure = `127.0.0.1:${await freePort()}`;
    this.addr = plain;
    this.url = `http://${plain}`;
    if (this.kind !== "plain nginx") this.secure = `https://${secure}`;
    this.#certificate();
    const file = join(this.dir, "configuration");
    if (this.kind === "haproxy") {
      const { HAPROXY } = process.env;
      assert.ok(HAPROXY, "HAPROXY is not set: run these tests with `make e2e`");
      let text = shipped("haproxy/haproxy.cfg");
      text = replace(text, /bind :80\b/, `bind ${plain}`);
      text = replace(text, /# bind :443 ssl crt \S+/, `bind ${secure} ssl crt ${this.dir}/both.pem`);
      text = replace(text, /maxconn 200000/, "maxconn 2000");
      text = replace(text, /127\.0\.0\.1:5001/, servers[0]);
      text = replace(text, /127\.0\.0\.1:5002/, servers[1]);
      await writeFile(file, text);
      this.program = new Program(HAPROXY, ["-db", "-f", file]);
      return;
    }
    const { NGINX } = process.env;
    assert.ok(NGINX, "NGINX is not set: run these tests with `make e2e`");
    let text = plainest(plain, servers);
    if (this.kind === "nginx") {
      text = shipped("nginx/throng.conf");
      text = replace(text, /listen 80;/, `listen ${plain};`);
      text = replace(text, /# listen 443 ssl;/, `listen ${secure} ssl;`);
      text = replace(text, /# ssl_certificate .*;/, `ssl_certificate ${this.dir}/cert.pem;`);
      text = replace(text, /# ssl_certificate_key .*;/, `ssl_certificate_key ${this.dir}/key.pem;`);
      text = replace(text, /127\.0\.0\.1:5001/, servers[0]);
      text = replace(text, /127\.0\.0\.1:5002/, servers[1]);
    }
    await writeFile(file, around(this.dir, text));
    this.program = new Program(NGINX, ["-e", join(this.dir, "error.log"), "-p", this.dir, "-c", file]);
  }

  #certificate() {
    const [key, cert] = ["key.pem", "cert.pem"].map((name) => join(this.dir, name));
    execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
      "-nodes", "-days", "2", "-subj", "/CN=throng", "-addext", "subjectAltName=IP:127.0.0.1",
      "-keyout", key, "-out", cert], { stdio: "ignore" });
    this.ca = readFileSync(cert);
    execFileSync("sh", ["-c", `cat "${cert}" "${key}" >"${this.dir}/both.pem"`]);
  }

  // What nginx has answered: {status, method, to (all it asked), last, url}.
  async log() {
    const text = await readFile(join(this.dir, "access.log"), "utf8");
    return text.split("\n").filter(Boolean).map((line) => {
      // Commas after all but the last server that was asked, and its status.
      const m = line.match(/^(\d+) (\S+) (-|\S+(?:, \S+)*) (-|\S+(?:, \S+)*) (\S+)$/);
      assert.ok(m, line);
      const to = m[3].split(", ");
      return { status: Number(m[1]), method: m[2], to, last: to.at(-1), url: m[5] };
    });
  }

  // The requests whose answers no client should ever see.
  async failures() {
    return (await this.log()).filter(({ status }) => status >= 400 && status !== 499)
      .map((r) => `${r.status} ${r.method} ${r.to.join(", ")} ${r.url}`);
  }

  // How many sessions each server opened.
  async sessions() {
    const counts = {};
    for (const { status, last, url } of await this.log()) {
      if (/^\/socket\.io\/.*transport=polling/.test(url) && !url.includes("sid=") && status === 200) {
        counts[last] = (counts[last] ?? 0) + 1;
      }
    }
    return counts;
  }

  async stop() {
    // HAProxy's TERM is at once, nginx's too: that ends WebSockets.
    await this.program.stop();
    await rm(this.dir, { recursive: true, force: true });
  }
}
