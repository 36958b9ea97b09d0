// One of the two worlds on the page: its map, who is there, what is said, and, where
// the page's own player is, what the player says.

import { COLOURS, icon } from "./art.js";
import { Painter } from "./painter.js";
import { BRIDGE, CHAT, GO, SAY, Session, STATE, TICKET, TOLD } from "./session.js";

const KEPT_LINES = 60;

export class Pane {
  /** Called with what concerns more than this world. */
  onBridge = (state) => {};
  onCrossed = () => {}; // a line of the other world has arrived
  onTicket = (ticket) => {};
  onWelcome = (welcome) => {};
  onTold = () => {};
  onRefused = (reason) => {};
  /** What the server has said last of everybody here; null when it says nothing. */
  picture = null;
  bridge = null;

  #root;
  #chat;
  #shown = "";

  constructor({ name, websocket }, other, isNorth) {
    const root = (this.#root = document.getElementById("world").content.firstElementChild.cloneNode(true));
    [this.name, this.other, this.isNorth] = [name, other, isNorth];
    root.classList.add(isNorth ? "north" : "south");
    root.dataset.world = name;
    this.#part(".title").textContent = name;
    this.#part("canvas").setAttribute("aria-label", `A map of ${name}`);
    this.#chat = this.#part(".chat");
    this.#chat.ariaLabel = `What is said in ${name}`;
    this.#part(".to .here").textContent = `${name} only`;
    for (const choice of root.querySelectorAll("[type=radio]")) choice.name = `to ${name}`;
    this.#part(".onlooker").textContent = `You are looking on. Travel to ${name} to walk and talk here.`;
    this.painter = new Painter(this.#part("canvas"), isNorth);
    this.session = new Session(websocket);
    this.session.onMessage = (cmd, value) => this.#hear(cmd, value);
    this.session.onChange = (welcome) => this.#connected(welcome);
    this.session.onAway = (isAway) => this.#showLost(isAway);
    this.session.onRefused = (reason) => this.onRefused(reason);
    this.#part("canvas").addEventListener("pointerdown", (event) => this.session.send(GO, this.painter.at(event.clientX, event.clientY)));
    this.#part(".say").addEventListener("submit", (event) => this.#say(event));
  }

  get element() {
    return this.#root;
  }

  /** Where to write. */
  get text() {
    return this.#part(".text");
  }

  /** How many play here. */
  get players() {
    return this.picture?.rabbits.filter(([, , , , , , isResident]) => !isResident).length;
  }

  /** The rabbit with this id, as the server has said last. */
  rabbit(id) {
    const found = this.picture?.rabbits.find(([each]) => each === id);
    if (!found) return null;
    const [, name, colour, x, y, bag, , isPacking] = found;
    return { name, colour, x, y, bag, isPacking };
  }

  /** Shows whether the page's own player is here. */
  setMine(id) {
    this.painter.mine = id;
    this.#root.classList.toggle("mine", id !== null);
    this.#part(".role").textContent = id === null ? "" : "you are here";
    this.#shown = "";
    if (this.picture) this.#roster();
  }

  /** Puts a line of the page's own into what is said. */
  note(text) {
    this.#line({ text, failed: true });
  }

  #part(selector) {
    return this.#root.querySelector(selector);
  }

  #connected(welcome) {
    this.#showLost(welcome === null);
    if (!welcome) this.picture = null;
    else this.onWelcome(welcome), this.#look(welcome.bridge);
  }

  #showLost(isLost) {
    const lost = this.#part(".lost");
    lost.hidden = this.painter.isLive = !isLost;
    lost.textContent = isLost ? `${this.name} does not answer. Trying again…` : "";
  }

  #hear(cmd, value) {
    if (cmd === STATE) this.#take(value);
    if (cmd === BRIDGE) this.#look(value);
    if (cmd === TICKET) this.onTicket(value.ticket);
    if (cmd === TOLD) this.note(value), this.onTold(value);
    if (cmd === CHAT && !this.#hasLine(value.number)) {
      this.#line(value);
      const isFromAfar = value.from !== this.name;
      if (isFromAfar) this.onCrossed();
      if (isFromAfar) this.painter.say("bridge", `${value.name ? `${value.name}: ` : ""}${value.text}`);
      else if (value.id) this.painter.say(value.id, value.text);
    }
  }

  #take(picture) {
    this.picture = picture;
    this.painter.take(picture);
    this.#roster();
  }

  #look(state) {
    this.bridge = state;
    this.onBridge(state);
  }

  /** Who is here, and with what; players first. */
  #roster() {
    const rabbits = this.picture.rabbits.map(([id, name, colour, , , bag, isResident]) => ({ id, name, colour, bag, isResident }));
    const known = JSON.stringify(rabbits);
    if (known === this.#shown) return;
    this.#shown = known;
    rabbits.sort((one, other) => one.isResident - other.isResident);
    this.#part(".roster").replaceChildren(...rabbits.map(({ id, name, colour, bag, isResident }) => {
      const item = element("li", isResident ? "resident" : id === this.painter.mine ? "me" : "");
      item.append(icon("rabbit", isResident ? "#9a93a0" : COLOURS[colour]), element("span", "", name), ...fruits(bag));
      return item;
    }));
  }

  /** Whether this line is there: two connections, as somebody who looks on and as a player, both bring it. */
  #hasLine(number) {
    return number !== undefined && [...this.#chat.children].some((line) => line.dataset.number === number);
  }

  #line({ text, name, colour, from, to, failed, number }) {
    const isFromAfar = from !== undefined && from !== this.name;
    const line = element("li", [failed && "failed", isFromAfar && "afar", !name && "news", to === "both" && "both"].filter(Boolean).join(" "));
    if (isFromAfar) line.append(element("span", "from", from), " ");
    if (name) line.append(Object.assign(element("b", "", name), { style: `--colour: ${COLOURS[colour] ?? "inherit"}` }), " ");
    line.append(element("span", "what", text));
    if (number !== undefined) line.dataset.number = number;
    const isAtEnd = this.#chat.scrollTop + this.#chat.clientHeight > this.#chat.scrollHeight - 24;
    this.#chat.append(line);
    while (this.#chat.children.length > KEPT_LINES) this.#chat.firstElementChild.remove();
    if (isAtEnd) this.#chat.scrollTop = this.#chat.scrollHeight;
  }

  #say(event) {
    event.preventDefault();
    const text = this.text.value.trim();
    const to = this.#root.querySelector("[type=radio]:checked").value;
    if (text) this.session.send(SAY, { text, to });
    this.text.value = "";
  }
}

/** What a rabbit carries. */
export function fruits(bag) {
  return Object.entries(bag).filter(([, number]) => number > 0).map(([fruit, number]) => {
    const item = element("span", "fruit");
    item.append(icon(fruit), String(number));
    item.title = `${number} ${fruit}`;
    return item;
  });
}

function element(tag, className, text = "") {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}
