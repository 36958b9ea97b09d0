// talk.mjs URL KEY MESSAGES [WIDTH]: sends so many numbers as cmd 1, and ends with 0 when each
// has come back once and in order. Prints how often the connection was lost. With a WIDTH the
// numbers are padded to so many bytes, and the gate may compress them.
import { WebSocket } from "ws";
import { Session, decodeText } from "../dist/redrabbit.js";

const [url, key, messages, width = "0"] = process.argv.slice(2);
const body = (number) => String(number).padEnd(Number(width));
const total = Number(messages);
let heard = 0;
let losses = 0;
let wake;

function end(error) {
  console.error(error);
  process.exit(1);
}

const options = {
  key,
  compress: width !== "0",
  // Node has one of its own only since version 22.
  webSocket: WebSocket,
  onMessage: ({ cmd, body: bytes }) => {
    heard += 1;
    wake?.();
    if (cmd !== 1 || decodeText(bytes) !== body(heard)) end(`${decodeText(bytes)} came in the place of ${heard}`);
    if (heard === total) {
      console.log(JSON.stringify({ losses }));
      session.close();
    }
  },
  onAway: () => (losses += 1),
  onFresh: () => end("the gate does not have the session any more"),
  onClosed: end,
};

// A connection may be cut before its login is answered: that is the application's to try again.
async function login() {
  for (;;) {
    try {
      return await Session.login(url, options);
    } catch (error) {
      if (error.reason !== "socket_error") end(error);
    }
  }
}

const session = await login();
for (let number = 1; number <= total; number += 1) {
  await session.ready();
  // Some are under way at any time. All that are go out anew after a loss, and a network
  // that breaks at once would carry nothing else.
  while (number > heard + 100) await new Promise((resolve) => (wake = resolve));
  session.send(1, body(number));
}
