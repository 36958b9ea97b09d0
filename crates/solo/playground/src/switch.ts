// Which side shows where there is room for one only.
import { byId } from "./dom";

export type Side = "chat" | "script";

export class Switch {
  readonly #main = byId("main", HTMLElement);
  readonly #unread = byId("unread", HTMLSpanElement);
  #count = 0;

  constructor() {
    byId("show-chat", HTMLButtonElement).onclick = () => this.show("chat");
    byId("show-script", HTMLButtonElement).onclick = () => this.show("script");
  }

  show(side: Side): void {
    this.#main.dataset["view"] = side;
    byId("show-chat", HTMLButtonElement).setAttribute("aria-pressed", String(side === "chat"));
    byId("show-script", HTMLButtonElement).setAttribute("aria-pressed", String(side === "script"));
    if (side === "chat") this.#setUnread(0);
  }

  /** Something was said; counted while the chat is out of sight. */
  heard(): void {
    const seen = this.#main.dataset["view"] === "chat" || byId("show-chat", HTMLButtonElement).offsetParent === null;
    if (!seen) this.#setUnread(this.#count + 1);
  }

  #setUnread(count: number): void {
    this.#count = count;
    this.#unread.hidden = count === 0;
    this.#unread.textContent = count > 99 ? "99+" : String(count);
  }
}
