// A rabbit with a jetpack, seen from above, looking to the right.

/** Draws one at its place; the ears lie back when it flies, and twitch when not. */
export function drawRabbit(pen, { x, y, angle, push, colour, name }, size, time) {
  pen.save();
  pen.translate(x, y);
  pen.rotate(angle);
  pen.scale(size, size);
  const spread = 0.5 - 0.32 * push + 0.06 * Math.sin(time * 5 + name.length * 2);
  for (const side of [-1, 1]) ear(pen, side, spread, colour);
  shape(pen, "#f4f6ff", () => pen.arc(-1.02, 0, 0.26, 0, 7)); // the tail
  shape(pen, colour, () => pen.ellipse(0, 0, 1.05, 0.78, 0, 0, 7));
  shape(pen, "rgb(0 0 0 / 22%)", () => pen.ellipse(-0.3, 0, 0.72, 0.66, 0, 0, 7));
  shape(pen, "rgb(255 255 255 / 28%)", () => pen.ellipse(0.5, 0, 0.42, 0.5, 0, 0, 7)); // the face
  for (const side of [-1, 1]) {
    shape(pen, "#2b3050", () => pen.roundRect(-0.98, side * 0.3 - 0.2, 0.85, 0.4, 0.18)); // the jetpack
    shape(pen, "#11142a", () => pen.arc(0.52, side * 0.36, 0.16, 0, 7));
    shape(pen, "#fff", () => pen.arc(0.58, side * 0.36 - 0.05, 0.06, 0, 7));
  }
  shape(pen, "#ffd0d6", () => pen.arc(0.98, 0, 0.12, 0, 7)); // the nose
  pen.restore();
}

function ear(pen, side, spread, colour) {
  pen.save();
  pen.translate(0.05, side * 0.42);
  pen.rotate(side * -spread);
  shape(pen, colour, () => pen.ellipse(-0.95, 0, 1.05, 0.3, 0, 0, 7));
  shape(pen, "rgb(255 220 226 / 55%)", () => pen.ellipse(-1, 0, 0.72, 0.14, 0, 0, 7));
  pen.restore();
}

function shape(pen, colour, path) {
  pen.fillStyle = colour;
  pen.beginPath();
  path();
  pen.fill();
}
