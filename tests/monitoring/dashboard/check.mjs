// Writes the dashboard down as TypeScript, each part under the type that Grafana's own
// package has for it: then the compiler finds what is missing, what is of another type
// and what Grafana does not know. Run by ../run: npm run check.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

const HEAD = `import type { Dashboard, Panel, RowPanel } from "@grafana/schema";
import type {
  FieldConfig as TimeSeriesFields,
  Options as TimeSeriesOptions,
} from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

// As it stands in JSON: the values of enums, and not their names.
type Plain<T> = T extends string
  ? \`\${T}\`
  : T extends number | boolean | null | undefined
    ? T
    : T extends (infer Item)[]
      ? Plain<Item>[]
      : T extends object
        ? { [Key in keyof T]: Plain<T[Key]> }
        : T;

`;

const dashboard = JSON.parse(
  readFileSync(new URL("../../../deploy/grafana/redrabbit.json", import.meta.url), "utf8"),
);
const lines = [];
const has = (name, type, value) =>
  lines.push(`export const ${name}: Plain<${type}> = ${JSON.stringify(value, null, 1)};\n`);

has("dashboard", "Dashboard", { ...dashboard, panels: [] });
for (const panel of dashboard.panels) {
  const name = `panel_${panel.id}`;
  has(name, panel.type === "row" ? "RowPanel" : "Panel", panel);
  // What a kind of panel has of its own is anything to the types above.
  if (panel.type === "timeseries") {
    has(`${name}_options`, "TimeSeriesOptions", panel.options);
    has(`${name}_fields`, "TimeSeriesFields", panel.fieldConfig.defaults.custom);
  }
}
if (dashboard.panels.length < 20) throw new Error("there is hardly a panel");
mkdirSync(new URL("made", import.meta.url), { recursive: true });
writeFileSync(new URL("made/dashboard.ts", import.meta.url), HEAD + lines.join("\n"));
console.log(`${dashboard.panels.length} panels and rows by Grafana's types`);
