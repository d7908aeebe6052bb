// What the queue shows, before there is a page to show it on: choice, groups, counts, words, and text for a note.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { byClient, byDay, chosen, isDiscussed, ofDevice } from "../../server/page/queue/model.js";
import { recall, remember, stillNew } from "../../server/page/queue/remembered.js";
import * as words from "../../server/page/queue/sentences.js";
import { asText, severalZones, titleOf } from "../../server/page/queue/text.js";
import { moment } from "../../server/page/wire/content.js";
import { placeOf } from "../../server/page/wire/notes.js";
import { newestFirst } from "../../server/page/wire/reader.js";
import { flag } from "../../server/page/wire/sequence.js";

/** @typedef {import("../../server/page/wire/examine.js").OpenedRecord} OpenedRecord */
/** @typedef {import("../../server/page/wire/notes.js").Mark} Mark */

const [ANA, BO, CY] = ["a", "b", "c"].map((digit) => digit.repeat(32));

/**
 * @param {string} device
 * @param {number} sequence
 * @param {string} at
 * @param {string | null} [said] words; a word that ends in ~ is doubtful
 * @param {Partial<OpenedRecord>} [more]
 * @returns {OpenedRecord}
 */
function record(device, sequence, at, said = null, more = {}) {
  const spoken = (said ?? "").split(" ").filter((word) => word !== "");
  const heard = spoken.map((word) => ({ text: word.replace(/~$/, ""), doubt: word.endsWith("~") }));
  return {
    device,
    record: sequence.toString(16).padStart(32, "0"),
    sequence: BigInt(sequence),
    at: moment(at),
    part: "the foreman",
    line: said === null ? null : { words: heard, transcriber: "vosk", rough: false },
    receivedAt: "2026-03-03T00:00:00Z",
    isNew: false,
    sharedBy: null,
    ...more,
  };
}

/** @param {OpenedRecord[]} records */
function discussed(...records) {
  /** @type {[string, Mark][]} */
  const marks = records.map((one) => [placeOf(one), { said: "discussed", at: 5 }]);
  return new Map(marks);
}

test("S06 shown unasked: what was not read, and the newest 50; every noticing counts alike", () => {
  const records = Array.from({ length: 80 }, (_, at) =>
    record(ANA, 80 - at, "2026-03-02T23:05:00+01:00", at % 2 ? "he yelled" : null, { isNew: at === 70 }),
  );
  const marks = discussed(records[0]);
  assert.deepEqual(chosen({ records, marks }, "unread"), [...records.slice(0, 50), records[70]]);
  assert.deepEqual(chosen({ records, marks }, "open"), records.slice(1));
  assert.deepEqual(chosen({ records, marks: null }, "open"), records);
  assert.deepEqual(chosen({ records, marks }, "all"), records);
  assert.ok(isDiscussed(records[0], marks) && !isDiscussed(records[1], marks));
  assert.ok(!isDiscussed(records[0], new Map([[placeOf(records[0]), { said: "none", at: 6 }]])));
});

test("clients: newest first, then those with something to flag; two of one name are told apart", () => {
  const records = [
    record(BO, 1, "2026-03-05T09:00:00+01:00", "x", { isNew: true }),
    record(ANA, 2, "2026-03-04T23:05:00+01:00"),
    record(BO, 2, "2026-03-03T09:00:00-05:00"),
  ].sort(newestFirst);
  const flags = [
    flag("missing", "A record is missing.", ANA, 1n),
    flag("unapproved", "A device is listed that you have not approved.", CY),
    flag("list", "The server's list runs in a circle; it may not be complete."),
  ];
  const named = [ANA, BO].map((device) => ({ device, name: "Ana" }));
  const { clients, rest } = byClient(records, named, flags);
  assert.deepEqual(
    clients.map(({ device, records: theirs, fresh, flags: own }) => [device, theirs.length, fresh, own.length]),
    [[BO, 2, 1, 0], [ANA, 1, 0, 1], [CY, 0, 0, 1]],
  );
  assert.deepEqual(clients.map(titleOf), ["Ana (device bbbbbbbb)", "Ana (device aaaaaaaa)", "Device cccccccc"]);
  assert.deepEqual(rest, [flags[2]]);
  assert.deepEqual(ofDevice(records, BO).map(({ sequence }) => sequence), [2n, 1n], "the oldest first");
  assert.deepEqual(ofDevice(records, BO, records[0].at.ms).length, 1);
});

