// What a session does with its connections: over a WebSocket whose other end is the test.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { CMD_ACK, CMD_PING, CMD_VERIFY, Decoder, FLAG_CLOSED, FLAG_RESUME, Session, decodeText, encodeFrame } from "../dist/redrabbit.js";

const none = new Uint8Array(0);
const text = (words) => new TextEncoder().encode(words);
const { setTimeout: realSetTimeout, clearTimeout: realClearTimeout } = globalThis;

/** The connections of a session, the newest last. */
let sockets;
/** Timers that are set: nobody waits for them, they go off when the test says so. */
let timers;
/** How many timers deep the code that runs now is; a message begins at 0. */
let depth;

class Socket {
  OPEN = 1;
  readyState = 1;
  /** What the client has sent: cmd, flags and body as a text. */
  frames = [];

  constructor() {
    sockets.push(this);
    queueMicrotask(() => this.onopen());
  }

  send(bytes) {
    const [{ cmd, flags, body }] = new Decoder().push(bytes);
    this.frames.push({ cmd, flags, text: decodeText(body) });
  }

  close() {
    this.readyState = 3;
  }

  /** The gate says something. */
  say(cmd, flags = 0, body = none) {
    depth = 0;
    this.onmessage({ data: encodeFrame(cmd, flags, body).buffer });
  }

  /** The connection is lost. */
  cut() {
    depth = 0;
    this.onclose();
  }
}

beforeEach(() => {
  [sockets, timers, depth] = [[], [], 0];
  globalThis.setTimeout = (what, ms) => {
    const timer = { what, ms, depth: depth + 1 };
    timers.push(timer);
    return timer;
  };
  globalThis.clearTimeout = (timer) => (timers = timers.filter((each) => each !== timer));
});

afterEach(() => {
  Object.assign(globalThis, { setTimeout: realSetTimeout, clearTimeout: realClearTimeout });
  delete globalThis.addEventListener;
});

/** Lets the one timer that is set go off. */
function wait() {
  assert.equal(timers.length, 1, JSON.stringify(timers));
  const [{ what, depth: before }] = timers.splice(0);
  depth = before;
  what();
}

/** Until all promises that can be kept are. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** The answer to a login that may come back. */
function offer(reply = "") {
  const body = new Uint8Array(20 + reply.length);
  new DataView(body.buffer).setUint32(16, 30, true);
  body.set(text(reply), 20);
  return body;
}

const count = (number) => new Uint8Array([number, 0, 0, 0, 0, 0, 0, 0]);

/** A session that is in; and what it has told. */
async function login(options = {}) {
  const told = [];
  const tell = (name) => (...what) => told.push([name, ...what]);
  const events = { onMessage: tell("message"), onAway: tell("away"), onBack: tell("back"), onClosed: tell("closed") };
  const opening = Session.login("ws://gate:1", { key: "ann", webSocket: Socket, ...events, ...options });
  await settled();
  sockets[0].say(CMD_VERIFY, FLAG_RESUME, offer());
  return { session: await opening, socket: sockets[0], told };
}

test("each ping is set off by the answer to the one before", async () => {
  const { session, socket } = await login();
  for (let pings = 1; pings <= 10; pings += 1) {
    assert.deepEqual(timers.map(({ ms, depth }) => [ms, depth]), [[20_000, 1]]);
    wait();
    assert.equal(socket.frames.filter(({ cmd }) => cmd === CMD_PING).length, pings);
    socket.say(CMD_PING);
  }
  session.close();
  assert.deepEqual(timers, []);
});

test("a gate that answers no ping is lost, unless anything else comes from it", async (context) => {
  let now = 0;
  context.mock.method(Date, "now", () => now);
  const { session, socket, told } = await login();
  wait();
  now = 40_000;
  socket.say(7);
  now = 45_000;
  wait();
  assert.equal(session.isConnected, true);
  assert.equal(timers[0].ms, 20_000);
  now = 65_000;
  wait();
  assert.equal(session.isConnected, false);
  assert.deepEqual(told.map(([name]) => name), ["message", "away"]);
  session.close();
});

