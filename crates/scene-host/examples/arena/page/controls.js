// What the player wants: keys, the mouse, or two thumbs.

const KEYS = {
  KeyW: [0, -1], ArrowUp: [0, -1],
  KeyS: [0, 1], ArrowDown: [0, 1],
  KeyA: [-1, 0], ArrowLeft: [-1, 0],
  KeyD: [1, 0], ArrowRight: [1, 0],
};
const REACH = 56; // how far a thumb has to go for full thrust, in pixels

export class Controls {
  /** Where the left thumb went down and is now, if it is; for whoever draws it. */
  thumb = null;
  #held = new Set();
  #thumbId = null;
  #firing = new Set(); // pointers that fire
  #mouse = null;

  constructor(view) {
    addEventListener("keydown", (event) => {
      if (event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey) return;
      this.#held.add(event.code);
      if (event.code in KEYS || event.code === "Space") event.preventDefault();
    });
    addEventListener("keyup", (event) => this.#held.delete(event.code));
    addEventListener("blur", () => this.release());
    view.addEventListener("pointerdown", (event) => this.#down(event));
    addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) addEventListener(end, (event) => this.#up(event));
    view.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  /** Lets go of everything. */
  release() {
    this.#held.clear();
    this.#firing.clear();
    this.thumb = this.#thumbId = this.#mouse = null;
  }

  get isFiring() {
    return this.#held.has("Space") || this.#firing.size > 0 || this.#mouse !== null;
  }

  /** Where to, no longer than 1; `rabbit` is where one's own is on the screen. */
  stick(rabbit) {
    let [x, y] = [0, 0];
    for (const code of this.#held) {
      x += KEYS[code]?.[0] ?? 0;
      y += KEYS[code]?.[1] ?? 0;
    }
    if (this.thumb) [x, y] = [(this.thumb.x - this.thumb.fromX) / REACH, (this.thumb.y - this.thumb.fromY) / REACH];
    if (this.#mouse) [x, y] = [(this.#mouse.x - rabbit.x) / REACH, (this.#mouse.y - rabbit.y) / REACH];
    const length = Math.max(Math.hypot(x, y), 1);
    return [x / length, y / length];
  }

  #down(event) {
    const { clientX: x, clientY: y, pointerId } = event;
    if (event.pointerType === "mouse") {
      this.#mouse = { x, y };
    } else if (x < innerWidth / 2 && this.#thumbId === null) {
      this.#thumbId = pointerId;
      this.thumb = { fromX: x, fromY: y, x, y };
    } else {
      this.#firing.add(pointerId);
    }
  }

  #move({ clientX: x, clientY: y, pointerId, pointerType }) {
    if (pointerType === "mouse" && this.#mouse) this.#mouse = { x, y };
    if (pointerId === this.#thumbId) Object.assign(this.thumb, { x, y });
  }

  #up({ pointerId, pointerType }) {
    if (pointerType === "mouse") this.#mouse = null;
    if (pointerId === this.#thumbId) this.thumb = this.#thumbId = null;
    this.#firing.delete(pointerId);
  }
}
