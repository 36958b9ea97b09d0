// Two groups and a bridge, all of them real processes, and their page in a real browser.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { launch, PHONE } from "./browser.mjs";
import { bridgeOf, isAlive, offspring, startCrossGroup, Traveller, until } from "./cross-group.mjs";
import { newName } from "./visitor.mjs";

const stage = { browser: null, url: "" };
let demo;

before(async () => {
  demo = await startCrossGroup();
  stage.url = demo.url;
  stage.browser = await launch();
});

after(async () => {
  await stage.browser?.close();
  await demo?.stop();
});

const open = (stem, more) => Traveller.open(stage, { name: newName(stem), ...more });

describe("cross-group", () => {
  test("two players begin in different worlds and hear each other across the bridge", async () => {
    const ada = await open("ada");
    const bob = await open("bob");
    const [here, there] = [await ada.world(), await bob.world()];
    assert.notEqual(here, there, "the second one begins where nobody is");
    await ada.say("can you hear me?");
    const line = await bob.reads(there, "can you hear me?");
    assert.equal(await line.locator(".from").textContent(), here, "it is marked with where it comes from");
    assert.equal(await line.locator("b").textContent(), ada.name);
    assert.equal(await (await ada.reads(here, "can you hear me?")).locator(".from").count(), 0);
    await bob.say("loud and clear");
    await ada.reads(here, "loud and clear");

    await ada.say("this is between us", "here");
    await ada.say("and this is not");
    await bob.reads(there, "and this is not");
    assert.equal(await bob.pane(there).locator(".chat li", { hasText: "between us" }).count(), 0);
    await bob.close();
    await ada.close();
  });

  test("what is said while a page turns from an onlooker to a player is shown once", async () => {
    // What comes to the player's connection is late, so that the onlooker's brings it first.
    const slowly = async (context) =>
      context.routeWebSocket(/./, (socket) => {
        const server = socket.connectToServer();
        let isPlayer = false;
        socket.onMessage((frame) => {
          isPlayer ||= frame.readUInt16LE(4) === 0 && frame.includes('"name"');
          server.send(frame);
        });
        server.onMessage((frame) => (isPlayer ? setTimeout(() => socket.send(frame), 100) : socket.send(frame)));
      });
    const eve = await open("eve", { prepare: slowly });
    const here = await eve.world();
    await eve.say("am I alone?", "here");
    await eve.reads(here, "am I alone?");
    assert.equal(await eve.pane(here).locator(".chat li", { hasText: `${eve.name} is in` }).count(), 1);
    await eve.close();
  });

  test("who travels keeps what it has, and leaves nothing behind", async () => {
    const ada = await (await open("ada")).goTo("North");
    const eve = await open("eve");
    const berries = await ada.picks("North", "berries");
    const before = await until("it stands still", async () => {
      const { x, y } = ada.rabbit("North");
      await ada.page.waitForTimeout(200);
      const now = ada.rabbit("North");
      return now.x === x && now.y === y && now;
    });
    await ada.travel();
    const after = await until("it is in South", () => eve.rabbit("South", ada.name));
    assert.deepEqual(after, before, "name, colour, bag and place are handed over");
    await until("it is in North no more", () => !eve.rabbit("North", ada.name));
    await ada.page.locator("#bag", { hasText: String(before.bag.berries) }).waitFor();
    await eve.reads("North", `${ada.name} has left for South.`);
    await eve.reads("South", `${ada.name} has come over from North.`);

    await ada.picks("South", "oranges");
    await ada.travel();
    const back = await until("it is back", () => eve.rabbit("North", ada.name));
    assert.ok(back.bag.berries >= berries && back.bag.oranges >= 1, JSON.stringify(back));
    assert.equal(eve.rabbit("South", ada.name), null);
    await eve.close();
    await ada.close();
  });

  test("who goes to and fro at once is where it went last, and nowhere else", async () => {
    const ada = await open("ada");
    for (let trip = 0; trip < 5; trip += 1) await ada.travel();
    const [here, there] = (await ada.world()) === "North" ? ["North", "South"] : ["South", "North"];
    await until("it is there", () => ada.rabbit(here));
    await until("it is there alone", () => ada.pictures[there] && !ada.rabbit(there));
    await ada.close();
  });

  test("a page that is loaded again has the same rabbit, wherever it has gone", async () => {
    const ada = await open("ada");
    await ada.travel();
    const world = await ada.world();
    const { id } = await until("it is there", () => ada.rabbit(world));
    await ada.page.reload();
    await ada.page.locator(`.world.mine[data-world=${world}] .roster .me`).waitFor();
    assert.equal((await until("it is there", () => ada.rabbit(world))).id, id);
    await ada.close();
  });

  test("a killed bridge is seen, travelling is refused, and both worlds play on", async () => {
    const ada = await (await open("ada")).goTo("North");
    await ada.page.locator('#bridge[data-state="up"]').waitFor();
    process.kill((await bridgeOf(demo)).pid, "SIGKILL");
    await ada.page.locator('#bridge[data-state="down"]').waitFor();
    await ada.page.locator("#status", { hasText: "The bridge is out" }).waitFor();

    await ada.say("anybody?");
    await ada.reads("North", "South may not have heard that");
    await ada.page.locator("#travel").click();
    await ada.reads("North", "You stay in North");
    assert.equal(await ada.world(), "North");
    await ada.say("north goes on", "here");
    await ada.reads("North", "north goes on");
    const { x } = ada.rabbit("North");
    await ada.page.keyboard.press("Escape");
    await ada.page.keyboard.down(x < 320 ? "d" : "a");
    await until("it walks", () => Math.abs(ada.rabbit("North").x - x) > 30);
    await ada.page.keyboard.up(x < 320 ? "d" : "a");
    const south = JSON.stringify(ada.pictures.South);
    await until("South goes on", () => JSON.stringify(ada.pictures.South) !== south);

    await ada.page.locator("#switch", { hasText: "Put the bridge back" }).click();
    await ada.page.locator('#bridge[data-state="up"]').waitFor();
    await ada.say("and now?");
    await ada.reads("South", "and now?");
    await ada.travel();
    assert.equal(await ada.world(), "South");
    await ada.close();
  });

  test("the bridge is taken down and put back from the page", async () => {
    const ada = await open("ada");
    const { pid } = await bridgeOf(demo);
    await ada.page.locator("#switch", { hasText: "Take the bridge down" }).click();
    await ada.page.locator('#bridge[data-state="down"]').waitFor();
    await until("the process has ended", async () => !(await isAlive(pid)));
    await ada.page.locator("#switch", { hasText: "Put the bridge back" }).click();
    await ada.page.locator('#bridge[data-state="up"]').waitFor();
    await ada.close();
  });

  test("a bridge that freezes while somebody travels makes no copy and loses nobody", async () => {
    const ada = await (await open("ada")).goTo("North");
    await ada.picks("North", "berries");
    const { pid } = await bridgeOf(demo);
    process.kill(pid, "SIGSTOP");
    try {
      await ada.page.locator("#travel").click();
      await ada.reads("North", "You stay in North");
    } finally {
      process.kill(pid, "SIGCONT");
    }
    // What the bridge still had of the journey arrives now, or never.
    await ada.page.locator('#bridge[data-state="up"]').waitFor();
    assert.equal(ada.rabbit("South"), null, "there is no copy");
    const { bag } = ada.rabbit("North");
    await ada.travel();
    const there = await until("it is in South", () => ada.rabbit("South"));
    assert.ok(there.bag.berries >= bag.berries);
    await until("it is in North no more", () => !ada.rabbit("North"));
    await ada.close();
  });

  test("on a phone all of it is there, with nothing to scroll sideways", async () => {
    const ada = await open("ada", { viewport: PHONE, hasTouch: true, isMobile: true });
    await fits(ada.page);
    await ada.page.locator('#bridge[data-state="up"]').waitFor();
    const from = ada.rabbit(await ada.world());
    const [x, y] = [from.x < 320 ? 560 : 80, 200];
    const canvas = ada.page.locator(".world.mine canvas");
    const { width, height } = await canvas.boundingBox();
    await canvas.tap({ position: { x: (x / 640) * width, y: (y / 400) * height } });
    const here = await ada.world();
    await until("it walks where it is sent", () => Math.abs(ada.rabbit(here).x - from.x) > 40);
    await ada.travel();
    await ada.say(`a-word-without-an-end-${"-".repeat(150)}`);
    await ada.reads(await ada.world(), "a-word-without-an-end");
    await fits(ada.page);
    await ada.page.setViewportSize({ width: 320, height: 568 });
    await fits(ada.page);
    await ada.close();
  });

  for (const colorScheme of ["light", "dark"]) {
    test(`everything can be read in ${colorScheme} colours`, async () => {
      const ada = await (await open("ada", { colorScheme })).goTo("South");
      await ada.say("hello");
      await ada.reads("South", "hello");
      await ada.reads("North", "hello");
      const poor = await ada.page.evaluate(poorContrast);
      assert.deepEqual(poor, []);
      await ada.close();
    });
  }

  test("with keys alone one walks, talks and travels", async () => {
    const ada = await open("ada");
    const here = await ada.world();
    const { y } = ada.rabbit(here);
    const key = y < 200 ? "ArrowDown" : "ArrowUp";
    await ada.page.keyboard.down(key);
    await until("it walks", () => Math.abs(ada.rabbit(here).y - y) > 30);
    await ada.page.keyboard.up(key);
    await ada.page.keyboard.press("Enter");
    await ada.page.keyboard.type("wasd and t are letters here");
    await ada.page.keyboard.press("Enter");
    await ada.reads(here, "wasd and t are letters here");
    assert.equal(await ada.world(), here);
    await ada.page.keyboard.press("Escape");
    await ada.page.keyboard.press("t");
    await ada.page.locator(`.world.mine:not([data-world=${here}])`).waitFor();
    await ada.close();
  });

  test("nothing is left of a demo whose log nobody reads any more", async () => {
    const other = await startCrossGroup();
    const started = [{ pid: other.pid, name: "the demo" }, ...(await offspring(other.pid))];
    other.hangUp();
    // Whatever is logged next finds nobody.
    await (await Traveller.open({ ...stage, url: other.url })).context.close();
    for (const { pid, name } of started) await until(`${name} is gone`, async () => !(await isAlive(pid)));
  });

  test("nothing is left of a demo that is killed", async () => {
    const other = await startCrossGroup();
    const started = await offspring(other.pid);
    assert.ok(started.length >= 10, JSON.stringify(started));
    process.kill(other.pid, "SIGKILL");
    for (const { pid, name } of started) await until(`${name} is gone`, async () => !(await isAlive(pid)));
  });
});

async function fits(page) {
  const [content, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(content <= room, `the page is ${content} wide in ${room}`);
}

/** Texts of the page whose contrast with what is behind them is less than 4.5. */
function poorContrast() {
  const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const over = (colours) => {
    pen.clearRect(0, 0, 1, 1);
    for (const colour of colours) (pen.fillStyle = colour), pen.fillRect(0, 0, 1, 1);
    const [red, green, blue] = [...pen.getImageData(0, 0, 1, 1).data].map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const poor = [];
  for (const element of document.querySelectorAll("h1, h1 em, h2, small, button, a, p, li, b, label span, .from, .what, kbd, output")) {
    const text = [...element.childNodes].filter(({ nodeType }) => nodeType === 3).map(({ data }) => data).join("").trim();
    if (!text || !element.checkVisibility() || element.matches(":disabled")) continue;
    const behind = [];
    for (let each = element; each; each = each.parentElement) behind.unshift(getComputedStyle(each).backgroundColor);
    const [one, other] = [over(behind), over([...behind, getComputedStyle(element).color])].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (other + 0.05);
    if (contrast < 4.5) poor.push(`${text}: ${contrast.toFixed(2)}`);
  }
  return poor;
}
