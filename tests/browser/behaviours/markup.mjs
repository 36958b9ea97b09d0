import assert from "node:assert/strict";
import { test } from "node:test";

import { newName, Visitor } from "../visitor.mjs";

const ATTACK = '<img src=x onerror="window.hacked=1"><b>bold</b><script>window.hacked=1</script>';

export function markup(stage) {
  test("HTML typed into the chat is shown as text, also in a name", async () => {
    const [ada, bob] = [await Visitor.open(stage), await Visitor.open(stage)];
    await ada.join(`<i>${newName("a")}</i>`);
    await bob.join(newName("bob"));
    await ada.say(ATTACK);
    for (const visitor of [ada, bob]) {
      const said = await visitor.hears(ada.name, ATTACK);
      assert.equal(await said.locator("*").count(), 0);
      assert.equal(await visitor.page.locator("#online i, #log i, #log img, #log script").count(), 0);
      assert.equal(await visitor.page.evaluate(() => window.hacked), undefined);
    }
    await ada.close();
    await bob.close();
  });

  test("HTML that a script sends comes through the allow-list only", async () => {
    const ada = await Visitor.open(stage, { prepare: (page) => gate(page, [
      '<b onclick="window.hacked=1">bold</b><br><font color="#ff0000" size="7">red</font><i>it</i>',
      `<a href="javascript:window.hacked=1">link</a><style>*{}</style><font color="red;x">odd</font>${ATTACK}`,
      ["one", "two"],
      { kind: "unheard of" },
    ]) });
    await ada.join(newName("ada"));
    await ada.reads("unheard of");
    const [first, second, names, data] = await ada.page.locator(".notice").evaluateAll((all) => all.map((line) => line.innerHTML));
    assert.equal(first, '<b>bold</b><br><font color="#ff0000">red</font><i>it</i>');
    assert.equal(second, "link<font>odd</font><b>bold</b>");
    assert.equal(names, "one, two");
    assert.equal(data, '{"kind":"unheard of"}');
    await ada.sees(["one", "two"], ["one", "two"]);
    assert.equal(await ada.page.evaluate(() => window.hacked), undefined);
    // Taken apart in a document that runs nothing; the page's policy reports it even there.
    ada.mishaps = ada.mishaps.filter((text) => !/inline (event handler|style)/.test(text));
    await ada.close();
  });
}

/** Plays a gate that lets everybody in and sends these bodies. */
async function gate(page, bodies) {
  await page.routeWebSocket(/./, (socket) => {
    socket.onMessage(() => {
      socket.send(frame(0, ""));
      for (const body of bodies) socket.send(frame(1, JSON.stringify(body)));
    });
  });
}

function frame(cmd, text) {
  const body = Buffer.from(text);
  const head = Buffer.alloc(8);
  head.writeUInt32LE(body.length, 0);
  head.writeUInt16LE(cmd, 4);
  return Buffer.concat([head, body]);
}