test("S06 days are the client's own; noticings without a line are counted, and no other ones are put together", () => {
  const records = [
    record(ANA, 1, "2026-03-02T00:10:00+13:00"),
    record(ANA, 2, "2026-03-02T23:50:00+13:00"),
    record(ANA, 3, "2026-03-02T23:55:00+13:00", "he yelled"),
    record(ANA, 4, "2026-03-02T23:57:00+13:00", ""),
    record(ANA, 5, "2026-03-02T23:58:00+13:00", ""),
    record(ANA, 6, "2026-03-03T00:01:00+13:00"),
    record(ANA, 7, "2026-03-03T00:02:00+13:00", null, { part: "the little one" }),
    record(ANA, 8, "2026-03-03T00:03:00+13:00", null, { part: "the little one", isNew: true }),
    record(ANA, 9, "2026-03-03T00:04:00+13:00", null, { part: "the little one", isNew: true }),
  ];
  const days = byDay(records, discussed(records[8]));
  assert.deepEqual(
    days.map(({ date, entries }) => [date, entries.map((entry) => entry.records.length)]),
    [["2026-03-02", [2, 1, 1, 1]], ["2026-03-03", [1, 1, 1, 1]]],
  );
  assert.deepEqual(byDay(records, null)[1].entries.map((entry) => entry.records.length), [1, 1, 2]);
  assert.equal(byDay(records, null).flatMap(({ entries }) => entries.flatMap((entry) => entry.records)).length, 9);
  assert.deepEqual(byDay([], null), []);
});

test("the words are those of the command-line reader", () => {
  assert.deepEqual([1, 3, 1200].map(words.withoutLine), ["no line", "3 times, no line", "1,200 times, no line"]);
  assert.deepEqual([0, 1, 2].map(words.noticings), ["0 noticings", "1 noticing", "2 noticings"]);
  const line = record(ANA, 1, "2026-03-02T23:05:00+01:00", "he~ yelled again~").line;
  assert.equal(words.lineText(line), "he (?) yelled again (?)");
  assert.equal(words.lineText(line && { ...line, rough: true }), "he (?) yelled again (?)  [rough]");
  assert.equal(words.lineText(null), "no line");
  const unheard = { words: [], transcriber: "v", rough: true };
  assert.equal(words.lineText(unheard), "a line was spoken; it could not be made out");
  const at = moment("2026-03-03T09:05:00-03:30");
  assert.deepEqual([words.date(at), words.clock(at), words.zone(at)], ["Tuesday 3 March 2026", "09:05", "UTC-03:30"]);
  assert.equal(words.zone(moment("2026-03-03T09:05:00+00:00")), "UTC+00:00");
  assert.equal(words.progress(1200, 10_000), "Opening 1,200 of 10,000");
  assert.deepEqual([words.progress(50, null), words.progress(9, 8)], ["Opening 50", "Opening 9"]);
  const told = flag("deleted", "A record was deleted.");
  const wrong = flag("forged", "A record was forged.");
  assert.deepEqual([told, wrong].map(words.flagText), ["A record was deleted.", "! A record was forged."]);
  assert.deepEqual([[], [told], [told, wrong], [wrong, wrong]].map(words.flagged), [
    "No flags",
    "No flags",
    "1 flag",
    "2 flags",
  ]);
});

