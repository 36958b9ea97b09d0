// The page: both worlds side by side, the bridge between them, and the one player of
// this page, who is in one of them and looks on at the other.

import { COLOURS, icon } from "./art.js";
import { Bridge, journey } from "./bridge.js";
import { listen } from "./controls.js";
import { fruits, Pane } from "./pane.js";
import { RENAME, STEER, TRAVEL } from "./session.js";

const KEPT = "rabbit"; // in this tab's storage: which world, and the key there
const NAME = "name";
const NAMES = ["Hazel", "Fiver", "Bigwig", "Blackberry", "Speedwell", "Cowslip", "Buckthorn", "Thistle", "Acorn", "Juniper"];
const FIRST_LOOK_MS = 1500;

const part = (id) => document.getElementById(id);
const config = await fetch("api/config").then((answer) => (answer.ok ? answer.json() : {})).catch(() => ({}));
const worlds = config.worlds ?? [
  { name: "North", websocket: `ws://${location.hostname}:10243/` },
  { name: "South", websocket: `ws://${location.hostname}:10253/` },
];

const bridge = new Bridge();
const panes = worlds.map((world, index) => new Pane(world, worlds[1 - index].name, index === 0));
/** Where the player is, and as whom; nowhere at first. */
const me = { pane: null, id: null, isTravelling: false };

document.querySelector("main").append(...panes.map((pane) => pane.element));
panes.forEach(connect);
if (config.bridge) bridge.offerSwitch();
part("travel").addEventListener("click", travel);
part("name").addEventListener("change", rename);
part("me").addEventListener("submit", (event) => (event.preventDefault(), part("name").blur()));
listen({ steer: (way) => me.pane?.session.send(STEER, way), travel, talk: () => me.pane?.text.focus() });
setInterval(showMe, 100);
await begin();

function connect(pane) {
  const other = () => panes.find((each) => each !== pane);
  pane.onWelcome = (welcome) => pane === me.pane && welcome.key && settle(pane, welcome);
  pane.onBridge = (state) => (pane === me.pane || !me.pane) && bridge.show(state);
  pane.onCrossed = () => bridge.letter(!pane.isNorth);
  pane.onTicket = (ticket) => pane === me.pane && move(other(), ticket);
  pane.onTold = () => (me.isTravelling = false);
  pane.onRefused = (reason) => pane === me.pane && refused(pane, reason);
}

/** In where this tab's rabbit is, or else as a new one in the emptier world. */
async function begin() {
  part("name").value = localStorage.getItem(NAME) ?? NAMES[Math.floor(Math.random() * NAMES.length)];
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
  const before = panes.find(({ name }) => name === kept?.world);
  const looks = panes.filter((pane) => pane !== before).map((pane) => pane.session.watch());
  if (before) return enter(before, (session) => session.play(kept.key));
  await Promise.race([Promise.all(looks), pause(FIRST_LOOK_MS)]);
  const until = performance.now() + FIRST_LOOK_MS;
  while (panes.some(({ picture }) => !picture) && performance.now() < until) await pause(20);
  const there = panes.filter(({ picture }) => picture);
  const [emptier = panes[0]] = there.sort((one, other) => one.players - other.players);
  return enter(emptier, (session) => session.join(part("name").value));
}

function enter(pane, login) {
  me.pane = pane;
  return login(pane.session);
}

/** The player is in this world from now on. */
function settle(pane, { id, key, bridge: state }) {
  Object.assign(me, { id, isTravelling: false });
  sessionStorage.setItem(KEPT, JSON.stringify({ world: pane.name, key }));
  for (const each of panes) each.setMine(each === pane ? id : null);
  document.body.dataset.world = pane.name;
  bridge.show(pane.bridge ?? state);
  const button = part("travel");
  button.disabled = false;
  button.firstElementChild.textContent = `Travel to ${pane.other}`;
  button.dataset.way = pane.isNorth ? "right" : "left";
}

function travel() {
  if (!me.id || me.isTravelling) return;
  me.isTravelling = true;
  me.pane.session.send(TRAVEL);
}

/** The rabbit is in the other world already, and sleeps there until we come with this. */
async function move(to, ticket) {
  const [from, { colour, x, y } = {}] = [me.pane, me.rabbit ?? {}];
  sessionStorage.setItem(KEPT, JSON.stringify({ world: to.name, key: ticket }));
  to.painter.hidden = me.id;
  const arriving = enter(to, (session) => session.play(ticket));
  from.session.watch();
  if (colour !== undefined) await journey(colour, from.painter.place(x, y), to.painter.place(x, y));
  await arriving;
  to.painter.hidden = null;
}

/** The server does not know this key, or somebody else plays with it. */
function refused(pane, reason) {
  if (reason === "replaced") {
    me.id = null;
    part("travel").disabled = true;
    sessionStorage.removeItem(KEPT);
    pane.setMine(null);
    pane.note("Your rabbit is played in another tab. Open this page anew for another one.");
    return pane.session.watch();
  }
  pane.note(`${pane.name} does not know your rabbit any more: here is a new one.`);
  return pane.session.join(part("name").value);
}

function rename() {
  const name = part("name").value.trim();
  if (!name) return;
  localStorage.setItem(NAME, name);
  me.pane?.session.send(RENAME, name);
}

/** Shows what the server says of the player, at the top of the page. */
function showMe() {
  const rabbit = me.id && me.pane.rabbit(me.id);
  if (!rabbit) return;
  const { name, colour, bag, isPacking } = rabbit;
  const known = JSON.stringify([name, colour, bag]);
  part("travel").classList.toggle("busy", isPacking);
  me.rabbit = rabbit;
  if (known === me.shown) return;
  me.shown = known;
  part("face").replaceChildren(icon("rabbit", COLOURS[colour]));
  if (document.activeElement !== part("name")) part("name").value = name;
  const carried = fruits(bag);
  part("bag").replaceChildren(...(carried.length > 0 ? carried : ["walk over fruit to pick it"]));
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
