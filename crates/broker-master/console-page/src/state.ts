// The group as the master says it is: the JSON of /console/state, read so that
// nothing in it, and nothing missing from it, can break the page.

export interface Fault {
  at: number;
  level: "warn" | "error";
  target: string;
  text: string;
}

export interface GroupLink {
  name: string;
  reachable: boolean;
}

export interface Script {
  version: string;
  hash: string;
}

/** What a node says of itself; null where it says nothing. */
export interface GroupNode {
  id: string;
  name: string;
  role: string;
  state: string;
  build: string | null;
  script: Script | null;
  sessions: number | null;
  load: number | null;
  started: number | null;
  cpu: number | null;
  memory: number | null;
  messagesIn: number | null;
  messagesOut: number | null;
  bytesIn: number | null;
  bytesOut: number | null;
  queuedMessages: number | null;
  queuedBytes: number | null;
  /** How full the fullest of its queues is: 1 refuses. */
  queueFill: number | null;
  dropped: number | null;
  droppedRate: number | null;
  /** How long ago the master heard it, in milliseconds. */
  heard: number | null;
  faults: Fault[];
  groups: GroupLink[];
}

export interface Link {
  node: string;
  broker: string;
  messages: number;
  bytes: number;
  queued: number;
}

export interface Alarm {
  severity: "warning" | "critical";
  node: string | null;
  text: string;
  since: number | null;
}

export interface Group {
  name: string;
  epoch: number | null;
  revision: number | null;
  now: number;
  nodes: GroupNode[];
  links: Link[];
  alarms: Alarm[];
}

type Raw = Record<string, unknown>;

/** The state in this JSON; null if it is not one. */
export function readGroup(json: string): Group | null {
  let raw: unknown;
  try {
    raw = JSON.parse(json);
  } catch {
    return null;
  }
  if (!isRaw(raw) || !Array.isArray(raw["nodes"])) return null;
  const nodes = list(raw["nodes"]).map(readNode);
  const ids = new Map(nodes.flatMap(({ id, name }) => [[name, id] as const, [id, id] as const]));
  const idOf = (value: unknown) => ids.get(text(value)) ?? null;
  return {
    name: text(raw["group"]),
    epoch: number(raw["epoch"]),
    revision: number(raw["revision"]),
    now: number(raw["now_ms"]) ?? Date.now(),
    nodes,
    links: list(raw["links"]).flatMap((link) => {
      const [node, broker] = [idOf(link["node"]), idOf(link["broker"])];
      if (node === null || broker === null || node === broker) return [];
      const [messages, bytes] = [number(link["messages_per_s"]) ?? 0, number(link["bytes_per_s"]) ?? 0];
      return [{ node, broker, messages, bytes, queued: number(link["queued_bytes"]) ?? 0 }];
    }),
    alarms: list(raw["alarms"]).map((alarm) => ({
      severity: alarm["severity"] === "critical" ? "critical" : "warning",
      // The alarm of a node that is gone keeps its name, and leads nowhere.
      node: alarm["node"] == null || alarm["node"] === "" ? null : (idOf(alarm["node"]) ?? text(alarm["node"])),
      text: text(alarm["text"]),
      since: number(alarm["since_ms"]),
    })),
  };
}

function readNode(raw: Raw): GroupNode {
  const script = isRaw(raw["script"]) ? raw["script"] : null;
  return {
    id: text(raw["id"] ?? raw["name"]),
    name: text(raw["name"]),
    role: text(raw["role"]),
    state: text(raw["state"]),
    build: text(raw["build"]) || null,
    script: script && { version: text(script["version"]), hash: text(script["hash"]) },
    sessions: number(raw["sessions"]),
    load: number(raw["load"]),
    started: number(raw["started_ms"]),
    cpu: number(raw["cpu"]),
    memory: number(raw["memory_bytes"]),
    messagesIn: number(raw["messages_in_per_s"]),
    messagesOut: number(raw["messages_out_per_s"]),
    bytesIn: number(raw["bytes_in_per_s"]),
    bytesOut: number(raw["bytes_out_per_s"]),
    queuedMessages: number(raw["queued_messages"]),
    queuedBytes: number(raw["queued_bytes"]),
    queueFill: number(raw["queue_fill"]),
    dropped: number(raw["dropped"]),
    droppedRate: number(raw["dropped_per_s"]),
    heard: number(raw["heard_ms"]),
    faults: list(raw["faults"]).map((fault) => ({
      at: number(fault["at_ms"]) ?? 0,
      level: text(fault["level"]).toLowerCase() === "error" ? "error" : "warn",
      target: text(fault["target"]),
      text: text(fault["text"]),
    })),
    groups: list(raw["groups"]).map((group) => ({ name: text(group["name"]), reachable: group["reachable"] === true })),
  };
}

function isRaw(value: unknown): value is Raw {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function list(value: unknown): Raw[] {
  return Array.isArray(value) ? value.filter(isRaw) : [];
}

function number(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : "";
}