test("as text: in reading order, with the client's time, doubt, counts, marks and flags", () => {
  const records = [
    record(ANA, 1, "2026-03-02T21:10:00+01:00"),
    record(ANA, 2, "2026-03-02T22:40:00+01:00"),
    record(ANA, 3, "2026-03-02T23:05:00+01:00", "he yelled~"),
    record(ANA, 4, "2026-03-04T07:00:00+01:00", "the phone rang"),
  ];
  const client = {
    device: ANA,
    name: "Ana",
    again: false,
    records,
    fresh: 0,
    flags: [flag("missing", "A record is missing between Monday 2 March and Wednesday 4 March.", ANA, 4n)],
  };
  assert.equal(
    asText(client, discussed(records[3])),
    [
      "Ana",
      "4 noticings, in the client's own time",
      "",
      "Monday 2 March 2026",
      "21:10, 22:40  the foreman: 2 times, no line",
      "23:05  the foreman: he yelled (?)",
      "",
      "Wednesday 4 March 2026",
      "07:00  the foreman: the phone rang  (discussed)",
      "",
      "! A record is missing between Monday 2 March and Wednesday 4 March.",
      "",
    ].join("\n"),
  );
  const abroad = { ...client, flags: [], records: [records[0], record(ANA, 5, "2026-03-05T07:00:00-05:00")] };
  assert.ok(severalZones(abroad.records));
  assert.match(asText(abroad, null), /^21:10 \(UTC\+01:00\)  the foreman: no line$/m);
  assert.match(asText(abroad, null), /^07:00 \(UTC-05:00\)  the foreman: no line$/m);
});

test("hostile words cannot act, break a line, or turn the words around them", () => {
  const hostile = [
    "<img src=x onerror=alert(1)>",
    "\u202eevil\u202c\u2067abc",
    "a\u0000b\u001b[31m\n\nTuesday\u20283 March",
    Array.from({ length: 2500 }, (_, at) => `w${at}`).join(" "),
  ];
  const obeyed = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;
  for (const text of hostile) {
    const line = { words: [{ text, doubt: false }, { text, doubt: true }], transcriber: text, rough: false };
    const one = record(ANA, 1, "2026-03-02T21:10:00+01:00", null, { part: text, line });
    const flags = [flag("frame", text, text)];
    const { clients } = byClient([one], [{ device: ANA, name: text }], flags);
    assert.doesNotMatch(words.lineText(line), obeyed);
    assert.doesNotMatch(titleOf(clients[0]), obeyed);
    assert.doesNotMatch(titleOf(clients[1]), obeyed);
    assert.doesNotMatch(words.flagText(flags[0]), obeyed);
    const lines = asText({ ...clients[0], flags }, null).split("\n");
    assert.equal(lines.length, 8, "one line a record, whatever it says");
    for (const shown of lines) assert.doesNotMatch(shown, obeyed);
  }
});

test("what is remembered is each clinician's own; a browser without room says so", () => {
  /** @type {Map<string, string>} */
  const kept = new Map();
  const storage = {
    getItem: (/** @type {string} */ key) => kept.get(key) ?? null,
    setItem: (/** @type {string} */ key, /** @type {string} */ text) => void kept.set(key, text),
  };
  assert.equal(recall(storage, ANA), null);
  assert.ok(remember(storage, ANA, "of Ana's clinician"));
  assert.deepEqual([recall(storage, ANA), recall(storage, BO)], ["of Ana's clinician", null]);
  const full = {
    ...storage,
    setItem: () => {
      throw new DOMException("no room", "QuotaExceededError");
    },
  };
  assert.ok(!remember(full, ANA, "x"));

  const fresh = new Set();
  const first = record(ANA, 1, "2026-03-02T21:10:00+01:00", null, { isNew: true });
  const second = record(ANA, 2, "2026-03-02T21:11:00+01:00");
  assert.deepEqual(stillNew([first, second], fresh).map(({ isNew }) => isNew), [true, false]);
  const later = stillNew([{ ...first, isNew: false }, second], fresh);
  assert.deepEqual(later.map(({ isNew }) => isNew), [true, false], "new until the keys are locked");
});

test("what is below the views only computes: no document, network, storage, clock or chance", () => {
  const outside =
    /\b(document|window|navigator|console|caches|fetch|localStorage|sessionStorage|setTimeout|Date\.now|Math\.random)\b/;
  const folder = new URL("../../server/page/queue/", import.meta.url);
  const files = readdirSync(folder);
  assert.ok(files.length >= 8);
  for (const file of files) {
    const source = readFileSync(new URL(file, folder), "utf8");
    const code = source.replace(/\/\*[^]*?\*\/|\/\/[^\n]*|"[^"\n]*"/g, "");
    assert.doesNotMatch(code, outside, file);
    for (const [, from] of source.matchAll(/from "([^"]+)"/g)) assert.match(from, /^\.(\.\/wire)?\/\w+\.js$/);
  }
});
