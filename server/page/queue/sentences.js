// The words of the queue, the same as those of the command-line reader (server/reader_view.py, docs/reader.md).

import { safe } from "../wire/text.js";
import { day } from "../wire/sequence.js";

/** @typedef {import("../wire/content.js").Line} Line */
/** @typedef {import("../wire/content.js").Moment} Moment */
/** @typedef {import("../wire/sequence.js").Flag} Flag */

export const NO_LINE = "no line";
export const NOT_MADE_OUT = "a line was spoken; it could not be made out";
/** After a word that the recogniser was unsure of, and after a line of the starter transcriber. */
export const DOUBT = "(?)";
export const ROUGH = "[rough]";
export const LEGEND =
  "(?) after a word: the recogniser was unsure of it. [rough]: a line of the starter transcriber. " +
  "Nothing is corrected.";

/** The client's own word for when they noticed, as they say it (S20).
 * @type {Readonly<Record<import("../wire/content.js").When, string>>} */
export const WHEN = { starting: "starting", in: "in it", after: "after" };

const DEVICE_DIGITS = 8;
const NUMBERS = new Intl.NumberFormat("en");

/**
 * `10,000`.
 * @param {number} count
 */
export function number(count) {
  return NUMBERS.format(count);
}

/**
 * `1 noticing`, `1,200 noticings`: with and without a line alike.
 * @param {number} count
 */
export function noticings(count) {
  return count === 1 ? "1 noticing" : `${number(count)} noticings`;
}

/**
 * What stands in place of lines: `no line`, `3 times, no line`.
 * @param {number} times
 */
export function withoutLine(times) {
  return times === 1 ? NO_LINE : `${number(times)} times, ${NO_LINE}`;
}

/**
 * How a client is called: by the name that the clinician gave, else by the device.
 * @param {{ device: string, name: string | null }} named
 */
export function called({ device, name }) {
  return name === null ? `Device ${deviceStart(device)}` : safe(name);
}

/**
 * The start of a device's id; a server may have put anything in its place.
 * @param {string} device
 */
export function deviceStart(device) {
  return safe(device).slice(0, DEVICE_DIGITS);
}

/**
 * `Tuesday 3 March 2026`, in the client's own time.
 * @param {Moment} at
 */
export function date(at) {
  return `${day(at)} ${at.year}`;
}

/**
 * `23:05`, in the client's own time.
 * @param {Pick<Moment, "hour" | "minute">} at
 */
export function clock({ hour, minute }) {
  return `${String(hour).padStart(2, "0")}:${String(minute).padStart(2, "0")}`;
}

/**
 * The zone of the client's time: `UTC+01:00`.
 * @param {Moment} at
 */
export function zone({ offsetMinutes }) {
  const away = Math.abs(offsetMinutes);
  const hours = clock({ hour: Math.floor(away / 60), minute: away % 60 });
  return `UTC${offsetMinutes < 0 ? "-" : "+"}${hours}`;
}

/**
 * How far the opening is: `Opening 1,200 of 10,000`.
 * @param {number} done
 * @param {number | null} of
 */
export function progress(done, of) {
  // Records that arrive meanwhile make more than were counted.
  return of === null || of < done ? `Opening ${number(done)}` : `Opening ${number(done)} of ${number(of)}`;
}

/**
 * Whether a flag says that something is wrong. What was deleted, with nothing against it, is told and not flagged.
 * @param {Flag} flag
 */
export function isWrong({ kind }) {
  return kind !== "deleted";
}

/**
 * A flag as one line of text: `! A record is missing.`, or without the mark where nothing is wrong.
 * @param {Flag} flag
 */
export function flagText(flag) {
  return `${isWrong(flag) ? "! " : ""}${safe(flag.message)}`;
}

/**
 * What a line says, in words: verbatim, doubtful words followed by (?).
 * @param {Line | null} line
 */
export function lineText(line) {
  if (line === null) return NO_LINE;
  if (line.words.length === 0) return NOT_MADE_OUT;
  const words = line.words.map(({ text, doubt }) => (doubt ? `${safe(text)} ${DOUBT}` : safe(text))).join(" ");
  return line.rough ? `${words}  ${ROUGH}` : words;
}

/**
 * What is flagged, counted: `1 flag`, `2 flags`; nothing wrong: `No flags`.
 * @param {readonly Flag[]} flags
 */
export function flagged(flags) {
  const count = flags.filter(isWrong).length;
  return count === 0 ? "No flags" : count === 1 ? "1 flag" : `${number(count)} flags`;
}
