// The vectors that all SDKs agree on: proto/vectors.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  CMD_ACK,
  Decoder,
  FLAG_CLOSED,
  FLAG_RESUME,
  FLAG_TICKET,
  Received,
  Sent,
  decodeRedirect,
  encodeAck,
  encodeFrame,
  encodeResume,
  inflate,
} from "../dist/redrabbit.js";

const read = (name) => JSON.parse(readFileSync(new URL(`../../../../proto/vectors/${name}.json`, import.meta.url), "utf8"));
const bytes = (hex) => new Uint8Array(Buffer.from(hex, "hex"));
const hex = (bytes) => Buffer.from(bytes).toString("hex");

test("bytes are cut into the same frames however they are split", () => {
  const { good, bad } = read("frames");
  for (const { name, bytes: text, frames, rest } of good) {
    const all = bytes(text);
    for (let split = 0; split <= all.length; split += 1) {
      const decoder = new Decoder();
      const cut = [all.slice(0, split), all.slice(split)].flatMap((part) => decoder.push(part));
      assert.deepEqual(cut.map(({ cmd, flags, body }) => ({ cmd, flags, body: hex(body) })), frames, name);
      assert.equal(decoder.isEmpty, rest === "", name);
    }
    const again = frames.map(({ cmd, flags, body }) => hex(encodeFrame(cmd, flags, bytes(body)))).join("");
    assert.equal(again + rest, text, name);
  }
  for (const { name, bytes: text } of bad) {
    assert.throws(() => new Decoder().push(bytes(text)), { reason: "protocol_error" }, name);
  }
});

test("each frame of a client that comes back is encoded so", () => {
  const none = new Uint8Array(0);
  const made = {
    "login that would like to come back": ({ key }) => encodeFrame(0, FLAG_RESUME, new TextEncoder().encode(key)),
    ack: ({ count }) => encodeAck(count),
    resume: ({ token, count }) => encodeResume(bytes(token), count),
    goodbye: () => encodeFrame(CMD_ACK, FLAG_CLOSED, none),
  };
  for (const each of read("resume").encodings) {
    if (made[each.name]) assert.equal(hex(made[each.name](each)), each.bytes, each.name);
  }
});

test("a way to another gate is read so, and what is none is refused", () => {
  const { good, bad } = read("redirect");
  for (const { name, bytes: text, ticket, address, reply, first, first_resumable } of good) {
    const [frame] = new Decoder().push(bytes(text));
    assert.deepEqual([frame.cmd, frame.flags], [0, FLAG_TICKET], name);
    const redirect = decodeRedirect(frame.body);
    assert.deepEqual([hex(redirect.ticket), redirect.address, hex(redirect.reply)], [ticket, address, reply], name);
    assert.equal(hex(encodeFrame(0, FLAG_TICKET, redirect.ticket)), first, name);
    assert.equal(hex(encodeFrame(0, FLAG_TICKET | FLAG_RESUME, redirect.ticket)), first_resumable, name);
  }
  for (const { name, body } of bad) {
    assert.throws(() => decodeRedirect(bytes(body)), { reason: "protocol_error" }, name);
  }
});

test("compressed bodies are what they were, and others are refused", async () => {
  const { good, bad } = read("compression");
  for (const { name, plain, repeat, body } of good) {
    assert.equal(hex(await inflate(bytes(body))), plain.repeat(repeat), name);
  }
  for (const { name, body } of bad) {
    await assert.rejects(inflate(bytes(body)), { reason: "protocol_error" }, name);
  }
});

test("the gate is told at the same times", () => {
  for (const { name, bodies, told } of read("resume").received) {
    const received = new Received();
    assert.deepEqual(bodies.map((size) => received.take(size) ?? null), told, name);
  }
});

test("the same messages go out again", () => {
  for (const { name, steps } of read("resume").sent) {
    const sent = new Sent();
    let number = 0;
    for (const { send = 0, acknowledged, resumed, error = false, out, kept } of steps) {
      const step = () => {
        for (let left = send; left > 0; left -= 1) sent.push(new Uint8Array([(number += 1)]));
        if (acknowledged !== undefined) sent.acknowledge(acknowledged);
        if (resumed !== undefined) sent.resume(resumed);
      };
      if (error) assert.throws(step, { reason: "protocol_error" }, name);
      else step();
      const written = [];
      for (let frame = sent.next(); frame; frame = sent.next()) written.push(frame[0]);
      assert.deepEqual(written, out, name);
      assert.equal(sent.kept, kept, name);
    }
  }
});
