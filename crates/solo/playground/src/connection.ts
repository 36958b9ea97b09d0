// The session at the gate: join under a name, talk, and say in words what becomes of
// it. A lost connection is replaced by the SDK.
import { decodeText, GateError, Session } from "../../../client/typescript/redrabbit";
import { reasonInWords, refusalInWords } from "./words";

export type State =
  | { name: "idle" }
  | { name: "joining"; as: string }
  | { name: "online"; as: string }
  /** The connection is lost and tried again; what is said is kept. */
  | { name: "away"; as: string }
  | { name: "closed"; as: string; why: string };

/** What clients and the script call a message of the chat. */
export const CMD_CHAT = 1;

export interface Listener {
  stateChanged(state: State): void;
  /** There is another connection, and nothing was lost. */
  back(awayMs: number): void;
  /** The player was let in anew: what was under way is lost. */
  fresh(): void;
  /** The body of a message of the script. */
  received(cmd: number, text: string): void;
}

export class Connection {
  #session: Session | null = null;
  #state: State = { name: "idle" };
  #lostAt = 0;
  readonly #listener: Listener;

  constructor(listener: Listener) {
    this.#listener = listener;
  }

  get state(): State {
    return this.#state;
  }

  /** Who this is at the gate; null for nobody. */
  get self(): string | null {
    return this.#state.name === "online" || this.#state.name === "away" ? this.#state.as : null;
  }

  async join(url: string, name: string): Promise<void> {
    if (this.#state.name === "joining" || this.#session) return;
    this.#enter({ name: "joining", as: name });
    try {
      this.#session = await Session.login(url, {
        key: name,
        onMessage: ({ cmd, body }) => this.#listener.received(cmd, decodeText(body)),
        onAway: () => this.#away(name),
        onBack: () => {
          this.#enter({ name: "online", as: name });
          this.#listener.back(Date.now() - this.#lostAt);
        },
        onFresh: () => {
          this.#enter({ name: "online", as: name });
          this.#listener.fresh();
        },
        onClosed: (error) => this.#closed(name, error),
      });
    } catch (error) {
      this.#end(name, refusal(error, url));
      return;
    }
    this.#enter({ name: "online", as: name });
  }

  leave(): void {
    const self = this.self;
    this.#session?.close();
    if (self !== null) this.#end(self, "You left the chat.");
  }

  /** Whether it is said, now or when there is a connection again. */
  say(text: string): boolean {
    if (!this.#session || this.#session.isFull) return false;
    this.#session.send(CMD_CHAT, [text]);
    return true;
  }

  #away(name: string): void {
    this.#lostAt = Date.now();
    this.#enter({ name: "away", as: name });
  }

  #closed(name: string, error: GateError): void {
    const isAway = this.#state.name === "away";
    if (error.reason === "socket_error") {
      this.#end(name, "The connection was lost, and nobody answers. Is the demo still running?");
    } else {
      this.#end(name, isAway ? refusalInWords(error.reason) : reasonInWords(error.reason));
    }
  }

  #end(name: string, why: string): void {
    this.#session = null;
    this.#enter({ name: "closed", as: name, why });
  }

  #enter(state: State): void {
    this.#state = state;
    this.#listener.stateChanged(state);
  }
}

function refusal(error: unknown, url: string): string {
  if (!(error instanceof GateError)) return String(error);
  if (error.reason === "socket_error") return `Nobody answered at ${url}. Is the demo still running?`;
  return refusalInWords(error.reason);
}
