// The group, drawn: nodes in bands, links between them. d3 joins what there is to
// what is drawn, and lets the reader zoom; where things are is decided in layout.
import { select, type Selection } from "d3-selection";
import { zoom, zoomIdentity, type D3ZoomEvent } from "d3-zoom";

import { alarmsOf, isStale, markOf, stateInWords, type Mark } from "./health";
import { isBroker } from "./history";
import { arrange, type Direction, type Drawing, neighbour, type Place, placeOfGroup } from "./layout";
import { curve, isBusy, keyOf, labelAt, weight } from "./links";
import { plural, rate } from "./numbers";
import type { Group, GroupNode, Link } from "./state";
import { oddOnes } from "./versions";

interface Drawn {
  id: string;
  place: Place;
  node: GroupNode | null;
  mark: Mark | "away";
  label: string;
  fact: string;
  /** How much it has to do, beside the busiest of its kind: 0 to 1. */
  share: number;
  odd: boolean;
}

/** With more links than this, only those of the chosen node have words. */
const FEW_LINKS = 10;
/** On a phone, more nodes than this are given a larger part of the page. */
const MANY_NODES = 60;
const ARROWS: Record<string, Direction> = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };

export class GroupMap {
  #root: Selection<SVGSVGElement, unknown, null, undefined>;
  #layer: Selection<SVGGElement, unknown, null, undefined>;
  #zoom = zoom<SVGSVGElement, unknown>();
  #drawing: Drawing = { width: 0, height: 0, bands: [], places: new Map() };
  #group: Group | null = null;
  #chosen: string | null = null;
  #sought = "";
  /** The one node that Tab leads to; arrows go on from there. */
  #entry: string | null = null;
  #scale = 1;

