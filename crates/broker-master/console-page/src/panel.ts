// What is said beside the drawing: of the group, or of the node that was chosen.
import { Cards } from "./cards";
import { byId, make } from "./dom";
import { alarmsOf, markOf, stateInWords } from "./health";
import { type History, WHOLE } from "./history";
import { bytes, clock, count, plural, rate, span } from "./numbers";
import type { Alarm, Group, GroupNode } from "./state";
import { builds, scripts, type Version } from "./versions";

export class Panel {
  #title = byId("panel-title", HTMLElement);
  #state = byId("panel-state", HTMLElement);
  #close = byId("panel-close", HTMLButtonElement);
  #body = byId("panel-body", HTMLElement);
  #cards = new Cards();
  #parts = new Map<string, { element: HTMLElement; shown: string }>();
  #about: string | null = null;

  constructor(
    private readonly history: History,
    private readonly onChoose: (id: string | null) => void,
  ) {
    this.#close.addEventListener("click", () => this.onChoose(null));
  }

  /** Shows the node with this id; the group if there is none. */
  show(group: Group, chosen: string | null): void {
    const node = group.nodes.find(({ id }) => id === chosen) ?? null;
    const about = node?.id ?? WHOLE;
    if (about !== this.#about) this.#begin(about);
    this.#cards.show(this.history, about, group.now);
    this.#close.hidden = node === null;
    if (node) this.#showNode(group, node);
    else this.#showGroup(group);
  }

  #begin(about: string): void {
    this.#about = about;
    this.#parts.clear();
    this.#body.replaceChildren();
    this.#body.scrollTop = 0;
    const names = about === WHOLE ? ["alarms", "cards", "builds", "scripts", "groups"] : ["alarms", "facts", "cards", "faults", "links", "groups"];
    for (const name of names) {
      const element = name === "cards" ? this.#cards.element : make("section", name);
      this.#parts.set(name, { element, shown: "" });
      this.#body.append(element);
    }
  }

  #showGroup(group: Group): void {
    this.#title.textContent = "Group";
    this.#state.textContent = "";
    delete this.#state.dataset["mark"];
    const alarms = group.alarms.map((alarm) => this.#alarm(group, alarm, true));
    const none = make("p", "fine", make("span", "dot"), "No alarms");
    this.#part("alarms", group.alarms.length > 0 ? `Alarms ${group.alarms.length}` : "", [alarms.length > 0 ? make("ul", "", ...alarms) : none]);
    this.#versions("builds", "Builds", builds(group.nodes));
    this.#versions("scripts", "Scripts", scripts(group.nodes));
    this.#groups(group.nodes);
  }

  #showNode(group: Group, node: GroupNode): void {
    const alarms = alarmsOf(group, node.id);
    this.#title.textContent = node.name;
    this.#state.textContent = stateInWords(node);
    this.#state.dataset["mark"] = markOf(node, alarms);
    this.#part("alarms", "", alarms.length === 0 ? [] : [make("ul", "", ...alarms.map((alarm) => this.#alarm(group, alarm, false)))]);

    const facts: [string, string][] = [];
    if (node.started !== null) facts.push(["Up", `${span(group.now - node.started)}, since ${clock(node.started, group.now)}`]);
    if (node.build !== null) facts.push(["Build", oddly(builds(group.nodes), node, node.build)]);
    if (node.script !== null) facts.push(["Script", oddly(scripts(group.nodes), node, `version ${node.script.version}, ${node.script.hash}`)]);
    if (node.queuedMessages !== null) facts.push(["Queue", queueInWords(node)]);
    if (node.messagesIn !== null) facts.push(["In and out", `${rate(node.messagesIn)} in, ${rate(node.messagesOut)} out`]);
    if (node.dropped !== null) facts.push(["Dropped", node.dropped === 0 ? "nothing" : `${plural(node.dropped, "message")} since it started${node.droppedRate ? `, ${rate(node.droppedRate)} now` : ""}`]);
    this.#part("facts", "", [make("dl", "pairs", ...facts.map(([name, value]) => make("div", "", make("dt", "", name), make("dd", "", value))))]);

