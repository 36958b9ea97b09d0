// One WebSocket to the gate: join under a name, talk, and learn in words why it
// ended. It never reconnects by itself: that a reload of the script disconnects
// nobody should be seen, not hidden.
import { bodyText, CMD_CHAT, CMD_PING, CMD_VERIFY, decodeFrame, encodeFrame, FLAG_CLOSED } from "./wire";
import { reasonInWords, refusalInWords } from "./words";

export type State =
  | { name: "idle" }
  | { name: "joining"; as: string }
  | { name: "online"; as: string }
  | { name: "closed"; as: string; why: string };

/** The gate ends what it has not heard for a minute. */
const PING_EVERY_MS = 20_000;
const ANSWER_WITHIN_MS = 15_000;

export interface Listener {
  stateChanged(state: State): void;
  /** The body of a message of the script. */
  received(cmd: number, text: string): void;
}

export class Connection {
  #socket: WebSocket | null = null;
  #state: State = { name: "idle" };
  #timer = 0;
  readonly #listener: Listener;

  constructor(listener: Listener) {
    this.#listener = listener;
  }

  get state(): State {
    return this.#state;
  }

  join(url: string, name: string): void {
    if (this.#socket) return;
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#enter({ name: "joining", as: name });
    this.#expectAnswer(socket);
    socket.onopen = () => socket.send(encodeFrame(CMD_VERIFY, name));
    socket.onmessage = (event) => {
      if (socket === this.#socket) this.#read(socket, event.data);
    };
    socket.onclose = () => {
      const why =
        this.#state.name === "joining"
          ? `Nobody answered at ${url}. Is the demo still running?`
          : "The connection was lost. Is the demo still running?";
      this.#end(socket, why);
    };
  }

  leave(): void {
    if (this.#socket) this.#end(this.#socket, "You left the chat.");
  }

  say(text: string): void {
    if (this.#state.name === "online") this.#socket?.send(encodeFrame(CMD_CHAT, JSON.stringify([text])));
  }

  #read(socket: WebSocket, data: unknown): void {
    const frame = data instanceof ArrayBuffer ? decodeFrame(data) : null;
    if (!frame) {
      this.#end(socket, "The gate sent something that is not the protocol.");
    } else if (frame.cmd === CMD_VERIFY) {
      this.#answered(socket, frame.flags, bodyText(frame.body));
    } else if (frame.cmd === CMD_PING) {
      this.#pingLater(socket);
    } else {
      this.#listener.received(frame.cmd, bodyText(frame.body));
    }
  }

  #answered(socket: WebSocket, flags: number, text: string): void {
    const joining = this.#state.name === "joining";
    if (flags & FLAG_CLOSED) {
      this.#end(socket, joining ? refusalInWords(text) : reasonInWords(text));
    } else if (this.#state.name === "joining") {
      this.#enter({ name: "online", as: this.#state.as });
      this.#pingLater(socket);
    }
  }

  /**
   * Each ping is set off by the answer to the one before. Browsers slow chains
   * of timers in hidden tabs to one a minute, which is too late; a timer that a
   * message has started is not part of such a chain.
   */
  #pingLater(socket: WebSocket): void {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => {
      socket.send(encodeFrame(CMD_PING, ""));
      this.#expectAnswer(socket);
    }, PING_EVERY_MS);
  }

  #expectAnswer(socket: WebSocket): void {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.#end(socket, "The gate no longer answers."), ANSWER_WITHIN_MS);
  }

  /** Only the first reason counts: it is the cause, what follows is its effect. */
  #end(socket: WebSocket, why: string): void {
    if (socket !== this.#socket) return;
    clearTimeout(this.#timer);
    this.#socket = null;
    socket.onopen = null;
    socket.onclose = null;
    socket.close();
    const as = this.#state.name === "idle" ? "" : this.#state.as;
    this.#enter({ name: "closed", as, why });
  }

  #enter(state: State): void {
    this.#state = state;
    this.#listener.stateChanged(state);
  }
}
