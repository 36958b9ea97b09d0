import assert from "node:assert/strict";
import { test } from "node:test";

import { newName, restoring, Visitor } from "../visitor.mjs";
import { answering } from "../script.mjs";

export function reload(stage) {
  test("saved code goes live at `reload`, for both pages, over the sockets that they had", () =>
    restoring(stage, async () => {
      const [ada, bob] = [await Visitor.open(stage), await Visitor.open(stage)];
      await ada.join(newName("ada"));
      await bob.join(newName("bob"));
      await bob.say("before");
      await ada.hears(bob.name, "before");
      const version = await ada.version();

      await ada.edit(answering("text[::-1]"));
      await ada.save();
      await bob.say("saved, not live");
      await ada.hears(bob.name, "saved, not live");

      await bob.say("reload");
      for (const visitor of [ada, bob]) {
        await visitor.until((version) => document.querySelector("#version").textContent === String(version), version + 1);
        await visitor.page.locator('#mark[data-state="live"]').waitFor();
      }
      await bob.say("stressed");
      await ada.say("drawer");
      for (const visitor of [ada, bob]) {
        await visitor.hears(bob.name, "desserts");
        await visitor.hears(ada.name, "reward");
        await visitor.sees([ada.name, bob.name], [ada.name, bob.name]);
        assert.deepEqual(visitor.sockets, [{ closed: false }]);
      }
      await ada.close();
      await bob.close();
    }));

  test("the page offers to say reload after a save, and shows what runs", () =>
    restoring(stage, async () => {
      const ada = await Visitor.open(stage);
      await ada.join(newName("ada"));
      const hash = await ada.page.locator("#hash").textContent();
      await ada.edit(answering("text.upper()"));
      assert.equal(await ada.page.locator("#mark").textContent(), "Unsaved changes");
      await ada.page.locator("#save").click();
      await ada.page.locator("#news", { hasText: "Type reload in the chat to make it live" }).waitFor();
      await ada.page.getByRole("button", { name: "Say reload for me" }).click();
      await ada.page.locator("#mark", { hasText: /^Live$/ }).waitFor();
      assert.notEqual(await ada.page.locator("#hash").textContent(), hash);
      assert.match(await ada.page.locator("#loaded").textContent(), /^\d\d:\d\d:\d\d/);
      await ada.close();
    }));
}
