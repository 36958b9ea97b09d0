// The page's server: its configuration, the script, and news of reloads.
import { EventReader } from "./events";

export interface Script {
  source: string;
  hash: string;
  name: string;
  path: string;
  /** Whether the script can be loaded anew without the chat. */
  can_reload: boolean;
}

export interface Status {
  /** Counts the loads; 0 while no script has loaded. */
  version: number;
  /** The first digits of the running source's hash. */
  hash: string;
  /** When it was loaded, Unix time in milliseconds. */
  loaded_at: number | null;
  /** Why the last load failed, if it did. */
  error: string | null;
}

export interface Problem {
  line: number;
  column: number;
  message: string;
}

export type Saved =
  | { outcome: "saved"; hash: string }
  | { outcome: "problem"; problem: Problem }
  | { outcome: "conflict"; hash: string };

/** The server answered, and not with what was asked for. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export async function websocketPort(): Promise<number> {
  const response = await ask("/api/config", {});
  return ((await response.json()) as { websocket_port: number }).websocket_port;
}

export async function loadScript(token: string): Promise<Script> {
  return (await (await ask("/api/script", { headers: bearer(token) })).json()) as Script;
}

/** `basis` is the hash of the file that the source was made from. */
export async function saveScript(token: string, source: string, basis: string): Promise<Saved> {
  const response = await ask(
    "/api/script",
    {
      method: "PUT",
      headers: { ...bearer(token), "Content-Type": "text/x-python; charset=utf-8", "If-Match": `"${basis}"` },
      body: source,
    },
    [409, 422],
  );
  const answer: unknown = await response.json();
  if (response.status === 422) return { outcome: "problem", problem: answer as Problem };
  const { hash } = answer as { hash: string };
  return { outcome: response.status === 409 ? "conflict" : "saved", hash };
}

/** Loads the saved script without the chat; what became of it shows in the status. */
export async function reloadScript(token: string): Promise<void> {
  await ask("/api/reload", { method: "POST", headers: bearer(token) });
}

/** Calls back with the status now and at each change, until the stream ends. */
export async function watchStatus(token: string, changed: (status: Status) => void, signal: AbortSignal): Promise<void> {
  const response = await ask("/api/events", { headers: bearer(token), signal });
  if (!response.body) return;
  const events = new EventReader();
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    for (const data of events.push(decoder.decode(value, { stream: true }))) changed(JSON.parse(data) as Status);
  }
}

function bearer(token: string): { Authorization: string } {
  return { Authorization: `Bearer ${token}` };
}

async function ask(path: string, init: RequestInit, alsoFine: number[] = []): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { cache: "no-store", ...init });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ApiError(0, "The demo does not answer. Is it still running?");
  }
  if (response.ok || alsoFine.includes(response.status)) return response;
  throw new ApiError(response.status, await errorText(response));
}

async function errorText(response: Response): Promise<string> {
  try {
    return ((await response.json()) as { error: string }).error;
  } catch {
    return `The demo answered with status ${response.status}`;
  }
}
