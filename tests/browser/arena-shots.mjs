// Screenshots of a running arena, for whoever changes its page:
//
//   node arena-shots.mjs http://127.0.0.1:10240/ /tmp/shots
//
// Desktop and phone: the form, and a game that is under way. It says, too, how many
// pictures a second the page drew and how evenly they came.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { DESKTOP, launch, PHONE } from "./browser.mjs";

const [url, folder, seconds = "8"] = process.argv.slice(2);
if (!url || !folder) {
  console.error("usage: node arena-shots.mjs ADDRESS FOLDER [SECONDS]");
  process.exit(64);
}
await mkdir(folder, { recursive: true });
const browser = await launch();
try {
  for (const [name, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) await shoot(name, viewport);
} finally {
  await browser.close();
}

async function shoot(name, viewport) {
  const phone = viewport === PHONE;
  const context = await browser.newContext({ viewport, deviceScaleFactor: phone ? 2 : 1, hasTouch: phone, isMobile: phone });
  const page = await context.newPage();
  page.on("pageerror", (error) => console.error(`${name}: ${error}`));
  page.on("console", (message) => message.type() === "error" && console.error(`${name}: ${message.text()}`));
  await page.goto(url);
  await page.waitForTimeout(1200);
  await page.screenshot({ path: join(folder, `${name}-1-welcome.png`) });
  await page.locator("#name").fill("Hazel-rah");
  await page.keyboard.press("Enter");
  await page.locator("#board .me").waitFor();
  const gaps = measure(page, Number(seconds) * 1000);
  await fly(page, Number(seconds));
  report(name, await gaps);
  await page.screenshot({ path: join(folder, `${name}-2-game.png`) });
  await context.close();
}

/** Flies in a square, firing all the way. */
async function fly(page, seconds) {
  await page.keyboard.down("Space");
  for (let leg = 0; leg < seconds * 2; leg += 1) {
    const key = ["d", "s", "a", "w"][leg % 4];
    await page.keyboard.down(key);
    await page.waitForTimeout(500);
    await page.keyboard.up(key);
  }
  await page.keyboard.down("d");
}

/** Milliseconds between the pictures that the page draws. */
function measure(page, ms) {
  return page.evaluate((ms) => new Promise((resolve) => {
    const [gaps, begun] = [[], performance.now()];
    let before = begun;
    requestAnimationFrame(function next(now) {
      gaps.push(now - before);
      before = now;
      if (now - begun < ms) requestAnimationFrame(next);
      else resolve(gaps);
    });
  }), ms);
}

function report(name, gaps) {
  const sorted = gaps.slice(1).sort((one, other) => one - other);
  const at = (part) => sorted[Math.floor((sorted.length - 1) * part)].toFixed(1);
  const mean = sorted.reduce((sum, gap) => sum + gap, 0) / sorted.length;
  console.log(`${name}: ${(1000 / mean).toFixed(1)} pictures a second; between two ${at(0.5)} ms, p99 ${at(0.99)}, longest ${at(1)}`);
}
