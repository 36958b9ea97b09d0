// What is under test: the demo, one that already runs or one of our own, or another
// group with a page.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const BUILT = fileURLToPath(new URL("../../target/debug/redrabbit-solo", import.meta.url));
const START_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 20_000;

/**
 * The demo that REDRABBIT_DEMO_URL names, or else a new one of the program that
 * REDRABBIT_SOLO names, or else of the one that cargo built.
 *
 * @returns {Promise<{ url: string, stop: () => Promise<void> }>}
 */
export async function startDemo() {
  const running = process.env.REDRABBIT_DEMO_URL;
  if (running) return { url: running, stop: async () => {} };

  return startSolo(["demo", "--port", "0"], "playground");
}

/**
 * The program with these arguments, as soon as it has printed the address of what it
 * calls `what`.
 *
 * @returns {Promise<{ url: string, pid: number, stop: () => Promise<void>, hangUp: () => void }>}
 */
export async function startSolo(args, what) {
  const program = process.env.REDRABBIT_SOLO ?? BUILT;
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const log = [];
  const lines = createInterface({ input: child.stdout });
  createInterface({ input: child.stderr }).on("line", (line) => log.push(line));
  lines.on("line", (line) => log.push(line));

  const url = await new Promise((resolve, reject) => {
    const fail = (why) => reject(new Error(`${program} ${why}\n${log.slice(-40).join("\n")}`));
    const timer = setTimeout(() => fail("printed no address in time"), START_WITHIN_MS);
    child.once("error", (error) => fail(`did not start: ${error.message}`));
    child.once("exit", (code, signal) => fail(`ended before it printed its address (${code ?? signal})`));
    lines.on("line", (line) => {
      if (!line.startsWith(`${what}: http://`)) return;
      clearTimeout(timer);
      resolve(line.slice(what.length + 2));
    });
  }).catch((error) => {
    child.kill("SIGKILL");
    throw error;
  });

  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`${program} ended by itself\n${log.slice(-40).join("\n")}`);
    }
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_WITHIN_MS);
    const [code, signal] = await ended;
    clearTimeout(timer);
    if (signal === "SIGKILL") throw new Error(`${program} did not stop in time\n${log.slice(-40).join("\n")}`);
    if (code !== 0) throw new Error(`${program} stopped with code ${code}\n${log.slice(-40).join("\n")}`);
  };
  const hangUp = () => [child.stdout, child.stderr].forEach((pipe) => pipe.destroy());
  return { url, pid: child.pid, stop, hangUp };
}
