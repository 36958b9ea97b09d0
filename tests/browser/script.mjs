// What the tests know of the demo script: the place where it says what was said.

const PLACE = "text=text, time=now";

/** A change of the demo script after which this expression of `text` is what is said. */
export function answering(expression) {
  return (source) => {
    if (!source.includes(PLACE)) throw new Error(`the demo script has no \`${PLACE}\` to change`);
    return source.replace(PLACE, `text=${expression}, time=now`);
  };
}
