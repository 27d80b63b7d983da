// An nginx of the test's own, as a user may run it, in front of one address.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import assert from "node:assert/strict";
import { ask } from "./http.js";
import { Program, until } from "./process.js";

// One worker, so that upstream connections that are kept are found again.
const configuration = (dir, port, upstream) => `
${process.getuid() === 0 ? "user root;" : ""} # may use the directory
daemon off;
worker_processes 1;
pid ${dir}/nginx.pid;
error_log stderr warn;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi;
  scgi_temp_path ${dir}/scgi;
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  upstream throng {
    server ${upstream};
    keepalive 16;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://throng;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
    }
  }
}
`;

function freePort() {
  return new Promise((resolve, reject) => {
    const s = createServer().on("error", reject).listen(0, "127.0.0.1", () => {
      const { port } = s.address();
      s.close(() => resolve(port));
    });
  });
}

export class Nginx {
  static async start(upstream) {
    assert.ok(process.env.NGINX, "NGINX is not set: run these tests with `make e2e`");
    const n = new Nginx();
    n.dir = await mkdtemp(join(tmpdir(), "throng-nginx-"));
    for (let tries = 0; ; tries++) { // somebody else may take the port first
      const port = await freePort();
      const file = join(n.dir, "nginx.conf");
      await writeFile(file, configuration(n.dir, port, upstream));
      n.program = new Program(process.env.NGINX, ["-e", "stderr", "-p", n.dir, "-c", file]);
      n.addr = `127.0.0.1:${port}`;
      n.url = `http://${n.addr}`;
      let ended = null;
      n.program.exited.then((how) => { ended = how; });
      await until(() => ended ?? ask(n.addr, "/hello").then((r) => r.status === 200, () => false), "nginx");
      if (!ended) return n;
      assert.ok(tries < 3, `nginx: ${JSON.stringify(ended)}\n${n.program.stderr}`);
    }
  }

  async stop() {
    const { code } = await this.program.stop();
    await rm(this.dir, { recursive: true, force: true });
    assert.equal(code, 0, this.program.stderr);
  }
}
