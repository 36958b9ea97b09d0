// The arena in a browser: it sends where the player wants to go, and shows what the
// script says there is. What happens is decided by main.py alone.

import { Controls } from "./controls.js";
import { Painter } from "./painter.js";
import { decodeJson, Session } from "./redrabbit.js";
import { Sound } from "./sound.js";
import { Welcome } from "./welcome.js";
import { World } from "./world.js";

const [STEER, STATE, NEWS, RULES] = [1, 2, 3, 4]; // as in main.py

const find = (id) => document.getElementById(id);
const [view, hud, join] = [find("view"), find("hud"), find("join")];
const [controls, painter, sound] = [new Controls(view), new Painter(view), new Sound()];

let world = new World();
let session = null;
let me = null; // one's own name
let sent = "";
let seen = null; // the rabbits of the picture before, by name

join.addEventListener("submit", async (event) => {
  event.preventDefault();
  sound.wake();
  find("why").textContent = "";
  try {
    await play(find("name").value.trim());
  } catch (error) {
    find("why").textContent = inWords(error.reason ?? error.message);
  }
});

async function play(name) {
  const { websocket_port } = await (await fetch("/api/config")).json();
  session = await Session.login(`ws://${location.hostname}:${websocket_port}/`, {
    key: name,
    onMessage: ({ cmd, body }) => handlers[cmd]?.(decodeJson(body)),
    onAway: () => (find("away").hidden = false),
    onBack: () => {
      find("away").hidden = true;
      seen = null; // what has happened meanwhile does not all happen now
    },
    onFresh: (reply) => {
      begin(decodeJson(reply));
      toast("You were away for too long, and begin anew");
    },
    onClosed: ({ reason }) => {
      [session, me] = [null, null];
      find("why").textContent = inWords(reason);
      [hud.hidden, join.hidden] = [true, false];
    },
  });
  localStorage.setItem("name", name);
  begin(decodeJson(session.reply));
  document.activeElement?.blur();
}

/** The server has let the player in. */
function begin(welcome) {
  [world, seen, sent] = [new World(), null, ""];
  me = welcome.name;
  world.setRules(welcome.rules);
  [hud.hidden, join.hidden, find("away").hidden] = [false, true, true];
  controls.release();
}

const handlers = {
  [STATE](picture) {
    world.take(picture, performance.now());
    showBoard(picture.rabbits);
    notice(picture.rabbits);
  },
  [NEWS]({ came, went, out, by }) {
    if (came) tell(came, " is here");
    if (went) tell(went, " is gone");
    if (out) tell(by || "somebody", " got ", out);
    if (out === me) toast(`${by} got you. Back in a moment`);
    else if (by === me) toast(`You got ${out}!`);
  },
  [RULES](rules) {
    world.setRules(rules);
    toast("The rules have changed");
  },
};

/** What has happened between two pictures is told by lights and sounds. */
function notice(rabbits) {
  for (const [name, [index, x, y, , carrots, lives]] of seen ? rabbits : []) {
    const [colour, before, mine] = [world.rules.colours[index], seen.get(name), name === me];
    if (!before) continue;
    const [, beforeX, beforeY, , carrotsBefore, livesBefore] = before;
    if (carrots > carrotsBefore) {
      painter.burst(x, y, world.rules.carrot, 6, 120, 0.35);
      if (mine) sound.play("carrot");
    }
    if (lives === 0 && livesBefore > 0) {
      painter.burst(beforeX, beforeY, colour, 60, 340, 0.8);
      painter.burst(beforeX, beforeY, "#ffffff", 20, 180, 0.5);
      sound.play("out");
      painter.shake(mine ? 26 : 8);
    } else if (lives < livesBefore) {
      painter.burst(x, y, colour, 16, 220);
      if (mine) painter.shake(14);
      sound.play("hit");
    } else if (lives > 0 && livesBefore === 0) {
      painter.burst(x, y, colour, 30, 160, 0.6);
      if (mine) sound.play("back");
    }
  }
  seen = rabbits;
}

let newestShot = 0;
function hearShots() {
  for (const { number, by } of world.shots()) {
    if (number <= newestShot) continue;
    newestShot = number;
    if (by === me) sound.play("shot");
  }
}

let leader = null;
let boardShown = "";
function showBoard(rabbits) {
  const rows = [...rabbits].map(([name, [colour, , , , carrots]]) => ({ name, colour: world.rules.colours[colour], carrots }));
  rows.sort((one, other) => other.carrots - one.carrots || (one.name < other.name ? -1 : 1));
  const shown = rows.filter(({ name }, place) => place < 6 || name === me);
  if (JSON.stringify(shown) === boardShown) return;
  boardShown = JSON.stringify(shown);
  leader = rows[0]?.name;
  find("board").replaceChildren(...shown.map(({ name, colour, carrots }) => {
    const row = document.createElement("li");
    const dot = document.createElement("i");
    dot.style.background = colour;
    row.classList.toggle("me", name === me);
    row.append(dot, element("span", name), element("b", carrots));
    return row;
  }));
  const [mine, output] = [String(rows.find(({ name }) => name === me)?.carrots ?? 0), find("carrots")];
  if (output.textContent === mine) return;
  output.textContent = mine;
  output.classList.remove("up");
  output.offsetWidth; // so that the animation begins anew
  output.classList.add("up");
}

function element(kind, text) {
  const made = document.createElement(kind);
  made.textContent = text;
  return made;
}

function tell(who, what, whom = "") {
  const line = document.createElement("li");
  line.append(element("b", who), what, element("b", whom));
  line.addEventListener("animationend", () => line.remove());
  find("feed").append(line);
  while (find("feed").children.length > 5) find("feed").firstChild.remove();
}

function toast(text) {
  find("toast").textContent = text;
  find("toast").classList.remove("on");
  find("toast").offsetWidth;
  find("toast").classList.add("on");
}

function inWords(reason) {
  const words = {
    replaced: "You play somewhere else now.",
    draining: "The server is going down.",
    idle: "You were away for too long.",
    verify_refused: "That is no name.",
    socket_error: "The server is not there. Is it still running?",
  };
  return words[reason] ?? `The game has ended: ${reason}`;
}

addEventListener("keydown", (event) => {
  if (event.code === "KeyM" && session) find("sound").click();
});
find("sound").addEventListener("click", () => {
  sound.isOn = !sound.isOn;
  find("sound").setAttribute("aria-pressed", String(sound.isOn));
  find("sound").blur();
});
find("name").value = localStorage.getItem("name") ?? "";
find("name").focus();

// Picture after picture ------------------------------------------------------------

const welcome = new Welcome();
let before = performance.now();

function frame(now) {
  const dt = Math.min((now - before) / 1000, 0.1);
  before = now;
  const shown = session && world.newest ? world : welcome;
  shown.moveTo(now);
  const rabbits = painter.draw(shown, { me, leader, thumb: controls.thumb, dt, time: now / 1000 });
  if (shown === world) {
    hearShots();
    steer(rabbits.find(({ name }) => name === me));
  }
  requestAnimationFrame(frame);
}
requestAnimationFrame(frame);

function steer(rabbit) {
  if (!rabbit) return;
  const [x, y] = controls.stick(painter.toScreen(rabbit));
  const wish = [round(x), round(y), controls.isFiring];
  // A gate reads what comes too fast more slowly; only what is new is said. While the
  // connection is lost nothing is: only the newest wish counts when it is back.
  if (String(wish) === sent || !session.isConnected || session.isFull) return;
  sent = String(wish);
  session.send(STEER, wish);
}

function round(value) {
  return Math.round(value * 20) / 20;
}
