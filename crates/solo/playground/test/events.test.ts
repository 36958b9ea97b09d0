import assert from "node:assert/strict";
import { test } from "node:test";

import { EventReader } from "../src/events";

test("events come whole, however the stream is cut", () => {
  const stream = ': hello\n\ndata: {"a":1}\n\ndata: one\ndata: two\n\n:\n\n';
  for (let cut = 0; cut <= stream.length; cut++) {
    const reader = new EventReader();
    const events = [...reader.push(stream.slice(0, cut)), ...reader.push(stream.slice(cut))];
    assert.deepEqual(events, ['{"a":1}', "one\ntwo"], `cut at ${cut}`);
  }
});
