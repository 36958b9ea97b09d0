// Where each node is drawn: in bands, one for each kind, from the clients at the
// top to other groups at the bottom, brokers in the middle. The same nodes are
// always at the same places: nothing drifts, and what changes is easily seen.

export type Size = "card" | "small" | "chip" | "dot";

export interface Place {
  id: string;
  x: number;
  y: number;
  width: number;
  height: number;
  size: Size;
}

export interface Band {
  kind: Kind;
  title: string;
  count: number;
  /** Where the title's text stands. */
  y: number;
  /** Where its nodes begin and end. */
  top: number;
  bottom: number;
}

export interface Drawing {
  width: number;
  height: number;
  bands: Band[];
  places: Map<string, Place>;
}

export type Kind = "gates" | "brokers" | "scenes" | "others" | "bridges" | "groups";

export interface Placed {
  id: string;
  name: string;
  role: string;
}

interface Shape {
  size: Size;
  width: number;
  height: number;
  gap: number;
}

const SHAPES: Shape[] = [
  { size: "card", width: 152, height: 62, gap: 18 },
  { size: "small", width: 106, height: 48, gap: 8 },
  { size: "chip", width: 42, height: 26, gap: 5 },
  { size: "dot", width: 20, height: 20, gap: 5 },
];
const TITLES: [Kind, string][] = [
  ["gates", "Gates"],
  ["brokers", "Brokers"],
  ["scenes", "Scenes"],
  ["others", "Other nodes"],
  ["bridges", "Bridges"],
  ["groups", "Other groups"],
];
const TITLE = 26;
const EDGE = 20;
/** Between bands, so that links can be told apart. */
const AISLE = { least: 22, most: 96 };

export function kindOf(role: string): Kind {
  if (role === "gate") return "gates";
  if (role === "master" || role === "slave") return "brokers";
  if (role === "scene") return "scenes";
  return role === "bridge" ? "bridges" : "others";
}

/** The place under which another group is drawn. */
export function placeOfGroup(name: string): string {
  return `group ${name}`;
}

/** Places all nodes, and the groups beyond the bridges, as large as they fit. */
export function arrange(nodes: Placed[], groups: string[], width: number, height: number): Drawing {
  const kinds = new Map<Kind, Placed[]>(TITLES.map(([kind]) => [kind, []]));
  for (const node of nodes) kinds.get(kindOf(node.role))?.push(node);
  for (const name of groups) kinds.get("groups")?.push({ id: placeOfGroup(name), name, role: "group" });
  const rows = TITLES.map(([kind, title]) => ({ kind, title, nodes: (kinds.get(kind) ?? []).sort(byName) })).filter(
    (row) => row.nodes.length > 0,
  );

  const fitting = SHAPES.find((shape) => needed(rows.map((row) => shapeFor(row, shape, width)), width) <= height);
  const chosen = fitting ?? SHAPES[SHAPES.length - 1]!;
  const bands = rows.map((row) => shapeFor(row, chosen, width));
  const spare = Math.max(0, height - needed(bands, width));
  const between = Math.max(1, bands.length - 1);
  const aisle = Math.min(AISLE.most, AISLE.least + spare / between);

  const drawing: Drawing = { width, height: 0, bands: [], places: new Map() };
  const used = needed(bands, width) + (aisle - AISLE.least) * (bands.length - 1);
  let y = EDGE / 2 + Math.max(0, (height - used) / 2);
  for (const { kind, title, nodes, shape } of bands) {
    const columns = columnsOf(shape, width);
    const lines = Math.ceil(nodes.length / columns);
    // Rows of the same length look better than a full one and a rest.
    const inRow = Math.ceil(nodes.length / lines);
    const top = y + TITLE;
    nodes.forEach((node, index) => {
      const row = Math.floor(index / inRow);
      const many = Math.min(inRow, nodes.length - row * inRow);
      const across = many * (shape.width + shape.gap) - shape.gap;
      const x = (width - across) / 2 + (index % inRow) * (shape.width + shape.gap);
      const place = { x, y: top + row * (shape.height + shape.gap), width: shape.width, height: shape.height };
      drawing.places.set(node.id, { id: node.id, ...place, size: shape.size });
    });
    const bottom = top + lines * (shape.height + shape.gap) - shape.gap;
    drawing.bands.push({ kind, title, count: nodes.length, y: y + 15, top, bottom });
    y = bottom + aisle;
  }
  drawing.height = Math.max(height, y - aisle + EDGE);
  return drawing;
}

export type Direction = "left" | "right" | "up" | "down";

/** The next node in this direction, for whoever walks with the arrow keys. */
export function neighbour(places: Place[], from: Place, direction: Direction): Place | null {
  const [cx, cy] = middle(from);
  let best: { place: Place; far: number } | null = null;
  for (const place of places) {
    const [x, y] = middle(place);
    const [ahead, aside] = direction === "left" ? [cx - x, y - cy] : direction === "right" ? [x - cx, y - cy] : direction === "up" ? [cy - y, x - cx] : [y - cy, x - cx];
    if (ahead < 1) continue;
    // Along a row, only the row counts; across rows, what is nearest.
    const sideways = direction === "left" || direction === "right";
    if (sideways && Math.abs(aside) > 1) continue;
    const far = sideways ? ahead : ahead * 4 + Math.abs(aside);
    if (best === null || far < best.far) best = { place, far };
  }
  return best?.place ?? null;
}

function middle({ x, y, width, height }: Place): [number, number] {
  return [x + width / 2, y + height / 2];
}

interface Row {
  kind: Kind;
  title: string;
  nodes: Placed[];
}

/** A few brokers, bridges or groups stay large where many gates and scenes are small. */
function shapeFor(row: Row, shape: Shape, width: number): Row & { shape: Shape } {
  const few = SHAPES.find((each) => row.nodes.length <= columnsOf(each, width) && each.size !== "card");
  const larger = few && SHAPES.indexOf(few) < SHAPES.indexOf(shape) ? few : shape;
  return { ...row, shape: row.kind === "groups" && larger.size === "card" ? SHAPES[1]! : larger };
}

function columnsOf(shape: Shape, width: number): number {
  return Math.max(1, Math.floor((width - 2 * EDGE + shape.gap) / (shape.width + shape.gap)));
}

function needed(bands: (Row & { shape: Shape })[], width: number): number {
  const heights = bands.map(({ nodes, shape }) => TITLE + Math.ceil(nodes.length / columnsOf(shape, width)) * (shape.height + shape.gap) - shape.gap);
  return heights.reduce((one, other) => one + other, 0) + AISLE.least * (bands.length - 1) + EDGE * 1.5;
}

/** The master first; then by role, and the number behind the @. */
function byName(one: Placed, other: Placed): number {
  const [a, b] = [parts(one), parts(other)];
  return a.rank - b.rank || a.role.localeCompare(b.role) || a.index - b.index || one.name.localeCompare(other.name);
}

function parts({ name, role }: Placed): { rank: number; role: string; index: number } {
  const at = name.lastIndexOf("@");
  return { rank: role === "master" ? 0 : 1, role: at < 0 ? name : name.slice(0, at), index: Number(name.slice(at + 1)) || 0 };
}
