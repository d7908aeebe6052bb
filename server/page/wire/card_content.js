// What a sealed card says of one part, as canonical JSON (FORMAT.md section 9).

import { equal } from "./bytes.js";
import { hasKeys, object, parse, spell } from "./canonical.js";
import { ContentError } from "./errors.js";
import { characters, spelled } from "./text.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./canonical.js").Json} Json */

/**
 * One part as the clinician and the client set it up. `name` is the client's exact own name; `alias` a sayable
 * spelling of it, or null; `tell` is a cue and no task, "" when there is none. A setting that is absent leaves
 * things as they are, null puts them back to what the device does by itself.
 * @typedef {{ name: string, alias: string | null, tell: string, settings: { [key: string]: string | boolean | null },
 *   removed?: false }} Part
 */
/** The part is to rest. @typedef {{ name: string, removed: true }} RemovedPart */

const VERSION = 1;
const MOST_NAME = 80;
const MOST_TELL = 500;
const KEYS = ["alias", "name", "settings", "tell", "v"];
const KEYS_REMOVED = ["name", "removed", "v"];

/**
 * @param {RegExp} pattern
 * @returns {(value: unknown) => boolean}
 */
const matches = (pattern) => (value) => typeof value === "string" && pattern.test(value);
const NUMBER = matches(/^\+?[0-9][0-9 ()-]{0,30}$/);
const TIME = matches(/^(?:[01][0-9]|2[0-3]):[0-5][0-9]$/);

/** As `reads_on` names them, in its one order. */
export const DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/**
 * Whether it is days of the week, at least one, in their order, each once: "monday,thursday".
 * @param {unknown} value
 */
function days(value) {
  if (typeof value !== "string" || value === "") return false;
  const named = value.split(",");
  return value === DAYS.filter((day) => named.includes(day)).join(",");
}

/**
 * What a card can set, each with what it may be. `quiet` is of the part; everything else is of the device.
 * @type {ReadonlyMap<string, (value: unknown) => boolean>}
 */
export const SETTINGS = new Map([
  ["asks_when", (value) => typeof value === "boolean"],
  ["danger_number", NUMBER],
  ["hears", matches(/^(?:anyone|client)$/)],
  ["language", matches(/^[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}$/)],
  ["pace", matches(/^(?:brisk|usual|slow|slowest)$/)],
  ["quiet", (value) => typeof value === "boolean"],
  ["quiet_from", TIME],
  ["quiet_until", TIME],
  ["reads_on", days],
  ["talk_number", NUMBER],
]);

/**
 * The one spelling of a card. Throws ContentError, worded for a person.
 * @param {Part | RemovedPart} card
 */
export function encodeCard(card) {
  const { name } = card;
  const json = card.removed
    ? { name, removed: true, v: VERSION }
    : { alias: card.alias, name, settings: card.settings, tell: card.tell, v: VERSION };
  check(json);
  return spell(json);
}

/**
 * The card that `data` spells. Throws ContentError for anything but its one canonical spelling.
 * @param {Bytes} data
 * @returns {Part | RemovedPart}
 */
export function decodeCard(data) {
  const json = parse(data, "the content of a card");
  const card = check(json);
  if (!equal(spell(json), data)) throw new ContentError("not the canonical content of a card");
  return card;
}

/**
 * @param {Json} json
 * @returns {Part | RemovedPart}
 */
function check(json) {
  const removed = typeof json === "object" && json !== null && hasKeys(json, KEYS_REMOVED);
  const fields = object(json, removed ? KEYS_REMOVED : KEYS);
  if (fields.v !== VERSION) throw new ContentError("a card of another version");
  const name = checkText("a part's name", fields.name, MOST_NAME);
  if (removed) {
    if (fields.removed !== true) throw new ContentError("a part is removed or it is not");
    return { name, removed: true };
  }
  const alias = fields.alias === null ? null : checkText("a part's alias", fields.alias, MOST_NAME);
  const tell = fields.tell === "" ? "" : checkText("a tell", fields.tell, MOST_TELL);
  return { name, alias, tell, settings: checkSettings(fields.settings) };
}

/**
 * A text as a card spells it, of 1 to `most` characters. Throws ContentError.
 * @param {string} what
 * @param {Json} value
 * @param {number} most
 */
export function checkText(what, value, most) {
  if (typeof value !== "string" || value === "") throw new ContentError(`${what} is text`);
  if (characters(value) > most) throw new ContentError(`${what} has at most ${most} characters`);
  if (spelled(value) !== value) throw new ContentError(`${what} is not spelled as a card spells it`);
  return value;
}

/**
 * The settings, as a card may carry them. Throws ContentError.
 * @param {Json} settings
 */
export function checkSettings(settings) {
  if (typeof settings !== "object" || settings === null || Array.isArray(settings)) {
    throw new ContentError("a card's settings are of the wrong kind");
  }
  /** @type {{ [key: string]: string | boolean | null }} */
  const checked = {};
  for (const [key, value] of Object.entries(settings)) {
    const known = SETTINGS.get(key);
    if (known === undefined) throw new ContentError(`there is no setting called '${key.slice(0, 40)}'`);
    if (value !== null && !known(value)) throw new ContentError(`${key} cannot be that`);
    if (value === null || typeof value === "string" || typeof value === "boolean") checked[key] = value;
  }
  const { quiet_from: from, quiet_until: until } = checked;
  if ((from === undefined) !== (until === undefined) || (from === null) !== (until === null)) {
    throw new ContentError("quiet hours need both a beginning and an end");
  }
  return checked;
}
