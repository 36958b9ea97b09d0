import assert from "node:assert/strict";
import { test } from "node:test";

import { readMessage } from "../src/message";

test("messages of the demo script are read by their kind", () => {
  assert.deepEqual(readMessage('{"kind":"chat","from":"ada","text":"<b>hi","time":"12:00"}'), {
    kind: "chat",
    from: "ada",
    text: "<b>hi",
    time: "12:00",
  });
  assert.deepEqual(readMessage('{"kind":"notice","text":"a\\nb"}'), { kind: "notice", text: "a\nb" });
  assert.deepEqual(readMessage('{"kind":"online","names":["a","b"]}'), { kind: "online", names: ["a", "b"], spoken: false });
});

test("text and lists of names are read as the scripts of the first RedRabbit send them", () => {
  assert.deepEqual(readMessage('"<b>hi</b>"'), { kind: "snippet", html: "<b>hi</b>" });
  assert.deepEqual(readMessage("<b>no JSON</b>"), { kind: "snippet", html: "<b>no JSON</b>" });
  assert.deepEqual(readMessage('["a","b"]'), { kind: "online", names: ["a", "b"], spoken: true });
});

test("whatever else comes is shown as data", () => {
  for (const text of ["1", "null", "true", "[1]", "{}", '{"kind":"chat","from":1,"text":"x"}', '{"kind":"online","names":"a"}', '{"kind":"notice"}']) {
    assert.deepEqual(readMessage(text), { kind: "data", text });
  }
});

test("a time in Unix seconds is shown as the time of day, and nonsense as none", () => {
  const time = (value: string) => {
    const message = readMessage(`{"kind":"chat","from":"a","text":"b","time":${value}}`);
    return message.kind === "chat" ? message.time : null;
  };
  assert.match(time("1700000000.25") ?? "", /^\d\d:\d\d$/);
  assert.equal(time("1e300"), "");
  assert.equal(time("null"), "");
});
