// The group each second, for as long as the page is open. It goes on by itself
// when the master comes back.
import { type Group, readGroup } from "./state";

export type Hearing =
  | { kind: "connecting" }
  | { kind: "live" }
  /** Nothing has come from the master since then (null: never). */
  | { kind: "away"; since: number | null }
  /** It answers, but not to this page. */
  | { kind: "refused" };

/** The master speaks each second. */
const SILENCE_MS = 4_000;
const RETRY_MS = { least: 500, most: 4_000 };

export class Feed {
  #source: EventSource | null = null;
  #silence = 0;
  #retry = 0;
  #delay = RETRY_MS.least;
  #last: number | null = null;
  #refused = false;
  #asked = 0;

  constructor(
    private readonly onGroup: (group: Group) => void,
    private readonly onHearing: (hearing: Hearing) => void,
  ) {}

  start(): void {
    this.onHearing({ kind: "connecting" });
    this.#open();
    // A laptop that wakes up should not wait for the next try.
    for (const event of ["online", "focus"]) addEventListener(event, () => this.#retry !== 0 && this.#open());
  }

  #open(): void {
    this.#close();
    const source = (this.#source = new EventSource("/console/events"));
    source.addEventListener("message", ({ data }) => this.#hear(String(data)));
    source.addEventListener("error", () => this.#fail());
    this.#silence = window.setTimeout(() => this.#fail(), SILENCE_MS);
  }

  #hear(data: string): void {
    const group = readGroup(data);
    if (group === null) return;
    window.clearTimeout(this.#silence);
    this.#silence = window.setTimeout(() => this.#fail(), SILENCE_MS);
    this.#delay = RETRY_MS.least;
    this.#last = Date.now();
    this.#refused = false;
    this.#asked += 1;
    this.onHearing({ kind: "live" });
    this.onGroup(group);
  }

  #fail(): void {
    this.#close();
    this.#retry = window.setTimeout(() => this.#open(), this.#delay);
    this.#delay = Math.min(this.#delay * 2, RETRY_MS.most);
    this.onHearing(this.#refused ? { kind: "refused" } : { kind: "away", since: this.#last });
    // An EventSource does not say why: one question does.
    const asked = ++this.#asked;
    void wasRefused().then((refused) => {
      if (this.#asked !== asked || refused === this.#refused) return;
      this.#refused = refused;
      this.onHearing(refused ? { kind: "refused" } : { kind: "away", since: this.#last });
    });
  }

  #close(): void {
    this.#source?.close();
    this.#source = null;
    window.clearTimeout(this.#silence);
    window.clearTimeout(this.#retry);
    this.#retry = 0;
  }
}

async function wasRefused(): Promise<boolean> {
  try {
    const { status } = await fetch("/console/state", { cache: "no-store", signal: AbortSignal.timeout(SILENCE_MS) });
    return status === 401 || status === 403;
  } catch {
    return false;
  }
}
