// Screenshots of a running demo, for whoever changes the page:
//
//   node shots.mjs 'http://127.0.0.1:10240/#token=…' /tmp/shots
//
// Desktop and phone, light and dark. Nothing is saved into the script.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { DESKTOP, launch, PHONE } from "./browser.mjs";
import { Network } from "./network.mjs";

const [url, folder] = process.argv.slice(2);
if (!url || !folder) {
  console.error("usage: node shots.mjs ADDRESS FOLDER");
  process.exit(64);
}
await mkdir(folder, { recursive: true });
const browser = await launch();
try {
  for (const colorScheme of ["light", "dark"]) {
    await desktop(colorScheme);
    await phone(colorScheme);
    await away(`desktop-${colorScheme}`, DESKTOP, colorScheme);
    await away(`phone-${colorScheme}`, PHONE, colorScheme);
  }
} finally {
  await browser.close();
}

async function desktop(colorScheme) {
  const shot = namer(`desktop-${colorScheme}`);
  const { page, close } = await open(DESKTOP, colorScheme);
  await shot(page, "1-welcome");
  const guest = await conversation(page, colorScheme);
  await shot(page, "2-chat");
  await mistake(page);
  await shot(page, "3-mistake");
  await page.locator("#leave").click();
  await shot(page, "4-left");
  await guest.close();
  await close();
  const stranger = await open(DESKTOP, colorScheme, { address: url.split("#")[0] });
  await shot(stranger.page, "5-no-token");
  await stranger.close();
}

async function phone(colorScheme) {
  const shot = namer(`phone-${colorScheme}`);
  const { page, close } = await open(PHONE, colorScheme);
  await shot(page, "1-welcome");
  const guest = await conversation(page, colorScheme);
  await shot(page, "2-chat");
  await page.locator("#show-script").click();
  await shot(page, "3-script");
  await mistake(page);
  await shot(page, "4-mistake");
  await guest.close();
  await close();
}

/** The network is cut, comes back, and is cut again until the reader leaves. */
async function away(prefix, viewport, colorScheme) {
  const shot = namer(prefix);
  const network = await Network.toGateOf(url);
  const { page, close } = await open(viewport, colorScheme, { through: network });
  const guest = await conversation(page, colorScheme);
  const cut = async (...said) => {
    network.cut();
    await page.locator("#away").waitFor();
    for (const text of said) {
      await page.locator("#say").fill(text);
      await page.locator("#say").press("Enter");
    }
  };
  await cut("Did you hear that?", "Now it is quiet.");
  await say(guest.page, "Hazel? You say nothing.");
  await shot(page, "6-away");
  network.restore();
  await page.locator(".said", { hasText: "You say nothing" }).waitFor();
  await page.locator("#away").waitFor({ state: "hidden" });
  await shot(page, "7-back");
  await cut("And again.");
  await page.locator("#leave").click();
  await shot(page, "8-not-sent");
  await guest.close();
  await close();
  await network.close();
}

function namer(prefix) {
  return async (page, name) => {
    await page.waitForTimeout(300);
    await page.screenshot({ path: join(folder, `${prefix}-${name}.png`) });
  };
}

async function open(viewport, colorScheme, { address = url, through } = {}) {
  const phone = viewport === PHONE;
  const context = await browser.newContext({
    viewport,
    colorScheme,
    deviceScaleFactor: phone ? 2 : 1,
    hasTouch: phone,
    bypassCSP: through !== undefined,
  });
  const page = await context.newPage();
  await through?.lead(page);
  await page.goto(address);
  await page.locator("#mark[data-state], #locked:not([hidden])").waitFor({ state: "attached" });
  return { page, close: () => context.close() };
}

/** Two people talk; the page is one of them. */
async function conversation(page, colorScheme) {
  const guest = await open(DESKTOP, colorScheme);
  await enter(page, "hazel");
  await enter(guest.page, "bigwig");
  await say(guest.page, "Hello! Is this thing live?");
  await say(page, "It is. The script on the right runs this very chat.");
  await say(page, "Change it, save it, say reload. You stay connected.");
  await say(guest.page, "And if I break it?");
  await say(page, "Then the code before it simply goes on.");
  await page.locator(".said", { hasText: "simply goes on" }).waitFor();
  return guest;
}

async function enter(page, name) {
  await page.locator("#name").fill(name);
  await page.locator("#join-button").click();
  await page.locator("#composer").waitFor();
}

async function say(page, text) {
  await page.locator("#say").fill(text);
  await page.locator("#say").press("Enter");
  await page.locator(".said", { hasText: text }).waitFor();
}

async function mistake(page) {
  await page.locator(".cm-content").click();
  await page.keyboard.press("Control+End");
  await page.keyboard.type("\ndef broken(:\n");
  await page.keyboard.press("Control+s");
  await page.locator(".problem-text").waitFor();
}