    const faults = [...node.faults].reverse().map((fault) => {
      const line = make("li", "", make("div", "by", make("time", "", clock(fault.at, group.now)), make("span", "", fault.target)), make("code", "", fault.text));
      line.dataset["level"] = fault.level;
      return line;
    });
    this.#part("faults", "Last warnings and errors", [faults.length > 0 ? make("ul", "", ...faults) : make("p", "quiet", "None since it started.")]);
    this.#links(group, node);
    this.#groups([node]);
  }

  #links(group: Group, node: GroupNode): void {
    const names = new Map(group.nodes.map((each) => [each.id, each]));
    const links = group.links
      .filter((link) => link.node === node.id || link.broker === node.id)
      .sort((one, other) => other.messages - one.messages);
    const rows = links.map((link) => {
      const other = names.get(link.node === node.id ? link.broker : link.node)!;
      const queue = make("td", link.queued > 0 ? "waiting" : "quiet", bytes(link.queued));
      return make("tr", "", make("td", "", this.#jump(other)), make("td", "", rate(link.messages)), make("td", "", `${bytes(link.bytes)}/s`), queue);
    });
    const head = make("tr", "", ...["Node", "Messages", "Traffic", "Queued"].map((title) => make("th", "", title)));
    this.#part("links", links.length > 0 ? `Links ${links.length}` : "", links.length === 0 ? [] : [make("table", "", make("thead", "", head), make("tbody", "", ...rows))]);
  }

  #versions(name: string, title: string, versions: Version[]): void {
    const rows = versions.map((version) => {
      const about = [plural(version.nodes.length, "node"), version.detail].filter(Boolean).join(", ");
      const row = make("li", version.odd ? "odd" : "", make("div", "", make("code", "", version.label), make("span", "quiet", about)));
      if (version.odd) row.append(make("p", "names", ...version.nodes.slice(0, 12).map((node) => this.#jump(node)), version.nodes.length > 12 ? `and ${version.nodes.length - 12} more` : ""));
      return row;
    });
    const differ = versions.length > 1 ? make("span", "tag", "differ") : "";
    this.#part(name, rows.length > 0 ? title : "", rows.length > 0 ? [make("ul", "", ...rows)] : [], differ);
  }

  #groups(nodes: GroupNode[]): void {
    const names = [...new Set(nodes.flatMap(({ groups }) => groups.map(({ name }) => name)))].sort();
    const rows = names.map((name) => {
      const by = nodes.filter(({ groups }) => groups.some((each) => each.name === name));
      const cut = by.filter(({ groups }) => groups.every((each) => each.name !== name || !each.reachable));
      const words = cut.length === 0 ? "reachable" : cut.length === by.length ? "not reachable" : "not reachable by";
      const row = make("li", "", make("span", "dot"), make("b", "", name), make("span", "quiet", words));
      if (cut.length > 0 && cut.length < by.length) row.append(...cut.map((node) => this.#jump(node)));
      row.dataset["reachable"] = String(cut.length === 0);
      return row;
    });
    this.#part("groups", rows.length > 0 ? "Other groups" : "", rows.length > 0 ? [make("ul", "", ...rows)] : []);
  }

  #alarm(group: Group, alarm: Alarm, named: boolean): HTMLElement {
    const node = group.nodes.find(({ id }) => id === alarm.node);
    const since = alarm.since === null ? "" : `for ${span(group.now - alarm.since)}`;
    const item = make("li", "", make("p", "", alarm.text));
    const by = make("p", "quiet", since);
    if (named && alarm.node !== null) by.prepend(node ? this.#jump(node) : alarm.node, " ");
    item.append(by);
    item.dataset["severity"] = alarm.severity;
    return item;
  }

  #jump(node: GroupNode): HTMLElement {
    const button = make("button", "jump", node.name);
    button.setAttribute("type", "button");
    button.dataset["node"] = node.id;
    button.addEventListener("click", () => this.onChoose(node.id));
    return button;
  }

  /** Puts this into its part, unless that is what stands there: focus and text that was marked stay. */
  #part(name: string, title: string, content: HTMLElement[], beside: HTMLElement | string = ""): void {
    const part = this.#parts.get(name);
    if (!part) return;
    const all = content.filter((element) => element.childNodes.length > 0);
    if (title !== "" && all.length > 0) all.unshift(make("h3", "", title, beside));
    const shown = all.map((element) => element.outerHTML).join("");
    part.element.hidden = all.length === 0;
    if (shown === part.shown) return;
    part.shown = shown;
    const held = part.element.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset["node"] : undefined;
    part.element.replaceChildren(...all);
    if (held !== undefined) part.element.querySelector<HTMLElement>(`[data-node="${CSS.escape(held)}"]`)?.focus();
  }
}

function oddly(versions: Version[], node: GroupNode, text: string): string {
  const own = versions.find(({ nodes }) => nodes.includes(node));
  return own?.odd ? `${text} (${count(versions[0]?.nodes.length ?? 0)} others run ${versions[0]?.label})` : text;
}

/** How full the fullest is says more than how much waits: bounds differ. */
function queueInWords(node: GroupNode): string {
  const waits = `${plural(node.queuedMessages ?? 0, "message")}, ${bytes(node.queuedBytes)}`;
  const percent = Math.round((node.queueFill ?? 0) * 100);
  return percent > 0 ? `${waits}; the fullest is ${percent} % full` : waits;
}
