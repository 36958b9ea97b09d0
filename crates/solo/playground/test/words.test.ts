import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { lossInWords, reasonInWords, refusalInWords } from "../src/words";

/** Never said by a gate, or to nobody who could still hear it. */
const NEVER_TOLD = [
  "unspecified",
  "client_closed",
  "socket_error",
  "tls_failed",
  "origin_refused",
  "proxy_header",
  "redirected",
];

test("every reason that a gate gives has words", () => {
  const protocol = readFileSync("../../../proto/clients.md", "utf8");
  const reasons = [...protocol.matchAll(/^\| `(\w+)` \| (?:\d{4})? *\|/gm)].map(([, name = ""]) => name);
  assert.ok(reasons.includes("resume_refused") && reasons.includes("socket_error"), String(reasons));
  for (const reason of reasons.filter((name) => !NEVER_TOLD.includes(name))) {
    assert.doesNotMatch(reasonInWords(reason), /The server closed the connection/, reason);
    assert.equal(refusalInWords(reason), reasonInWords(reason));
  }
});

test("what a script says when it turns somebody away is shown as it is", () => {
  assert.equal(refusalInWords("members only"), "You were not let in: members only");
});

test("a loss that was short is not counted in seconds", () => {
  assert.match(lossInWords(180), /for a moment\. Nothing was missed/);
  assert.match(lossInWords(12_300), /for 12 seconds/);
});