  constructor(
    svg: SVGSVGElement,
    private readonly onChoose: (id: string | null) => void,
  ) {
    this.#root = select(svg);
    this.#layer = this.#root.append("g");
    for (const layer of ["links", "bands", "nodes", "words"]) this.#layer.append("g").attr("class", layer);
    this.#zoom
      .scaleExtent([1, 6])
      // One finger scrolls the page, as long as the whole drawing is seen.
      .filter((event: Event) => !isTouch(event) || event.touches.length > 1 || this.#scale > 1)
      .on("zoom", ({ transform }: D3ZoomEvent<SVGSVGElement, unknown>) => {
        this.#scale = transform.k;
        this.#layer.attr("transform", transform.toString());
        svg.dataset["zoomed"] = String(transform.k > 1);
      });
    this.#root.call(this.#zoom).on("dblclick.zoom", null);
    svg.addEventListener("click", ({ target }) => target === svg && this.onChoose(null));
    new ResizeObserver(() => this.draw()).observe(svg.parentElement ?? svg);
  }

  show(group: Group): void {
    this.#group = group;
    this.draw();
  }

  choose(id: string | null): void {
    this.#chosen = id;
    if (id !== null) this.#entry = id;
    this.draw();
  }

  /** Lets nodes stand back whose name does not contain this; gives those that do. */
  seek(text: string): GroupNode[] {
    this.#sought = text.trim().toLowerCase();
    this.draw();
    return this.#sought === "" ? [] : (this.#group?.nodes ?? []).filter((node) => this.#isSought(node.name));
  }

  zoomBy(factor: number): void {
    this.#zoom.scaleBy(this.#root, factor);
  }

  whole(): void {
    this.#zoom.transform(this.#root, zoomIdentity);
  }

  draw(): void {
    const [group, svg] = [this.#group, this.#root.node()];
    const frame = svg?.parentElement;
    if (!group || !svg || !frame) return;
    frame.dataset["many"] = String(group.nodes.length > MANY_NODES);
    const outside = [...new Set(group.nodes.flatMap(({ groups }) => groups.map(({ name }) => name)))].sort();
    const drawing = (this.#drawing = arrange(group.nodes, outside, frame.clientWidth, frame.clientHeight));
    // What does not fit even as dots is made smaller as a whole.
    const { width, height } = drawing;
    this.#root.attr("viewBox", `0 0 ${width} ${height}`);
    this.#zoom.extent([[0, 0], [width, height]]).translateExtent([[0, 0], [width, height]]);

    const drawn = [...this.#nodes(group), ...this.#outside(group, outside)];
    this.#bands();
    this.#links(group);
    this.#draw(drawn);
  }

  #bands(): void {
    const { bands } = this.#drawing;
    const rows = this.#layer.select<SVGGElement>(".bands").selectAll<SVGTextElement, (typeof bands)[number]>("text");
    const text = rows.data(bands, ({ kind }) => kind).join((enter) => {
      const made = enter.append("text").attr("x", 20);
      made.append("tspan");
      made.append("tspan").attr("class", "amount").attr("dx", 6);
      return made;
    });
    text.attr("y", ({ y }) => y);
    text.select("tspan").text(({ title }) => title);
    text.select(".amount").text(({ count: amount }) => amount);
  }

  #links(group: Group): void {
    const places = this.#drawing.places;
    const drawn = group.links.flatMap((link) => {
      const [node, broker] = [places.get(link.node), places.get(link.broker)];
      return node && broker ? [{ link, node, broker, key: keyOf(link), outside: false }] : [];
    });
    const most = Math.max(0, ...group.links.map(({ messages }) => messages));
    const beyond = group.nodes.flatMap((bridge) =>
      bridge.groups.flatMap(({ name, reachable }) => {
        const [node, broker] = [places.get(bridge.id), places.get(placeOfGroup(name))];
        const link: Link = { node: bridge.id, broker: placeOfGroup(name), messages: 0, bytes: 0, queued: 0 };
        return node && broker ? [{ link, node, broker, key: keyOf(link), outside: !reachable }] : [];
      }),
    );
    const ends = ({ link }: { link: Link }) => link.node === this.#chosen || link.broker === this.#chosen;
    const all = [...drawn, ...beyond];
    this.#layer
      .select<SVGGElement>(".links")
      .selectAll<SVGPathElement, (typeof all)[number]>("path")
      .data(all, ({ key }) => key)
      .join("path")
      .each(function ({ node, broker }) {
        // A thousand links each second: what has not moved is not laid out anew.
        const d = curve(node, broker);
        if (this.getAttribute("d") !== d) this.setAttribute("d", d);
      })
      .classed("busy", ({ link }) => isBusy(link))
      .classed("cut", ({ outside }) => outside)
      .classed("chosen", ends)
      .classed("back", (each) => this.#chosen !== null && !ends(each))
      .style("stroke-width", ({ link }) => weight(link, most, drawn.length).width)
      .style("stroke-opacity", ({ link, broker }) => (broker.id.startsWith(placeOfGroup("")) ? 0.5 : weight(link, most, drawn.length).opacity));

    const own = drawn.filter(ends);
    // Words stand where the links of what was chosen are apart.
    const near = own.some(({ link }) => link.node === this.#chosen) ? "broker" : "node";
    const worded = this.#chosen === null ? (drawn.length <= FEW_LINKS ? drawn : []) : own.length <= FEW_LINKS ? own : [];
    this.#layer
      .select(".words")
      .selectAll<SVGTextElement, (typeof worded)[number]>("text")
      .data(worded, ({ key }) => key)
      .join("text")
      .attr("x", ({ node, broker }) => labelAt(node, broker, near).x)
      .attr("y", ({ node, broker }) => labelAt(node, broker, near).y + 4)
      .text(({ link }) => rate(link.messages));
  }

  #draw(drawn: Drawn[]): void {
    const ids = new Set(drawn.filter(({ node }) => node !== null).map(({ id }) => id));
    if (this.#entry === null || !ids.has(this.#entry)) this.#entry = drawn[0]?.id ?? null;
    const linked = this.#linked();
    const nodes = this.#layer
      .select<SVGGElement>(".nodes")
      .selectAll<SVGGElement, Drawn>("g.node")
      .data(drawn, ({ id }) => id)
      .join((enter) => this.#enter(enter.append("g")));
    // In the order that Tab and readers of screens go through them.
    nodes.order();
    nodes
      .attr("transform", ({ place: { x, y } }) => `translate(${x},${y})`)
      .attr("class", ({ node, place }) => `node ${node ? roleClass(node.role) : "group"} ${place.size}`)
      .attr("data-name", ({ node, label }) => node?.name ?? label)
      .attr("data-mark", ({ mark }) => mark)
      .classed("chosen", ({ id }) => id === this.#chosen)
      .classed("stale", ({ node }) => node !== null && isStale(node))
      .classed("back", ({ id, node }) => {
        if (this.#sought !== "") return node === null || !this.#isSought(node.name);
        return linked !== null && !linked.has(id);
      })
      .attr("role", ({ node }) => (node ? "button" : "img"))
      .attr("tabindex", ({ id, node }) => (node === null ? null : id === this.#entry ? 0 : -1))
      .attr("aria-pressed", ({ id, node }) => (node === null ? null : String(id === this.#chosen)))
      .attr("aria-label", (each) => this.#inWords(each));
    nodes.select("title").text((each) => this.#inWords(each));
    for (const frame of [".halo", ".frame"]) {
      nodes
        .select(frame)
        .attr("rx", ({ place }) => (place.size === "dot" ? 6 : place.size === "chip" ? 8 : 10))
        .attr("width", ({ place }) => place.width)
        .attr("height", ({ place }) => place.height);
    }
    nodes.select<SVGTextElement>(".name").each(function ({ place, label }) {
      const inset = place.size === "card" ? 16 : 12;
      const text = select(this).text(place.size === "dot" ? "" : label);
      if (place.size === "chip") text.attr("x", place.width / 2).attr("y", place.height / 2 + 3);
      else text.attr("x", inset).attr("y", place.size === "card" ? 25 : 20);
    });
    nodes.select(".fact").each(function ({ place, fact }) {
      const large = place.size === "card" || place.size === "small";
      select(this).text(large ? fact : "").attr("x", place.size === "card" ? 16 : 12).attr("y", place.size === "card" ? 45 : 37);
    });
    nodes
      .select(".trough")
      .attr("display", ({ node, place }) => (node === null || place.size === "dot" ? "none" : null))
      .attr("x", ({ place }) => inset(place))
      .attr("y", ({ place }) => place.height - 5)
      .attr("width", ({ place }) => place.width - 2 * inset(place));
    nodes
      .select(".share")
      .attr("display", ({ node, place }) => (node === null || place.size === "dot" ? "none" : null))
      .attr("x", ({ place }) => inset(place))
      .attr("y", ({ place }) => place.height - 5)
      .attr("width", ({ place, share }) => (place.width - 2 * inset(place)) * share);
    nodes.select(".sign").attr("transform", ({ place }) => {
      const at = place.size === "card" ? 16 : place.size === "small" ? 11 : 3;
      return place.size === "chip" || place.size === "dot" ? `translate(${place.width - at},${at})` : `translate(${place.width - at},${at + 4})`;
    });
    nodes.select(".odd").attr("display", ({ odd }) => (odd ? null : "none")).attr("transform", ({ place }) => `translate(${place.width - (place.size === "dot" ? 2 : 8)},${place.height - (place.size === "dot" ? 2 : 1)})`);
  }

  #enter(node: Selection<SVGGElement, Drawn, SVGGElement, unknown>): Selection<SVGGElement, Drawn, SVGGElement, unknown> {
    node.append("title");
    node.append("rect").attr("class", "halo");
    node.append("rect").attr("class", "frame");
    node.append("text").attr("class", "name");
    node.append("text").attr("class", "fact");
    node.append("rect").attr("class", "trough").attr("height", 2).attr("rx", 1);
    node.append("rect").attr("class", "share").attr("height", 2).attr("rx", 1);
    node.append("circle").attr("class", "sign").attr("r", 4);
    node.append("path").attr("class", "odd").attr("d", "M0,-4.5L4.5,0L0,4.5L-4.5,0Z");
    node.on("click", (_event, each) => each.node && this.onChoose(each.id === this.#chosen ? null : each.id));
    node.on("focus", (_event, each) => {
      if (each.node) this.#entry = each.id;
    });
    node.on("keydown", (event: KeyboardEvent, each) => this.#press(event, each));
    return node;
  }

  #press(event: KeyboardEvent, each: Drawn): void {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.onChoose(each.id === this.#chosen ? null : each.id);
    }
    const direction = ARROWS[event.key];
    if (!direction) return;
    event.preventDefault();
    const nodes = this.#group?.nodes.flatMap(({ id }) => this.#drawing.places.get(id) ?? []) ?? [];
    const next = neighbour(nodes, each.place, direction);
    if (next) this.focus(next.id);
  }

  focus(id: string): void {
    this.#entry = id;
    const nodes = this.#layer.selectAll<SVGGElement, Drawn>("g.node");
    nodes.attr("tabindex", (each) => (each.node === null ? null : each.id === id ? 0 : -1));
    nodes.filter((each) => each.id === id).node()?.focus();
  }

  #nodes(group: Group): Drawn[] {
    const odd = oddOnes(group.nodes);
    const most = new Map<string, number>();
    for (const node of group.nodes) most.set(node.role, Math.max(most.get(node.role) ?? 0, work(node)));
    return [...this.#drawing.places.values()].flatMap((place) => {
      const node = group.nodes.find(({ id }) => id === place.id);
      if (!node) return [];
      const alarms = alarmsOf(group, node.id);
      const mark = markOf(node, alarms);
      const label = place.size === "chip" ? node.name.slice(node.name.lastIndexOf("@") + 1) : node.name;
      const share = work(node) / Math.max(1, most.get(node.role) ?? 0);
      return [{ id: node.id, place, node, mark, label, fact: factOf(node), share, odd: odd.has(node.id) }];
    });
  }

  #outside(group: Group, names: string[]): Drawn[] {
    return names.flatMap((name) => {
      const place = this.#drawing.places.get(placeOfGroup(name));
      if (!place) return [];
      const reachable = group.nodes.some(({ groups }) => groups.some((each) => each.name === name && each.reachable));
      const fact = reachable ? "reachable" : "not reachable";
      return [{ id: place.id, place, node: null, mark: reachable ? "ready" : "away", label: name, fact, share: 0, odd: false } as const];
    });
  }

  /** The chosen node, and all that it is linked to; null if none is chosen. */
  #linked(): Set<string> | null {
    const [chosen, group] = [this.#chosen, this.#group];
    if (chosen === null || group === null || this.#sought !== "") return null;
    const ends = group.links.flatMap(({ node, broker }) => (node === chosen ? [broker] : broker === chosen ? [node] : []));
    const beyond = group.nodes.find(({ id }) => id === chosen)?.groups.map(({ name }) => placeOfGroup(name)) ?? [];
    return new Set([chosen, ...ends, ...beyond]);
  }

  #isSought(name: string): boolean {
    return name.toLowerCase().includes(this.#sought);
  }

  #inWords({ node, label, fact, odd }: Drawn): string {
    if (!node) return `Group ${label}: ${fact}`;
    const alarms = this.#group ? alarmsOf(this.#group, node.id) : [];
    const parts = [node.name, stateInWords(node)];
    if (fact !== stateInWords(node)) parts.push(fact);
    if (odd) parts.push("another version than most");
    return [...parts, ...alarms.map(({ text }) => text)].join(", ");
  }
}

/** The number by which a node of its kind is judged at a glance. */
function factOf(node: GroupNode): string {
  if (isStale(node)) return stateInWords(node);
  if (node.state !== "ready") return node.state;
  if (isBroker(node.role)) return node.messagesIn === null ? "" : rate(node.messagesIn);
  if (node.role === "bridge") {
    const reached = node.groups.filter(({ reachable }) => reachable).length;
    return reached === node.groups.length ? plural(reached, "group") : `${reached} of ${plural(node.groups.length, "group")}`;
  }
  return node.sessions === null ? (node.messagesOut === null ? "" : rate(node.messagesOut)) : plural(node.sessions, "session");
}

function work(node: GroupNode): number {
  if (node.role === "gate" || node.role === "scene") return node.sessions ?? node.load ?? 0;
  return (node.messagesIn ?? 0) + (node.messagesOut ?? 0);
}

function inset({ size }: Place): number {
  return size === "card" ? 16 : size === "small" ? 12 : 8;
}

function roleClass(role: string): string {
  return ["master", "slave", "gate", "scene", "bridge"].includes(role) ? role : "other";
}

function isTouch(event: Event): event is TouchEvent {
  return "touches" in event;
}

