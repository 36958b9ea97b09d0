import assert from "node:assert/strict";
import { test } from "node:test";

import { newName, Visitor } from "../visitor.mjs";

export function access(stage) {
  test("a page without the token chats, says why there is no script, and cannot save", async () => {
    const [stranger, ada] = [await Visitor.open(stage, { token: false }), await Visitor.open(stage)];
    await stranger.join(newName("stranger"));
    await ada.join(newName("ada"));
    await stranger.say("may I?");
    await ada.hears(stranger.name, "may I?");

    await stranger.page.locator("#locked", { hasText: "#token=" }).waitFor();
    assert.equal(await stranger.page.locator("#editor").isVisible(), false);
    assert.equal(await stranger.page.locator("#save").isDisabled(), true);
    const before = await ada.source();
    const statuses = await stranger.page.evaluate(async () => {
      const put = (headers) => fetch("/api/script", { method: "PUT", headers, body: "stolen" });
      const wrong = { Authorization: `Bearer ${"0".repeat(64)}`, "If-Match": '""' };
      return [(await put({})).status, (await put(wrong)).status, (await fetch("/api/script")).status, (await fetch("/api/events")).status];
    });
    assert.deepEqual(statuses, [401, 401, 401, 401]);
    assert.equal(await ada.source(), before);
    await stranger.close();
    await ada.close();
  });

  test("the token leaves the address bar at once and lasts as long as the tab", async () => {
    const ada = await Visitor.open(stage);
    assert.equal(ada.page.url(), new URL("/", ada.address).href);
    await ada.page.reload();
    await ada.page.locator("#save:enabled").waitFor();
    await ada.close();
  });

  test("the printed address opened in a page without a token unlocks it", async () => {
    const ada = await Visitor.open(stage, { token: false });
    await ada.page.evaluate((hash) => (location.hash = hash), new URL(stage.url).hash);
    await ada.page.locator("#save:enabled").waitFor();
    assert.equal(new URL(ada.page.url()).hash, "");
    await ada.close();
  });

  test("the key of an earlier start is explained", async () => {
    const ada = await Visitor.open({ ...stage, url: `${stage.url.split("#")[0]}#token=${"0".repeat(64)}` });
    await ada.page.locator("#locked", { hasText: "started anew" }).waitFor();
    await ada.close();
  });
}
