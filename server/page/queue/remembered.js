// What this browser remembers of what was read, for each clinician: device ids, sequence numbers, SHA-256 of sealed
// records, and versions of marks (wire/memory.js). No content, and nothing that opens any: it is what the server holds
// too, kept here so that a server that takes something back is caught.

import { placeOf } from "../wire/notes.js";

/** @typedef {import("../wire/examine.js").OpenedRecord} OpenedRecord */
/** What of a browser's storage is used.
 * @typedef {Pick<Storage, "getItem" | "setItem">} Kept */

const PREFIX = "onebreath.read.";

/**
 * @param {Kept} storage
 * @param {string} clinician their id in hex
 */
export function recall(storage, clinician) {
  return storage.getItem(PREFIX + clinician);
}

/**
 * Whether it could be kept: a browser may have no room, or forbid it.
 * @param {Kept} storage
 * @param {string} clinician
 * @param {string} remembered
 */
export function remember(storage, clinician, remembered) {
  try {
    storage.setItem(PREFIX + clinician, remembered);
    return true;
  } catch {
    return false;
  }
}

/**
 * The records, where those that were new once since unlocking still are: the views open the queue anew each time.
 * @param {readonly OpenedRecord[]} records
 * @param {Set<string>} fresh places; those that are new now are added
 */
export function stillNew(records, fresh) {
  for (const record of records) if (record.isNew) fresh.add(placeOf(record));
  return records.map((record) => (fresh.has(placeOf(record)) ? { ...record, isNew: true } : record));
}
