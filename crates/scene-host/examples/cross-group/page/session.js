// A world as this page is connected to it: as a player, or as somebody who looks on.
// When the connection ends, it is made again.

import { Gate } from "./gate.js";

export const [STEER, GO, SAY, TRAVEL, RENAME] = [1, 2, 3, 4, 5];
export const [STATE, CHAT, BRIDGE, TICKET, TOLD] = [10, 11, 12, 13, 14];

const AGAIN_MS = 700;

export class Session {
  /** Called with each message: its cmd and its value. */
  onMessage = (cmd, value) => {};
  /** Called when it is connected: with what the server has said, or null when it is not. */
  onChange = (welcome) => {};
  /** Called when the server does not know this key, or not any more. */
  onRefused = (reason) => {};

  #address;
  #gate = null;
  #round = 0; // of several attempts only the newest counts

  constructor(address) {
    this.#address = address;
  }

  /** Looks on. */
  watch() {
    return this.#connect({ watch: true });
  }

  /** Plays a new rabbit of this name. */
  join(name) {
    return this.#connect({ name });
  }

  /** Plays the rabbit that belongs to this key. */
  play(key) {
    return this.#connect({ key });
  }

  send(cmd, value = null) {
    this.#gate?.send(cmd, value);
  }

  async #connect(wish) {
    const round = (this.#round += 1);
    // Its end is no news any more: the new connection may be what ends it.
    const before = this.#gate;
    if (before) before.onEnd = () => {};
    for (;;) {
      try {
        const { gate, welcome } = await Gate.login(this.#address, JSON.stringify(wish));
        if (round !== this.#round) return gate.close();
        before?.close();
        this.#gate = gate;
        gate.onMessage = (cmd, value) => this.onMessage(cmd, value);
        gate.onEnd = (reason) => this.#ended(reason, welcome.key ? { key: welcome.key } : wish);
        this.onChange(welcome);
        return;
      } catch ({ message }) {
        if (round !== this.#round) return;
        if (message === "verify_refused") return this.onRefused(message);
        if (!before) this.onChange(null);
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      if (round !== this.#round) return;
    }
  }

  #ended(reason, wish) {
    this.#gate = null;
    this.onChange(null);
    if (reason === "replaced") this.onRefused(reason);
    else setTimeout((round) => round === this.#round && this.#connect(wish), AGAIN_MS, this.#round);
  }
}
