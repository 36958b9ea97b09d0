import assert from "node:assert/strict";
import { test } from "node:test";

import { newName, Visitor } from "../visitor.mjs";

export function replaced(stage) {
  test("a name that is online already goes to the newer page, and the older one is told", async () => {
    const [older, newer, witness] = [await Visitor.open(stage), await Visitor.open(stage), await Visitor.open(stage)];
    const name = newName("ada");
    await witness.join(newName("witness"));
    await older.join(name);
    await newer.join(name);
    await older.page.locator("#closed", { hasText: "replaced" }).waitFor();
    assert.equal(await older.page.locator("#connection-text").textContent(), "Disconnected");
    await newer.say("it is me");
    await newer.hears(name, "it is me");
    await witness.sees([name], [name]);
    assert.equal(newer.sockets[0].closed, false);

    // The older page may take the name back.
    await older.page.locator("#join-button", { hasText: "Reconnect" }).click();
    await older.page.locator("#composer").waitFor();
    await newer.page.locator("#closed", { hasText: "replaced" }).waitFor();
    for (const visitor of [older, newer, witness]) await visitor.close();
  });
}
