// Screenshots of the master's console, for whoever changes its page:
//
//   node console-shots.mjs /tmp/shots
//
// Groups of 3, 12 and 200 nodes that do not exist, well and in trouble, light and dark,
// on a desktop and a phone; a node that was chosen, and a master that is away. With an
// address as a second argument: a real group.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { group } from "../../crates/broker-master/console-page/fixtures/group.mjs";
import { serve } from "../../crates/broker-master/console-page/fixtures/serve.mjs";
import { DESKTOP, launch, PHONE } from "./browser.mjs";

const [folder, real] = process.argv.slice(2);
if (!folder) {
  console.error("usage: node console-shots.mjs FOLDER [ADDRESS]");
  process.exit(64);
}
await mkdir(folder, { recursive: true });
const browser = await launch();
try {
  for (const colorScheme of ["light", "dark"]) {
    await shoot(`desktop-${colorScheme}`, { viewport: DESKTOP, colorScheme });
    await shoot(`phone-${colorScheme}`, { viewport: PHONE, colorScheme, deviceScaleFactor: 2, hasTouch: true, isMobile: true });
  }
} finally {
  await browser.close();
}

async function shoot(prefix, options) {
  const phone = options.isMobile === true;
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && console.error(prefix, message.text()));
  page.on("pageerror", (error) => console.error(prefix, String(error)));
  const shot = (name) => page.screenshot({ path: join(folder, `${prefix}-${name}.png`), fullPage: phone });
  if (real) {
    await page.goto(real);
    await page.locator(".node").first().waitFor();
    await page.waitForTimeout(8_000);
    await shot("real");
    await page.locator(".node.scene").first().click();
    await shot("real-scene");
    await context.close();
    return;
  }
  // Some minutes of the group in some seconds of the page.
  let now = Date.now();
  const server = await serve({ period: 100, state: () => group({ size: 12, now: (now += 1_000) }) });
  await page.goto(server.url);
  await page.locator(".node").first().waitFor();
  await page.waitForTimeout(5_000);
  await shot("12");
  for (const [size, trouble] of [[12, true], [3, false], [200, false], [200, true]]) {
    server.stage.state = () => group({ size, trouble, now: (now += 3_000) });
    await page.waitForTimeout(1_200);
    await shot(`${size}${trouble ? "-trouble" : ""}`);
    if (size !== 3) {
      await page.locator('.node[data-name="scene@0"], .node.scene').first().click();
      await page.waitForTimeout(1_200);
      await shot(`${size}${trouble ? "-trouble" : ""}-scene`);
      await page.keyboard.press("Escape");
    }
  }
  server.stage.state = () => group({ size: 12, trouble: true, now: (now += 3_000) });
  await page.waitForTimeout(1_000);
  await server.stop();
  await page.locator("#away:visible").waitFor();
  await shot("away");
  await context.close();
}
