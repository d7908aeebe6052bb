// Chosen records as FHIR: the same bytes as the command line; what a file is called; flags beside what they concern.

import assert from "node:assert/strict";
import { test } from "node:test";

import * as exporting from "../../server/page/queue/exporting.js";
import { asText, wrongWith } from "../../server/page/queue/text.js";
import { fromUtf8 } from "../../server/page/wire/bytes.js";
import { moment } from "../../server/page/wire/content.js";
import { flag } from "../../server/page/wire/sequence.js";
import { vectors } from "./rig.mjs";

/** @typedef {import("../../server/page/wire/examine.js").OpenedRecord} OpenedRecord */

const { cases } = vectors("fhir.json");

/**
 * A record of a vector.
 * @param {any} fields
 * @returns {OpenedRecord}
 */
function record({ device, record: id, sequence, at, part, line, when }) {
  const more = { receivedAt: "2026-03-09T08:00:00Z", isNew: true, sharedBy: null };
  return { device, record: id, sequence: BigInt(sequence), at: moment(at), part, line, when, ...more };
}

/** @param {any} fields */
function flagOf({ kind, message, device, sequence }) {
  return flag(kind, message, device, sequence === null ? null : BigInt(sequence));
}

for (const { name, records, flags, exported_at: exportedAt, patient, document } of cases) {
  test(`FHIR, byte for byte: ${name}`, async () => {
    const made = await exporting.bundle(records.map(record), flags.map(flagOf), { exportedAt, patient });
    assert.equal(fromUtf8(exporting.spell(made)), document);
  });
}

test("what is no time of an export and no patient is refused", async () => {
  const how = { exportedAt: "2026-03-09T08:00:00Z", patient: null };
  for (const exportedAt of ["", "2026-03-09", "2026-03-09T08:00:00+00:00", "2026-03-09T08:00:00Z\n"]) {
    await assert.rejects(exporting.bundle([], [], { ...how, exportedAt }), { name: "FrameError" });
  }
  assert.throws(() => exporting.instant(5), { name: "FrameError" });
  for (const patient of ["", "Patient/", "Patient/1/2", "patient/1", "Patient/a b", `Patient/${"a".repeat(65)}`, "Patient/1\n"]) {
    await assert.rejects(exporting.bundle([], [], { ...how, patient }), { name: "RangeError" });
  }
});

test("two records of one id and number cannot be told apart as documents", async () => {
  const [one] = cases[0].records.map(record);
  const how = { exportedAt: "2026-03-09T08:00:00Z", patient: null };
  await assert.rejects(exporting.bundle([one, { ...one, part: "another" }], [], how), { name: "RangeError" });
});

test("a file's name holds a device and a day, and nothing that the server could have put there", () => {
  const device = "ab".repeat(16);
  assert.equal(exporting.fileName(device, "2026-03-09T08:00:00Z", "txt"), "onebreath-abababab-2026-03-09.txt");
  assert.throws(() => exporting.fileName(device, "../../etc", "txt"), { name: "FrameError" });
});

test("S06 what is chosen is counted, noticings without a line as such", () => {
  const [one] = cases[0].records.map(record);
  const none = { ...one, line: null };
  assert.equal(exporting.counted([one]), "1 noticing chosen.");
  assert.equal(exporting.counted([one, none, none]), "3 noticings chosen, 2 of them without a line.");
  assert.equal(exporting.counted([]), "0 noticings chosen.");
  const line = { words: [{ text: "x", doubt: true }], transcriber: "v", rough: true };
  assert.equal(exporting.legend([one, none]), "");
  assert.deepEqual(exporting.legend([one, { line }]).split("\n").length, 2);
});

test("choosing: not discussed, of the last days, or everything, the oldest first", () => {
  const base = record(cases[0].records[0]);
  const at = (/** @type {string} */ text, /** @type {number} */ sequence) => ({
    ...base,
    at: moment(text),
    sequence: BigInt(sequence),
    record: String(sequence).repeat(32),
  });
  const [old, last] = [at("2026-02-01T10:00:00+00:00", 1), at("2026-03-08T10:00:00+00:00", 2)];
  const records = [last, old, { ...last, device: "0".repeat(32) }];
  const marks = new Map([[`${last.device}/${last.record}`, { said: /** @type {const} */ ("discussed"), at: 1 }]]);
  const now = Date.parse("2026-03-09T08:00:00Z");
  const found = (/** @type {exporting.Span} */ span) => exporting.within({ records, marks }, base.device, span, now);
  assert.deepEqual(["open", "week", "month", "all"].map((span) => found(/** @type {exporting.Span} */ (span))), [
    [old],
    [last],
    [last],
    [old, last],
  ]);
  assert.deepEqual(exporting.SPANS.map(([span]) => span), ["open", "week", "month", "all"]);
});

test("a flag of one record stands under it in the text, whatever it is grouped with", () => {
  const base = { ...record(cases[0].records[0]), line: null };
  const second = { ...base, sequence: 2n, at: moment("2026-03-02T23:15:00+01:00") };
  const flags = [
    flag("conflict", "Two claim it.", base.device, 2n),
    flag("missing", "One is missing.", base.device, 9n),
    flag("deleted", "One was deleted.", base.device, 1n),
  ];
  assert.deepEqual(wrongWith(second, flags), [flags[0]]);
  assert.deepEqual(wrongWith(base, flags), []);
  const client = { device: base.device, name: "Ana", again: false, fresh: 0, flags, records: [base, second] };
  assert.deepEqual(asText(client, null).split("\n").slice(3), [
    "Monday 2 March 2026",
    "23:05, 23:15  the foreman: 2 times, no line",
    "    23:15 ! Two claim it.",
    "",
    "! One is missing.",
    "One was deleted.",
    "",
  ]);
});
