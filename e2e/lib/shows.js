// node shows.js URL TEXT: opens a page in Chromium ($CHROMIUM), waits until it
// shows the text, and prints all it shows.
import { launch } from "./browser.js";

const [url, text] = process.argv.slice(2);
const browser = await launch();
try {
  const page = await browser.newPage();
  const trouble = [];
  page.on("pageerror", (err) => trouble.push(err));
  await page.goto(url);
  await page.waitForFunction((t) => document.body?.innerText.includes(t), text, { timeout: 60000 });
  console.log(await page.evaluate(() => document.body.innerText));
  if (trouble.length) throw trouble[0];
} finally {
  await browser.close();
}
