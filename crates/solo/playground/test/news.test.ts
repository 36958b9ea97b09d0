import assert from "node:assert/strict";
import { test } from "node:test";

import { type Facts, failedPlace, markOf, newsOf } from "../src/news";

const LIVE: Facts = {
  scriptName: "main.py",
  fileHash: "aaaabbbb",
  changed: false,
  saving: false,
  status: { version: 1, hash: "aaaa", loaded_at: 0, error: null },
  problem: null,
  conflict: null,
  failure: null,
  failedHash: null,
};
const TRACEBACK = 'Traceback:\n  File "/x/main.py", line 3, in <module>\n  File "/x/other.py", line 9, in f\nValueError: boom\n';
const FAILED: Facts = { ...LIVE, fileHash: "cccc", failedHash: "cccc", status: { version: 1, hash: "aaaa", loaded_at: 0, error: TRACEBACK } };

test("the mark follows the script from edited over saved to live", () => {
  assert.equal(markOf({ ...LIVE, changed: true }).state, "unsaved");
  assert.equal(markOf({ ...LIVE, changed: true, saving: true }).state, "saving");
  assert.equal(markOf({ ...LIVE, fileHash: "cccc" }).state, "saved");
  assert.equal(markOf(LIVE).state, "live");
});

test("nothing is live before the first load", () => {
  assert.equal(markOf({ ...LIVE, status: { version: 0, hash: "", loaded_at: null, error: null } }).state, "saved");
  assert.equal(markOf({ ...LIVE, status: null }).state, "saved");
});

test("what stands in the way comes before what may wait", () => {
  assert.equal(newsOf(LIVE).about, "hint");
  assert.equal(newsOf({ ...LIVE, fileHash: "cccc" }).about, "not-live");
  assert.equal(newsOf(FAILED).about, "reload-failed");
  assert.equal(newsOf({ ...FAILED, problem: { line: 1, column: 0, message: "" } }).about, "problem");
  assert.equal(newsOf({ ...FAILED, conflict: "dddd" }).about, "conflict");
  assert.equal(newsOf({ ...FAILED, conflict: "dddd", failure: "no" }).about, "failure");
});

test("a failed load is forgotten once something else is saved", () => {
  assert.equal(newsOf({ ...FAILED, fileHash: "dddd" }).about, "not-live");
});

test("a failed load is placed at the script's own line", () => {
  const told = (error: string) => failedPlace({ ...FAILED, status: { version: 1, hash: "aaaa", loaded_at: 0, error } });
  assert.deepEqual(told("main.py, line 68: ValueError: boom"), { line: 68, column: 0, message: "ValueError: boom" });
  assert.equal(told("not-main.py, line 68: ValueError: boom"), null);
  assert.equal(told("the script is too slow"), null);
  assert.deepEqual(failedPlace(FAILED), { line: 3, column: 0, message: "ValueError: boom" });
  assert.equal(failedPlace({ ...FAILED, scriptName: "elsewhere.py" }), null);
  assert.equal(failedPlace({ ...FAILED, fileHash: "dddd" }), null);
  assert.equal(failedPlace({ ...FAILED, changed: true }), null);
});
