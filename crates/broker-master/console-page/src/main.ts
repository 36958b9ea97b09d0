// The console: hears the group each second, draws it, and says what is the matter.
import { byId, make } from "./dom";
import { Feed, type Hearing } from "./feed";
import { History, totals } from "./history";
import { GroupMap } from "./map";
import { bytes, byteRate, clock, count, plural, rate } from "./numbers";
import { Panel } from "./panel";
import type { Group } from "./state";

// The key is in a cookie by now; it has no business in the address bar.
if (location.search !== "") history.replaceState(null, "", location.pathname + location.hash);

const svg = document.querySelector<SVGSVGElement>("#map")!;
const remembered = new History();
let group: Group | null = null;
let chosen: string | null = null;

const map = new GroupMap(svg, choose);
const panel = new Panel(remembered, choose);

function choose(id: string | null): void {
  chosen = id;
  map.choose(id);
  if (group) panel.show(group, chosen);
  // Where both do not fit beside each other, what was asked for is brought into sight.
  if (id !== null && matchMedia("(max-width: 60rem)").matches) byId("panel", HTMLElement).scrollIntoView({ behavior: "smooth", block: "start" });
}

function show(heard: Group): void {
  group = heard;
  remembered.add(heard);
  if (chosen !== null && !heard.nodes.some(({ id }) => id === chosen)) choose(null);
  map.show(heard);
  panel.show(heard, chosen);
  byId("main", HTMLElement).hidden = false;
  document.title = `${heard.alarms.length > 0 ? `(${heard.alarms.length}) ` : ""}${heard.name}: RedRabbit console`;
  byId("group-name", HTMLElement).textContent = heard.name;
  const sum = totals(heard);
  const facts: [string, string][] = [
    [count(heard.nodes.length), heard.nodes.length === 1 ? "node" : "nodes"],
    [count(sum.sessions ?? 0), sum.sessions === 1 ? "session" : "sessions"],
    [rate(sum.messages), "messages"],
    [byteRate(sum.bytes), "traffic"],
    [bytes(sum.queued), "queued"],
  ];
  byId("sums", HTMLElement).replaceChildren(...facts.map(([value, name]) => make("div", "", make("dd", "", value), make("dt", "", name))));
  const alarms = byId("alarms", HTMLButtonElement);
  const text = heard.alarms.length === 0 ? "" : plural(heard.alarms.length, "alarm");
  if (alarms.textContent !== text) alarms.textContent = text;
  alarms.hidden = text === "";
  alarms.dataset["severity"] = heard.alarms.some(({ severity }) => severity === "critical") ? "critical" : "warning";
}

function say(hearing: Hearing): void {
  const [state, words, away] = [byId("connection", HTMLElement), byId("connection-text", HTMLElement), byId("away", HTMLElement)];
  if (state.dataset["state"] === hearing.kind && hearing.kind !== "away") return;
  state.dataset["state"] = hearing.kind;
  document.body.classList.toggle("away", hearing.kind === "away" || hearing.kind === "refused");
  words.textContent = { connecting: "Connecting", live: "Live", away: "Master not reachable", refused: "No access" }[hearing.kind];
  away.hidden = hearing.kind !== "away" && hearing.kind !== "refused";
  const notice = noticeFor(hearing);
  if (away.textContent !== notice) away.textContent = notice;
}

function noticeFor(hearing: Hearing): string {
  if (hearing.kind === "refused") return "The master does not let this page in: its key is missing or is not valid any more. Run “redrabbit console” for an address with the key.";
  if (hearing.kind !== "away") return "";
  const before = hearing.since === null ? "" : ` What you see is how the group was at ${clock(hearing.since, Date.now())}; nodes go on without their master.`;
  return `The master is not reachable.${before} This page goes on by itself once it is back.`;
}

byId("alarms", HTMLButtonElement).addEventListener("click", () => {
  choose(null);
  byId("panel", HTMLElement).scrollIntoView({ block: "nearest" });
});
byId("closer", HTMLButtonElement).addEventListener("click", () => map.zoomBy(1.5));
byId("wider", HTMLButtonElement).addEventListener("click", () => map.zoomBy(1 / 1.5));
byId("whole", HTMLButtonElement).addEventListener("click", () => map.whole());

const sought = byId("seek", HTMLInputElement);
sought.addEventListener("input", () => map.seek(sought.value));
sought.addEventListener("keydown", ({ key }) => {
  const [first] = key === "Enter" ? map.seek(sought.value) : [];
  if (!first) return;
  sought.value = "";
  map.seek("");
  choose(first.id);
  map.focus(first.id);
});
addEventListener("keydown", (event) => {
  const typing = event.target instanceof HTMLInputElement;
  if (event.key === "Escape") {
    if (sought.value !== "") {
      sought.value = "";
      map.seek("");
    } else if (chosen !== null) choose(null);
  }
  if (event.key === "/" && !typing) {
    event.preventDefault();
    sought.focus();
  }
});

new Feed(show, say).start();
