// Builds dist/: what the master embeds. The same sources and the same lock
// file give the same bytes, so that a diff of dist/ is a diff of the page.
import { build } from "esbuild";
import { copyFile, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
process.chdir(here);
await rm("dist", { recursive: true, force: true });
await mkdir("dist");

const { metafile } = await build({
  entryPoints: { app: "src/main.ts" },
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome109", "firefox115", "safari16.4"],
  charset: "utf8",
  legalComments: "none",
  banner: { js: "/*! Licences of what is bundled here: /licenses.txt */" },
  metafile: true,
});
await build({ entryPoints: ["src/app.css"], outdir: "dist", minify: true, charset: "utf8" });
await copyFile("src/index.html", "dist/index.html");
await copyFile("src/rabbit.svg", "dist/rabbit.svg");
await writeFile("dist/licenses.txt", await licenses(bundledPackages(metafile)));

/** The packages that gave bytes to the bundle, in alphabetical order. */
function bundledPackages(meta) {
  const names = new Set();
  for (const output of Object.values(meta.outputs)) {
    for (const input of Object.keys(output.inputs)) {
      const found = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
      if (found) names.add(found[1]);
    }
  }
  return [...names].sort();
}

/** Every bundled package with its licence in full. */
async function licenses(names) {
  const parts = ["The page of the console contains these packages.\n"];
  for (const name of names) {
    const folder = join("node_modules", name);
    const about = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    const file = (await readdir(folder)).find((entry) => /^licen[cs]e(\.|$)/i.test(entry));
    if (!file) throw new Error(`${name} carries no licence text`);
    const text = (await readFile(join(folder, file), "utf8")).replace(/\r\n/g, "\n").trim();
    parts.push(`${"=".repeat(72)}\n${name} ${about.version} (${about.license})\n\n${text}\n`);
  }
  return parts.join("\n");
}
