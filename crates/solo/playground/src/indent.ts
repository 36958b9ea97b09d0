// Long lines wrap, and what has wrapped stays under its own indentation, so that
// code keeps its shape on a phone.
import { type Extension, RangeSetBuilder } from "@codemirror/state";
import { Decoration, type DecorationSet, EditorView, ViewPlugin, type ViewUpdate } from "@codemirror/view";

/** Deeper lines hang as these do. */
const DEEPEST = 32;
const START_REM = 0.5;

// Classes, because the page's policy allows no style attributes.
const rules: Record<string, Record<string, string>> = {};
for (let depth = 1; depth <= DEEPEST; depth++) {
  rules[`.cm-line.hang-${depth}`] = { textIndent: `-${depth}ch`, paddingLeft: `calc(${depth}ch + ${START_REM}rem)` };
}

const hanging = ViewPlugin.define(
  (view) => ({
    decorations: hang(view),
    update(update: ViewUpdate) {
      if (update.docChanged || update.viewportChanged) this.decorations = hang(update.view);
    },
  }),
  { decorations: (plugin) => plugin.decorations },
);

function hang(view: EditorView): DecorationSet {
  const lines = new RangeSetBuilder<Decoration>();
  for (const { from, to } of view.visibleRanges) {
    for (let at = from; at <= to; ) {
      const line = view.state.doc.lineAt(at);
      const depth = Math.min(/^ */.exec(line.text)?.[0].length ?? 0, DEEPEST);
      if (depth > 0) lines.add(line.from, line.from, Decoration.line({ class: `hang-${depth}` }));
      at = line.to + 1;
    }
  }
  return lines.finish();
}

export const hangingIndent: Extension = [EditorView.lineWrapping, hanging, EditorView.theme(rules)];
