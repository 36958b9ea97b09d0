// What the tests know of the demo script: the place where it says what was said.

const PLACE = "text=text, time=now";
const HANDLER = "@ffext.session_call(CHAT)";

/** A change of the demo script after which this expression of `text` is what is said. */
export function answering(expression) {
  return (source) => {
    if (!source.includes(PLACE)) throw new Error(`the demo script has no \`${PLACE}\` to change`);
    return source.replace(PLACE, `text=${expression}, time=now`);
  };
}

/** The demo script without ears: nothing that is said is handled. */
export function deaf(source) {
  if (!source.includes(HANDLER)) throw new Error(`the demo script has no \`${HANDLER}\` to take away`);
  return source.replace(HANDLER, "");
}
