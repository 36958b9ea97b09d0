// Somebody with the page open, and what they do and see there.
import assert from "node:assert/strict";

import { DESKTOP } from "./browser.mjs";

const DEADLINE_MS = 15_000;

let count = 0;

/** A name that no test before has used, nor an earlier run against the same demo; short enough for its script. */
export function newName(stem) {
  count += 1;
  return `${stem}-${Date.now().toString(36).slice(-4)}${count}`;
}

export class Visitor {
  /** Every WebSocket that the page has ever opened, and whether it has closed. */
  sockets = [];
  /** What went wrong in the page itself, such as a breach of its security policy. */
  mishaps = [];

  /**
   * @param {{ browser: import("playwright-core").Browser, url: string }} stage
   * @param {{ viewport?: object, token?: boolean, prepare?: (page: object) => Promise<void>, colorScheme?: string, bypassCSP?: boolean }} options
   */
  static async open({ browser, url }, { viewport = DESKTOP, token = true, prepare, ...more } = {}) {
    const visitor = new Visitor();
    visitor.address = token ? url : url.split("#")[0];
    visitor.context = await browser.newContext({ viewport, ...more });
    visitor.context.setDefaultTimeout(DEADLINE_MS);
    const page = (visitor.page = await visitor.context.newPage());
    page.on("websocket", (socket) => {
      const seen = { closed: false };
      visitor.sockets.push(seen);
      socket.on("close", () => (seen.closed = true));
    });
    page.on("pageerror", (error) => visitor.mishaps.push(String(error)));
    page.on("console", (message) => {
      // Refused saves are part of the play; the browser logs each.
      if (message.type() === "error" && !/status of 4\d\d/.test(message.text())) visitor.mishaps.push(message.text());
    });
    await prepare?.(page);
    await page.goto(visitor.address);
    await page.locator("#mark[data-state], #locked:not([hidden])").waitFor({ state: "attached" });
    return visitor;
  }

  async close() {
    await this.context.close();
    assert.deepEqual(this.mishaps, [], "the page reported no error");
  }

  async join(name) {
    await this.page.locator("#name").fill(name);
    await this.page.locator("#join-button").click();
    await this.page.locator("#composer").waitFor();
    this.name = name;
  }

  async say(text) {
    await this.page.locator("#say").fill(text);
    await this.page.locator("#say").press("Enter");
  }

  /** Waits for a message of a person; gives the element of its text. */
  async hears(from, text) {
    // Lines of one person that follow each other show the name once, but all carry it.
    const line = this.page.locator(".said").filter({ has: this.page.locator(`.who:text-is(${JSON.stringify(from)})`) });
    const said = line.locator(`p:text-is(${JSON.stringify(text)})`).last();
    await said.waitFor();
    return said;
  }

  async reads(text) {
    const notice = this.page.locator(".notice", { hasText: text }).last();
    await notice.waitFor();
    return notice.textContent();
  }

  /** Waits until exactly these of `among` are shown to be online. */
  async sees(online, among) {
    await this.until(
      ([online, among]) => {
        const names = [...document.querySelectorAll("#online li")].map((item) => item.firstChild.textContent);
        return JSON.stringify(names.filter((name) => among.includes(name)).sort()) === online;
      },
      [JSON.stringify([...online].sort()), among],
    );
  }

  /** Waits until the page has opened so many WebSockets, the first included. */
  async opened(count) {
    const deadline = Date.now() + DEADLINE_MS;
    while (this.sockets.length < count) {
      assert.ok(Date.now() < deadline, `${this.sockets.length} WebSockets, not ${count}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async until(condition, argument) {
    await this.page.waitForFunction(condition, argument);
  }

  async source() {
    const { source } = await (await this.api("GET")).json();
    return source;
  }

  /** Speaks to the server as the page does, from outside of it. */
  api(method, headers = {}, body) {
    const { origin, hash } = new URL(this.address);
    const token = new URLSearchParams(hash.slice(1)).get("token");
    return fetch(`${origin}/api/script`, { method, headers: { Authorization: `Bearer ${token}`, ...headers }, body });
  }

  /** Puts other text into the editor, as one who selects all and pastes. */
  async edit(change) {
    const source = change(await this.source());
    await this.page.locator(".cm-content").click();
    await this.page.keyboard.press("Control+a");
    await this.page.locator(".cm-content").evaluate((editor, source) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text/plain", source);
      editor.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
    }, source);
    await this.page.locator('#mark[data-state="unsaved"]').waitFor({ state: "attached" });
    return source;
  }

  async save() {
    await this.page.keyboard.press("Control+s");
    await this.page.locator('#mark[data-state="saved"]').waitFor({ state: "attached" });
  }

  /** Says reload and waits until the saved script runs. */
  async reload() {
    await this.say("reload");
    await this.page.locator('#mark[data-state="live"]').waitFor({ state: "attached" });
  }

  async version() {
    return Number(await this.page.locator("#version").textContent());
  }
}

/** Puts the script back as it was, and makes it live. */
export async function restoring(stage, test) {
  const keeper = await Visitor.open(stage);
  await keeper.join(newName("keeper"));
  const before = await keeper.source();
  try {
    await test();
  } finally {
    const { hash } = await (await keeper.api("GET")).json();
    const written = await keeper.api("PUT", { "If-Match": `"${hash}"` }, before);
    assert.equal(written.status, 200, "the script was put back");
    await keeper.reload();
    await keeper.close();
  }
}
