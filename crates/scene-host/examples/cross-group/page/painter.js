// Draws a world: where rabbits are said to be comes 15 times a second, and they walk
// smoothly from one place to the next.

import { COLOURS, drawFruit, drawRabbit, paintLand } from "./art.js";

const BUBBLE_MS = 5000;
const BUBBLE_LETTERS = 34;
const JUMP = 90; // who is that far away was not walking
const DARK = matchMedia("(prefers-color-scheme: dark)");
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

export class Painter {
  /** Whose rabbit is the page's own, and who is not to be drawn for now. */
  mine = null;
  hidden = null;
  isLive = true;

  #canvas;
  #pen;
  #isNorth;
  #fruit;
  #size = [640, 400];
  #rabbits = new Map(); // id -> what is known, and where it is shown
  #fruits = [];
  #bubbles = new Map(); // id, or "bridge" -> { text, until }
  #land = document.createElement("canvas");
  #landOf = "";
  #flakes = Array.from({ length: 36 }, () => [Math.random(), Math.random(), 0.5 + Math.random()]);
  #before = 0;

  constructor(canvas, isNorth) {
    [this.#canvas, this.#isNorth] = [canvas, isNorth];
    this.#fruit = isNorth ? "berries" : "oranges";
    this.#pen = canvas.getContext("2d", { alpha: false });
    requestAnimationFrame((now) => this.#frame(now));
  }

  take({ rabbits, fruits }) {
    const known = this.#rabbits;
    this.#rabbits = new Map(rabbits.map(([id, name, colour, x, y, bag, isResident, isPacking]) => {
      const before = known.get(id) ?? { x, y, hop: 0, isLeft: false };
      return [id, { ...before, id, name, colour, bag, isResident, isPacking, toX: x, toY: y }];
    }));
    this.#fruits = fruits;
  }

  /** Somebody says something: it is shown above them, or where the bridge begins. */
  say(id, text) {
    const short = text.length > BUBBLE_LETTERS ? `${text.slice(0, BUBBLE_LETTERS - 1)}…` : text;
    this.#bubbles.set(id, { text: short, until: performance.now() + BUBBLE_MS });
  }

  /** A place of the world, on the page. */
  place(x, y) {
    const { left, top, width, height } = this.#canvas.getBoundingClientRect();
    return [left + (x / this.#size[0]) * width, top + (y / this.#size[1]) * height];
  }

  /** A place of the page, in the world. */
  at(pageX, pageY) {
    const { left, top, width, height } = this.#canvas.getBoundingClientRect();
    return [((pageX - left) / width) * this.#size[0], ((pageY - top) / height) * this.#size[1]];
  }

  #frame(now) {
    const dt = Math.min((now - this.#before) / 1000, 0.1);
    this.#before = now;
    const { clientWidth, clientHeight } = this.#canvas;
    const dpr = devicePixelRatio;
    const [width, height] = [Math.round(clientWidth * dpr), Math.round(clientHeight * dpr)];
    if (width > 0 && height > 0) {
      if (this.#canvas.width !== width || this.#canvas.height !== height) [this.#canvas.width, this.#canvas.height] = [width, height];
      this.#draw(now, dt, width / this.#size[0], height / this.#size[1]);
    }
    requestAnimationFrame((next) => this.#frame(next));
  }

  #draw(now, dt, scale, scaleY) {
    const pen = this.#pen;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.drawImage(this.#landscape(scale, scaleY), 0, 0);
    pen.setTransform(scale, 0, 0, scaleY, 0, 0);
    for (const [, x, y] of this.#fruits) drawFruit(pen, this.#fruit, x, y);
    const rabbits = [...this.#rabbits.values()].filter(({ id }) => id !== this.hidden);
    for (const rabbit of rabbits) walk(rabbit, dt);
    rabbits.sort((one, other) => one.y - other.y);
    for (const rabbit of rabbits) this.#rabbit(rabbit, scale);
    if (this.#isNorth && !STILL.matches) this.#snow(now);
    for (const [id, { text, until }] of this.#bubbles) {
      const [middle, rabbit] = [this.#size[1] / 2, this.#rabbits.get(id)];
      if (until < now || (id !== "bridge" && !rabbit)) this.#bubbles.delete(id);
      else if (rabbit) this.#bubble(text, rabbit.x, rabbit.y - 40, scale);
      else this.#bubble(text, this.#isNorth ? this.#size[0] : 0, middle - 34, scale);
    }
    if (!this.isLive) {
      pen.fillStyle = DARK.matches ? "rgb(10 12 18 / 60%)" : "rgb(245 245 245 / 65%)";
      pen.fillRect(0, 0, ...this.#size);
    }
  }

  #rabbit({ id, name, colour, x, y, hop, isLeft, isResident, isPacking }, scale) {
    const pen = this.#pen;
    const isMine = id === this.mine;
    pen.save();
    pen.translate(x, y);
    if (isMine) {
      pen.strokeStyle = DARK.matches ? "#fff" : "#d13438";
      pen.lineWidth = 2;
      pen.beginPath();
      pen.ellipse(0, 0, 18, 7, 0, 0, 7);
      pen.stroke();
    }
    const grow = Math.max(1, 0.8 / scale);
    pen.scale(grow, grow);
    if (isResident) pen.globalAlpha = 0.75;
    drawRabbit(pen, isResident ? "#9a93a0" : COLOURS[colour], { hop, isLeft, isPacking });
    pen.restore();
    const text = Math.max(11.5, 11 / scale);
    pen.font = `${isMine ? 700 : 500} ${text}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.lineJoin = "round";
    pen.lineWidth = 3;
    pen.strokeStyle = DARK.matches ? "rgb(15 20 30 / 75%)" : "rgb(255 255 255 / 80%)";
    pen.fillStyle = DARK.matches ? "#f2f2f5" : "#24222b";
    pen.strokeText(name, x, y + text + 6);
    pen.fillText(name, x, y + text + 6);
  }

  #bubble(text, x, y, scale) {
    const pen = this.#pen;
    const size = Math.max(12, 11.5 / scale);
    pen.font = `500 ${size}px system-ui, sans-serif`;
    const [width, height] = [pen.measureText(text).width + size * 1.3, size * 1.8];
    const left = Math.max(4, Math.min(x - width / 2, this.#size[0] - width - 4));
    const top = Math.max(4, y - height);
    pen.fillStyle = DARK.matches ? "#f4f3f7" : "#fff";
    pen.strokeStyle = "rgb(30 25 40 / 25%)";
    pen.lineWidth = 1;
    pen.beginPath();
    pen.roundRect(left, top, width, height, height / 2);
    pen.fill();
    pen.stroke();
    pen.fillStyle = "#24222b";
    pen.textAlign = "left";
    pen.fillText(text, left + size * 0.65, top + size * 1.25);
  }

  #snow(now) {
    const pen = this.#pen;
    pen.fillStyle = DARK.matches ? "rgb(220 235 255 / 55%)" : "rgb(150 185 215 / 60%)";
    for (const [x, y, size] of this.#flakes) {
      const down = (y + (now / 26_000) * size) % 1;
      const across = x + Math.sin(now / 2400 + y * 9) * 0.012;
      pen.fillRect(across * this.#size[0], down * this.#size[1], size * 2, size * 2);
    }
  }

  /** The land is painted once. */
  #landscape(scale, scaleY) {
    const { width, height } = this.#canvas;
    const key = `${DARK.matches} ${width} ${height}`;
    if (this.#landOf !== key) {
      this.#landOf = key;
      [this.#land.width, this.#land.height] = [width, height];
      const pen = this.#land.getContext("2d", { alpha: false });
      pen.setTransform(scale, 0, 0, scaleY, 0, 0);
      paintLand(pen, this.#isNorth, DARK.matches, this.#size);
    }
    return this.#land;
  }
}

/** Moves a rabbit on towards where it is said to be. */
function walk(rabbit, dt) {
  const [dx, dy] = [rabbit.toX - rabbit.x, rabbit.toY - rabbit.y];
  const far = Math.hypot(dx, dy);
  const part = far > JUMP ? 1 : 1 - Math.exp(-14 * dt);
  [rabbit.x, rabbit.y] = [rabbit.x + dx * part, rabbit.y + dy * part];
  rabbit.hop = far > 0.8 ? (rabbit.hop + dt * 3.4) % 1 : 0;
  if (Math.abs(dx) > 0.8) rabbit.isLeft = dx < 0;
}
