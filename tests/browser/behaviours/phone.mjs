import assert from "node:assert/strict";
import { test } from "node:test";

import { PHONE } from "../browser.mjs";
import { newName, Visitor } from "../visitor.mjs";

export function phone(stage) {
  for (const viewport of [PHONE, { width: 320, height: 568 }]) {
    test(`both sides are usable at ${viewport.width} pixels, with nothing to scroll sideways`, async () => {
      const ada = await Visitor.open(stage, { viewport });
      const { page } = ada;
      await fits(page);
      await ada.join(newName("a-rather-long-na"));
      await ada.say(`a-word-without-an-end-${"-".repeat(200)}`);
      await page.locator(".said").waitFor();
      await fits(page);
      await inView(page, "#say", "#composer button", "#leave", "#show-script");
      assert.equal(await page.locator(".cm-content").isVisible(), false);

      await page.locator("#show-script").click();
      await inView(page, ".cm-content .cm-line >> nth=0", "#save", "#version", "#hash", "#loaded", "#news", "#show-chat");
      assert.equal(await page.locator("#say").isVisible(), false);
      await fits(page);
      await page.locator(".cm-content").click();
      await page.keyboard.type("# here\n");
      await page.locator("#script-dot").waitFor();

      await page.locator("#show-chat").click();
      await inView(page, "#say");
      await ada.close();
    });
  }

  test("what is said while the script shows is counted", async () => {
    const [ada, bob] = [await Visitor.open(stage, { viewport: PHONE }), await Visitor.open(stage)];
    await ada.join(newName("ada"));
    await bob.join(newName("bob"));
    await ada.reads(bob.name);
    await ada.page.locator("#show-script").click();
    await bob.say("over here");
    await ada.page.locator("#unread", { hasText: "1" }).waitFor();
    await ada.page.locator("#show-chat").click();
    await ada.page.locator("#unread").waitFor({ state: "hidden" });
    await ada.close();
    await bob.close();
  });
}

async function fits(page) {
  const [content, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(content <= room, `the page is ${content} wide in ${room}`);
}

/** Each is there, and wholly on the screen as far as its own scroller lets it. */
async function inView(page, ...selectors) {
  const { width, height } = page.viewportSize();
  for (const selector of selectors) {
    const box = await page.locator(selector).boundingBox();
    assert.ok(box, `${selector} is shown`);
    const inside = box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height;
    assert.ok(inside, `${selector} is on the screen: ${JSON.stringify(box)}`);
  }
}
