// Which versions run: builds of all nodes, and the scripts of scenes.
import type { GroupNode } from "./state";

export interface Version {
  label: string;
  detail: string;
  nodes: GroupNode[];
  /** Another one than most nodes have. */
  odd: boolean;
}

export function builds(nodes: GroupNode[]): Version[] {
  return sorted(nodes, ({ build }) => (build === null ? null : [build, ""]));
}

export function scripts(nodes: GroupNode[]): Version[] {
  // A hash tells scripts apart; versions only count the reloads of one node.
  const found = sorted(nodes, ({ script }) => (script === null ? null : [script.hash || `version ${script.version}`, ""]));
  for (const version of found) version.detail = reloads(version.nodes);
  return found;
}

/** The ids of nodes that run something else than most of their kind. */
export function oddOnes(nodes: GroupNode[]): Set<string> {
  const odd = [...builds(nodes), ...scripts(nodes)].filter((version) => version.odd);
  return new Set(odd.flatMap((version) => version.nodes.map(({ id }) => id)));
}

function sorted(nodes: GroupNode[], of: (node: GroupNode) => [string, string] | null): Version[] {
  const found = new Map<string, Version>();
  for (const node of nodes) {
    const version = of(node);
    if (version === null) continue;
    const [label, detail] = version;
    const known = found.get(label) ?? { label, detail, nodes: [], odd: true };
    known.nodes.push(node);
    found.set(label, known);
  }
  const versions = [...found.values()].sort((one, other) => other.nodes.length - one.nodes.length || one.label.localeCompare(other.label));
  if (versions[0]) versions[0].odd = false;
  return versions;
}

function reloads(nodes: GroupNode[]): string {
  const numbers = [...new Set(nodes.map(({ script }) => Number(script?.version ?? 0)))].sort((one, other) => one - other);
  const [first, last] = [numbers[0], numbers[numbers.length - 1]];
  return first === last ? `version ${first}` : `versions ${first} to ${last}`;
}
