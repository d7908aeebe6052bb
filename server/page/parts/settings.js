// The device's settings in plain words: what each is, what it may be, and what the device does by itself.

import { DAYS, SETTINGS } from "../wire/card_content.js";
import { spelled } from "../wire/text.js";

/** @typedef {import("./model.js").Values} Values */

/** What the device does by itself, as voice/settings.py has it; a test compares. */
export const BY_ITSELF = { danger_number: "911", hears: "anyone", language: "en", pace: "usual", talk_number: "988" };

/** @typedef {"brisk" | "usual" | "slow" | "slowest"} Pace */

/** Seconds in which a line may begin, and of silence that end it: voice/settings.py PROFILES; a test compares.
 * @type {Readonly<Record<Pace, readonly [wait: number, silence: number]>>} */
export const PACES = { brisk: [10, 2], usual: [10, 3], slow: [15, 5], slowest: [20, 8] };

/** @type {readonly (readonly [value: Pace, text: string])[]} */
export const PACE_WORDS = /** @type {Pace[]} */ (Object.keys(PACES)).map((pace) => {
  const [wait, silence] = PACES[pace];
  return [pace, `${capital(pace)}: ${wait} seconds to begin; ${silence} seconds of silence end it`];
});

/** @type {readonly (readonly [value: string, text: string])[]} */
export const HEARS_WORDS = [
  ["anyone", "Everybody in the room"],
  ["client", "Rather the client’s own voice"],
];

/** @type {readonly (readonly [value: string, text: string])[]} */
export const ASKS_WORDS = [["true", "On, where the client agrees"]];

/** Each setting of the device in plain words, in the order of the form. @type {ReadonlyMap<string, string>} */
export const LABELS = new Map([
  ["quiet", "Quiet hours"],
  ["pace", "How long the device waits for a line"],
  ["language", "Language of the prompts"],
  ["hears", "Who is heard"],
  ["danger_number", "Number to call in danger"],
  ["talk_number", "Number to talk to someone now"],
  ["reads_on", "Days on which you read"],
  ["asks_when", "After a name, ask when it was noticed"],
]);

/** What each does, where the name alone does not say it. @type {Readonly<Record<string, string>>} */
export const HINTS = {
  quiet: "Between these times a name is answered with the tone alone, without the phrase. The device’s own time.",
  pace: "Slower suits speech that comes in pieces. A line of 40 seconds is kept whatever the pace.",
  language: "A tag such as en. A device that has no prompts in it keeps its own.",
  hears: "A preference and no lock: another voice may be heard all the same, and the client not when hoarse.",
  danger_number: "Said when the client asks for help. For the client’s own country.",
  talk_number: "Said when the client asks for help: a line that is answered at night too.",
  asks_when: "One question, “Starting, in it, or after?”, and only where the client agreed to it on the device too.",
  reads_on: "When the client asks for help, the device says these days, and that nobody reads in between.",
};

/**
 * What is set, in words, by label; "as the device does by itself" where nothing is.
 * @param {Values} settings
 * @returns {[label: string, said: string][]}
 */
export function inWords(settings) {
  return [...LABELS].map(([key, label]) => [label, said(key, settings)]);
}

/**
 * @param {string} key
 * @param {Values} settings
 */
function said(key, settings) {
  const value = settings[key === "quiet" ? "quiet_from" : key] ?? null;
  if (value === null) return own(key);
  if (key === "quiet") return `from ${value} until ${settings.quiet_until}`;
  if (key === "pace") return wordsOf(PACE_WORDS, value);
  if (key === "hears") return wordsOf(HEARS_WORDS, value);
  if (key === "reads_on") return daysInWords(String(value));
  if (key === "asks_when") return value === true ? "on, where the client agrees" : own(key);
  return String(value);
}

/**
 * What stands where a setting is not set.
 * @param {string} key
 */
export function own(key) {
  const does = /** @type {Record<string, string>} */ (BY_ITSELF)[key];
  if (key === "quiet") return "none, as the device does by itself";
  if (key === "reads_on") return "not said, as the device does by itself";
  if (key === "asks_when") return "off, as the device does by itself";
  return `as the device does by itself (${key === "hears" ? lower(wordsOf(HEARS_WORDS, does)) : does})`;
}

/**
 * "Monday and Thursday".
 * @param {string} days as a card spells them
 */
export function daysInWords(days) {
  const named = days.split(",").map(capital);
  return named.length < 2 ? named.join("") : `${named.slice(0, -1).join(", ")} and ${named[named.length - 1]}`;
}

/**
 * The card's spelling of days that were ticked; "" for none.
 * @param {readonly string[]} ticked
 */
export function daysOf(ticked) {
  return DAYS.filter((day) => ticked.includes(day)).join(",");
}

/**
 * What was typed against what stands: only what is another value, null for what was cleared.
 * @param {Readonly<Record<string, string>>} typed "" where nothing is set
 * @param {Values} standing
 * @returns {Values}
 */
export function changes(typed, standing) {
  /** @type {Values} */
  const changed = {};
  for (const [key, value] of Object.entries(typed)) {
    const now = standing[key] ?? null;
    const wanted = value === "" ? null : key === "asks_when" ? value === "true" : value;
    // Off is what the device does by itself, however it is said.
    if (wanted !== (key === "asks_when" && now === false ? null : now)) changed[key] = wanted;
  }
  // Quiet hours travel together, or a card would say half of them.
  if (Object.hasOwn(changed, "quiet_from") !== Object.hasOwn(changed, "quiet_until")) {
    for (const key of ["quiet_from", "quiet_until"]) changed[key] = typed[key] === "" ? null : typed[key];
  }
  return changed;
}

/**
 * Why what was typed cannot be sent; "" when it can.
 * @param {Readonly<Record<string, string>>} typed
 */
export function problemOf(typed) {
  if ((typed.quiet_from === "") !== (typed.quiet_until === "")) return "Quiet hours need both a beginning and an end.";
  for (const [key, value] of Object.entries(typed)) {
    if (value !== "" && SETTINGS.get(key)?.(key === "asks_when" ? value === "true" : value) !== true) return PROBLEMS[key] ?? "A setting cannot be that.";
  }
  return "";
}

/** @type {Readonly<Record<string, string>>} */
const PROBLEMS = {
  danger_number: "A number to call has digits, and may have spaces, brackets and dashes: 112, or +44 20 7946 0000.",
  talk_number: "A number to call has digits, and may have spaces, brackets and dashes: 988, or +44 20 7946 0000.",
  language: "A language is a tag in lower case, such as en or es-MX.",
  quiet_from: "A time of the quiet hours is hours and minutes, such as 22:30.",
  quiet_until: "A time of the quiet hours is hours and minutes, such as 07:00.",
};

/**
 * What was typed, as a card spells texts.
 * @param {string} typed
 */
export function typedText(typed) {
  return spelled(typed);
}

/**
 * @param {readonly (readonly [string, string])[]} words
 * @param {string | boolean} value
 */
function wordsOf(words, value) {
  return words.find(([one]) => one === value)?.[1] ?? String(value);
}

/** @param {string} text */
function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** @param {string} text */
function lower(text) {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
