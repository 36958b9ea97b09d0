// The arena under test, with a script of its own, and somebody who plays in it.
import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { DESKTOP } from "./browser.mjs";
import { startSolo } from "./demo.mjs";

const EXAMPLE = fileURLToPath(new URL("../../crates/scene-host/examples/arena", import.meta.url));
const DEADLINE_MS = 15_000;
const [STATE, NEWS, RULES] = [2, 3, 4];

/** Numbers of the script, such as `{ BOTS: 0 }`, put into its source. */
function tuned(source, numbers) {
  for (const [name, value] of Object.entries(numbers)) {
    const line = new RegExp(`^${name} = .*?(  #.*)?$`, "m");
    assert.match(source, line, `main.py has ${name}`);
    source = source.replace(line, `${name} = ${value}$1`);
  }
  return source;
}

/** Starts an arena whose script, a copy, can be changed while it is played. */
export async function startArena(numbers) {
  const folder = await mkdtemp(join(tmpdir(), "arena-"));
  await cp(EXAMPLE, folder, { recursive: true });
  const script = join(folder, "main.py");
  const tune = async (numbers) => writeFile(script, tuned(await readFile(script, "utf8"), numbers));
  await tune(numbers);
  const anyPorts = ["master.listen", "gates.gate@0.websocket"].flatMap((key) => ["--set", `${key}=127.0.0.1:0`]);
  const page = ["--page", join(folder, "page"), "--page-at", "127.0.0.1:0"];
  const solo = await startSolo(["solo", join(folder, "arena.toml"), ...anyPorts, ...page], "page");
  const stop = async () => {
    await solo.stop();
    await rm(folder, { recursive: true });
  };
  return { url: solo.url, tune, stop };
}

export class ArenaPlayer {
  /** What the gate has sent last of each kind. */
  state = null;
  rules = null;
  news = [];
  mishaps = [];

  static async open({ browser, url }, { viewport = DESKTOP, ...more } = {}) {
    const player = new ArenaPlayer();
    player.context = await browser.newContext({ viewport, ...more });
    player.context.setDefaultTimeout(DEADLINE_MS);
    const page = (player.page = await player.context.newPage());
    page.on("pageerror", (error) => player.mishaps.push(String(error)));
    page.on("console", (message) => message.type() === "error" && player.mishaps.push(message.text()));
    page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => player.#hear(payload)));
    await page.goto(url);
    return player;
  }

  async close() {
    await this.context.close();
    assert.deepEqual(this.mishaps, [], "the page reported no error");
  }

  async join(name) {
    this.name = name;
    await this.page.locator("#name").fill(name);
    await this.page.keyboard.press("Enter");
    await this.page.locator("#board .me", { hasText: name }).waitFor();
    return this;
  }

  /** Where a rabbit is, as the gate said last. */
  rabbit(name = this.name) {
    const found = this.state?.rabbits.find(([each]) => each === name);
    if (!found) return null;
    const [, , x, y, angle, carrots, lives] = found;
    return { x, y, angle, carrots, lives };
  }

  /** Waits until this is so of what the gate has said; gives what it was. */
  async until(what, look) {
    const deadline = Date.now() + DEADLINE_MS;
    for (;;) {
      const seen = look(this);
      if (seen) return seen;
      assert.ok(Date.now() < deadline, `${this.name}: in time: ${what}`);
      await this.page.waitForTimeout(20);
    }
  }

  #hear(payload) {
    const frame = Buffer.from(payload);
    const [cmd, body] = [frame.readUInt16LE(4), frame.subarray(8)];
    if (cmd === STATE) this.state = JSON.parse(body);
    if (cmd === RULES) this.rules = JSON.parse(body);
    if (cmd === NEWS) this.news.push(JSON.parse(body));
  }
}
