import assert from "node:assert/strict";
import { test } from "node:test";

import { group } from "../fixtures/group.mjs";
import { arrange, neighbour } from "../src/layout";

const nodesOf = (size: 3 | 12 | 200) => group({ size }).nodes as { id: string; name: string; role: string }[];

for (const size of [3, 12, 200] as const) {
  for (const [width, height] of [[960, 780], [390, 490]] as const) {
    test(`${size} nodes in ${width}x${height} stand apart and within the frame`, () => {
      const nodes = nodesOf(size);
      const { places, ...drawing } = arrange(nodes, ["GroupB"], width, height);
      assert.equal(places.size, nodes.length + 1);
      const all = [...places.values()];
      for (const [at, one] of all.entries()) {
        assert.ok(one.x >= 0 && one.x + one.width <= width, `${one.id} is within the width`);
        assert.ok(one.y >= 0 && one.y + one.height <= drawing.height, `${one.id} is within the height`);
        for (const other of all.slice(at + 1)) {
          const apart = one.x + one.width <= other.x || other.x + other.width <= one.x || one.y + one.height <= other.y || other.y + other.height <= one.y;
          assert.ok(apart, `${one.id} and ${other.id} do not cover each other`);
        }
      }
    });
  }
}

test("on a desktop, 200 nodes still have their numbers", () => {
  const { places, height } = arrange(nodesOf(200), ["GroupB", "Lobby"], 960, 778);
  assert.ok([...places.values()].every(({ size }) => size !== "dot"));
  assert.equal(height, 778);
});

test("a node is at the same place whatever order the master names it in", () => {
  const nodes = nodesOf(12);
  assert.deepEqual(arrange([...nodes].reverse(), [], 900, 700).places, arrange(nodes, [], 900, 700).places);
});

test("scene@10 comes after scene@9", () => {
  const nodes = [10, 9].map((index) => ({ id: `${index}`, name: `scene@${index}`, role: "scene" }));
  const { places } = arrange(nodes, [], 900, 700);
  assert.ok(places.get("9")!.x < places.get("10")!.x);
});

test("arrow keys lead to every node", () => {
  const places = [...arrange(nodesOf(200), [], 960, 780).places.values()];
  const seen = new Set([places[0]!]);
  for (const place of seen) {
    for (const direction of ["left", "right", "up", "down"] as const) {
      const next = neighbour(places, place, direction);
      if (next) seen.add(next);
    }
  }
  assert.equal(seen.size, places.length);
});

test("no nodes and no width are a drawing, too", () => {
  assert.equal(arrange([], [], 0, 0).places.size, 0);
  assert.equal(arrange(nodesOf(12), [], 0, 0).places.size, 12);
});
