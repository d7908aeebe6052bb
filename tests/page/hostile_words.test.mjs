// Words and contents that were made to harm, and lists that come in pages (the table is in hostile.test.mjs).

import assert from "node:assert/strict";
import { test } from "node:test";

import { concat, equal, hex, utf8 } from "../../server/page/wire/bytes.js";
import { decode, encode } from "../../server/page/wire/content.js";
import { ContentError, SealError } from "../../server/page/wire/errors.js";
import { NOTHING } from "../../server/page/wire/memory.js";
import { agreementKey, signingKey } from "../../server/page/wire/primitives.js";
import { openFrame, parseFrame } from "../../server/page/wire/record.js";
import { safe } from "../../server/page/wire/text.js";
import { caseload, kinds, noticing, seed } from "./rig.mjs";

const { clinic, one, two, listed, entries } = await caseload();

const HOSTILE = {
  markup: "<img src=x onerror=alert(1)><script>alert(1)</script>&lt;\"'`",
  "right to left": "\u202eevil\u202c \u2067abc\u2069 \u05d0\u05d1",
  controls: "a\u0000b\u0007c\u001b[31md\u007fe\u0085f\u2028g\u2029h\ufeffi",
  template: "{{constructor.constructor('alert(1)')()}} ${alert(1)} javascript:alert(1)",
  "joined and astral": "👩‍👩‍👧 e\u0301 \ud83d\ude00 ผู้เฝ้าประตู",
};

test("hostile words stay words", async (t) => {
  for (const [name, words] of Object.entries(HOSTILE)) {
    await t.test(name, async () => {
      const record = await clinic.record(two, 2n, noticing(6, { part: words, words: [words, ...words.split(" ")] }));
      const reading = await clinic.read(entries, [...listed, record]);
      assert.deepEqual(reading.flags, []);
      assert.equal(reading.records[0].part, words);
      assert.equal(reading.records[0].line?.words[0].text, words);
      assert.doesNotMatch(safe(words), /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u);
    });
  }
  await t.test("40 s of words, in the longest record there is", async () => {
    const words = Array.from({ length: 2500 }, (_, at) => `ก${at}`);
    const doubt = words.flatMap((_, at) => (at % 3 ? [] : [at]));
    const record = await clinic.record(two, 2n, noticing(6, { words, doubt }));
    const reading = await clinic.read(entries, [...listed, record]);
    assert.deepEqual(
      reading.records[0].line?.words.map(({ text }) => text),
      words,
    );
  });
});

test("content that is no record is flagged and keeps its place", async () => {
  const good = new TextDecoder().decode(noticing(0));
  const spellings = [
    "{}",
    "null",
    "[]",
    "",
    "\ufeff" + good,
    good + " ",
    good.replace('"v":1', '"v":1,"__proto__":{"v":1}'),
    good.replace('"part"', '"__proto__"'),
    good.replace('"v":1', '"v":1e0'),
    good.replace('"v":1', '"v":-0'),
    good.replace("the", "\\u0074he"),
    good.replace("the foreman", "\\ud800"),
    good.replace("23:05:00", "24:00:00"),
    good.replace("2026-03-02", "2026-02-30"),
    good.replace("+00:00", "Z"),
    good.replace("+00:00", "-00:00"),
    good.replace("+00:00", "+24:00"),
    good.replace("00+00", "00.000000+00"),
    good.replace("2026", "0000"),
    "[".repeat(2000),
  ];
  const records = [];
  for (const [at, text] of spellings.entries()) {
    assert.throws(() => decode(utf8(text)), ContentError, text);
    records.push(await clinic.record(two, BigInt(at + 2), utf8(text)));
  }
  assert.throws(() => decode(concat(noticing(0).slice(0, -3), Uint8Array.of(0xff, 0x22, 0x7d))), ContentError);
  const reading = await clinic.read(entries, [...listed, ...records]);
  assert.deepEqual(
    kinds(reading),
    spellings.map(() => "content"),
  );
  assert.equal(reading.records.length, 5);
  assert.ok(equal(encode(decode(utf8(good))), utf8(good)));
});

test("pages may come one at a time; the newest can be read before the rest is here", async () => {
  const { beginReading, read } = await import("../../server/page/wire/reader.js");
  const memory = NOTHING;
  const reading = await beginReading(clinic.reader, entries, memory);
  const first = await reading.take([listed[4], listed[3]]);
  assert.deepEqual(
    first.map(({ sequence }) => sequence),
    [1n, 4n],
  );
  const second = await reading.take([listed[2], listed[3], listed[1], listed[0]]);
  assert.deepEqual(
    second.map(({ sequence }) => sequence),
    [3n, 2n, 1n],
  );
  assert.deepEqual(kinds(reading.finish()), ["duplicate", "order"], "the page gave one record twice");

  /** @type {[number, number, number][]} */
  const told = [];
  const onBatch = (/** @type {unknown[]} */ opened, /** @type {number} */ done, /** @type {number} */ of) =>
    told.push([opened.length, done, of]);
  const whole = await read(clinic.reader, entries, listed, memory, { batch: 2, onBatch });
  assert.deepEqual(told, [
    [2, 2, 5],
    [2, 4, 5],
    [1, 5, 5],
  ]);
  assert.deepEqual(whole.flags, []);
  assert.equal(hex(one.entry.deviceId), whole.records[1].device);
});

test("what was sealed for one epoch opens with no other's key", async () => {
  const frame = parseFrame(listed[2].frame);
  await assert.rejects(openFrame(frame, [clinic.keys[0]]), /not for this key/);
  await openFrame(frame, [clinic.keys[1]]);
  await assert.rejects(openFrame(frame, []), SealError);
  const old = await agreementKey(seed("Dr Okafor epoch 1"));
  assert.ok(equal(old.public, clinic.keys[0].public));
  await assert.rejects(signingKey(new Uint8Array(31)), RangeError);
});
