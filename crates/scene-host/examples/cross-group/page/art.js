// What things look like: rabbits, fruit, and the two lands. Nothing here knows of servers.

export const COLOURS = ["#e5484d", "#3e63dd", "#2b9a66", "#8e4ec6", "#d6409f", "#0d8f8a", "#a2673f", "#c99a00"];

const NS = "http://www.w3.org/2000/svg";

/** A picture for the text of the page. */
export function icon(name, colour = "currentColor") {
  const shapes = {
    berries: '<circle cx="5.5" cy="10" r="4" fill="#4457b8"/><circle cx="11" cy="8.5" r="4" fill="#5b70d6"/><path d="M8 5c0-3 3-4 5-4 0 3-2 5-5 4z" fill="#3fa067"/>',
    oranges: '<circle cx="8" cy="9.5" r="6" fill="#f08a24"/><path d="M8 4c0-3 3-4 5-3.5 0 3-2 5-5 3.5z" fill="#3fa067"/>',
    rabbit: `<path fill="${colour}" d="M5.2 7C2.3 1 6 .4 7 6h2c1-5.6 4.7-5 1.8 1 3 3 0 8.5-2.8 8.5S2.2 10 5.2 7z"/><circle cx="6.3" cy="9.8" r=".9" fill="#fff"/><circle cx="9.7" cy="9.8" r=".9" fill="#fff"/>`,
  };
  const svg = document.createElementNS(NS, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.innerHTML = shapes[name];
  return svg;
}

/** A rabbit on the ground, its feet at 0, 0; `hop` is how far through a hop it is. */
export function drawRabbit(pen, colour, { hop = 0, isLeft = false, isPacking = false }) {
  const up = Math.abs(Math.sin(hop * Math.PI)) * 7;
  shape(pen, "rgb(0 0 0 / 18%)", () => pen.ellipse(0, 0, 12 - up * 0.4, 4, 0, 0, 7));
  pen.save();
  pen.translate(0, -up);
  if (isLeft) pen.scale(-1, 1);
  shape(pen, "#fff", () => pen.arc(-11, -7, 4, 0, 7));
  for (const [x, lean] of [[4, -0.35], [8, -0.05]]) {
    pen.save();
    pen.translate(x, -18);
    pen.rotate(lean - up * 0.04);
    shape(pen, colour, () => pen.ellipse(0, -8, 3.2, 10, 0, 0, 7));
    shape(pen, "rgb(255 255 255 / 45%)", () => pen.ellipse(0.4, -8, 1.4, 7, 0, 0, 7));
    pen.restore();
  }
  shape(pen, colour, () => pen.ellipse(-2, -8, 11, 8.5, -0.15, 0, 7));
  shape(pen, "rgb(255 255 255 / 30%)", () => pen.ellipse(-2, -4.5, 8, 4, 0, 0, 7));
  shape(pen, colour, () => pen.arc(7, -16, 7.5, 0, 7));
  shape(pen, "#fff", () => pen.arc(9, -17.5, 2.4, 0, 7));
  shape(pen, "#1c1a24", () => pen.arc(9.6, -17.3, 1.4, 0, 7));
  shape(pen, "#ffb3bd", () => pen.arc(14, -14.5, 1.5, 0, 7));
  if (isPacking) {
    shape(pen, "#a2673f", () => pen.roundRect(-20, -19, 14, 11, 2));
    shape(pen, "#6f4526", () => pen.roundRect(-15, -21.5, 4, 3, 1));
  }
  pen.restore();
}

export function drawFruit(pen, kind, x, y) {
  if (kind === "berries") {
    for (const [dx, dy, colour] of [[-4, 1, "#4457b8"], [4, 1, "#4457b8"], [0, -4, "#5b70d6"]]) {
      shape(pen, colour, () => pen.arc(x + dx, y + dy, 4.5, 0, 7));
      shape(pen, "rgb(255 255 255 / 55%)", () => pen.arc(x + dx - 1.3, y + dy - 1.5, 1.1, 0, 7));
    }
  } else {
    shape(pen, "#f08a24", () => pen.arc(x, y, 6.5, 0, 7));
    shape(pen, "rgb(255 255 255 / 50%)", () => pen.arc(x - 2, y - 2, 1.6, 0, 7));
  }
  shape(pen, "#3fa067", () => pen.ellipse(x + 3, y - 8, 4, 2, -0.5, 0, 7));
}

/** Paints a land of this size: the ground, what grows there, and the shore with the pier. */
export function paintLand(pen, isNorth, isDark, [width, height]) {
  const land = isNorth
    ? { ground: isDark ? ["#223449", "#192738"] : ["#fbfdff", "#e3eef8"], spot: isDark ? "#2b425c" : "#ffffff", shade: isDark ? "#14202e" : "#cfdfee" }
    : { ground: isDark ? ["#4a3a23", "#382b19"] : ["#fdeecb", "#f6dca4"], spot: isDark ? "#57452b" : "#fff6df", shade: isDark ? "#2a2012" : "#e6c483" };
  const ground = pen.createLinearGradient(0, 0, 0, height);
  land.ground.forEach((colour, stop) => ground.addColorStop(stop, colour));
  pen.fillStyle = ground;
  pen.fillRect(0, 0, width, height);
  const random = dice(isNorth ? 7 : 11);
  for (let count = 0; count < 26; count += 1) {
    const [x, y, size] = [random() * width, random() * height, 20 + random() * 50];
    pen.globalAlpha = 0.55;
    shape(pen, count % 3 ? land.spot : land.shade, () => pen.ellipse(x, y, size, size * 0.28, 0, 0, 7));
  }
  pen.globalAlpha = 1;
  const trees = [];
  for (let count = 0; count < 15; count += 1) {
    // Along the borders, so that the middle is free.
    const [along, edge] = [random(), count % 3];
    const x = edge ? along * (width - 90) + 45 : (isNorth ? 18 : width - 18) + (random() - 0.5) * 24;
    const y = edge ? (edge === 1 ? 34 + random() * 14 : height - 4 - random() * 10) : 40 + along * (height - 60);
    trees.push([x, y, 0.7 + random() * 0.5]);
  }
  shore(pen, isNorth, isDark, width, height);
  trees.sort((one, other) => one[1] - other[1]);
  for (const tree of trees) (isNorth ? pine : palm)(pen, isDark, ...tree);
}

/** The water between the worlds, at the side where the other one is. */
function shore(pen, isNorth, isDark, width, height) {
  pen.save();
  if (isNorth) pen.translate(width, 0), pen.scale(-1, 1);
  for (const [reach, colour] of isDark
    ? [[30, isNorth ? "#35506d" : "#6a5635"], [24, "#10314d"], [12, "#0c2740"]]
    : [[30, isNorth ? "#d3e6f5" : "#fff9ea"], [24, "#8fcdee"], [12, "#6fbce6"]]) {
    shape(pen, colour, () => {
      pen.moveTo(0, 0);
      for (let y = 0; y <= height; y += 10) pen.lineTo(reach + Math.sin(y / 23 + reach) * 3.5, y);
      pen.lineTo(0, height);
    });
  }
  const middle = height / 2;
  shape(pen, isDark ? "#6d4d31" : "#a2744a", () => pen.rect(0, middle - 16, 46, 32));
  pen.fillStyle = isDark ? "#553a23" : "#7f5733";
  for (let x = 0; x < 46; x += 9) pen.fillRect(x, middle - 16, 1.5, 32);
  for (const side of [-19, 15]) shape(pen, isDark ? "#8a6543" : "#6b4728", () => pen.roundRect(38, middle + side - 4, 7, 10, 2));
  pen.restore();
}

function pine(pen, isDark, x, y, size) {
  shape(pen, "rgb(20 40 60 / 15%)", () => pen.ellipse(x, y, 15 * size, 4 * size, 0, 0, 7));
  shape(pen, "#6b4a33", () => pen.rect(x - 2.5 * size, y - 8 * size, 5 * size, 8 * size));
  for (const [up, wide] of [[6, 16], [17, 13], [27, 9]]) {
    shape(pen, isDark ? "#255747" : "#3d8168", () => triangle(pen, x, y - up * size, wide * size, 17 * size));
    shape(pen, isDark ? "#b9cfe0" : "#fff", () => triangle(pen, x, y - (up + 10) * size, wide * 0.42 * size, 7 * size));
  }
}

function palm(pen, isDark, x, y, size) {
  shape(pen, "rgb(80 50 10 / 16%)", () => pen.ellipse(x + 4 * size, y, 16 * size, 4 * size, 0, 0, 7));
  pen.strokeStyle = isDark ? "#7a5a38" : "#a97b4a";
  pen.lineWidth = 4.5 * size;
  pen.lineCap = "round";
  pen.beginPath();
  pen.moveTo(x, y);
  pen.quadraticCurveTo(x - 3 * size, y - 18 * size, x + 5 * size, y - 32 * size);
  pen.stroke();
  for (const lean of [-2.8, -2.2, -1.3, -0.5, 0.1, 0.7]) {
    pen.save();
    pen.translate(x + 5 * size, y - 32 * size);
    pen.rotate(lean);
    shape(pen, isDark ? "#3a7a4a" : "#4d9a57", () => pen.ellipse(9 * size, 0, 11 * size, 3.4 * size, 0.15, 0, 7));
    pen.restore();
  }
}

function triangle(pen, x, y, half, height) {
  pen.moveTo(x - half, y);
  pen.lineTo(x, y - height);
  pen.lineTo(x + half, y);
}

function shape(pen, colour, path) {
  pen.fillStyle = colour;
  pen.beginPath();
  path();
  pen.fill();
}

/** Random numbers that are the same each time. */
function dice(seed) {
  let state = seed * 2654435761;
  return () => {
    state = (state * 1664525 + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
