// The browser file of Socket.IO's client 1.3.5. It cannot be among the npm
// dependencies: one of its own is an address outside of the registry.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const cache = fileURLToPath(new URL("../node_modules/.cache/throng", import.meta.url));
const name = "socket.io-client-1.3.5.tgz";
const sha512 = "4l065ojJZ6S8UgU/kEvibpMUXptptiiXFtNBW/mHBugPh7DED6TXQslmF/GWFqZWass7UqIa0LCneqFhSRnqRA==";

// oldClient returns the script, from the registry the first time.
export async function oldClient() {
  const file = join(cache, name);
  let tarball = await readFile(file).catch(() => null);
  if (!tarball) {
    await mkdir(cache, { recursive: true });
    const dir = await mkdtemp(join(cache, "pack-"));
    await run("npm", ["pack", "--silent", "--pack-destination", dir, "socket.io-client@1.3.5"],
      { timeout: 60000 });
    await rename(join(dir, name), file);
    await rm(dir, { recursive: true });
    tarball = await readFile(file);
  }
  const got = createHash("sha512").update(tarball).digest("base64");
  if (got !== sha512) {
    await rm(file);
    throw new Error(`${name} is not the one that was published: ${got}`);
  }
  const { stdout } = await run("tar", ["-xzOf", file, "package/socket.io.js"], { maxBuffer: 1 << 20 });
  return stdout;
}
