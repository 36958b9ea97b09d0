// Keys: which way a rabbit is to walk, and shortcuts.

const WAYS = {
  KeyW: [0, -1], KeyA: [-1, 0], KeyS: [0, 1], KeyD: [1, 0],
  ArrowUp: [0, -1], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowRight: [1, 0],
};

/** Calls `steer` with each new direction, `travel` and `talk` when they are asked for. */
export function listen({ steer, travel, talk }) {
  const held = new Set();
  let before = "0,0";
  const tell = () => {
    const sum = [...held].reduce(([x, y], code) => [x + WAYS[code][0], y + WAYS[code][1]], [0, 0]);
    const way = sum.map(Math.sign);
    if (way.join() === before) return;
    before = way.join();
    steer(way);
  };
  addEventListener("keydown", (event) => {
    const isWriting = event.target.matches("input, textarea");
    if (event.key === "Escape" && isWriting) event.target.blur();
    if (isWriting || event.ctrlKey || event.metaKey || event.altKey) return;
    // A log that has the focus is scrolled by the arrows.
    if (event.code in WAYS && !(event.target.matches(".chat") && event.code.startsWith("Arrow"))) {
      event.preventDefault();
      held.add(event.code);
      tell();
    } else if (event.code === "KeyT" && !event.repeat) {
      travel();
    } else if (event.key === "Enter" && !event.target.matches("button, a")) {
      event.preventDefault();
      talk();
    }
  });
  addEventListener("keyup", ({ code }) => held.delete(code) && tell());
  // Keys that are let go elsewhere are not heard of.
  const letGo = () => (held.clear(), tell());
  addEventListener("blur", letGo);
  addEventListener("focusin", ({ target }) => target.matches("input") && letGo());
}
