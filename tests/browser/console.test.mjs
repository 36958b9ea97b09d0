// The master's console in a real browser, before groups that do not exist: what is
// served can be changed under the open page, as no real group's state can.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";

import { group } from "../../crates/broker-master/console-page/fixtures/group.mjs";
import { serve } from "../../crates/broker-master/console-page/fixtures/serve.mjs";
import { DESKTOP, launch, PHONE } from "./browser.mjs";

const PERIOD_MS = 100;

describe("console", () => {
  let browser, server, page, mishaps, requests;

  before(async () => (browser = await launch()));
  after(() => browser?.close());
  beforeEach(() => ((mishaps = []), (requests = [])));
  afterEach(async () => {
    await page.context().close();
    await server.stop().catch(() => {});
    assert.deepEqual(mishaps, [], "the page reported no error, and broke no rule of its policy");
    assert.ok(requests.every((url) => url.startsWith(server.url)), "nothing was asked of anybody else");
  });

  /** Opens the page before this group. */
  async function open(state, { viewport = DESKTOP, path = "", period = PERIOD_MS, ...options } = {}) {
    server = await serve({ period, state: typeof state === "function" ? state : () => group(state) });
    const context = await browser.newContext({ viewport, ...options });
    context.setDefaultTimeout(15_000);
    page = await context.newPage();
    page.on("request", (request) => requests.push(request.url()));
    page.on("pageerror", (error) => mishaps.push(String(error)));
    page.on("console", (message) => {
      // A master that is away is no mistake of the page.
      if (message.type() === "error" && !/net::ERR_|status of 401/.test(message.text())) mishaps.push(message.text());
    });
    await page.goto(server.url + path);
  }
  const node = (name) => page.locator(`.node[data-name="${name}"]`);
  const panel = () => page.locator("#panel");
  const says = (locator, text) => locator.filter({ hasText: text }).first().waitFor();

  for (const size of [3, 12, 200]) {
    test(`a group of ${size} is drawn, each node and link of it`, async () => {
      await open({ size });
      const wanted = group({ size });
      await page.waitForFunction((many) => document.querySelectorAll(".node:not(.group)").length === many, size);
      assert.equal(await page.locator(".links path").count(), wanted.links.length + wanted.nodes.reduce((sum, each) => sum + each.groups.length, 0));
      await says(page.locator("#sums"), `${size}nodes`);
      await says(panel(), "No alarms");
      assert.equal(await page.locator("#alarms").isVisible(), false);
    });
  }

  test("the key leaves the address bar", async () => {
    await open({ size: 3 }, { path: "?token=secret" });
    await node("gate@0").waitFor();
    assert.equal(page.url(), server.url);
  });

  test("alarms, other versions and a silent node are seen", async () => {
    await open({ size: 12, trouble: true });
    await says(page.locator("#alarms"), "5 alarms");
    assert.equal(await page.locator("#alarms").getAttribute("data-severity"), "critical");
    assert.equal(await page.title(), "(5) GroupA: RedRabbit console");
    await says(panel().locator(".alarms li[data-severity=critical]"), "gate@2 is lost");
    await says(node("gate@2"), "silent for 14 s");
    assert.match(await node("gate@2").getAttribute("class"), /stale/);
    assert.equal(await node("gate@2").getAttribute("data-mark"), "critical");
    await says(panel().locator(".builds"), "differ");
    await says(panel().locator(".builds .odd"), "scene@1");
    await says(panel().locator(".scripts .odd"), "9b7f1e2207aa");
    assert.equal(await node("scene@1").locator(".odd").isVisible(), true);
    assert.equal(await page.locator(".links .busy").count(), 1);
    await says(panel().locator('.groups [data-reachable="false"]'), "GroupB");
    await says(node("GroupB"), "not reachable");
  });

  test("a click on a node shows its numbers and its last errors, Escape the group again", async () => {
    await open({ size: 12, trouble: true });
    await node("scene@0").click();
    await says(panel().locator("h2"), "scene@0");
    await says(panel().locator(".faults li").first(), "KeyError: 'room'");
    assert.equal(await panel().locator(".faults li").count(), 3);
    assert.equal(await panel().locator(".cell:visible").count(), 6);
    await page.waitForFunction(() => (document.querySelector(".spark .line")?.getAttribute("d") ?? "").split(/[ML]/).length > 4);
    await says(panel().locator(".links"), "slave@1");
    await panel().locator(".links .jump", { hasText: "slave@1" }).click();
    await says(panel().locator("h2"), "slave@1");
    await says(panel().locator(".facts"), "318 messages since it started");
    await page.keyboard.press("Escape");
    await says(panel().locator("h2"), "Group");
  });

  test("text from a node's log stays text", async () => {
    const evil = '<img src=x onerror="document.title=1"><b>bold</b>';
    await open(() => {
      const state = group({ size: 3 });
      state.nodes[1].faults = [{ at_ms: state.now_ms, level: "error", target: evil, text: evil }];
      state.alarms = [{ severity: "warning", node: state.nodes[1].id, text: evil, since_ms: state.now_ms }];
      return state;
    });
    await node("gate@0").click();
    await says(panel().locator(".faults code"), "<img src=x");
    assert.equal(await page.locator("main img, .faults b").count(), 0);
  });

  test("with the keyboard alone one gets to every node, and finds one by its name", async () => {
    await open({ size: 12 });
    await node("gate@0").waitFor();
    await page.locator("#seek").focus();
    await page.keyboard.press("Tab");
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute("data-name"));
    assert.equal(await focused(), "gate@0");
    await page.keyboard.press("ArrowRight");
    assert.equal(await focused(), "gate@1");
    await page.keyboard.press("ArrowDown");
    assert.match(await focused(), /^(master|slave)@/);
    await page.keyboard.press("Enter");
    await says(panel().locator("h2"), await focused());
    await page.keyboard.press("Escape");
    await page.keyboard.press("/");
    await page.keyboard.type("scene@3");
    assert.equal(await page.locator(".node:not(.back)").count(), 1);
    await page.keyboard.press("Enter");
    await says(panel().locator("h2"), "scene@3");
    assert.equal(await focused(), "scene@3");
  });

  test("a master that goes away is said so, and the page goes on when it is back", async () => {
    await open({ size: 12 });
    await node("gate@0").waitFor();
    await server.stop();
    await says(page.locator("#away"), "The master is not reachable. What you see is how the group was at");
    assert.equal(await page.locator(".node").count() > 0, true);
    server.stage.state = () => group({ size: 3 });
    await server.start();
    await says(page.locator("#connection"), "Live");
    await page.waitForFunction(() => document.querySelectorAll(".node").length === 3);
    assert.equal(await page.locator("#away").isVisible(), false);
  });

  test("a master that hangs is as good as away", async () => {
    await open({ size: 3 });
    await node("gate@0").waitFor();
    server.stage.hangs = true;
    await says(page.locator("#away"), "The master is not reachable");
    server.stage.hangs = false;
    await says(page.locator("#connection"), "Live");
  });

  test("a key that is not valid is said so", async () => {
    await open({ size: 3 });
    await node("gate@0").waitFor();
    server.stage.refuses = true;
    await server.stop();
    await server.start();
    await says(page.locator("#away"), "redrabbit console");
  });

  test("a node that is chosen and goes leaves the group", async () => {
    await open({ size: 12 });
    await node("scene@3").click();
    await says(panel().locator("h2"), "scene@3");
    server.stage.state = () => group({ size: 3 });
    await says(panel().locator("h2"), "Group");
  });

  test("a phone has it all, one beneath the other", async () => {
    await open({ size: 200, trouble: true }, { viewport: PHONE, period: 1000, hasTouch: true, isMobile: true });
    await node("scene@0").tap();
    await says(panel().locator("h2"), "scene@0");
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= PHONE.width, `nothing is wider than the phone: ${wide}`);
  });
});
