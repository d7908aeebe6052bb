// JSON in its one spelling (FORMAT.md section 3): sorted keys, no spaces, only what must be is escaped.

import { fromUtf8, utf8 } from "./bytes.js";
import { ContentError } from "./errors.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** What JSON can say; what is in a list is looked at one by one.
 * @typedef {string | number | boolean | null | unknown[] | { [key: string]: Json }} Json */

/**
 * Throws ContentError for text that is not Unicode.
 * @param {Json} json
 * @returns {Bytes}
 */
export function spell(json) {
  const text = JSON.stringify(sorted(json));
  // JSON.stringify writes half a character as an escape, which is not among those that are allowed.
  if (/\\u[dD][89a-fA-F]/.test(text) && halves(json)) throw new ContentError("the text holds half a character");
  return utf8(text);
}

/**
 * The object that `data` spells, with exactly these keys. Whether it is canonical is seen by spelling it again:
 * only numbers, repeated keys and white space differ, and all of them in the bytes. Throws ContentError.
 * @param {Uint8Array} data
 * @param {string} what
 * @returns {Json}
 */
export function parse(data, what) {
  try {
    return JSON.parse(fromUtf8(data));
  } catch (error) {
    throw new ContentError(`not ${what}`, { cause: error });
  }
}

/**
 * @param {Json | undefined} json
 * @param {readonly string[]} keys sorted
 * @returns {{ [key: string]: Json }}
 */
export function object(json, keys) {
  if (typeof json !== "object" || json === null || Array.isArray(json) || !hasKeys(json, keys)) {
    throw new ContentError(`expected exactly the keys ${keys.join(", ")}`);
  }
  return json;
}

/**
 * @param {object} json
 * @param {readonly string[]} keys sorted
 */
export function hasKeys(json, keys) {
  const found = Object.keys(json).sort();
  return found.length === keys.length && found.every((key, at) => key === keys[at]);
}

/**
 * @param {unknown} value
 * @returns {string}
 */
export function text(value) {
  if (typeof value !== "string") throw new ContentError("expected text");
  return value;
}

/**
 * @param {unknown} json
 * @returns {unknown}
 */
function sorted(json) {
  if (Array.isArray(json)) return json.map(sorted);
  if (typeof json !== "object" || json === null) return json;
  return Object.fromEntries(
    Object.entries(json)
      .sort(byKey)
      .map(([key, value]) => [key, sorted(value)]),
  );
}

/**
 * @param {[string, unknown]} first
 * @param {[string, unknown]} second
 */
function byKey([first], [second]) {
  return first < second ? -1 : 1;
}

/**
 * @param {unknown} json
 * @returns {boolean}
 */
function halves(json) {
  if (typeof json === "string") return /\p{Cs}/u.test(json);
  if (typeof json !== "object" || json === null) return false;
  return Object.values(json).some(halves) || Object.keys(json).some(halves);
}
