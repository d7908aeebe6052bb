// "A little earlier each week": what is counted in which week, and the one sentence.

import assert from "node:assert/strict";
import { test } from "node:test";

import { byWeek, counted, isAnswered, weeksBefore } from "../../server/page/queue/earlier.js";
import { WHEN } from "../../server/page/queue/sentences.js";
import { WHENS, moment } from "../../server/page/wire/content.js";

/** @typedef {import("../../server/page/wire/content.js").When} When */

/** Friday 20 March 2026. */
const NOW = Date.UTC(2026, 2, 20, 12);

/**
 * @param {string} text a local time without its seconds
 * @param {When | null} [when]
 * @param {string} [zone]
 */
function noticed(text, when = null, zone = "+00:00") {
  return { at: moment(`${text}:00${zone}`), when };
}

/** @param {ReturnType<typeof byWeek>} weeks */
function plain(weeks) {
  return weeks.map(({ monday, counts, all }) => [
    monday.text.slice(0, 10),
    ...WHENS.map((when) => counts[when]),
    all,
  ]);
}

test("S20 nothing is there without an answer", () => {
  const records = [noticed("2026-03-17T22:00"), noticed("2026-03-16T22:00")];
  for (const none of [[], records, [{ at: records[0].at }]]) {
    assert.equal(isAnswered(none), false);
    assert.deepEqual(byWeek(none, NOW), []);
    assert.equal(counted(none, NOW), "");
  }
});

test("S20 each week from Monday, the newest first, without a hole", () => {
  const records = [
    noticed("2026-03-18T22:00", "starting"),
    noticed("2026-03-16T00:00", "starting"),
    noticed("2026-03-15T23:59", "in"),
    noticed("2026-03-09T10:00"),
    noticed("2026-02-26T10:00", "after"),
    noticed("2026-02-10T10:00"),
  ];
  assert.deepEqual(plain(byWeek(records, NOW)), [
    ["2026-03-16", 2, 0, 0, 2],
    ["2026-03-09", 0, 1, 0, 2],
    ["2026-03-02", 0, 0, 0, 0],
    ["2026-02-23", 0, 0, 1, 1],
  ]);
  assert.deepEqual(plain(byWeek(records, NOW, NOW - 7 * 86_400_000)), [
    ["2026-03-16", 2, 0, 0, 2],
    ["2026-03-09", 0, 1, 0, 2],
  ]);
  assert.equal(plain(byWeek(records, NOW, NOW - 1)).length, 1, "a week is whole or not there");
  assert.deepEqual(
    byWeek(records, NOW).map((week) => weeksBefore(week, NOW, 0)),
    [0, 1, 2, 3],
  );
});

test("the week is the client's, not the clinician's", () => {
  const sunday = noticed("2026-03-15T23:30", "in", "-08:00");
  assert.deepEqual(plain(byWeek([sunday], NOW)), [
    ["2026-03-16", 0, 0, 0, 0],
    ["2026-03-09", 0, 1, 0, 1],
  ]);
  const lateSunday = Date.UTC(2026, 2, 16, 5);
  assert.deepEqual(plain(byWeek([sunday], lateSunday)), [["2026-03-09", 0, 1, 0, 1]]);
  assert.equal(counted([sunday], lateSunday), "This week: 1 time in it. The week before: no answer.");
});

test("a record of a clock that is ahead is shown in its own week", () => {
  const ahead = noticed("2026-03-30T08:00", "after");
  assert.deepEqual(plain(byWeek([ahead, noticed("2026-03-17T08:00", "in")], NOW)), [
    ["2026-03-30", 0, 0, 1, 1],
    ["2026-03-23", 0, 0, 0, 0],
    ["2026-03-16", 0, 1, 0, 1],
  ]);
});

test("the sentence counts", () => {
  const records = [
    ...["17", "18", "19"].map((day) => noticed(`2026-03-${day}T08:00`, "starting")),
    noticed("2026-03-16T08:00", "in"),
    noticed("2026-03-10T08:00", "starting"),
    ...[..."1234"].map((minute) => noticed(`2026-03-09T08:0${minute}`, "in")),
  ].sort((one, other) => other.at.ms - one.at.ms);
  assert.equal(
    counted(records, NOW),
    "This week: 3 times starting, 1 time in it. The week before: 1 starting, 4 in it.",
  );
  const later = NOW + 21 * 86_400_000;
  assert.equal(counted(records, later), "This week: no answer. The week before: no answer.");
});

test("S10 no word of it compares or judges, and every answer is counted once", () => {
  let seed = 7;
  const below = (/** @type {number} */ most) => (seed = (seed * 48271) % 2147483647) % most;
  for (let round = 0; round < 400; round++) {
    const records = Array.from({ length: 1 + below(30) }, () => {
      const at = new Date(NOW - below(60) * 86_400_000 - below(86_400) * 1000).toISOString().slice(0, 16);
      const zones = ["+00:00", "-08:00", "+13:00"];
      return noticed(at, [null, ...WHENS][below(4)], zones[below(3)]);
    }).sort((one, other) => other.at.ms - one.at.ms);
    const weeks = byWeek(records, NOW);
    const answers = records.filter(({ when }) => when !== null);
    for (const when of WHENS) {
      const total = weeks.reduce((sum, week) => sum + week.counts[when], 0);
      assert.equal(total, answers.filter((one) => one.when === when).length);
    }
    for (const [at, week] of weeks.entries()) {
      if (at > 0) assert.equal(weeks[at - 1].monday.ms - week.monday.ms, 7 * 86_400_000);
      assert.ok(week.all >= WHENS.reduce((sum, when) => sum + week.counts[when], 0));
    }
    assert.match(
      counted(records, NOW),
      /^(|This week: [a-z0-9, ]+\. The week before: [a-z0-9, ]+\.)$/,
    );
    assert.doesNotMatch(counted(records, NOW), /earlier|later|better|worse|more|less|than|%|↑|↓/);
  }
  assert.deepEqual(Object.values(WHEN), ["starting", "in it", "after"]);
});
