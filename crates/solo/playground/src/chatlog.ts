// The messages of the chat, newest last.
import { byId, make } from "./dom";
import type { Message } from "./message";
import { renderSnippet } from "./snippet";

/** Older lines go, so that a page left open does not grow for ever. */
const MOST_LINES = 500;
const NEAR_THE_END_PX = 48;

export class ChatLog {
  readonly #list = byId("log", HTMLDivElement);
  readonly #newer = byId("newer", HTMLButtonElement);
  #lastFrom: string | null = null;
  /** The reader's own name, whose lines look different. */
  self = "";

  constructor() {
    this.#newer.onclick = () => this.#toEnd();
    this.#list.addEventListener("scroll", () => {
      if (this.#atEnd()) this.#newer.hidden = true;
    });
    // A keyboard on a phone, or a resized window, must not hide the newest line.
    let follow = true;
    this.#list.addEventListener("scroll", () => (follow = this.#atEnd()), { passive: true });
    new ResizeObserver(() => follow && this.#toEnd()).observe(this.#list);
  }

  add(message: Message): void {
    switch (message.kind) {
      case "chat":
        this.#addChat(message.from, message.text, message.time);
        break;
      case "notice":
        this.#append(make("div", message.text.includes("\n") ? "notice long" : "notice", message.text), null);
        break;
      case "snippet":
        this.#append(make("div", "notice snippet", renderSnippet(message.html)), null);
        break;
      case "online":
        if (message.spoken) this.#append(make("div", "notice snippet", message.names.join(", ") || "nobody"), null);
        break;
      case "data":
        this.#append(make("div", "notice data", message.text), null);
        break;
    }
  }

  #addChat(from: string, text: string, time: string): void {
    const line = make("div", "said");
    if (from === this.self) line.classList.add("mine");
    if (from === this.#lastFrom) line.classList.add("more");
    const who = make("b", "who", from);
    who.style.setProperty("--hue", String(hueOf(from)));
    line.append(make("span", "by", who, time ? make("time", "", time) : ""), make("p", "", text));
    this.#append(line, from);
  }

  #append(line: HTMLElement, from: string | null): void {
    const follow = this.#atEnd() || line.classList.contains("mine");
    byId("welcome", HTMLDivElement).hidden = true;
    this.#list.append(line);
    while (this.#list.children.length > MOST_LINES) this.#list.firstElementChild?.remove();
    this.#lastFrom = from;
    if (follow) this.#toEnd();
    else this.#newer.hidden = false;
  }

  #atEnd(): boolean {
    const { scrollTop, scrollHeight, clientHeight } = this.#list;
    return scrollHeight - scrollTop - clientHeight < NEAR_THE_END_PX;
  }

  #toEnd(): void {
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#newer.hidden = true;
  }
}

/** A colour for a name, the same on every page. */
export function hueOf(name: string): number {
  let hash = 0;
  for (const char of name) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) >>> 0;
  return (hash * 47) % 360;
}
