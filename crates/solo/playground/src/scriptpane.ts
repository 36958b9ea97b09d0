// The right side: the script in the editor, Save, and what became of it.
import { ApiError, loadScript, type Problem, reloadScript, type Saved, saveScript, type Script, type Status, watchStatus } from "./api";
import { byId } from "./dom";
import { Editor } from "./editor";
import { failedPlace, type Facts, markOf, newsOf } from "./news";
import { type Acts, NewsStrip } from "./newsstrip";
import { forgetToken } from "./token";

const WATCH_AGAIN_MS = 2_000;

const NO_TOKEN =
  "Whoever saves this script runs code on this machine, so it opens only with the full address that the demo printed when it started, the one that ends in #token=… . The chat works all the same.";
const OLD_TOKEN = "The demo has been started anew since. Open the address that it printed this time. The chat works all the same.";
const OLD_TOKEN_UNSAVED =
  "The demo has been started anew since. Open the address that it printed this time, in this tab: your changes stay here and can be saved then.";

export interface ScriptListener {
  /** How to say `reload` in the chat; null while it is not connected. */
  sayReload(): (() => void) | null;
}

export class ScriptPane {
  readonly #listener: ScriptListener;
  readonly #editor: Editor;
  readonly #strip = new NewsStrip();
  #token: string | null = null;
  #watch: AbortController | null = null;
  #canReload = false;
  #facts: Facts = NOTHING_LOADED;

