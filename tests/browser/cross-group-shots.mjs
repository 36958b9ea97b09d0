// Screenshots of a running cross-group demo, for whoever changes its page:
//
//   node cross-group-shots.mjs http://127.0.0.1:10240/ /tmp/shots
//
// Desktop and phone, light and dark: a conversation across the bridge, a journey, and
// the bridge taken down, and put back.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { DESKTOP, launch, PHONE } from "./browser.mjs";
import { Traveller } from "./cross-group.mjs";

const [url, folder] = process.argv.slice(2);
if (!url || !folder) {
  console.error("usage: node cross-group-shots.mjs ADDRESS FOLDER");
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
  const hazel = await (await Traveller.open({ browser, url }, { name: "Hazel", ...options })).goTo("North");
  const bigwig = await (await Traveller.open({ browser, url }, { name: "Bigwig" })).goTo("South");
  const shot = async (name) => {
    await hazel.page.evaluate(() => scrollTo(0, 0));
    await hazel.page.screenshot({ path: join(folder, `${prefix}-${name}.png`) });
  };
  await hazel.picks("North", "berries");
  await bigwig.picks("South", "oranges");
  await hazel.say("Is it warm where you are?");
  await bigwig.reads("South", "Is it warm where you are?");
  await bigwig.say("Very. Come over, and bring berries!");
  await hazel.reads("North", "bring berries!");
  await shot("1-talk");
  await hazel.page.locator("#travel").click();
  await hazel.page.waitForTimeout(430);
  await shot("2-journey");
  await hazel.page.locator(".world.mine[data-world=South] .roster .me").waitFor();
  await hazel.page.waitForTimeout(1000);
  await hazel.say("Here I am.", "here");
  await hazel.reads("South", "Here I am.");
  await shot("3-arrived");
  await hazel.page.locator("#switch").click();
  await hazel.page.locator('#bridge[data-state="down"]').waitFor();
  await hazel.page.locator("#travel").click();
  await hazel.reads("South", "You stay in South");
  await hazel.page.waitForTimeout(700);
  await shot("4-down");
  await hazel.page.locator("#switch").click();
  await hazel.page.locator('#bridge[data-state="up"]').waitFor();
  await bigwig.close();
  await hazel.close();
}
