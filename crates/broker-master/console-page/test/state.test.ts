import assert from "node:assert/strict";
import { test } from "node:test";

import { group } from "../fixtures/group.mjs";
import { isStale, markOf } from "../src/health";
import { History, KEPT_MS, WHOLE } from "../src/history";
import { bytes, cores, count, span } from "../src/numbers";
import { readGroup } from "../src/state";
import { builds, oddOnes } from "../src/versions";

const read = (options: Parameters<typeof group>[0]) => readGroup(JSON.stringify(group(options)))!;

test("what is no state is none, and what is missing is not known", () => {
  for (const wrong of ["", "{", "null", "[]", "{}", '{"nodes": 3}']) assert.equal(readGroup(wrong), null);
  const sparse = readGroup('{"nodes": [{"name": "gate@0"}, 7, null], "links": [{"node": "x"}], "alarms": [{}]}')!;
  assert.equal(sparse.nodes.length, 1);
  assert.equal(sparse.nodes[0]!.cpu, null);
  assert.deepEqual(sparse.links, []);
  assert.equal(sparse.alarms[0]!.severity, "warning");
});

test("alarms and links may name nodes by id or by name", () => {
  const state = readGroup('{"nodes": [{"id": "1", "name": "master@0"}, {"id": 2, "name": "gate@0"}], "links": [{"node": "gate@0", "broker": "1"}], "alarms": [{"node": "gate@0"}]}')!;
  assert.equal(state.links[0]!.node, "2");
  assert.equal(state.alarms[0]!.node, "2");
});

test("a silent node is stale, and an alarm outweighs it", () => {
  const { nodes, alarms } = read({ size: 12, trouble: true });
  const gate = nodes.find(({ name }) => name === "gate@2")!;
  assert.ok(isStale(gate));
  assert.equal(markOf(gate, []), "stale");
  assert.equal(markOf(gate, alarms), "critical");
});

test("nodes that run something else than most are told apart", () => {
  const { nodes } = read({ size: 12, trouble: true });
  assert.deepEqual(builds(nodes).map((build) => [build.nodes.length, build.odd]), [[11, false], [1, true]]);
  assert.deepEqual([...oddOnes(nodes)], [nodes.find(({ name }) => name === "scene@1")!.id]);
  assert.equal(oddOnes(read({ size: 12 }).nodes).size, 0);
});

test("five minutes are remembered, silence is a gap, and no more than that", () => {
  const history = new History();
  const start = 1_000_000_000;
  for (let second = 0; second < 900; second += 1) if (second < 800 || second > 820) history.add(read({ size: 3, now: start + second * 1000 }));
  const points = history.points(WHOLE, "sessions");
  assert.ok(points[0]!.at >= start + 899_000 - KEPT_MS);
  assert.ok(points.length <= 302);
  assert.equal(points.filter(({ value }) => value === null).length, 1);
});

test("a clock that was set back begins anew", () => {
  const history = new History();
  history.add(read({ size: 3, now: 9_000_000 }));
  history.add(read({ size: 3, now: 5_000_000 }));
  assert.equal(history.points(WHOLE, "sessions").length, 1);
});

test("numbers are short", () => {
  assert.deepEqual([0, 7, 950, 1_234, 999_960, 34_567, 1.26].map(count), ["0", "7", "950", "1.2k", "1M", "35k", "1.3"]);
  assert.deepEqual([null, 0, 512, 1_400, 20e6].map(bytes), ["–", "0 B", "512 B", "1.4 kB", "20 MB"]);
  assert.deepEqual([0.004, 0.12, 2.4, 67.04].map(cores), ["0.4%", "12%", "240%", "67 cores"]);
  assert.deepEqual([900, 240_000, 7_200_000].map(span), ["1 s", "4 min", "2 h"]);
});
