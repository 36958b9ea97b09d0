// Puts the SDK, as JavaScript, into the pages of the examples: they are served as they
// are, without a build.
import { readFile, writeFile } from "node:fs/promises";

const EXAMPLES = new URL("../../scene-host/examples/", import.meta.url);

const made = await readFile(new URL("dist/redrabbit.js", import.meta.url), "utf8");
const copy = `// Made of crates/client/typescript/redrabbit.ts by \`npm run copies\` there.\n//\n${made}`;
for (const page of ["arena/page", "cross-group/page"]) {
  await writeFile(new URL(`${page}/redrabbit.js`, EXAMPLES), copy);
}
