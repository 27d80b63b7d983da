// Makes the pictures of the demo's index anew, after a change of its pages:
//   CHROMIUM=$(command -v chromium) THRONG_BINARY=bin/throng node e2e/pictures.mjs
import { writeFile } from "node:fs/promises";
import { io } from "socket.io-client";
import { Demo, freePort, launch } from "./lib/browser.js";

const folder = new URL("../internal/demo/pages/pictures/", import.meta.url);
const demo = await Demo.start(await freePort());
const browser = await launch();

const say = async (page, lines) => {
  for (const text of lines) {
    await page.fill("#text", text);
    await page.click("#send-button");
  }
};
const scenes = {
  chat: async (page) => {
    const ben = io(`${demo.url}/chat`, { transports: ["websocket"], forceNew: true });
    await page.fill("#name", "Ada");
    await page.fill("#room", "kitchen");
    await page.click("#join-button");
    await ben.emitWithAck("join_room", { room: "kitchen" });
    await say(page, ["The soup is ready"]);
    await page.waitForFunction(() => document.querySelectorAll("#log li").length > 1);
    ben.emit("room_message", { room: "kitchen", msg: "Ben: On my way!" });
    ben.emit("typing", { room: "kitchen", typing: true });
    setTimeout(() => ben.close(), 5000);
  },
  broadcast: async (page) => {
    await say(page, ["Good morning, everybody", "Release 2 is out"]);
    await page.fill("#text", "hello");
    await page.click("#chat-message-button");
  },
  test: async (page) => {
    for (const [field, text, button] of [["#emit_data", "hello", "#emit"], ["#join_room", "kitchen", "#join"],
      ["#broadcast_data", "to all of you", "#broadcast"]]) {
      await page.fill(field, text);
      await page.click(button);
    }
  },
  compute: (page) => page.click("#start"),
  notify: async (page) => { await say(page, ["Deployment at noon", "", "Backup finished"]); },
  dashboard: (page) => page.waitForTimeout(25000),
};

// Chromium itself turns a screenshot into WebP.
async function webp(png) {
  const page = await browser.newPage();
  const url = await page.evaluate(async (src) => {
    const img = new Image();
    img.src = src;
    await img.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [640, 400];
    const paper = canvas.getContext("2d");
    paper.imageSmoothingQuality = "high";
    paper.drawImage(img, 0, 0, 640, 400);
    return canvas.toDataURL("image/webp", 0.82);
  }, `data:image/png;base64,${png.toString("base64")}`);
  await page.close();
  return Buffer.from(url.split(",")[1], "base64");
}

for (const colorScheme of ["light", "dark"]) await Promise.all(Object.entries(scenes).map(async ([name, act]) => {
  const context = await browser.newContext({ colorScheme, viewport: { width: 760, height: 475 }, deviceScaleFactor: 2 });
  const page = await context.newPage();
  await page.goto(`${demo.url}/${name}`);
  await page.waitForSelector('#state[data-state="connected"]');
  await act(page);
  await page.waitForTimeout(2000);
  await page.evaluate(() => scrollTo(0, document.querySelector("h1").offsetTop - 70));
  const picture = await webp(await page.screenshot());
  await writeFile(new URL(`${name}-${colorScheme}.webp`, folder), picture);
  console.log(name, colorScheme, picture.length);
  await context.close();
}));
await browser.close();
await demo.stop();
process.exit(0);
