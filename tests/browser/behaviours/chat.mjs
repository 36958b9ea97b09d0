import assert from "node:assert/strict";
import { test } from "node:test";

import { newName, Visitor } from "../visitor.mjs";

export function chat(stage) {
  test("what one page says arrives in both", async () => {
    const [ada, bob] = [await Visitor.open(stage), await Visitor.open(stage)];
    await ada.join(newName("ada"));
    await bob.join(newName("bob"));
    await ada.say("hello there");
    await bob.say("hello yourself");
    for (const visitor of [ada, bob]) {
      await visitor.hears(ada.name, "hello there");
      await visitor.hears(bob.name, "hello yourself");
    }
    await ada.close();
    await bob.close();
  });

  test("both pages show who is online, as people come and go", async () => {
    const [ada, bob] = [await Visitor.open(stage), await Visitor.open(stage)];
    const names = [newName("ada"), newName("bob")];
    await ada.join(names[0]);
    await ada.sees([names[0]], names);
    await bob.join(names[1]);
    await ada.sees(names, names);
    await bob.sees(names, names);
    await bob.page.locator("#leave").click();
    await ada.sees([names[0]], names);
    await bob.sees([], names);
    await bob.page.locator("#join-button").click();
    await ada.sees(names, names);
    await bob.close();
    await ada.sees([names[0]], names);
    await ada.close();
  });

  test("joining and talking need no mouse", async () => {
    const ada = await Visitor.open(stage);
    const name = newName("ada");
    await ada.page.locator("#name").focus();
    await ada.page.keyboard.press("Control+a");
    await ada.page.keyboard.type(name);
    await ada.page.keyboard.press("Enter");
    await ada.page.locator("#say:focus").waitFor();
    await ada.page.keyboard.type("by keys alone");
    await ada.page.keyboard.press("Enter");
    await ada.hears(name, "by keys alone");
    assert.equal(await ada.page.locator("#log").getAttribute("aria-live"), "polite");
    await ada.close();
  });

  test("a server that is gone is said to be gone, in words", async () => {
    const ada = await Visitor.open(stage, {
      prepare: (page) => page.route("**/api/config", (route) => route.abort()),
    });
    await ada.page.locator("#name").fill(newName("ada"));
    await ada.page.locator("#join-button").click();
    await ada.page.locator("#closed", { hasText: "Is it still running?" }).waitFor();
    ada.mishaps = ada.mishaps.filter((text) => !text.includes("ERR_FAILED"));
    await ada.close();
  });
}