test("who begins afresh is asked for the key anew, and told what may be lost", async () => {
  const keys = ["ann", "a ticket"];
  const fresh = [];
  const onFresh = (reply, lost) => {
    fresh.push([decodeText(reply), lost]);
    session.send(1, "of now");
  };
  const { session, socket, told } = await login({ key: () => keys.shift(), onFresh });
  session.send(1, "before");
  socket.cut();
  session.send(1, "while away");
  await settled();
  sockets[1].say(CMD_VERIFY, FLAG_CLOSED, text("resume_refused"));
  await settled();
  session.send(1, "while asked");
  assert.deepEqual(sockets[2].frames, [{ cmd: CMD_VERIFY, flags: FLAG_RESUME, text: "a ticket" }]);
  sockets[2].say(CMD_VERIFY, FLAG_RESUME, offer("welcome"));
  assert.deepEqual(fresh, [["welcome", 3]]);
  assert.deepEqual(sockets[2].frames.slice(1).map(({ text }) => text), ["of now"]);
  assert.deepEqual(told, [["away"]]);
  session.close();
});

test("a handler that throws is no fault of the gate's", async (context) => {
  const onMessage = () => {
    throw new Error("a mistake of the game's");
  };
  const { session, socket, told } = await login({ onMessage });
  const later = [];
  context.mock.method(globalThis, "queueMicrotask", (what) => later.push(what));
  socket.say(7);
  assert.equal(later.length, 1);
  assert.throws(later[0], { message: "a mistake of the game's" }, "nobody else catches it");
  assert.equal(session.isConnected, true);
  assert.deepEqual(told, []);
  session.close();
});

test("a page that is left says so, and one that is put aside does not", async () => {
  const page = new EventTarget();
  globalThis.addEventListener = page.addEventListener.bind(page);
  globalThis.removeEventListener = page.removeEventListener.bind(page);
  const { session, socket, told } = await login();
  const hide = (persisted) => page.dispatchEvent(Object.assign(new Event("pagehide"), { persisted }));
  const goodbyes = () => socket.frames.filter(({ cmd, flags }) => cmd === CMD_ACK && flags === FLAG_CLOSED).length;
  hide(true);
  assert.deepEqual([session.isConnected, goodbyes()], [true, 0]);
  hide(false);
  hide(false);
  assert.deepEqual([session.isConnected, goodbyes()], [false, 1]);
  assert.deepEqual(told, []);
});

test("nothing is heard after the end, whatever came together with the last message", async () => {
  const message = (cmd) => Buffer.from(encodeFrame(cmd, 0, none));
  const gate = createServer((socket) => {
    const answers = [message(CMD_VERIFY), Buffer.concat([7, 8, 9].map(message))];
    socket.on("data", () => socket.write(answers.shift()));
    socket.on("error", () => {});
  }).listen(0, "127.0.0.1");
  await once(gate, "listening");
  const heard = [];
  const ended = new Promise((resolve) => {
    const onMessage = ({ cmd }) => {
      heard.push(cmd);
      session.close();
      setImmediate(resolve);
    };
    let session;
    Session.login(`tcp://127.0.0.1:${gate.address().port}`, { key: "ann", onMessage }).then((made) => {
      session = made;
      session.send(1, "go on");
    });
  });
  await ended;
  gate.close();
  assert.deepEqual(heard, [7]);
});

test("what is sent while away goes out when it is back, and nothing twice", async () => {
  const { session, socket, told } = await login();
  session.send(1, "one");
  session.send(1, "two");
  socket.cut();
  assert.deepEqual([session.isConnected, told], [false, [["away"]]]);
  session.send(1, "three");
  await settled();
  sockets[1].say(CMD_ACK, FLAG_RESUME, count(1));
  assert.deepEqual(sockets[1].frames.slice(1).map(({ text }) => text), ["two", "three"]);
  assert.deepEqual(told, [["away"], ["back"]]);
  session.close();
});
