// "A little earlier each week" (S20): how often the client said "starting", "in it" or "after", week by week, and one
// plain sentence. It counts the client's own words; it does not compare, score or explain.

import { moment, WHENS } from "../wire/content.js";
import { number, WHEN } from "./sentences.js";

/** @typedef {import("../wire/content.js").Moment} Moment */
/** @typedef {import("../wire/content.js").When} When */
/** What is counted of a record. @typedef {{ at: Moment, when?: When | null }} Noticed */
/**
 * One week from its Monday on, in the client's own time. `all`: every noticing of the week, with an answer or without.
 * @typedef {{ monday: Moment, counts: Record<When, number>, all: number }} Week
 */

const DAY_MS = 86_400_000;
/** 1 January 1970 was a Thursday. */
const FROM_MONDAY = 3;

/**
 * Whether there is anything to show: the client was asked, and answered.
 * @param {readonly Noticed[]} records
 */
export function isAnswered(records) {
  return records.some(({ when }) => isWhen(when));
}

/**
 * Whole weeks, the newest first, from the present one back to the first with an answer; weeks in between without one
 * too. Those that ended before `since` are left out.
 * @param {readonly Noticed[]} records newest first
 * @param {number} now Unix milliseconds
 * @param {number} [since] Unix milliseconds
 * @returns {Week[]}
 */
export function byWeek(records, now, since = -Infinity) {
  if (!isAnswered(records)) return [];
  const present = weekOf(now, records[0].at.offsetMinutes);
  /** @type {Map<number, Week>} */
  const weeks = new Map();
  let [first, last] = [present, present];
  for (const { at, when } of records) {
    const number = weekOf(at.ms, at.offsetMinutes);
    const week = weeks.get(number) ?? empty(number);
    weeks.set(number, week);
    week.all++;
    if (!isWhen(when)) continue;
    week.counts[when]++;
    [first, last] = [Math.min(first, number), Math.max(last, number)];
  }
  if (since !== -Infinity) first = Math.max(first, weekOf(since, records[0].at.offsetMinutes));
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, back) => weeks.get(last - back) ?? empty(last - back));
}

/**
 * `This week: 3 times starting, 1 time in it. The week before: 1 starting, 4 in it.`
 * @param {readonly Noticed[]} records newest first
 * @param {number} now Unix milliseconds
 */
export function counted(records, now) {
  if (!isAnswered(records)) return "";
  const present = weekOf(now, records[0].at.offsetMinutes);
  const weeks = byWeek(records, now);
  const [this_, before] = [present, present - 1].map(
    (number) => weeks.find(({ monday }) => weekOf(monday.ms, 0) === number)?.counts ?? empty(number).counts,
  );
  const times = (/** @type {number} */ count) => (count === 1 ? "1 time" : `${number(count)} times`);
  return `This week: ${words(this_, times)}. The week before: ${words(before, number)}.`;
}

/**
 * How a week is called, beside the present one.
 * @param {Week} week
 * @param {number} now Unix milliseconds
 * @param {number} offsetMinutes of the client's time
 */
export function weeksBefore({ monday }, now, offsetMinutes) {
  return weekOf(now, offsetMinutes) - weekOf(monday.ms, 0);
}

/**
 * @param {Record<When, number>} counts
 * @param {(count: number) => string} spelled
 */
function words(counts, spelled) {
  const said = WHENS.filter((when) => counts[when] > 0).map((when) => `${spelled(counts[when])} ${WHEN[when]}`);
  return said.length === 0 ? "no answer" : said.join(", ");
}

/**
 * @param {When | null | undefined} when
 * @returns {when is When}
 */
function isWhen(when) {
  return when !== null && when !== undefined;
}

/**
 * The number of a week since the first Monday of all.
 * @param {number} ms Unix milliseconds
 * @param {number} offsetMinutes
 */
function weekOf(ms, offsetMinutes) {
  return Math.floor((Math.floor((ms + 60_000 * offsetMinutes) / DAY_MS) + FROM_MONDAY) / 7);
}

/**
 * @param {number} number of the week
 * @returns {Week}
 */
function empty(number) {
  const monday = new Date((7 * number - FROM_MONDAY) * DAY_MS).toISOString().slice(0, 10);
  return { monday: moment(`${monday}T00:00:00+00:00`), counts: { starting: 0, in: 0, after: 0 }, all: 0 };
}
