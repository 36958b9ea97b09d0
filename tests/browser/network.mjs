// A network between pages and a gate, which can be cut and comes back.
import { once } from "node:events";
import { connect, createServer } from "node:net";

export class Network {
  #server;
  #sockets = new Set();
  #isCut = false;

  /** One that leads to the gate of this playground. */
  static async toGateOf(url) {
    const { websocket_port: port } = await (await fetch(new URL("/api/config", url))).json();
    return Network.to(port);
  }

  /** One that leads to this port of the same machine. */
  static async to(port) {
    const network = new Network();
    const server = (network.#server = createServer((near) => {
      // Nobody is reached while it is cut; the client hears of it at once.
      if (network.#isCut) return near.destroy();
      const far = connect(port, "127.0.0.1");
      for (const [one, other] of [[near, far], [far, near]]) {
        network.#sockets.add(one);
        one.setNoDelay(true);
        one.on("error", () => {});
        one.on("close", () => {
          network.#sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    }));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return network;
  }

  /** Where it begins. */
  get port() {
    return this.#server.address().port;
  }

  /** Has a page of the playground look for its gate here. Its security policy knows the gate's own port alone. */
  async lead(page) {
    await page.route("**/api/config", (route) => route.fulfill({ json: { websocket_port: this.port } }));
  }

  /** Ends every connection, and lets nobody through until `restore`. */
  cut() {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  restore() {
    this.#isCut = false;
  }

  async close() {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }
}
