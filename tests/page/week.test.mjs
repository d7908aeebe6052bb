// The week of 167 hours: the counts, and when its sentence may name a day.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DAYS, grid, sentence, standsOut } from "../../server/page/queue/week.js";
import { moment } from "../../server/page/wire/content.js";

/** @typedef {import("../../server/page/wire/content.js").Moment} Moment */

/**
 * `day` 0 to 6 from Monday 2 March 2026.
 * @param {number} day
 * @param {number} hour
 * @param {string} [zone]
 */
function at(day, hour, zone = "+00:00") {
  const text = `2026-03-${String(2 + day).padStart(2, "0")}T${String(hour).padStart(2, "0")}:30:00${zone}`;
  return moment(text);
}

/**
 * Numbers below `most` from a seed: the same on every machine (mulberry32).
 * @param {number} seed
 */
function numbers(seed) {
  return (/** @type {number} */ most) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % most;
  };
}

/** Many weeks, from a few habits and from none. */
function* weeks() {
  for (let seed = 1; seed <= 4000; seed++) {
    const below = numbers(seed);
    const [days, hours] = [1 + below(7), [1 + below(6), 24][below(2)]];
    const from = [below(24), below(7)];
    /** @type {Moment[]} */
    const moments = [];
    for (let left = below(40); left > 0; left--) {
      const free = below(8) === 0;
      const day = free ? below(7) : (from[1] + below(days)) % 7;
      moments.push(at(day, free ? below(24) : (from[0] + below(hours)) % 24, ["+00:00", "-08:00", "+05:45"][below(3)]));
    }
    yield moments;
  }
}

/** @param {number[][]} pairs days and hours */
function said(...pairs) {
  return sentence(pairs.map(([day, hour]) => at(day, hour)));
}

test("sentences", () => {
  assert.equal(said([6, 23], [1, 22], [6, 22], [1, 23], [3, 9]), "Mostly Tuesday and Sunday nights, after ten.");
  assert.equal(said([6, 23], [0, 1], [6, 23]), "Mostly Sunday nights, after eleven.");
  assert.equal(said([0, 1], [0, 2], [0, 3]), "Mostly Sunday nights, after one.", "a night begins the day before");
  assert.equal(said([0, 0], [0, 2], [0, 3]), "Mostly Sunday nights, after midnight.");
  assert.equal(said([2, 9], [2, 10], [2, 11]), "Mostly Wednesday mornings, after nine.");
  assert.equal(said([2, 6], [2, 10], [2, 11]), "Mostly Wednesday mornings.");
  assert.equal(said([2, 12], [2, 13], [2, 17]), "Mostly Wednesday afternoons.");
  assert.equal(said([2, 7], [2, 13], [2, 21], [5, 3]), "Mostly Wednesdays.");
  assert.equal(said([0, 7], [0, 14], [2, 8], [2, 15], [4, 9], [4, 20]), "Mostly Mondays, Wednesdays and Fridays.");
  assert.equal(said([0, 19], [1, 20], [2, 19], [3, 21]), "Mostly evenings, after seven.");
  assert.equal(said([0, 7], [1, 13], [2, 19], [3, 23], [4, 8]), "Spread over the week.");
  assert.equal(said([0, 7], [1, 13], [2, 19]), "No day or hour stands out.");
  assert.equal(said([0, 7], [0, 7]), "", "two show nothing");
  assert.equal(said(), "");
});

test("the grid counts each noticing once, in the client's own hour", () => {
  for (const moments of weeks()) {
    const counts = grid(moments);
    assert.equal(counts.length, 7);
    assert.ok(counts.every((day) => day.length === 24));
    assert.equal(counts.flat().reduce((a, b) => a + b, 0), moments.length);
    for (const one of moments) assert.ok(counts[Number(one.text.slice(8, 10)) - 2][one.hour] > 0);
  }
});

/**
 * The day on which the night of a moment began, 0 for Monday, and its hour from 6 to 29; told from its text alone.
 * @param {Moment} one
 */
function nightly({ text }) {
  const [day, hour] = [Number(text.slice(8, 10)) - 2, Number(text.slice(11, 13))];
  return hour < 6 ? { day: (day + 6) % 7, hour: hour + 24 } : { day, hour };
}

test("what is named holds two thirds, and no day is named beside a fuller one", () => {
  const spans = { morning: [6, 12], afternoon: [12, 18], evening: [18, 22], night: [22, 30] };
  let named = 0;
  for (const moments of weeks()) {
    const found = standsOut(moments);
    if (found === null) continue;
    named++;
    assert.ok(moments.length >= 3);
    const { days, time } = found;
    const [from, to] = time === null ? [0, 0] : spans[time];
    const inTime =
      time === null
        ? moments.map(({ text }) => ({ day: Number(text.slice(8, 10)) - 2, hour: 0 }))
        : moments.map(nightly).filter(({ hour }) => hour >= from && hour < to);
    const of = DAYS.map((_, day) => inTime.filter((one) => one.day === day).length);
    const held = days.length === 0 ? inTime.length : days.reduce((sum, day) => sum + of[day], 0);
    assert.equal(found.held, held);
    assert.ok(3 * held >= 2 * moments.length);
    assert.ok(days.length <= 3 && new Set(days).size === days.length);
    for (const day of days) {
      assert.ok(of[day] >= 2);
      assert.ok(2 * of[day] >= Math.max(...of), "a named day holds at least half as many as the fullest");
      assert.ok(of.every((count, other) => days.includes(other) || count < of[day]));
    }
    if (found.hour !== null) {
      const shown = inTime.filter(({ day }) => days.length === 0 || days.includes(day)).map(({ hour }) => hour);
      assert.equal(found.hour, Math.min(...shown) % 24);
    }
  }
  assert.ok(named > 500 && named < 4000);
});

test("S10 the sentence names exactly what stands out, whatever the order, and never a number or a judgement", () => {
  for (const moments of weeks()) {
    const text = sentence(moments);
    assert.equal(sentence(moments.toReversed()), text);
    assert.equal(text === "", moments.length < 3);
    const found = standsOut(moments);
    const names = DAYS.filter((day) => text.includes(day));
    assert.deepEqual(names, (found?.days ?? []).map((day) => DAYS[day]));
    assert.equal(text.startsWith("Mostly "), found !== null);
    assert.match(text, /^(|Spread over the week\.|No day or hour stands out\.|Mostly [A-Za-z, ]+\.)$/);
    if (text.startsWith("Spread")) assert.ok(new Set(moments.map((one) => one.day)).size >= 4);
  }
});
