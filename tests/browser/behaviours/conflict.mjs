import assert from "node:assert/strict";
import { test } from "node:test";

import { newName, restoring, Visitor } from "../visitor.mjs";

export function conflict(stage) {
  test("a script that was changed elsewhere is not written over unless the reader says so", () =>
    restoring(stage, async () => {
      const [ada, bob] = [await Visitor.open(stage), await Visitor.open(stage)];
      const before = await ada.source();
      await ada.edit(() => `${before}# of ada\n`);
      await bob.edit(() => `${before}# of bob\n`);
      await bob.save();
      await ada.page.keyboard.press("Control+s");
      const news = ada.page.locator("#news", { hasText: "was changed elsewhere" });
      await news.waitFor();
      assert.equal(await ada.source(), `${before}# of bob\n`);

      await news.getByRole("button", { name: "Keep mine, drop theirs" }).click();
      await ada.page.locator('#mark[data-state="saved"]').waitFor();
      assert.equal(await ada.source(), `${before}# of ada\n`);

      // The other way out, on the other page.
      await bob.edit(() => `${before}# of bob again\n`);
      await bob.page.keyboard.press("Control+s");
      await bob.page.getByRole("button", { name: "Load theirs, drop mine" }).click();
      await bob.page.locator('#mark[data-state="saved"]').waitFor();
      assert.match(await bob.page.locator(".cm-content").innerText(), /# of ada\s*$/);
      await ada.close();
      await bob.close();
    }));

  test("a page with nothing unsaved follows what another page makes live", () =>
    restoring(stage, async () => {
      const [ada, bob] = [await Visitor.open(stage), await Visitor.open(stage)];
      await ada.join(newName("ada"));
      await ada.edit((source) => `# first line of ada\n${source}`);
      await ada.save();
      await ada.reload();
      await bob.page.locator(".cm-line", { hasText: "# first line of ada" }).waitFor();
      await bob.page.locator('#mark[data-state="live"]').waitFor();
      await ada.close();
      await bob.close();
    }));
}
