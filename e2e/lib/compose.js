// The services of a compose file as processes: their commands, settings and
// files are those of the file. Only addresses are put in, and where programs and
// mounted files are.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { parse } from "yaml";
import { freePort } from "./port.js";
import { Program, until } from "./process.js";

// What a container of nginx has around conf.d, for a user who may write to dir.
const around = (dir, conf) => `
${process.getuid() === 0 ? "user root;" : ""}
daemon off;
worker_processes 1;
pid ${dir}/nginx.pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi;
  scgi_temp_path ${dir}/scgi;
  include ${conf};
}
`;

const variable = (name) => {
  assert.ok(process.env[name], `${name} is not set: run these tests with \`make e2e\``);
  return process.env[name];
};

export class Compose {
  // file is a path; secrets are the variables that the file asks for.
  static async start(file, secrets) {
    const c = new Compose();
    c.folder = dirname(file);
    c.dir = await mkdtemp(join(tmpdir(), "throng-compose-"));
    const text = (await readFile(file, "utf8")).replace(/\$\{(\w+):\?[^}]*\}/g, (_, name) => {
      assert.ok(secrets[name], `the file asks for ${name}`);
      return secrets[name];
    });
    assert.doesNotMatch(text, /\$\{/);
    c.services = parse(text, { merge: true }).services;
    c.running = {};
    // A free port for each that a service listens on.
    c.ports = {};
    for (const [name, s] of Object.entries(c.services)) {
      c.ports[name] = {};
      for (const port of s.expose ?? []) c.ports[name][port] = await freePort();
    }
    try {
      while (Object.keys(c.running).length < Object.keys(c.services).length) {
        const next = Object.keys(c.services).filter((name) => !c.running[name] &&
          c.#needs(name).every((other) => c.running[other]));
        assert.ok(next.length > 0, "services that wait for each other");
        await Promise.all(next.map((name) => c.run(name)));
      }
    } catch (err) {
      await c.stop();
      throw err;
    }
    return c;
  }

  #needs(name) {
    const needs = this.services[name].depends_on ?? [];
    return Array.isArray(needs) ? needs : Object.keys(needs);
  }

  addr(name, port) { return `127.0.0.1:${this.ports[name][port]}`; }

  // A service's text with addresses in the places of names, and of its own ports.
  #place(name, text) {
    for (const [other, ports] of Object.entries(this.ports)) {
      for (const port of Object.keys(ports)) {
        text = text.replace(new RegExp(`\\b${other}:${port}\\b`, "g"), this.addr(other, port));
      }
    }
    for (const [port, own] of Object.entries(this.ports[name])) {
      text = text.replace(new RegExp(`(?<![\\w.])(0\\.0\\.0\\.0)?:${port}\\b`, "g"), `127.0.0.1:${own}`)
        .replace(new RegExp(`^${port}$`), String(own)) // an argument by itself
        .replace(new RegExp(`\\blisten ${port};`, "g"), `listen 127.0.0.1:${own};`);
    }
    return text.replace(/^0\.0\.0\.0$/, "127.0.0.1");
  }

  // Starts a service, also again, and waits until its ports answer.
  async run(name) {
    const s = this.services[name];
    const files = [];
    for (const volume of s.volumes ?? []) {
      const [from, to] = volume.split(":");
      const host = resolve(this.folder, from);
      if ((await stat(host)).isDirectory()) {
        files.push([to, host]);
        continue;
      }
      const copy = join(this.dir, `${name}-${basename(host)}`);
      files.push([to, copy, await readFile(host, "utf8")]);
    }
    const place = (text) => {
      for (const [to, host] of files) text = text.replaceAll(to, host);
      return this.#place(name, String(text));
    };
    for (const [, copy, text] of files) if (text !== undefined) await writeFile(copy, place(text));
    const env = Object.fromEntries(Object.entries(s.environment ?? {}).map(([k, v]) => [k, place(v)]));
    const [path, args, cwd] = await this.#program(name, s, (s.command ?? []).map(String).map(place), files);
    // What the tests are told is not for these.
    const none = Object.keys(process.env).filter((k) => /^(THRONG_|NGINX$)/.test(k)).map((k) => [k, undefined]);
    const program = new Program(path, args, {
      cwd, detached: true, env: { ...Object.fromEntries(none), ...env, PYTHONDONTWRITEBYTECODE: "1" } });
    this.running[name] = program;
    let ended = null;
    program.exited.then((how) => { ended = how; });
    for (const port of Object.values(this.ports[name])) {
      await until(() => {
        if (ended) throw new Error(`${name}: ${JSON.stringify(ended)}\n${program.stderr}`);
        return listens(port);
      }, `${name} on port ${port}: ${program.stderr}`, 20000);
    }
  }

  // The program of a service's image, its arguments and its folder.
  async #program(name, { image = "", build }, command, files) {
    const folder = resolve(this.folder, build?.context ?? build ?? ".");
    if (build) {
      // What the image begins with, and what was installed into it.
      const recipe = await readFile(join(folder, build.dockerfile ?? "Dockerfile"), "utf8");
      if (/^ENTRYPOINT \["\/throng"\]$/m.test(recipe)) return [variable("THRONG_BINARY"), command, folder];
      assert.match(recipe, /^FROM python:/m);
      return [join(folder, ".venv/bin", command[0]), command.slice(1), folder];
    }
    if (image.startsWith("nginx:")) {
      const [, conf] = files.find(([to]) => to === "/etc/nginx/conf.d/default.conf");
      const main = join(this.dir, `${name}.conf`);
      await writeFile(main, around(this.dir, conf));
      return [variable("NGINX"), ["-e", "stderr", "-p", this.dir, "-c", main], this.dir];
    }
    assert.match(image, /^valkey\/valkey:\d+\.\d+\.\d+/);
    return [command[0], command.slice(1), this.dir];
  }

  // Ends a service and, like the end of a container, all that it has started.
  async end(name, ms = 5000) {
    const { child } = this.running[name];
    await this.running[name].stop(ms);
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch (err) {
      if (err.code !== "ESRCH") throw err;
    }
  }

  // Ends all, without much ado.
  async stop() {
    await Promise.all(Object.keys(this.running).map((name) => this.end(name, 1000)));
    await rm(this.dir, { recursive: true, force: true });
  }
}

function listens(port) {
  return new Promise((done) => {
    const c = createConnection(port, "127.0.0.1");
    c.once("connect", () => { c.destroy(); done(true); });
    c.once("error", () => done(false));
  });
}
