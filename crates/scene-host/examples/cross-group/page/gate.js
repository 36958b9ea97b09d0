// How a browser speaks to a gate: one binary WebSocket message is one frame, a
// head of 8 bytes (size, cmd, flags; little-endian) and a body. All of it is in
// proto/clients.md; this is as much as a game needs.

const HEAD = 8;
const PING = 65535;
const PING_EVERY_MS = 20_000;
const THE_END = 1; // the flag of a frame that says why the connection ends

const write = new TextEncoder();
const read = new TextDecoder();

export class Gate {
  /** Called with each message: its cmd and its value, which came as JSON. */
  onMessage = (cmd, value) => {};
  /** Called once when the connection has ended, with a word that says why. */
  onEnd = (reason) => {};

  #socket;
  #reason = "socket_error";

  /**
   * Connects, and says who this is.
   *
   * @param {string} address such as `ws://127.0.0.1:10243/`
   * @param {string} key what the game's verify callback gets
   * @returns {Promise<{ gate: Gate, welcome: any }>} fails with the reason
   */
  static login(address, key) {
    const gate = new Gate();
    const socket = (gate.#socket = new WebSocket(address));
    socket.binaryType = "arraybuffer";
    return new Promise((resolve, reject) => {
      let welcome;
      socket.onopen = () => gate.#sendFrame(0, write.encode(key));
      socket.onmessage = ({ data }) => {
        const head = new DataView(data);
        const [cmd, flags] = [head.getUint16(4, true), head.getUint16(6, true)];
        const body = read.decode(new Uint8Array(data, HEAD));
        if (cmd === 0 && flags === THE_END) {
          gate.#reason = body;
        } else if (cmd === 0 && flags === 0 && welcome === undefined) {
          welcome = body === "" ? null : JSON.parse(body);
          resolve({ gate, welcome });
        } else if (cmd !== 0 && cmd !== PING) {
          gate.onMessage(cmd, JSON.parse(body));
        }
      };
      // Whoever says nothing for long is thought to be gone.
      const pings = setInterval(() => gate.#sendFrame(PING, new Uint8Array()), PING_EVERY_MS);
      socket.onclose = () => {
        clearInterval(pings);
        if (welcome === undefined) reject(new Error(gate.#reason));
        else gate.onEnd(gate.#reason);
      };
    });
  }

  /** Sends the game a message: a number from 1 on, and any value that JSON has. */
  send(cmd, value) {
    this.#sendFrame(cmd, write.encode(JSON.stringify(value)));
  }

  /** Ends the connection; nobody is told. */
  close() {
    this.onMessage = this.onEnd = () => {};
    this.#socket.close();
  }

  #sendFrame(cmd, body) {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    const frame = new Uint8Array(HEAD + body.length);
    const head = new DataView(frame.buffer);
    head.setUint32(0, body.length, true);
    head.setUint16(4, cmd, true);
    frame.set(body, HEAD);
    this.#socket.send(frame);
  }
}
