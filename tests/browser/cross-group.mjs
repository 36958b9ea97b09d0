// The demo of two groups and a bridge under test, its processes, and somebody who
// plays in it.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";

import { DESKTOP } from "./browser.mjs";
import { startSolo } from "./demo.mjs";

const DEADLINE_MS = 15_000;
const STATE = 10;

/** The demo, on ports of its own. */
export async function startCrossGroup() {
  return startSolo(["demo", "cross-group", "--port", "0"], "page");
}

/** Waits until this is so; gives what it was. */
export async function until(what, look) {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    assert.ok(Date.now() < deadline, `in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** All processes that one has started, and those have started: `{ pid, name }`. */
export async function offspring(pid) {
  const found = [];
  for (const thread of await readdir(`/proc/${pid}/task`).catch(() => [])) {
    const children = await readFile(`/proc/${pid}/task/${thread}/children`, "utf8").catch(() => "");
    for (const child of children.split(" ").filter(Boolean).map(Number)) {
      const name = (await readFile(`/proc/${child}/comm`, "utf8").catch(() => "")).trim();
      found.push({ pid: child, name }, ...(await offspring(child)));
    }
  }
  return found;
}

export async function isAlive(pid) {
  // What nobody has waited for yet is dead all the same.
  const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return status !== "" && status.slice(status.lastIndexOf(")") + 2, status.lastIndexOf(")") + 3) !== "Z";
}

/** The daemon that is the bridge. */
export async function bridgeOf({ pid }) {
  return until("the bridge runs", async () => (await offspring(pid)).find(({ name }) => name === "bridge"));
}

/** Somebody with the page open. */
export class Traveller {
  mishaps = [];
  /** What each world has sent last: by its name. */
  pictures = {};

  static async open({ browser, url }, { name, viewport = DESKTOP, prepare, ...more } = {}) {
    const traveller = new Traveller();
    const context = (traveller.context = await browser.newContext({ viewport, ...more }));
    context.setDefaultTimeout(DEADLINE_MS);
    if (name) await context.addInitScript((name) => localStorage.setItem("name", name), name);
    await prepare?.(context);
    const page = (traveller.page = await context.newPage());
    page.on("pageerror", (error) => traveller.mishaps.push(String(error)));
    page.on("console", (message) => message.type() === "error" && traveller.mishaps.push(message.text()));
    page.on("websocket", (socket) => {
      const world = socket.url().endsWith(":10243/") ? "North" : "South";
      socket.on("framereceived", ({ payload }) => traveller.#hear(world, payload));
    });
    await page.goto(url);
    await page.locator(".world.mine .roster .me").waitFor();
    traveller.name = name;
    return traveller;
  }

  async close() {
    await this.context.close();
    assert.deepEqual(this.mishaps, [], "the page reported no error");
  }

  /** Where the player is, as the page shows it. */
  world() {
    return this.page.locator(".world.mine").getAttribute("data-world");
  }

  /** The world with this name on the page. */
  pane(world) {
    return this.page.locator(`.world[data-world=${world}]`);
  }

  /** Goes to this world, if not there already. */
  async goTo(world) {
    if ((await this.world()) !== world) await this.travel();
    assert.equal(await this.world(), world);
    return this;
  }

  /** Travels, and waits until the other world has its rabbit. */
  async travel() {
    const to = (await this.world()) === "North" ? "South" : "North";
    await this.page.locator("#travel").click();
    await this.page.locator(`.world.mine[data-world=${to}] .roster .me`).waitFor();
  }

  async say(text, to = "both") {
    const pane = this.page.locator(".world.mine");
    await pane.locator(`.to label:has([value=${to}])`).click();
    await pane.locator(".text").fill(text);
    await pane.locator(".text").press("Enter");
  }

  /** Waits for a line in a world; gives it. */
  async reads(world, text) {
    const line = this.pane(world).locator(".chat li", { hasText: text }).last();
    await line.waitFor();
    return line;
  }

  /** Its rabbit as a world has said last; null if it is not there. */
  rabbit(world, name = this.name) {
    const found = this.pictures[world]?.rabbits.find(([, each]) => each === name);
    if (!found) return null;
    const [id, , colour, x, y, bag] = found;
    return { id, colour, x, y, bag };
  }

  /** Clicks at a place of its world. */
  async click(x, y) {
    const canvas = this.page.locator(".world.mine canvas");
    const { width, height } = await canvas.boundingBox();
    await canvas.click({ position: { x: (x / 640) * width, y: (y / 400) * height } });
  }

  /** Walks to fruit until it has some of what grows here. */
  async picks(world, kind) {
    return until(`${this.name} has ${kind}`, async () => {
      const rabbit = this.rabbit(world);
      if (rabbit?.bag[kind] > 0) return rabbit.bag[kind];
      const near = (one) => Math.hypot(one[1] - rabbit.x, one[2] - rabbit.y);
      const inside = this.pictures[world].fruits.filter(([, x, y]) => x > 20 && x < 620 && y > 40 && y < 380);
      const [fruit] = inside.sort((one, other) => near(one) - near(other));
      if (fruit) await this.click(fruit[1], fruit[2]);
      await this.page.waitForTimeout(300);
      return null;
    });
  }

  #hear(world, payload) {
    const frame = Buffer.from(payload);
    if (frame.readUInt16LE(4) === STATE) this.pictures[world] = JSON.parse(frame.subarray(8));
  }
}
