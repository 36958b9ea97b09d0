// How a node is, in one word and a sentence.
import { span } from "./numbers";
import type { Alarm, Group, GroupNode } from "./state";

/** A node reports each second: one that has been silent for this long is stale. */
export const STALE_MS = 3_000;

export type Mark = "critical" | "warning" | "stale" | "draining" | "joining" | "ready";

export function isStale(node: GroupNode): boolean {
  return node.state === "suspect" || node.state === "lost" || (node.heard ?? 0) > STALE_MS;
}

export function alarmsOf(group: Group, id: string): Alarm[] {
  return group.alarms.filter(({ node }) => node === id);
}

/** The gravest of what is to be said of a node. */
export function markOf(node: GroupNode, alarms: Alarm[]): Mark {
  if (alarms.some(({ severity }) => severity === "critical")) return "critical";
  if (isStale(node)) return "stale";
  if (alarms.length > 0) return "warning";
  if (node.state === "draining" || node.state === "joining") return node.state;
  return "ready";
}

/** The state as people read it. */
export function stateInWords(node: GroupNode): string {
  if (isStale(node)) return node.heard === null ? "not heard" : `silent for ${span(node.heard)}`;
  return node.state || "unknown";
}
