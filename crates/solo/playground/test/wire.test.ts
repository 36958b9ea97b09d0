import assert from "node:assert/strict";
import { test } from "node:test";

import { bodyText, decodeFrame, encodeFrame } from "../src/wire";

test("a frame is its little-endian head and its body", () => {
  assert.deepEqual([...encodeFrame(0x0102, "é")], [2, 0, 0, 0, 2, 1, 0, 0, 0xc3, 0xa9]);
});

test("what is encoded decodes to the same", () => {
  for (const [cmd, text] of [[0, ""], [1, '["hello"]'], [65535, "ping 🐇"]] as const) {
    const frame = decodeFrame(encodeFrame(cmd, text).buffer);
    assert.ok(frame);
    assert.deepEqual([frame.cmd, frame.flags, bodyText(frame.body)], [cmd, 0, text]);
  }
});

test("a message that is not exactly one frame is none", () => {
  const whole = encodeFrame(1, "abc");
  assert.equal(decodeFrame(whole.slice(0, 7).buffer), null);
  assert.equal(decodeFrame(whole.slice(0, -1).buffer), null);
  assert.equal(decodeFrame(new Uint8Array([...whole, 0]).buffer), null);
  assert.equal(decodeFrame(new Uint8Array([255, 255, 255, 255, 1, 0, 0, 0]).buffer), null);
});
