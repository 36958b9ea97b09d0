// The bridge between the two worlds, as it looks on the page: up or down, what crosses
// it, and what can be done with it.

import { COLOURS, icon } from "./art.js";

const PLANKS = 9;
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

export class Bridge {
  #root = document.getElementById("bridge");
  #deck = document.getElementById("deck");
  #status = document.getElementById("status");
  #switch = document.getElementById("switch");
  #state = null;

  constructor() {
    for (let plank = 0; plank < PLANKS; plank += 1) {
      this.#deck.append(Object.assign(document.createElement("i"), { style: `--plank: ${plank - (PLANKS - 1) / 2}` }));
    }
  }

  get isOpen() {
    return this.#state?.open === true;
  }

  /** Shows what a world has found: `{ open, ms }` or `{ open, why }`. */
  show(state) {
    this.#state = state;
    this.#root.dataset.state = state.open ? "up" : "down";
    const ms = state.ms === undefined ? "" : ` A call across takes ${state.ms < 10 ? state.ms.toFixed(1) : Math.round(state.ms)} ms.`;
    const text = state.open ? "The bridge is up." : `The bridge is out: ${state.why}. Both worlds play on.`;
    // Read out when it changes, and not with each measurement.
    if (this.#status.firstChild?.textContent !== text) {
      this.#status.replaceChildren(text, Object.assign(document.createElement("small"), { ariaHidden: "true" }));
    }
    this.#status.lastChild.textContent = ms;
    this.#switch.textContent = state.open ? "Take the bridge down" : "Put the bridge back";
  }

  /** Whoever serves this page can take the bridge down and put it back. */
  async offerSwitch() {
    this.#switch.hidden = false;
    this.#switch.addEventListener("click", async () => {
      this.#switch.disabled = true;
      const headers = { "Content-Type": "application/json" };
      const answer = await fetch("api/bridge", { method: "POST", headers, body: JSON.stringify({ up: !this.isOpen }) }).catch(() => null);
      if (!answer?.ok) this.#status.replaceChildren("The demo does not answer.", document.createElement("small"));
      this.#switch.disabled = false;
    });
  }

  /** Something that was said crosses the bridge. */
  letter(isToTheRight) {
    if (STILL.matches || document.hidden) return;
    const dot = Object.assign(document.createElement("b"), { className: "letter" });
    this.#deck.append(dot);
    const [from, to] = isToTheRight ? ["0%", "100%"] : ["100%", "0%"];
    const flight = dot.animate([{ left: from, translate: "-50% 0" }, { translate: "-50% -14px", offset: 0.5 }, { left: to, translate: "-50% 0" }], { duration: 650, easing: "ease-in-out" });
    flight.onfinish = () => dot.remove();
  }
}

/** A rabbit goes from one place of the page to another; resolves when it is there. */
export async function journey(colour, [fromX, fromY], [toX, toY]) {
  if (STILL.matches || document.hidden) return;
  const rabbit = icon("rabbit", COLOURS[colour]);
  rabbit.classList.add("traveller");
  document.body.append(rabbit);
  const at = (x, y) => `translate(${x + scrollX - 16}px, ${y + scrollY - 30}px)`;
  const top = Math.min(fromY, toY) - 60;
  await rabbit.animate(
    [{ transform: at(fromX, fromY) }, { transform: at((fromX + toX) / 2, top), offset: 0.5 }, { transform: at(toX, toY) }],
    { duration: 800, easing: "ease-in-out" },
  ).finished.catch(() => {});
  rabbit.remove();
}
