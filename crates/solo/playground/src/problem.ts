// One mistake in the script, shown where it is: a mark in the gutter, a tinted
// line and its text under it, for there is no hovering on a phone.
import { lintGutter, setDiagnostics } from "@codemirror/lint";
import { type EditorState, type Extension, StateEffect, StateField } from "@codemirror/state";
import { Decoration, type DecorationSet, EditorView, WidgetType } from "@codemirror/view";
import type { Problem } from "./api";

/** Shows the mistake, or none. */
export function showProblem(view: EditorView, problem: Problem | null): void {
  view.dispatch({ effects: placeProblem.of(problem) });
  const diagnostics = problem ? [{ ...placeOf(view.state, problem), severity: "error" as const, message: problem.message }] : [];
  view.dispatch(setDiagnostics(view.state, diagnostics));
}

const placeProblem = StateEffect.define<Problem | null>();

class Explanation extends WidgetType {
  readonly message: string;

  constructor(message: string) {
    super();
    this.message = message;
  }

  override eq(other: Explanation): boolean {
    return other.message === this.message;
  }

  override toDOM(): HTMLElement {
    const element = document.createElement("div");
    element.className = "problem-text";
    element.textContent = this.message;
    return element;
  }
}

const problemField = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(shown, transaction) {
    for (const effect of transaction.effects) {
      if (effect.is(placeProblem)) return effect.value ? decorate(transaction.state, effect.value) : Decoration.none;
    }
    return shown.map(transaction.changes);
  },
  provide: (field) => EditorView.decorations.from(field),
});

function decorate(state: EditorState, problem: Problem): DecorationSet {
  const line = lineOf(state, problem);
  return Decoration.set([
    Decoration.line({ class: "problem-line" }).range(line.from),
    Decoration.widget({ widget: new Explanation(problem.message), block: true, side: 1 }).range(line.to),
  ]);
}

/** Lines and columns count from 1; a column of 0 means the whole line. */
export function placeOf(state: EditorState, problem: Problem): { from: number; to: number } {
  const line = lineOf(state, problem);
  const from = Math.min(line.from + Math.max(problem.column - 1, 0), line.to);
  return { from: from === line.to ? line.from : from, to: line.to };
}

function lineOf(state: EditorState, problem: Problem) {
  return state.doc.line(Math.min(Math.max(problem.line, 1), state.doc.lines));
}

export const problems: Extension = [problemField, lintGutter()];
