// What is behind the form: a few rabbits that nobody steers, made up by the page.

const COLOURS = ["#ff4d5e", "#4dd2ff", "#ffd24d", "#7dff8a", "#c58bff"];

/** A world like that of world.js. */
export class Welcome {
  rules = { world: [1500, 940], size: 22, lives: 3, carrot: "#ff8c42", background: "#0b0d17" };
  #time = 0;
  #carrots = Array.from({ length: 24 }, (_, number) => [number, Math.random() * 1500, Math.random() * 940]);

  moveTo(now) {
    this.#time = now / 1000;
  }

  carrots() {
    return this.#carrots;
  }

  rabbits() {
    return COLOURS.map((colour, index) => {
      const at = (time) => [
        750 + Math.sin(time * 0.55 + index * 1.3) * 640,
        470 + Math.sin(time * 0.83 + index * 2.1) * 390,
      ];
      const [[x, y], [nextX, nextY]] = [at(this.#time), at(this.#time + 0.05)];
      return { name: "", colour, x, y, angle: Math.atan2(nextY - y, nextX - x), carrots: 0, lives: 3, push: 0.9 };
    });
  }

  shots() {
    return [];
  }
}
