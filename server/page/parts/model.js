// A client's parts from what was listed and opened, and what the next card of one says. No time, network or screen here.

import { SETTINGS } from "../wire/card_content.js";

/** @typedef {import("../wire/card_content.js").Part} CardPart */
/** @typedef {import("../wire/card_content.js").RemovedPart} RemovedPart */
/** @typedef {import("../wire/part_notes.js").PartNote} PartNote */
/** @typedef {import("./listing.js").CardEntry} CardEntry */
/** @typedef {{ [key: string]: string | boolean | null }} Values settings by name; null: put back to what the device does */

/** A note that holds. `version`: that of the card that it describes, or above it when it was sealed anew. @typedef {{ note: PartNote, version: number }} Noted */

/**
 * A part with its newest card, and the note that tells what was sent.
 * @typedef {{ entry: CardEntry, note: PartNote }} Part
 */

/**
 * A client's parts. `settings` are the device's as the newest notes say, null for those that were put back; `unread` are
 * cards of which no note tells what they say: none came with them, or they are newer than theirs.
 * @typedef {{ parts: Part[], unread: CardEntry[], settings: Values }} Parts
 */

/** Settings of one part; all others are of the whole device. */
export const OF_THE_PART = ["quiet"];

/** Settings of the device, as a card spells them. */
export const OF_THE_DEVICE = [...SETTINGS.keys()].filter((key) => !OF_THE_PART.includes(key));

/**
 * The parts that are there first, in the order of their names; those at rest after them.
 * @param {readonly CardEntry[]} entries
 * @param {ReadonlyMap<string, Noted>} noted by card id in hex
 * @returns {Parts}
 */
export function partsOf(entries, noted) {
  /** @type {Part[]} */
  const parts = [];
  const unread = [];
  for (const entry of entries) {
    const found = noted.get(entry.card);
    if (found === undefined || found.version < entry.version) unread.push(entry);
    else parts.push({ entry, note: found.note });
  }
  parts.sort((a, b) => Number(atRest(a)) - Number(atRest(b)) || nameOf(a).localeCompare(nameOf(b)));
  const listed = new Set(entries.map(({ card }) => card));
  const newest = [...noted].filter(([card]) => listed.has(card)).map(([, one]) => one);
  return { parts, unread, settings: deviceSettings(newest) };
}

/**
 * What the device was told, each setting as the newest note that names it says.
 * @param {readonly Noted[]} noted
 * @returns {Values}
 */
export function deviceSettings(noted) {
  /** @type {Values} */
  const settings = {};
  for (const { note } of [...noted].sort((a, b) => a.version - b.version)) {
    for (const key of OF_THE_DEVICE) if (Object.hasOwn(note.settings, key)) settings[key] = note.settings[key];
  }
  return settings;
}

/**
 * The settings of a part's next card: those of the device that its card names already, as they stand now, so that sending
 * one part's card never brings back what another's changed; and what is changed.
 * @param {Values} before the part's own, of its card so far
 * @param {Values} standing the device's
 * @param {Values} changed
 * @returns {Values}
 */
export function nextSettings(before, standing, changed) {
  /** @type {Values} */
  const settings = {};
  for (const key of Object.keys(before)) settings[key] = OF_THE_PART.includes(key) ? before[key] : (standing[key] ?? null);
  return { ...settings, ...changed };
}

/**
 * What a note's card says.
 * @param {PartNote} note
 * @returns {CardPart | RemovedPart}
 */
export function cardOf({ name, alias, tell, settings, removed }) {
  return removed ? { name, removed: true } : { name, alias, tell, settings };
}

/**
 * The part whose card carries a change of the device's settings: one that is there, rather one whose report would not be
 * lost by a newer card; null when there is none.
 * @param {Parts} parts
 */
export function carrier({ parts }) {
  const there = parts.filter((part) => !atRest(part));
  return there.find(({ entry }) => entry.report === null) ?? there[0] ?? null;
}

/** @param {Part} part */
export function atRest({ note }) {
  return note.removed;
}

/** @param {Part} part */
function nameOf({ note }) {
  return note.name;
}
