// Why a connection ended, in words for people. The gate sends the names on the
// left; a refusal may carry any text that the script chose.

const REASONS: Record<string, string> = {
  replaced: "You were replaced: another page joined under your name.",
  closed_by_scene: "The script closed your connection.",
  crowded_out: "Too many others wanted in at the same time.",
  draining: "The server is shutting down.",
  frame_too_large: "That message was too large, so the connection was closed.",
  gate_full: "The server has no room for another connection right now.",
  address_full: "There are too many connections from this machine.",
  group_lost: "The gate lost its group for a moment. Reconnect when you like.",
  idle: "Nothing was heard from this page for too long.",
  no_gate: "No gate has room for you right now.",
  protocol_error: "The page and the gate did not understand each other.",
  rate_limited: "That was too much at once, so the connection was closed.",
  resume_refused: "You were away for too long to come back.",
  scene_lost: "The scene that ran your script is gone. Reconnect once it is back.",
  slow_consumer: "This page read more slowly than it was written to.",
  ticket_refused: "The way to the other gate took too long.",
  unverified_frame: "The page spoke before it was let in.",
  verify_refused: "The script did not let this name in.",
  verify_timeout: "The name did not arrive in time.",
  verify_unavailable: "No scene could say whether this name may join. Is the script running?",
};

export function reasonInWords(reason: string): string {
  const known = REASONS[reason.trim()];
  if (known) return known;
  return reason.trim() === "" ? "The server closed the connection." : `The server closed the connection: ${reason.trim()}`;
}

export function refusalInWords(reason: string): string {
  const known = REASONS[reason.trim()];
  if (known) return known;
  return reason.trim() === "" ? "The script did not let this name in." : `You were not let in: ${reason.trim()}`;
}

/** What the log says to who was away for too long, or whose gate was started anew. */
export const FRESH_START =
  "The connection was lost, and the server did not know you any more: you have joined anew. What was said meanwhile is missing here, and what you said last may not have been heard.";

/** What the log says to who was away, and has missed nothing. */
export function lossInWords(awayMs: number): string {
  const seconds = Math.round(awayMs / 1000);
  const time = seconds < 2 ? "a moment" : `${seconds} seconds`;
  return `The connection was lost for ${time}. Nothing was missed.`;
}
