// A world as this page is connected to it: as a player, or as somebody who looks on.
// When the session ends, another one is begun.

import { decodeJson, Session as GateSession } from "./redrabbit.js";

export const [STEER, GO, SAY, TRAVEL, RENAME] = [1, 2, 3, 4, 5];
export const [STATE, CHAT, BRIDGE, TICKET, TOLD] = [10, 11, 12, 13, 14];

const AGAIN_MS = 700;

export class Session {
  /** Called with each message: its cmd and its value. */
  onMessage = (cmd, value) => {};
  /** Called when it is connected: with what the server has said, or null when it is not. */
  onChange = (welcome) => {};
  /** Called when the connection is lost, and when there is another one: nothing is missed. */
  onAway = (isAway) => {};
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
    if (this.#gate && !this.#gate.isFull) this.#gate.send(cmd, JSON.stringify(value));
  }

  async #connect(wish) {
    const round = (this.#round += 1);
    const isNewest = () => round === this.#round;
    const before = this.#gate;
    let [gate, welcome] = [null, null];
    // Whoever has a rabbit comes back to that one.
    const again = () => (welcome?.key ? { key: welcome.key } : wish);
    const options = {
      key: () => JSON.stringify(again()),
      onMessage: ({ cmd, body }) => this.onMessage(cmd, decodeJson(body)),
      onAway: () => isNewest() && this.onAway(true),
      onBack: () => isNewest() && this.onAway(false),
      onFresh: (reply) => isNewest() && this.onChange((welcome = decodeJson(reply))),
      onClosed: ({ reason }) => {
        if (this.#gate === gate) this.#gate = null;
        // The end of an older one is no news: the newer one may be what has ended it.
        if (isNewest()) this.#ended(reason, again());
      },
    };
    for (;;) {
      try {
        gate = await GateSession.login(this.#address, options);
        if (!isNewest()) return gate.close();
        before?.close();
        this.#gate = gate;
        this.onChange((welcome = decodeJson(gate.reply)));
        return;
      } catch ({ reason }) {
        if (!isNewest()) return;
        if (reason === "verify_refused") return this.onRefused(reason);
        if (!before) this.onChange(null);
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      if (!isNewest()) return;
    }
  }

  #ended(reason, wish) {
    this.onChange(null);
    if (reason === "replaced") this.onRefused(reason);
    else setTimeout((round) => round === this.#round && this.#connect(wish), AGAIN_MS, this.#round);
  }
}
