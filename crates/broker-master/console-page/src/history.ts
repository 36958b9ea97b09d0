// What the page remembers: some numbers of each node over the last minutes. A
// moment that was not heard is a gap, not a zero.
import type { Group, GroupNode } from "./state";

export const KEPT_MS = 5 * 60_000;
const MOST_SAMPLES = 360;
/** Nodes that the group no longer has are forgotten with their last sample. */
const MOST_SERIES = 4_096;
export const GAP_MS = 3_500;

export const METRICS = ["sessions", "messages", "bytes", "cpu", "memory", "queued"] as const;
export type Metric = (typeof METRICS)[number];

export interface Sample {
  at: number;
  values: Record<Metric, number | null>;
}

export interface Point {
  at: number;
  value: number | null;
}

/** The name under which the sums of the group are kept. */
export const WHOLE = "";

export class History {
  #series = new Map<string, Sample[]>();

  /** Takes the group as it was at a moment of the master's clock. */
  add(group: Group): void {
    const at = group.now;
    const newest = this.#series.get(WHOLE)?.at(-1)?.at ?? 0;
    // A clock that was set back: what was before cannot be drawn beside what is now.
    if (at < newest) this.#series.clear();
    this.#push(WHOLE, { at, values: totals(group) });
    for (const node of group.nodes) this.#push(node.id, { at, values: valuesOf(node) });
    for (const [id, samples] of this.#series) {
      const last = samples[samples.length - 1];
      if (!last || last.at < at - KEPT_MS) this.#series.delete(id);
    }
  }

  /** One number of a node, oldest first, with a null wherever nothing was heard. */
  points(id: string, metric: Metric): Point[] {
    const points: Point[] = [];
    let before: number | null = null;
    for (const { at, values } of this.#series.get(id) ?? []) {
      if (before !== null && at - before > GAP_MS) points.push({ at: (at + before) / 2, value: null });
      points.push({ at, value: values[metric] });
      before = at;
    }
    return points;
  }

  #push(id: string, sample: Sample): void {
    const samples = this.#series.get(id) ?? [];
    if (samples.length === 0) {
      if (this.#series.size >= MOST_SERIES) return;
      this.#series.set(id, samples);
    }
    samples.push(sample);
    const from = samples.findIndex(({ at }) => at >= sample.at - KEPT_MS);
    samples.splice(0, Math.max(from, samples.length - MOST_SAMPLES));
  }
}

export function isBroker(role: string): boolean {
  return role === "master" || role === "slave";
}

/** The numbers of the group: sessions where clients arrive, messages where they pass. */
export function totals({ nodes }: Group): Record<Metric, number | null> {
  const gates = nodes.filter(({ role }) => role === "gate");
  const brokers = nodes.filter(({ role }) => isBroker(role));
  return {
    sessions: sum(gates.map(({ sessions }) => sessions)),
    messages: sum(brokers.map(({ messagesIn }) => messagesIn)),
    bytes: sum(brokers.map(({ bytesIn }) => bytesIn)),
    cpu: sum(nodes.map(({ cpu }) => cpu)),
    memory: sum(nodes.map(({ memory }) => memory)),
    queued: sum(nodes.map(({ queuedBytes }) => queuedBytes)),
  };
}

function valuesOf(node: GroupNode): Record<Metric, number | null> {
  return {
    sessions: node.sessions,
    messages: sum([node.messagesIn, node.messagesOut]),
    bytes: sum([node.bytesIn, node.bytesOut]),
    cpu: node.cpu,
    memory: node.memory,
    queued: node.queuedBytes,
  };
}

/** The sum of those that there are; null if there is none. */
function sum(values: (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((one, other) => one + other, 0);
}
