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
  /** What the reader has said that is not sent yet, below all else. */
  readonly #outbox = make("div", "outbox");
  #lastFrom: string | null = null;
  /** The reader's own name, whose lines look different. */
  self = "";

  constructor() {
    this.#list.append(this.#outbox);
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

  /** Shows what was said while there is no connection. */
  keep(text: string): void {
    byId("welcome", HTMLDivElement).hidden = true;
    const line = this.#line(this.self, text, "waiting");
    line.classList.add("unsent");
    this.#outbox.append(line);
    this.#toEnd();
  }

  /** What was kept goes out now, and comes back as what is said. */
  takeKept(): string[] {
    const kept = [...this.#outbox.children].map((line) => line.lastElementChild?.textContent ?? "");
    this.#outbox.replaceChildren();
    return kept;
  }

  /** What was kept will never go out. */
  dropKept(): void {
    for (const line of [...this.#outbox.children]) {
      line.querySelector("time")?.replaceChildren("not sent");
      this.#append(line, null);
    }
  }

  #addChat(from: string, text: string, time: string): void {
    const line = this.#line(from, text, time);
    if (from === this.#lastFrom) line.classList.add("more");
    this.#append(line, from);
  }

  #line(from: string, text: string, time: string): HTMLElement {
    const line = make("div", from === this.self ? "said mine" : "said");
    const who = make("b", "who", from);
    who.style.setProperty("--hue", String(hueOf(from)));
    line.append(make("span", "by", who, time ? make("time", "", time) : ""), make("p", "", text));
    return line;
  }

  #append(line: Element, from: string | null): void {
    const follow = this.#atEnd() || line.classList.contains("mine");
    byId("welcome", HTMLDivElement).hidden = true;
    this.#outbox.before(line);
    while (this.#list.children.length > MOST_LINES + 1) this.#list.firstElementChild?.remove();
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
