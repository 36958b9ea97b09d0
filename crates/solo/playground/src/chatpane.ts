// The left side: join under a name, talk, see who is there.
import { ChatLog, hueOf } from "./chatlog";
import { CMD_CHAT, Connection, type State } from "./connection";
import { byId, make } from "./dom";
import { readMessage } from "./message";
import { FRESH_START, lossInWords } from "./words";

const NAME_KEY = "redrabbit.name";
/** Whoever is back sooner than this has hardly been away: the page does not speak of it. */
const QUIETLY_AWAY_MS = 1000;
const SUGGESTIONS = ["hazel", "clover", "juniper", "thistle", "bramble", "sorrel", "willow", "fennel", "rowan", "poppy"];

export interface ChatListener {
  connectionChanged(): void;
  /** Something was said by someone else. */
  heard(): void;
}

export class ChatPane {
  readonly #listener: ChatListener;
  readonly #url: () => Promise<string>;
  readonly #log = new ChatLog();
  readonly #connection: Connection;
  readonly #name = byId("name", HTMLInputElement);
  readonly #say = byId("say", HTMLInputElement);
  #lastSaid = "";
  #awayTimer = 0;

  constructor(listener: ChatListener, url: () => Promise<string>) {
    this.#listener = listener;
    this.#url = url;
    this.#connection = new Connection({
      stateChanged: (state) => this.#stateChanged(state),
      back: (awayMs) => {
        // The session sends what was kept by itself.
        this.#log.takeKept();
        const text = lossInWords(awayMs);
        if (awayMs < QUIETLY_AWAY_MS) console.info(text);
        else this.#log.add({ kind: "notice", text });
      },
      fresh: () => this.#fresh(),
      received: (cmd, text) => this.#received(cmd, text),
    });
    this.#name.value = sessionStorage.getItem(NAME_KEY) ?? suggestion();
    byId("leave", HTMLButtonElement).onclick = () => this.#connection.leave();
    byId("join", HTMLFormElement).onsubmit = (event) => {
      event.preventDefault();
      void this.#join();
    };
    byId("composer", HTMLFormElement).onsubmit = (event) => {
      event.preventDefault();
      if (this.say(this.#say.value)) this.#say.value = "";
    };
    this.#say.onkeydown = (event) => {
      if (event.key === "ArrowUp" && this.#say.value === "") this.#say.value = this.#lastSaid;
    };
    this.#renderOnline([]);
  }

  get online(): boolean {
    return this.#connection.state.name === "online";
  }

  /** Whether there is nothing left of it to be said. */
  say(text: string): boolean {
    const said = text.trim();
    if (said === "") return true;
    if (!this.#connection.say(said)) return false;
    this.#lastSaid = said;
    if (!this.online) this.#log.keep(said);
    return true;
  }

  async #join(): Promise<void> {
    const name = this.#name.value.trim();
    if (name === "") {
      this.#name.value = "";
      this.#name.reportValidity();
      return;
    }
    byId("join-button", HTMLButtonElement).disabled = true;
    sessionStorage.setItem(NAME_KEY, name);
    try {
      await this.#connection.join(await this.#url(), name);
    } catch (error) {
      this.#showClosed(error instanceof Error ? error.message : String(error));
      byId("join-button", HTMLButtonElement).disabled = false;
    }
  }

  #stateChanged(state: State): void {
    const online = this.#connection.self !== null;
    const hadFocus = document.activeElement;
    byId("join", HTMLFormElement).hidden = online;
    byId("composer", HTMLFormElement).hidden = !online;
    byId("leave", HTMLButtonElement).hidden = !online;
    byId("join-button", HTMLButtonElement).disabled = state.name === "joining";
    byId("join-button", HTMLButtonElement).textContent =
      state.name === "joining" ? "Connecting…" : state.name === "closed" ? "Reconnect" : "Connect";
    byId("closed", HTMLParagraphElement).hidden = true;
    clearTimeout(this.#awayTimer);
    if (state.name === "away") this.#awayTimer = window.setTimeout(() => this.#show(state), QUIETLY_AWAY_MS);
    else this.#show(state);
    if (online) {
      this.#log.self = this.#connection.self ?? "";
      if (hadFocus === document.body || this.#within("join", hadFocus)) this.#say.focus();
    }
    if (state.name === "closed") {
      this.#renderOnline([]);
      this.#log.dropKept();
      this.#showClosed(state.why);
      if (this.#within("composer", hadFocus)) byId("join-button", HTMLButtonElement).focus();
    }
    this.#listener.connectionChanged();
  }

  /** What was sent and lost nobody can say; what was only kept here is sent now. */
  #fresh(): void {
    this.#log.add({ kind: "notice", text: FRESH_START });
    for (const text of this.#log.takeKept()) this.#connection.say(text);
  }

  #show(state: State): void {
    byId("connection", HTMLParagraphElement).dataset["state"] = state.name;
    byId("connection-text", HTMLSpanElement).textContent = inShort(state);
    byId("away", HTMLParagraphElement).hidden = state.name !== "away";
  }

  #within(form: string, element: Element | null): boolean {
    return byId(form, HTMLFormElement).contains(element);
  }

  #showClosed(why: string): void {
    const closed = byId("closed", HTMLParagraphElement);
    closed.textContent = why;
    closed.hidden = false;
  }

  #received(cmd: number, text: string): void {
    const message = cmd === CMD_CHAT ? readMessage(text) : { kind: "data" as const, text: `cmd ${cmd}: ${text}` };
    if (message.kind === "online") this.#renderOnline(message.names);
    this.#log.add(message);
    if (message.kind !== "online") this.#listener.heard();
  }

  #renderOnline(names: string[]): void {
    const self = this.#connection.self;
    byId("online-count", HTMLSpanElement).textContent = self === null ? "" : `${names.length} online`;
    const list = byId("online", HTMLUListElement);
    list.hidden = names.length === 0;
    list.replaceChildren(
      ...names.map((name) => {
        const entry = make("li", name === self ? "self" : "", name);
        entry.style.setProperty("--hue", String(hueOf(name)));
        if (name === self) entry.append(make("span", "quiet", " (you)"));
        return entry;
      }),
    );
  }
}

function inShort(state: State): string {
  switch (state.name) {
    case "idle":
      return "Not connected";
    case "joining":
      return "Connecting…";
    case "online":
      return `Connected as ${state.as}`;
    case "away":
      return "Trying again…";
    case "closed":
      return "Disconnected";
  }
}

function suggestion(): string {
  return SUGGESTIONS[Math.floor(Math.random() * SUGGESTIONS.length)] ?? "hazel";
}
