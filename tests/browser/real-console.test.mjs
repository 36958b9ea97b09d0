// The master's console before a real group: what is drawn is what runs.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { DESKTOP, launch } from "./browser.mjs";
import { isAlive, offspring, until } from "./cross-group.mjs";

const REDRABBIT = fileURLToPath(new URL("../../target/debug/redrabbit", import.meta.url));
// An address that no other run on this machine has.
const ADDRESS = `127.${64 | (process.pid >> 16 & 31)}.${process.pid >> 8 & 255}.${process.pid & 255}`;
const SCRIPT = `
import ffext

@ffext.session_verify_callback
def verify(session_key, online_time, ip, gate_name):
    if session_key.startswith("boom"):
        raise ValueError("fails on purpose")
    return [session_key, ""]
`;
const topology = (folder) => `
group = "world"
[master]
listen = "${ADDRESS}:10241"
http = "${ADDRESS}:10341"
state_dir = "${folder}"
[security]
secret = "a secret of this test"
[slaves."slave@0"]
listen = "${ADDRESS}:10251"
[gates."gate@0"]
tcp = "${ADDRESS}:10242"
[gates."gate@1"]
tcp = "${ADDRESS}:10243"
[scenes."scene@0"]
script = "main.py"
state_dir = "${folder}"
`;

describe("console of a real group", () => {
  let folder, group, browser, page, url;
  const mishaps = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "redrabbit-console-"));
    await writeFile(join(folder, "main.py"), SCRIPT);
    await writeFile(join(folder, "topology.toml"), topology(folder));
    group = spawn(REDRABBIT, ["up", join(folder, "topology.toml")], { stdio: ["ignore", "ignore", "inherit"] });
    ({ url } = await until("the console has an address", () => command("console", "--json").then(JSON.parse, () => null)));
    browser = await launch();
    page = await (await browser.newContext({ viewport: DESKTOP })).newPage();
    page.setDefaultTimeout(20_000);
    page.on("pageerror", (error) => mishaps.push(String(error)));
    // A master that is away is no mistake of the page.
    page.on("console", (message) => message.type() === "error" && !/net::ERR_/.test(message.text()) && mishaps.push(message.text()));
    await until("the master serves it", () => fetch(url, { redirect: "manual" }).then(() => true, () => false));
    await page.goto(url);
  });
  after(async () => {
    await browser?.close();
    if (group && (await isAlive(group.pid))) {
      const ended = once(group, "exit");
      group.kill("SIGINT");
      await ended;
    }
    await rm(folder, { recursive: true, force: true });
    assert.deepEqual(mishaps, [], "the page reported no error, and broke no rule of its policy");
  });

  const command = async (name, ...more) => {
    const { stdout } = await promisify(execFile)(REDRABBIT, [name, "--topology", join(folder, "topology.toml"), ...more]);
    return stdout;
  };
  const node = (name) => page.locator(`.node[data-name="${name}"]`);
  const says = (locator, text) => locator.filter({ hasText: text }).first().waitFor();

  test("every node is drawn, and the token leaves the address bar", async () => {
    for (const name of ["master@0", "slave@0", "gate@0", "gate@1", "scene@0"]) await node(name).waitFor();
    assert.equal(page.url(), `http://${ADDRESS}:10341/`);
    await says(page.locator("#sums"), "5nodes");
  });

  test("the token is for its own user alone", async () => {
    const { token_file: file } = JSON.parse(await command("console", "--json"));
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.match((await readFile(file, "utf8")).trim(), /^[0-9a-f]{64}$/);
  });

  test("nobody sees the group without the token, by another name or with another token", async () => {
    const state = `http://${ADDRESS}:10341/console/state`;
    const token = new URL(url).searchParams.get("token");
    const status = async (address, headers) => (await fetch(address, { headers, redirect: "manual" })).status;
    assert.equal(await status(state), 401);
    assert.equal(await status(state, { Authorization: `Bearer ${token.slice(1)}0` }), 401);
    assert.equal(await status(`http://${ADDRESS}:10341/?token=${"0".repeat(64)}`), 401);
    assert.equal(await status(`http://${ADDRESS}:10341/console/events`), 401);
    assert.equal(await status(state, { Authorization: `Bearer ${token}` }), 200);
    const called = (host) =>
      new Promise((resolve, reject) => {
        const asked = { host: ADDRESS, port: 10341, path: "/console/state", headers: { Host: host, Authorization: `Bearer ${token}` } };
        request(asked, (answer) => answer.resume() && resolve(answer.statusCode)).on("error", reject).end();
      });
    assert.equal(await called("evil.example:10341"), 421);
    assert.equal(await called("localhost:8000"), 200);
    // Probes and Prometheus need none.
    for (const open of ["healthz", "readyz", "metrics"]) assert.equal(await status(`http://${ADDRESS}:10341/${open}`), 200, open);
    const stranger = await (await browser.newContext()).newPage();
    await stranger.goto(`http://${ADDRESS}:10341/`);
    await says(stranger.locator("body"), "redrabbit console");
    await stranger.context().close();
  });

  test("players are counted where they are", async () => {
    const bots = spawn(REDRABBIT, ["bots", "--tcp", `${ADDRESS}:10242`, "--count", "7", "--duration", "10m", "--rate", "0"], { stdio: "ignore" });
    try {
      await says(node("gate@0"), "7 sessions");
      await says(page.locator("#sums"), "7sessions");
      await node("gate@0").click();
      await says(page.locator("#panel"), "Memory");
    } finally {
      bots.kill("SIGINT");
      await once(bots, "exit");
    }
  });

  test("an error of a script is an alarm, and is read where the node is", async () => {
    await promisify(execFile)(REDRABBIT, ["bots", "--tcp", `${ADDRESS}:10242`, "--count", "1", "--name", "boom", "--duration", "1s"]).catch(() => {});
    await node("scene@0").click();
    await says(page.locator("#panel"), "fails on purpose");
    await page.locator("#alarms").click();
    await says(page.locator("#panel .alarms li"), "an error in its log");
  });

  test("a node that dies is an alarm, and its place is empty", async () => {
    const gates = (await offspring(group.pid)).filter(({ name }) => name === "gate");
    assert.equal(gates.length, 2);
    process.kill(gates[1].pid, "SIGKILL");
    await page.locator("#alarms").click();
    await says(page.locator("#panel .alarms li[data-severity=critical]"), "it was lost, and is not back");
    await until("it is drawn no more", async () => (await page.locator(".node").count()) === 4);
  });

  test("a master that is away is said, and what was there stays", async () => {
    const master = (await offspring(group.pid)).find(({ name }) => name === "broker-master");
    process.kill(master.pid, "SIGSTOP");
    try {
      await says(page.locator("#connection-text"), "Master not reachable");
      assert.equal(await node("scene@0").count(), 1);
    } finally {
      process.kill(master.pid, "SIGCONT");
    }
    await says(page.locator("#connection-text"), "Live");
  });
});
