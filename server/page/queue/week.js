// The week of 167 hours (the one of the session aside): how many noticings there are in each hour of each day, and one
// plain sentence. It counts; it does not explain.

import { weekday } from "../wire/content.js";

/** @typedef {import("../wire/content.js").Moment} Moment */
/** @typedef {"morning" | "afternoon" | "evening" | "night"} Time */
/**
 * What is named: `days` (0 Monday to 6 Sunday, none: every day), `time` (null: the whole day), `hour` at or after which
 * all of it falls (null: not said), and `held`: how many noticings it holds.
 * @typedef {{ days: number[], time: Time | null, hour: number | null, held: number }} Named
 */

export const DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(" ");
const HOURS = "midnight one two three four five six seven eight nine ten eleven noon".split(" ");
/** Fewer noticings than this show no pattern, and nothing is said. */
const LEAST = 3;
/** A named day holds at least this many. */
const LEAST_OF_A_DAY = 2;
const MOST_DAYS = 3;
/** "Spread over the week" is said of at least this many days. */
const SPREAD_DAYS = 4;
/** A night belongs to the day on which it begins. Hours from 6 to 6, so that what is later is greater.
 * @type {readonly { time: Time, from: number, to: number }[]} */
const TIMES = [
  { time: "morning", from: 6, to: 12 },
  { time: "afternoon", from: 12, to: 18 },
  { time: "evening", from: 18, to: 22 },
  { time: "night", from: 22, to: 30 },
];

/**
 * How many noticings there are: seven days from Monday, 24 hours each, in the client's own time.
 * @param {readonly Moment[]} moments
 */
export function grid(moments) {
  const counts = DAYS.map(() => Array.from({ length: 24 }, () => 0));
  for (const at of moments) counts[dayOf(at)][at.hour]++;
  return counts;
}

/**
 * What stands out, by this rule. Something is named only when it holds two thirds of all noticings; the fewest days
 * that do so are named, at most three, with a time of day when that alone holds two thirds too. Each named day holds
 * at least two noticings, at least half as many as the fullest of them, and more than any day that is not named.
 * @param {readonly Moment[]} moments
 * @returns {Named | null}
 */
export function standsOut(moments) {
  if (moments.length < LEAST) return null;
  const timed = TIMES.map(({ time, from, to }) => ({
    time,
    of: moments.map(evening).filter(({ hour }) => hour >= from && hour < to),
  }));
  const wholeDays = { time: null, of: moments.map((at) => ({ day: dayOf(at), hour: at.hour })) };
  for (let many = 1; many <= MOST_DAYS; many++) {
    for (const { time, of } of [...timed, wholeDays]) {
      const days = fullest(of, many);
      const held = of.filter(({ day }) => days.includes(day));
      if (days.length > 0 && mostly(held.length, moments)) return name(days, time, held);
    }
  }
  const time = timed.find(({ of }) => mostly(of.length, moments));
  return time === undefined ? null : name([], time.time, time.of);
}

/**
 * The plain sentence; empty for fewer than three noticings.
 * @param {readonly Moment[]} moments
 */
export function sentence(moments) {
  if (moments.length < LEAST) return "";
  const found = standsOut(moments);
  if (found === null) {
    const days = new Set(moments.map(dayOf)).size;
    return days >= SPREAD_DAYS ? "Spread over the week." : "No day or hour stands out.";
  }
  const { days, time, hour } = found;
  const names = days.map((day) => (time === null ? `${DAYS[day]}s` : DAYS[day]));
  const listed = names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : names.join("");
  const said = [listed, ...(time === null ? [] : [`${time}s`])].filter((one) => one !== "").join(" ");
  return `Mostly ${said}${hour === null ? "" : `, after ${hourInWords(hour)}`}.`;
}

/**
 * The days with the most noticings, in the week's order; none where no number of days is fuller than the others.
 * @param {readonly { day: number }[]} of
 * @param {number} many
 */
function fullest(of, many) {
  const counts = DAYS.map((_, day) => ({ day, count: of.filter((one) => one.day === day).length }));
  counts.sort((a, b) => b.count - a.count || a.day - b.day);
  const last = counts[many - 1].count;
  if (last < LEAST_OF_A_DAY || 2 * last < counts[0].count || last === counts[many].count) return [];
  return counts
    .slice(0, many)
    .map(({ day }) => day)
    .sort((a, b) => a - b);
}

/**
 * @param {number[]} days
 * @param {Time | null} time
 * @param {readonly { hour: number }[]} held
 * @returns {Named}
 */
function name(days, time, held) {
  const from = TIMES.find((one) => one.time === time)?.from ?? null;
  const first = Math.min(...held.map(({ hour }) => hour));
  // "nights, after ten" says more than "nights"; "mornings, after six" does not.
  const said = time !== null && (time === "night" || first !== from);
  return { days, time, hour: said ? first % 24 : null, held: held.length };
}

/**
 * @param {number} held
 * @param {readonly Moment[]} moments
 */
function mostly(held, moments) {
  return 3 * held >= 2 * moments.length;
}

/**
 * The day on which its night began, and the hour from 6 to 29.
 * @param {Moment} at
 */
function evening(at) {
  return at.hour < 6 ? { day: (dayOf(at) + 6) % 7, hour: at.hour + 24 } : { day: dayOf(at), hour: at.hour };
}

/** @param {Moment} at */
function dayOf(at) {
  return (weekday(at) + 6) % 7;
}

/** @param {number} hour */
function hourInWords(hour) {
  return hour === 12 ? "noon" : HOURS[hour % 12];
}
