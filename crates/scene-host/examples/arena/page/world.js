// What the server has said, made smooth. It says where all things are 20 times a
// second, and a screen shows 60 pictures or more. So the page shows the world as it
// was a moment ago, between two of the pictures that it was sent.

const BEHIND_TICKS = 1.5; // how long ago, in ticks: so much may one be late unseen
const KEPT = 6;
const JUMP = 300; // what is so far away a tick later was not moved but put there

export class World {
  rules = null;
  #pictures = []; // oldest first
  #offset = Infinity; // this clock minus the server's, in ms
  #from = null;
  #to = null;
  #part = 0;

  /** Takes the numbers of the script that everything is drawn by. */
  setRules(rules) {
    if (this.rules?.ticks !== rules.ticks) this.#forget();
    this.rules = rules;
  }

  /** Takes a picture that has just come. */
  take(picture, now) {
    if (this.newest && picture.tick <= this.newest.tick) this.#forget();
    picture.at = picture.tick * this.#tickMs;
    for (const kind of ["rabbits", "shots", "carrots"]) {
      picture[kind] = new Map(picture[kind].map(([key, ...rest]) => [key, rest]));
    }
    // The quickest one tells best how far the clocks are apart; clocks drift, so it
    // is forgotten slowly, and at once when the server has stood still.
    const offset = now - picture.at;
    const stoodStill = offset - this.#offset > 250;
    this.#offset = stoodStill ? offset : Math.min(offset, this.#offset + 0.2);
    this.#pictures.push(picture);
    if (this.#pictures.length > KEPT) this.#pictures.shift();
  }

  /** The newest picture. */
  get newest() {
    return this.#pictures.at(-1);
  }

  /** What is to be shown from now on is the world at this moment. */
  moveTo(now) {
    const shown = now - this.#offset - BEHIND_TICKS * this.#tickMs;
    const pictures = this.#pictures;
    let last = pictures.findIndex((picture) => picture.at > shown);
    if (last === -1) last = pictures.length - 1;
    this.#to = pictures[last];
    this.#from = pictures[Math.max(last - 1, 0)];
    const span = this.#to.at - this.#from.at;
    // If the next one is late, things go on for one more tick as they went.
    this.#part = span > 0 ? Math.max(0, Math.min((shown - this.#from.at) / span, 2)) : 1;
  }

  /** The carrots: [number, x, y] each. */
  carrots() {
    return [...this.#to.carrots].map(([number, [x, y]]) => [number, x, y]);
  }

  rabbits() {
    return [...this.#to.rabbits].map(([name, to]) => {
      const from = this.#from.rabbits.get(name) ?? to;
      const [colour, toX, toY, toAngle, carrots, lives, push] = to;
      const [x, y] = this.#between(from[1], from[2], toX, toY);
      const turn = Math.atan2(Math.sin(toAngle - from[3]), Math.cos(toAngle - from[3]));
      const angle = from[3] + turn * Math.min(this.#part, 1);
      return { name, colour: this.rules.colours[colour], x, y, angle, carrots, lives, push };
    });
  }

  /** The shots, each with the way that it flies; one begins where it was fired. */
  shots() {
    const both = [...this.#to.shots].filter(([number]) => this.#from.shots.has(number));
    return both.map(([number, [toX, toY, by]]) => {
      const [fromX, fromY] = this.#from.shots.get(number);
      const [x, y] = this.#between(fromX, fromY, toX, toY);
      return { number, x, y, angle: Math.atan2(toY - fromY, toX - fromX), by };
    });
  }

  #between(fromX, fromY, toX, toY) {
    const [dx, dy] = [toX - fromX, toY - fromY];
    if (Math.hypot(dx, dy) > JUMP) return [toX, toY];
    return [fromX + dx * this.#part, fromY + dy * this.#part];
  }

  get #tickMs() {
    return 1000 / (this.rules?.ticks ?? 20);
  }

  #forget() {
    this.#pictures = [];
    this.#offset = Infinity;
  }
}
