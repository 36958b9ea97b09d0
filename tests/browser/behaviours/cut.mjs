import assert from "node:assert/strict";
import { test } from "node:test";

import { Network } from "../network.mjs";
import { newName, Visitor } from "../visitor.mjs";

export function cut(stage) {
  test("a chat survives a short cut of the network without the players noticing", () =>
    throughNetwork(stage, async ({ network, open }) => {
      const [ada, bob] = [await open("ada"), await open("bob")];
      await ada.reads(`${bob.name} has joined`);
      const seen = [await watched(ada), await watched(bob)];
      const rounds = 5;
      for (let round = 1; round <= rounds; round += 1) {
        const saying = ada.say(`before ${round}`);
        network.cut();
        network.restore();
        await saying;
        await bob.say(`after ${round}`);
        for (const visitor of [ada, bob]) {
          await visitor.hears(ada.name, `before ${round}`);
          await visitor.hears(bob.name, `after ${round}`);
          await visitor.opened(round + 1);
        }
      }
      const told = Array.from({ length: rounds }, (_, index) => [`before ${index + 1}`, `after ${index + 1}`]);
      for (const [index, visitor] of [ada, bob].entries()) {
        const lines = await heard(visitor);
        for (const [stem, by] of [["before", ada], ["after", bob]]) {
          const expected = told.flat().filter((text) => text.startsWith(stem));
          assert.deepEqual(lines.filter(([from]) => from === by.name).map(([, text]) => text), expected);
        }
        assert.deepEqual(await seen[index](), [], `${visitor.name} has seen something of it`);
      }
    }));

  test("a chat survives a cut of the network: all is said once and in order, and nobody was gone", () =>
    throughNetwork(stage, async ({ network, open }) => {
      const [ada, bob] = [await open("ada"), await open("bob")];
      const witness = await Visitor.open(stage);
      await witness.join(newName("witness"));
      const all = [ada, bob, witness];
      for (const visitor of all) await visitor.reads(`${witness.name} has joined`);
      const before = await Promise.all(all.map(notices));
      await ada.say("before the cut");
      await bob.hears(ada.name, "before the cut");

      network.cut();
      for (const visitor of [ada, bob]) await isAway(visitor);
      await ada.say("are you still there?");
      await ada.say("I hear nothing");
      await bob.say("nor do I");
      await ada.page.locator(".unsent", { hasText: "I hear nothing" }).waitFor();
      await witness.say("they cannot hear me");
      await witness.hears(witness.name, "they cannot hear me");
      assert.equal((await heard(witness)).length, 2, "what is said while away is not out yet");
      await witness.sees([ada.name, bob.name], [ada.name, bob.name]);

      network.restore();
      for (const visitor of [ada, bob]) await isBack(visitor);
      await ada.say("there you are");
      await bob.hears(ada.name, "there you are");
      await bob.say("as if nothing had been");
      for (const visitor of all) {
        await visitor.hears(bob.name, "nor do I");
        await visitor.hears(bob.name, "as if nothing had been");
      }

      assert.equal(await ada.page.locator(".unsent").count(), 0);
      const lines = await heard(witness);
      const by = (name) => lines.filter(([from]) => from === name).map(([, text]) => text);
      assert.deepEqual(by(ada.name), ["before the cut", "are you still there?", "I hear nothing", "there you are"]);
      assert.deepEqual(by(bob.name), ["nor do I", "as if nothing had been"]);
      assert.equal(lines.length, 7);
      for (const visitor of [ada, bob]) assert.deepEqual(await heard(visitor), lines, `${visitor.name} has missed nothing`);
      for (const [index, visitor] of all.entries()) {
        const since = (await notices(visitor)).slice(before[index].length);
        const own = visitor === witness ? [] : ["The connection was lost. Nothing was missed."];
        assert.deepEqual(since.map((text) => text.replace(/ for (a moment|\d+ seconds)/, "")), own, "nobody has left or joined");
        await visitor.sees([ada.name, bob.name], [ada.name, bob.name]);
      }
      assert.equal(await ada.page.locator("#connection-text").textContent(), `Connected as ${ada.name}`);
      await witness.close();
    }));

  test("who cannot come back joins anew, is told so, and what was said meanwhile goes out", () =>
    throughNetwork(stage, async ({ network, open }) => {
      const ada = await open("ada");
      network.cut();
      await isAway(ada);
      await ada.say("said while away");
      // The session goes to another page, and ends with it.
      const other = await Visitor.open(stage);
      await other.join(ada.name);
      await other.page.locator("#leave").click();
      await other.page.locator("#closed").waitFor();
      await other.join(newName("other"));

      network.restore();
      await ada.reads("you have joined anew");
      await other.reads(`${ada.name} has joined`);
      await other.hears(ada.name, "said while away");
      await ada.hears(ada.name, "said while away");
      assert.equal((await heard(ada)).length, 1);
      await isBack(ada);
      await other.close();
    }));

  test("who leaves while away sees what was not sent, and may come back", () =>
    throughNetwork(stage, async ({ network, open }) => {
      const ada = await open("ada");
      network.cut();
      await isAway(ada);
      await ada.say("too late");
      await ada.page.locator("#leave").click();
      await ada.page.locator("#closed", { hasText: "You left the chat." }).waitFor();
      await ada.page.locator(".unsent", { hasText: "too late" }).locator("time", { hasText: "not sent" }).waitFor();
      assert.equal(await ada.page.locator("#away").isVisible(), false);
      network.restore();
      await ada.page.locator("#join-button", { hasText: "Reconnect" }).click();
      await ada.page.locator("#composer").waitFor();
      await ada.say("here again");
      await ada.hears(ada.name, "here again");
    }));
}

/** Pages whose gate is behind a network that can be cut; they are in the chat. */
async function throughNetwork(stage, play) {
  const network = await Network.toGateOf(stage.url);
  const visitors = [];
  const prepare = (page) => network.lead(page);
  const open = async (stem) => {
    const visitor = await Visitor.open(stage, { prepare, bypassCSP: true });
    visitors.push(visitor);
    await visitor.join(newName(stem));
    return visitor;
  };
  try {
    await play({ network, open });
    for (const visitor of visitors) {
      // The browser logs each attempt that fails.
      visitor.mishaps = visitor.mishaps.filter((text) => !/^WebSocket connection to .* failed/.test(text));
      await visitor.close();
    }
  } finally {
    await network.close();
  }
}

/** From now on: whatever the page says of connections, and who comes and goes. */
async function watched({ page }) {
  await page.evaluate(() => {
    window.said = [];
    const state = document.getElementById("connection");
    const look = () => {
      const notices = [...document.querySelectorAll(".notice")].map((notice) => notice.textContent);
      const away = document.getElementById("away").hidden ? [] : ["away"];
      const now = JSON.stringify([state.dataset.state, notices, away]);
      if (now !== window.said.at(-1)) window.said.push(now);
    };
    look();
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
  });
  return () => page.evaluate(() => window.said.slice(1));
}

async function isAway({ page }) {
  await page.locator('#connection[data-state="away"]').waitFor();
  await page.locator("#away", { hasText: "trying again" }).waitFor();
}

async function isBack({ page }) {
  await page.locator('#connection[data-state="online"]').waitFor();
  await page.locator("#away").waitFor({ state: "hidden" });
}

/** What the page shows that people have said. */
function heard({ page }) {
  return page.locator(".said").evaluateAll((lines) => lines.map((line) => [".who", "p"].map((part) => line.querySelector(part).textContent)));
}

function notices({ page }) {
  return page.locator(".notice").allTextContents();
}
