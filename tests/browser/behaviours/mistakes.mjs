import assert from "node:assert/strict";
import { test } from "node:test";

import { deaf } from "../script.mjs";
import { newName, restoring, Visitor } from "../visitor.mjs";

export function mistakes(stage) {
  test("a syntax error is shown at its line and not saved, and the chat goes on", () =>
    restoring(stage, async () => {
      const [ada, bob] = [await Visitor.open(stage), await Visitor.open(stage)];
      await ada.join(newName("ada"));
      await bob.join(newName("bob"));
      const before = await ada.source();
      const edited = await ada.edit((source) => `${source}\n\ndef broken(\n    return 1\n`);
      await ada.page.keyboard.press("Control+s");

      const told = await ada.page.locator("#news", { hasText: "Not saved. Line " }).textContent();
      const line = Number(/Line (\d+)/.exec(told)[1]);
      const near = edited.split("\n").findIndex((text) => text.startsWith("def broken")) + 1;
      assert.ok(line === near || line === near + 1, `line ${line} is where the mistake is`);
      await shownAt(ada.page, line);
      assert.equal(await ada.source(), before);

      await bob.say("still here");
      await ada.hears(bob.name, "still here");
      assert.deepEqual(ada.sockets, [{ closed: false }]);

      await ada.edit(() => `${before}\n`);
      await ada.save();
      assert.equal(await ada.page.locator(".cm-lint-marker-error, .problem-text").count(), 0);
      await ada.close();
      await bob.close();
    }));

  test("an exception at import comes back as a readable notice, and the code before it goes on", () =>
    restoring(stage, async () => {
      const ada = await Visitor.open(stage);
      await ada.join(newName("ada"));
      const version = await ada.version();
      const edited = await ada.edit((source) => `${source}\nraise RuntimeError("carrots are out")\n`);
      await ada.save();
      await ada.say("reload");
      const notice = await ada.reads("carrots are out");
      assert.match(notice, /RuntimeError/);
      await ada.page.locator("#news", { hasText: "The reload failed. The code before it still runs." }).waitFor();
      await shownAt(ada.page, edited.trimEnd().split("\n").length);
      assert.equal(await ada.version(), version);
      await ada.say("still the old code");
      await ada.hears(ada.name, "still the old code");
      assert.deepEqual(ada.sockets, [{ closed: false }]);
      await ada.close();
    }));

  test("a script whose chat no longer answers can be mended from the page", (t) =>
    restoring(stage, async () => {
      const ada = await Visitor.open(stage);
      await ada.join(newName("ada"));
      const before = await ada.source();
      await ada.edit(() => deaf(before));
      await ada.save();
      const without = ada.page.getByRole("button", { name: "Load it without the chat" });
      if (!(await without.isVisible())) {
        await ada.close();
        t.skip("this demo loads scripts at the chat's word only");
        return;
      }
      await ada.reload();
      await ada.edit(() => before);
      await ada.save();
      await ada.say("reload");
      await without.click();
      await ada.page.locator('#mark[data-state="live"]').waitFor();
      await ada.say("can you hear me?");
      await ada.hears(ada.name, "can you hear me?");
      assert.deepEqual(ada.sockets, [{ closed: false }]);
      await ada.close();
    }));
}

/** The mark in the gutter, and the text, stand at the line with this number. */
async function shownAt(page, line) {
  const gutterLine = page.locator(".cm-lineNumbers .cm-gutterElement", { hasText: new RegExp(`^${line}$`) });
  await page.locator(".cm-lint-marker-error").waitFor();
  const [number, mark, text] = [
    await gutterLine.boundingBox(),
    await page.locator(".cm-lint-marker-error").boundingBox(),
    await page.locator(".problem-text").boundingBox(),
  ];
  assert.ok(mark.y >= number.y && mark.y + mark.height <= number.y + number.height, "the mark is beside its line");
  assert.ok(text.y >= number.y && text.y <= number.y + number.height, "the text is under its line");
}