  constructor(listener: ScriptListener) {
    this.#listener = listener;
    this.#editor = new Editor(byId("editor", HTMLDivElement), () => this.#edited());
    byId("save", HTMLButtonElement).onclick = () => void this.save();
    byId("retry", HTMLButtonElement).onclick = () => void this.open(this.#token);
    if (/Mac|iPhone|iPad/.test(navigator.platform)) byId("save-keys", HTMLElement).textContent = "⌘ S";
    addEventListener("beforeunload", (event) => {
      if (this.#facts.changed) event.preventDefault();
    });
  }

  /** Loads the script and follows its reloads; without a token, says how to get one. */
  async open(token: string | null): Promise<void> {
    this.#watch?.abort();
    this.#token = token;
    if (!token) {
      this.#lock("The script is behind a key", NO_TOKEN, false);
      return;
    }
    try {
      // With changes that are not saved, a new token is for them.
      if (this.#facts.changed) this.#tell({ failure: null });
      else await this.#load(token);
    } catch (error) {
      this.#refused(error);
      return;
    }
    this.#watch = new AbortController();
    void this.#follow(token, this.#watch.signal);
  }

  /** Saves what is in the editor over the file with the hash `basis`. */
  async save(basis: string = this.#facts.fileHash): Promise<void> {
    if (!this.#token || byId("save", HTMLButtonElement).disabled) return;
    const { source, markSaved } = this.#editor.content();
    this.#tell({ saving: true, failure: null });
    let saved: Saved;
    try {
      saved = await saveScript(this.#token, source, basis);
    } catch (error) {
      this.#tell({ saving: false, failure: `Not saved. ${textOf(error)}` });
      return;
    }
    const problem = saved.outcome === "problem" ? saved.problem : null;
    const conflict = saved.outcome === "conflict" ? saved.hash : null;
    if (saved.outcome === "saved") markSaved();
    const fileHash = saved.outcome === "saved" ? saved.hash : this.#facts.fileHash;
    this.#editor.showProblem(problem);
    this.#tell({ fileHash, problem, conflict, saving: false, changed: this.#editor.changed });
    if (problem) this.#editor.goTo(problem);
  }

  /** The chat has come or gone, and with it the way to reload. */
  connectionChanged(): void {
    this.#render();
  }

  async #load(token: string): Promise<void> {
    const script = await loadScript(token);
    byId("locked", HTMLDivElement).hidden = true;
    byId("editor", HTMLDivElement).hidden = false;
    const { status, failedHash } = this.#facts;
    this.#take(script, { ...NOTHING_LOADED, status, failedHash });
  }

  /** Takes over what was saved elsewhere, but never over changes made here. */
  async #refresh(token: string): Promise<void> {
    const untouched = () => !this.#facts.changed && !this.#facts.saving;
    if (!untouched()) return;
    const script = await loadScript(token);
    if (untouched() && script.hash !== this.#facts.fileHash) this.#take(script, this.#facts);
  }

  #take(script: Script, facts: Facts): void {
    byId("script-name", HTMLHeadingElement).textContent = script.name;
    byId("script-name", HTMLHeadingElement).title = script.path;
    this.#canReload = script.can_reload;
    this.#editor.load(script.source);
    this.#facts = { ...facts, scriptName: script.name, fileHash: script.hash, changed: false };
    this.#markFailedLoad();
    this.#render();
  }

  async #follow(token: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await watchStatus(token, (status) => void this.#statusChanged(token, status), signal);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ApiError && error.status === 401) {
          this.#refused(error);
          return;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, WATCH_AGAIN_MS));
    }
  }

  async #statusChanged(token: string, status: Status): Promise<void> {
    const first = this.#facts.status === null;
    this.#tell({ status });
    // What was loaded just now may have been saved by somebody else.
    if (!first) await this.#refresh(token).catch(() => undefined);
    if (this.#facts.status !== status) return;
    this.#tell({ failedHash: status.error ? this.#facts.fileHash : null });
    this.#markFailedLoad();
  }

  async #loadNow(): Promise<void> {
    if (!this.#token) return;
    try {
      await reloadScript(this.#token);
    } catch (error) {
      this.#tell({ failure: textOf(error) });
    }
  }

  #markFailedLoad(): void {
    if (!this.#facts.changed && !this.#facts.problem) this.#editor.showProblem(failedPlace(this.#facts));
  }

  #edited(): void {
    if (this.#editor.changed !== this.#facts.changed) this.#tell({ changed: this.#editor.changed });
  }

  #refused(error: unknown): void {
    const oldToken = error instanceof ApiError && error.status === 401;
    if (oldToken) {
      forgetToken();
      this.#token = null;
    }
    if (this.#facts.changed) this.#tell({ failure: oldToken ? OLD_TOKEN_UNSAVED : textOf(error) });
    else if (oldToken) this.#lock("This key is from an earlier start", OLD_TOKEN, false);
    else this.#lock("The script cannot be shown", textOf(error), true);
  }

  #lock(title: string, text: string, retry: boolean): void {
    byId("locked-title", HTMLHeadingElement).textContent = title;
    byId("locked-text", HTMLParagraphElement).textContent = text;
    byId("locked", HTMLDivElement).hidden = false;
    byId("editor", HTMLDivElement).hidden = true;
    byId("retry", HTMLButtonElement).hidden = !retry;
    byId("facts", HTMLDListElement).hidden = true;
    byId("mark", HTMLSpanElement).textContent = "";
    byId("save", HTMLButtonElement).disabled = true;
    this.#strip.hide();
  }

  #tell(change: Partial<Facts>): void {
    this.#facts = { ...this.#facts, ...change };
    this.#render();
  }

  #render(): void {
    if (this.#facts.fileHash === "" || !byId("locked", HTMLDivElement).hidden) return;
    const mark = markOf(this.#facts);
    const element = byId("mark", HTMLSpanElement);
    if (element.textContent !== mark.text) element.textContent = mark.text;
    element.dataset["state"] = mark.state;
    byId("script-dot", HTMLSpanElement).hidden = !this.#facts.changed;
    const save = byId("save", HTMLButtonElement);
    save.disabled = this.#facts.saving || !this.#token;
    save.classList.toggle("primary", this.#facts.changed);
    renderStatus(this.#facts.status);
    this.#strip.show(newsOf(this.#facts), this.#acts());
  }

  #acts(): Acts {
    return {
      goTo: (problem: Problem) => this.#editor.goTo(problem),
      loadTheirs: () => {
        if (this.#token) void this.#load(this.#token).catch((error: unknown) => this.#refused(error));
      },
      keepMine: () => void this.save(this.#facts.conflict ?? ""),
      sayReload: this.#listener.sayReload(),
      loadNow: this.#canReload ? () => void this.#loadNow() : null,
    };
  }
}

const NOTHING_LOADED: Facts = {
  scriptName: "",
  fileHash: "",
  changed: false,
  saving: false,
  status: null,
  problem: null,
  conflict: null,
  failure: null,
  failedHash: null,
};

function renderStatus(status: Status | null): void {
  byId("facts", HTMLDListElement).hidden = status === null;
  if (!status) return;
  byId("version", HTMLElement).textContent = status.version === 0 ? "none" : String(status.version);
  byId("hash", HTMLElement).textContent = status.hash || "none";
  const loaded = byId("loaded", HTMLElement);
  const time = status.loaded_at === null ? null : new Date(status.loaded_at);
  loaded.textContent = time ? time.toLocaleTimeString([], { hourCycle: "h23" }) : "not yet";
  loaded.title = time ? time.toLocaleString() : "";
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
