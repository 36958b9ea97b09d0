// The strip under the editor: the news in words, with what can be done about it.
import type { Problem } from "./api";
import { byId, make } from "./dom";
import { lastLine, type News } from "./news";

export interface Acts {
  goTo(problem: Problem): void;
  /** Drops the reader's changes for what the file holds. */
  loadTheirs(): void;
  /** Saves the reader's changes over what the file holds. */
  keepMine(): void;
  /** Says `reload` in the chat; null when the chat is not connected. */
  sayReload: (() => void) | null;
  /** Loads the script without the chat; null where that cannot be done. */
  loadNow: (() => void) | null;
}

const TONES: Record<News["about"], string> = {
  failure: "bad",
  conflict: "warm",
  problem: "bad",
  "reload-failed": "bad",
  "not-live": "warm",
  hint: "",
};

export class NewsStrip {
  readonly #strip = byId("news", HTMLDivElement);
  #shown = "";

  hide(): void {
    this.#strip.hidden = true;
    this.#shown = "";
  }

  /** Leaves the strip alone when nothing is new, so that nothing is announced twice. */
  show(news: News, acts: Acts): void {
    const key = JSON.stringify([news, acts.sayReload !== null, acts.loadNow !== null]);
    if (key === this.#shown) return;
    this.#shown = key;
    this.#strip.hidden = false;
    this.#strip.className = `strip ${TONES[news.about]}`;
    this.#strip.replaceChildren(...content(news, acts));
  }
}

function content(news: News, acts: Acts): Node[] {
  switch (news.about) {
    case "failure":
      return [words(news.text)];
    case "problem": {
      const { problem } = news;
      return [words(strong(`Not saved. Line ${problem.line}: `), problem.message), button("Go to the line", () => acts.goTo(problem))];
    }
    case "conflict":
      return [
        words(strong("Not saved. "), `${news.scriptName} was changed elsewhere since this page loaded it.`),
        button("Load theirs, drop mine", acts.loadTheirs),
        button("Keep mine, drop theirs", acts.keepMine),
      ];
    case "reload-failed":
      return reloadFailed(news, acts);
    case "not-live":
      return notLive(news, acts);
    case "hint": {
      const line = words("After saving, type ", code("reload"), " in the chat: the new code takes over and nobody is disconnected.");
      line.className = "quiet";
      return [line];
    }
  }
}

function notLive({ nothingRuns }: News & { about: "not-live" }, acts: Acts): Node[] {
  const line = nothingRuns
    ? words(strong("Saved. "), "No script runs yet that could be told to reload.")
    : words(strong("Saved. "), "Type ", code("reload"), " in the chat to make it live.");
  const say = acts.sayReload ? [button("Say reload for me", acts.sayReload)] : [];
  // Also when the chat answers to nothing any more because of what is live.
  const load = acts.loadNow ? [button("Load it without the chat", acts.loadNow)] : [];
  load.forEach((offer) => offer.classList.toggle("plain", !nothingRuns));
  return [line, ...say, ...load];
}

function reloadFailed({ error, place, nothingRuns }: News & { about: "reload-failed" }, acts: Acts): Node[] {
  const line = nothingRuns
    ? words(strong("The script did not load. "), "Nothing runs until it does.")
    : words(strong("The reload failed. "), "The code before it still runs.");
  const short = lastLine(error);
  const long = error.trim() !== short;
  const what = long ? make("details", "", make("summary", "", short), make("pre", "", error)) : words(short);
  const go = place ? [button(`Go to line ${place.line}`, () => acts.goTo(place))] : [];
  return [make("div", "", line, what), ...go];
}

function words(...parts: (Node | string)[]): HTMLElement {
  return make("p", "", ...parts);
}

function strong(text: string): HTMLElement {
  return make("b", "", text);
}

function code(text: string): HTMLElement {
  return make("code", "", text);
}

function button(text: string, act: () => void): HTMLElement {
  const element = document.createElement("button");
  element.type = "button";
  element.textContent = text;
  element.onclick = act;
  return element;
}
