// The code editor: a document, whether it differs from what was saved, and a
// mistake shown where it is.
import { closeBrackets, closeBracketsKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { python } from "@codemirror/lang-python";
import { bracketMatching, indentOnInput, indentUnit } from "@codemirror/language";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState, type Extension, type Text } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import type { Problem } from "./api";
import { hangingIndent } from "./indent";
import { placeOf, problems, showProblem } from "./problem";
import { theme } from "./theme";

export class Editor {
  readonly #view: EditorView;
  readonly #extensions: Extension;
  #saved: Text;
  #lineBreak = "\n";

  constructor(parent: HTMLElement, changed: () => void) {
    this.#extensions = [
      EditorView.cspNonce.of(styleNonce()),
      lineNumbers(),
      highlightSpecialChars(),
      history(),
      drawSelection(),
      indentOnInput(),
      indentUnit.of("    "),
      EditorState.tabSize.of(4),
      bracketMatching(),
      closeBrackets(),
      highlightActiveLine(),
      highlightActiveLineGutter(),
      highlightSelectionMatches(),
      hangingIndent,
      EditorView.contentAttributes.of({
        "aria-label": "The script. Press Escape, then Tab, to leave the editor.",
        autocapitalize: "off",
      }),
      keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, indentWithTab]),
      python(),
      problems,
      theme,
      EditorView.updateListener.of((update) => {
        if (update.docChanged) changed();
      }),
    ];
    this.#view = new EditorView({ parent, extensions: this.#extensions });
    this.#saved = this.#view.state.doc;
  }

  /** Replaces the document by what the file holds; keeps the place where it can. */
  load(source: string): void {
    this.#lineBreak = source.includes("\r\n") ? "\r\n" : "\n";
    const { head } = this.#view.state.selection.main;
    const top = this.#view.scrollDOM.scrollTop;
    const state = EditorState.create({ doc: source, extensions: this.#extensions });
    this.#view.setState(state);
    this.#view.dispatch({ selection: { anchor: Math.min(head, state.doc.length) } });
    this.#view.scrollDOM.scrollTop = top;
    this.#saved = state.doc;
  }

  /** What is in the editor now; `markSaved` says later that just this was saved. */
  content(): { source: string; markSaved: () => void } {
    const { doc } = this.#view.state;
    return {
      source: doc.toString().replaceAll("\n", this.#lineBreak),
      markSaved: () => {
        this.#saved = doc;
      },
    };
  }

  get changed(): boolean {
    return !this.#view.state.doc.eq(this.#saved);
  }

  showProblem(problem: Problem | null): void {
    showProblem(this.#view, problem);
  }

  goTo(problem: Problem): void {
    const { from } = placeOf(this.#view.state, problem);
    this.#view.dispatch({
      selection: { anchor: from },
      effects: EditorView.scrollIntoView(from, { y: "center" }),
    });
    this.#view.focus();
  }
}

/** The editor makes its own style element, which the page's policy allows by nonce. */
function styleNonce(): string {
  return document.querySelector<HTMLScriptElement>("script[nonce]")?.nonce ?? "";
}
