// The small encodings: one spelling of everything, and what is refused.

import assert from "node:assert/strict";
import { test } from "node:test";

import * as bytes from "../../server/page/wire/bytes.js";
import { FrameError } from "../../server/page/wire/errors.js";
import { plain, recordEntry, shaped, tombstone } from "../../server/page/wire/listing.js";
import { after, formatMemory, knows, NOTHING, parseMemory } from "../../server/page/wire/memory.js";
import { safe, spelled } from "../../server/page/wire/text.js";

test("base64url: every length comes back, and only canonical spellings are taken", () => {
  for (let size = 0; size < 300; size++) {
    const data = Uint8Array.from({ length: size }, (_, at) => (at * 37 + size) & 255);
    const text = bytes.b64url(data);
    assert.equal(text, Buffer.from(data).toString("base64url"));
    assert.deepEqual(bytes.fromB64url(text, size), data);
  }
  const large = new Uint8Array(40_000).fill(251);
  assert.equal(bytes.b64url(large), Buffer.from(large).toString("base64url"));
  for (const bad of ["A", "AB", "AAB", "AA==", "AA+A", "AA/A", "AA A", "AAA\n", "ÄAAA", null, 7, undefined]) {
    assert.throws(() => bytes.fromB64url(bad), FrameError, String(bad));
  }
  assert.throws(() => bytes.fromB64url("AAAA", 2), FrameError);
});

test("hex is lower case and of the size asked for", () => {
  assert.deepEqual(bytes.fromHex("00ff", 2), Uint8Array.of(0, 255));
  for (const bad of ["00FF", "00f", "00ff00", "0 ff", "zzzz", null, 255]) {
    assert.throws(() => bytes.fromHex(bad, 2), FrameError);
  }
});

test("what does not fit is our own mistake", () => {
  assert.throws(() => bytes.need(new Uint8Array(3), 4, "a key"), RangeError);
  assert.throws(() => bytes.pad(new Uint8Array(4), 4), RangeError);
  assert.equal(bytes.unpad(new Uint8Array(8)), null);
  assert.equal(bytes.unpad(Uint8Array.of(1, 2, 0)), null);
  assert.deepEqual(bytes.unpad(bytes.pad(Uint8Array.of(1, 0), 8)), Uint8Array.of(1, 0));
});

test("comparing", () => {
  assert.ok(bytes.equal(Uint8Array.of(1, 2), Uint8Array.of(1, 2)));
  assert.ok(!bytes.equal(Uint8Array.of(1, 2), Uint8Array.of(1, 3)));
  assert.ok(!bytes.equal(Uint8Array.of(1, 2), Uint8Array.of(1)));
  assert.ok(bytes.order(Uint8Array.of(1, 2), Uint8Array.of(1, 200)) < 0);
});

test("text that is shown cannot be obeyed or turn others around", () => {
  assert.equal(safe("a\u0000\u001b[2J\u202eb\u2028c\u200d"), "a\ufffd\ufffd[2J\ufffdb\ufffdc\u200d");
  assert.equal(plain("ok\u0007\u00a0\u202e"), "ok\ufffd\ufffd\ufffd");
  assert.equal(plain("x".repeat(600)).length, 500);
  assert.equal(spelled("  the\t little\n one\u0000 "), "the little one");
  assert.equal(spelled("e\u0301"), "\u00e9");
  assert.equal(spelled("\u200ba\u200cb\u200d"), "a\u200cb\u200d");
});

test("a list's entries are believed in shape alone", () => {
  const good = { cursor: 1, device: "00", received_at: "now", frame: "AAAA" };
  const bad = [null, 7, {}, { ...good, cursor: "1" }, { ...good, cursor: 2 ** 60 }, { ...good, frame: "A" }];
  assert.deepEqual(shaped([good, ...bad], recordEntry).broken, bad.length);
  assert.throws(() => shaped({}, recordEntry), FrameError);
  const stone = {
    device: "0".repeat(32),
    record: "1".repeat(32),
    sequence: 3,
    sha256: "2".repeat(64),
    received_at: "2026-03-01T00:00:00Z",
    deleted_at: "2026-13-01T00:00:00Z",
    reason: "erased",
  };
  const { sequence, receivedAt, deletedAt } = tombstone(stone);
  assert.deepEqual([sequence, receivedAt, deletedAt], [3n, Date.UTC(2026, 2, 1), null]);
  assert.throws(() => tombstone({ ...stone, sequence: 0 }), FrameError);
  assert.throws(() => tombstone({ ...stone, device: "0" }), FrameError);
});

test("the memory of what was read comes back, never forgets, and is refused when damaged", () => {
  const [device, one, two] = ["a".repeat(32), "1".repeat(64), "2".repeat(64)];
  const marks = new Map([[`${device}/${device}`, 7]]);
  const first = after({ ...NOTHING, marks }, new Map([[device, [{ sequence: 1n, digest: one }]]]));
  const second = after(
    first,
    new Map([
      [
        device,
        [
          { sequence: 1n, digest: two },
          { sequence: 2n, digest: two },
        ],
      ],
    ]),
  );
  assert.ok(knows(second, device, 1n, one) && knows(second, device, 2n, two) && !knows(second, device, 1n, two));
  assert.deepEqual(parseMemory(formatMemory(second)), second);
  assert.deepEqual(parseMemory('{"version":1,"devices":{}}'), NOTHING);
  assert.deepEqual(after(second, new Map()), second);
  for (const devices of [
    "null",
    "7",
    '{"x":{}}',
    `{"${device}":{"1":"x"}}`,
    `{"${device}":{"0":"${one}"}}`,
    `{"${device}":{"1":7}}`,
  ]) {
    assert.throws(() => parseMemory(`{"version":1,"devices":${devices},"marks":{}}`), FrameError, devices);
  }
  for (const text of [
    "",
    "{}",
    "[]",
    "null",
    '{"version":2,"devices":{}}',
    '{"version":1,"devices":{},"marks":{"x":1}}',
    `{"version":1,"devices":{},"marks":{"${device}/${device}":"1"}}`,
  ]) {
    assert.throws(() => parseMemory(text), FrameError, text);
  }
});
