// The arena in a real browser, against a real group in one process.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { ArenaPlayer, startArena } from "./arena.mjs";
import { launch, PHONE } from "./browser.mjs";

const stage = { browser: null, url: "" };
let arena;

before(async () => {
  // Nobody is in the way, and carrots are everywhere.
  arena = await startArena({ BOTS: 0, CARROTS: 400 });
  stage.url = arena.url;
  stage.browser = await launch();
});

after(async () => {
  await stage.browser?.close();
  await arena?.stop();
});

describe("arena", () => {
  test("a rabbit flies where the keys say, and its carrots are counted", async () => {
    const ada = await (await ArenaPlayer.open(stage)).join("ada");
    const speed = async (key, along) => {
      const from = ada.rabbit()[along];
      await ada.page.keyboard.down(key);
      const moved = await ada.until(`${key} moves it`, () => Math.abs(ada.rabbit()[along] - from) > 120 && ada.rabbit()[along] - from);
      await ada.page.keyboard.up(key);
      return moved;
    };
    // Away from the nearer wall, so that it has room.
    const [toRight, down] = [ada.rabbit().x < 1200, ada.rabbit().y < 750];
    const across = await speed(toRight ? "d" : "ArrowLeft", "x");
    assert.equal(across > 0, toRight);
    const along = await speed(down ? "ArrowDown" : "w", "y");
    assert.equal(along > 0, down);
    const carrots = await fliesUntilItHasCarrots(ada);
    await ada.page.locator("#carrots", { hasText: /^[1-9]/ }).waitFor();
    assert.ok(carrots > 0);
    await ada.close();
  });

  test("two pages see each other, come and go", async () => {
    const ada = await (await ArenaPlayer.open(stage)).join("ada");
    const bob = await (await ArenaPlayer.open(stage)).join("bob");
    await ada.page.locator("#board li", { hasText: "bob" }).waitFor();
    await bob.page.locator("#board li", { hasText: "ada" }).waitFor();
    await ada.page.locator("#feed li", { hasText: "bob is here" }).waitFor();
    const from = bob.rabbit();
    const key = from.x < 1200 ? "d" : "a";
    await bob.page.keyboard.down(key);
    await ada.until("ada sees bob move", () => Math.abs(ada.rabbit("bob").x - from.x) > 120);
    await bob.close();
    await ada.page.locator("#board li", { hasText: "bob" }).waitFor({ state: "detached" });
    await ada.close();
  });

  test("a name that is taken is made another, and one of blanks is none", async () => {
    const ada = await (await ArenaPlayer.open(stage)).join("ada");
    const other = await ArenaPlayer.open(stage);
    await other.page.locator("#name").fill("   ");
    await other.page.keyboard.press("Enter");
    await other.page.locator("#why:not(:empty)").waitFor();
    await other.page.locator("#name").fill("ada");
    await other.page.keyboard.press("Enter");
    await other.page.locator("#board .me", { hasText: "ada 2" }).waitFor();
    await other.close();
    await ada.close();
  });

  test("a saved change of the script is live, and nobody is disconnected", async () => {
    const ada = await (await ArenaPlayer.open(stage)).join("ada");
    const carrots = await fliesUntilItHasCarrots(ada);
    await arena.tune({ BACKGROUND: '"#204060"', SIZE: 40, BOTS: 3 });
    await ada.page.locator("#toast", { hasText: "The rules have changed" }).waitFor();
    await ada.until("the new size", () => ada.rules?.size === 40);
    await ada.until("the bots", () => ada.state.rabbits.length === 4);
    // The page draws by the new rules: at the lower right there is no cloud.
    await ada.page.waitForFunction(() => {
      const view = document.getElementById("view");
      const copy = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
      copy.drawImage(view, -(view.width - 3), -(view.height - 3));
      const [red, green, blue] = copy.getImageData(0, 0, 1, 1).data;
      return red >= 0x20 && green >= 0x40 && blue >= 0x60;
    });
    assert.ok(ada.rabbit().carrots >= carrots || ada.news.some(({ out }) => out === "ada"), "what it had is not lost");
    await arena.tune({ BACKGROUND: '"#0b0d17"', SIZE: 20, BOTS: 0 });
    await ada.until("all is as before", () => ada.rules?.size === 20 && ada.state.rabbits.length === 1);
    assert.equal(await ada.page.locator("#join").isVisible(), false);
    await ada.close();
  });

  test("who is hit often enough is out, drops carrots and comes back", async () => {
    // In a corridor nobody can be missed.
    await arena.tune({ WORLD: "(900, 30)", SIZE: 30, PAUSE: 0.5 });
    const ada = await (await ArenaPlayer.open(stage)).join("ada");
    const bob = await (await ArenaPlayer.open(stage)).join("bob");
    await bob.until("they are in the corridor", () => bob.rabbit("ada")?.y <= 30 && bob.rabbit()?.y <= 30);
    await ada.page.keyboard.down(bob.rabbit().x > bob.rabbit("ada").x ? "d" : "a");
    await ada.page.keyboard.down("Space");
    await bob.until("bob is out", () => bob.news.some(({ out, by }) => out === "bob" && by === "ada"));
    await bob.page.locator("#feed li", { hasText: "ada got bob" }).waitFor();
    await bob.until("bob is back", () => bob.rabbit().lives > 0);
    await arena.tune({ WORLD: "(2400, 1500)", SIZE: 20, PAUSE: 2 });
    await bob.close();
    await ada.close();
  });

  test("a thumb flies it on a phone, and nothing has to be scrolled", async () => {
    const ada = await ArenaPlayer.open(stage, { viewport: PHONE, hasTouch: true, isMobile: true });
    await fits(ada.page);
    await ada.page.locator(".for-touch").waitFor();
    await ada.join("thumb");
    await fits(ada.page);
    const touch = await ada.context.newCDPSession(ada.page);
    const touches = (type, points) => touch.send("Input.dispatchTouchEvent", { type, touchPoints: points });
    const from = ada.rabbit();
    const side = from.x < 1200 ? 60 : -60;
    await touches("touchStart", [{ x: 100, y: 650, id: 1 }]);
    await touches("touchMove", [{ x: 100 + side, y: 650, id: 1 }]);
    await ada.until("it flies", () => Math.sign(side) * (ada.rabbit().x - from.x) > 100);
    await touches("touchStart", [{ x: 100 + side, y: 650, id: 1 }, { x: 330, y: 650, id: 2 }]);
    await ada.until("it fires", () => ada.state.shots.some(([, , , by]) => by === "thumb"));
    await touches("touchEnd", []);
    await ada.close();
  });
});

async function fliesUntilItHasCarrots(player) {
  for (let leg = 0; ; leg += 1) {
    const key = ["d", "s", "a", "w"][leg % 4];
    await player.page.keyboard.down(key);
    await player.page.waitForTimeout(400);
    await player.page.keyboard.up(key);
    if (player.rabbit().carrots > 0) return player.rabbit().carrots;
    assert.ok(leg < 40, "there were carrots on the way");
  }
}

async function fits(page) {
  const [content, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(content <= room, `the page is ${content} wide in ${room}`);
}
