// What the server's chat messages mean. The script is edited by hand on this
// very page, so anything may come: whatever is not understood is shown as data.

export type Message =
  | { kind: "chat"; from: string; text: string; time: string }
  | { kind: "notice"; text: string }
  /** `spoken` asks for a line in the chat too, as a list of names that came on its own. */
  | { kind: "online"; names: string[]; spoken: boolean }
  /** A piece of HTML, to be shown through the allow-list only. */
  | { kind: "snippet"; html: string }
  | { kind: "data"; text: string };

export function readMessage(text: string): Message {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: "snippet", html: text };
  }
  if (typeof value === "string") return { kind: "snippet", html: value };
  if (isNames(value)) return { kind: "online", names: value, spoken: true };
  return readObject(value) ?? { kind: "data", text: JSON.stringify(value) };
}

function readObject(value: unknown): Message | null {
  if (typeof value !== "object" || value === null) return null;
  const fields = value as Record<string, unknown>;
  switch (fields["kind"]) {
    case "chat":
      if (typeof fields["from"] !== "string" || typeof fields["text"] !== "string") return null;
      return { kind: "chat", from: fields["from"], text: fields["text"], time: readTime(fields["time"]) };
    case "notice":
      return typeof fields["text"] === "string" ? { kind: "notice", text: fields["text"] } : null;
    case "online":
      return isNames(fields["names"]) ? { kind: "online", names: fields["names"], spoken: false } : null;
    default:
      return null;
  }
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((name) => typeof name === "string");
}

/** Unix seconds become the reader's time of day; text stays as the script wrote it. */
function readTime(time: unknown): string {
  if (typeof time === "number" && Number.isFinite(time)) return timeOfDay(new Date(time * 1000));
  return typeof time === "string" ? time.slice(0, 32) : "";
}

export function timeOfDay(date: Date): string {
  return Number.isNaN(date.getTime())
    ? ""
    : date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}
