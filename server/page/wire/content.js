// What a record says, as canonical JSON (FORMAT.md section 3).

import { equal } from "./bytes.js";
import { hasKeys, object, parse, spell, text } from "./canonical.js";
import { ContentError } from "./errors.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./canonical.js").Json} Json */

/**
 * A moment in the client's own time. `text` is ISO 8601 as it was sealed; the numbers are what it says, in that zone.
 * `ms` is Unix time in milliseconds; `micro` are the microseconds beyond it.
 * @typedef {{ text: string, year: number, month: number, day: number, hour: number, minute: number, second: number,
 *   offsetMinutes: number, ms: number, micro: number }} Moment
 */

/**
 * One line. No words: it could not be made out. `doubt` is true where the recogniser was unsure.
 * @typedef {{ words: { text: string, doubt: boolean }[], transcriber: string, rough: boolean }} Line
 */

/** The client's own word for when they noticed. @typedef {"starting" | "in" | "after"} When */

/**
 * `part` is the client's exact name for it. `line` is null when nothing was spoken: it is complete all the same.
 * `when` is null when it was not asked or not answered.
 * @typedef {{ part: string, at: Moment, line: Line | null, when: When | null }} Noticing
 */

/** @type {readonly When[]} */
export const WHENS = ["starting", "in", "after"];
const VERSION = 1;
/** Only where the client answered; every other record is what it always was. */
const VERSION_WITH_WHEN = 2;
const KEYS = ["at", "line", "part", "v"];
const KEYS_WITH_WHEN = ["at", "line", "part", "v", "when"];
const LINE_KEYS = ["doubt", "rough", "transcriber", "words"];
const ISO = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{6}))?([+-])(\d\d):(\d\d)$/;

/**
 * The noticing that `data` spells. Throws ContentError for anything but its one canonical spelling.
 * @param {Bytes} data
 * @returns {Noticing}
 */
export function decode(data) {
  const json = parse(data, "the content of a record");
  const answered = typeof json === "object" && json !== null && hasKeys(json, KEYS_WITH_WHEN);
  const fields = object(json, answered ? KEYS_WITH_WHEN : KEYS);
  const noticing = {
    part: text(fields.part),
    at: moment(text(fields.at)),
    line: fields.line === null ? null : lineOf(fields.line),
    when: answered ? whenOf(fields.when) : null,
  };
  if (!equal(encode(noticing), data)) throw new ContentError("not the canonical content of a record");
  return noticing;
}

/**
 * The one spelling of a noticing. Throws ContentError for text that is not Unicode.
 * @param {Omit<Noticing, "when"> & { when?: When | null }} noticing
 * @returns {Bytes}
 */
export function encode({ part, at, line, when = null }) {
  const fields = { at: at.text, line: line === null ? null : lineFields(line), part };
  return spell(when === null ? { ...fields, v: VERSION } : { ...fields, v: VERSION_WITH_WHEN, when });
}

/**
 * A moment as Python's `datetime.isoformat()` writes it, with a zone of whole minutes. Throws ContentError.
 * @param {string} written
 * @returns {Moment}
 */
export function moment(written) {
  const found = ISO.exec(written);
  if (found === null) throw new ContentError("not a time in its one spelling");
  const [year, month, day, hour, minute, second, micro] = found.slice(1, 8).map((digits) => Number(digits ?? 0));
  const [zoneHours, zoneMinutes] = found.slice(9).map(Number);
  const offsetMinutes = (found[8] === "-" ? -1 : 1) * (60 * zoneHours + zoneMinutes);
  const there = new Date(0);
  there.setUTCFullYear(year, month - 1, day);
  there.setUTCHours(hour, minute, second);
  const real =
    year > 0 &&
    [there.getUTCFullYear(), there.getUTCMonth() + 1, there.getUTCDate()].join() === [year, month, day].join() &&
    [there.getUTCHours(), there.getUTCMinutes(), there.getUTCSeconds()].join() === [hour, minute, second].join() &&
    zoneHours < 24 &&
    zoneMinutes < 60 &&
    !(found[8] === "-" && offsetMinutes === 0) &&
    found[7] !== "000000";
  if (!real) throw new ContentError("not a time in its one spelling");
  const ms = there.getTime() - 60_000 * offsetMinutes + Math.floor(micro / 1000);
  return { text: written, year, month, day, hour, minute, second, offsetMinutes, ms, micro: micro % 1000 };
}

/**
 * Below 0, 0, or above 0, as the first is before, at, or after the second.
 * @param {Moment} first
 * @param {Moment} second
 */
export function compare(first, second) {
  return first.ms - second.ms || first.micro - second.micro;
}

/**
 * The day of the week in the client's time, 0 for Sunday.
 * @param {Moment} at
 */
export function weekday(at) {
  return new Date(at.ms + 60_000 * at.offsetMinutes).getUTCDay();
}

/**
 * @param {Json} json
 * @returns {When}
 */
function whenOf(json) {
  const found = WHENS.find((when) => when === json);
  if (found === undefined) throw new ContentError("not one of the words for when");
  return found;
}

/**
 * @param {Json} json
 * @returns {Line}
 */
function lineOf(json) {
  const { words, doubt, rough, transcriber } = object(json, LINE_KEYS);
  if (!Array.isArray(words) || !Array.isArray(doubt) || typeof rough !== "boolean") {
    throw new ContentError("a line's words, doubt and rough are of the wrong kind");
  }
  for (const index of doubt) {
    if (typeof index !== "number" || !Number.isInteger(index) || index < 0 || index >= words.length) {
      throw new ContentError("a doubt mark is outside the line");
    }
  }
  const doubted = new Set(doubt);
  return {
    words: words.map((word, index) => ({ text: text(word), doubt: doubted.has(index) })),
    transcriber: text(transcriber),
    rough,
  };
}

/**
 * @param {Line} line
 * @returns {{ [key: string]: Json }}
 */
function lineFields({ words, transcriber, rough }) {
  const doubt = words.flatMap((word, index) => (word.doubt ? [index] : []));
  return { doubt, rough, transcriber, words: words.map((word) => word.text) };
}
