// Which one thing about the script the reader should know now. Decided here
// alone, from plain data.
import type { Problem, Status } from "./api";

export interface Facts {
  scriptName: string;
  /** The hash of the file as it was loaded or saved last. */
  fileHash: string;
  /** The editor differs from that file. */
  changed: boolean;
  saving: boolean;
  status: Status | null;
  problem: Problem | null;
  /** The file's hash when somebody else has changed it. */
  conflict: string | null;
  failure: string | null;
  /** The hash of the file whose load failed. */
  failedHash: string | null;
}

export type News =
  | { about: "failure"; text: string }
  | { about: "conflict"; scriptName: string }
  | { about: "problem"; problem: Problem }
  | { about: "reload-failed"; error: string; place: Problem | null; nothingRuns: boolean }
  | { about: "not-live"; nothingRuns: boolean }
  | { about: "hint" };

export function newsOf(facts: Facts): News {
  if (facts.failure) return { about: "failure", text: facts.failure };
  if (facts.conflict) return { about: "conflict", scriptName: facts.scriptName };
  if (facts.problem) return { about: "problem", problem: facts.problem };
  const { status } = facts;
  if (status?.error && facts.failedHash === facts.fileHash) {
    return { about: "reload-failed", error: status.error, place: failedPlace(facts), nothingRuns: status.version === 0 };
  }
  if (!facts.changed && !isLive(facts)) return { about: "not-live", nothingRuns: status?.version === 0 };
  return { about: "hint" };
}

export type Mark = { state: "saving" | "unsaved" | "saved" | "live"; text: string };

export function markOf(facts: Facts): Mark {
  if (facts.saving) return { state: "saving", text: "Saving…" };
  if (facts.changed) return { state: "unsaved", text: "Unsaved changes" };
  if (!isLive(facts)) return { state: "saved", text: "Saved, not live yet" };
  return { state: "live", text: "Live" };
}

/** Where the load failed, if the error says so and the editor has that very text. */
export function failedPlace({ scriptName, fileHash, failedHash, changed, status }: Facts): Problem | null {
  if (!status?.error || failedHash !== fileHash || changed) return null;
  const line = Number([...status.error.matchAll(placesIn(scriptName))].at(-1)?.[1] ?? 0);
  const message = lastLine(status.error).replace(placesIn(scriptName), "").replace(/^: /, "");
  return line > 0 ? { line, column: 0, message } : null;
}

/** The last line of an error, which in a traceback says what went wrong. */
export function lastLine(error: string): string {
  return error.trim().split("\n").at(-1)?.trim() ?? "";
}

/** Whether the file is what runs. The status carries the first digits of the hash. */
function isLive({ fileHash, status }: Facts): boolean {
  return status !== null && status.hash !== "" && fileHash.startsWith(status.hash);
}

/** Places in the script, as `main.py, line 3` or as tracebacks have them. */
function placesIn(scriptName: string): RegExp {
  const name = scriptName.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`(?<![\\w.-])${name}"?, line (\\d+)`, "g");
}
