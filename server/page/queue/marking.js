// Marking records as discussed: sealed to the clinician and signed by them; the server keeps marks, and reads none.

import { b64url } from "../wire/bytes.js";
import { makeMark, placeOf } from "../wire/notes.js";
import { isDiscussed } from "./model.js";

/** @typedef {import("../wire/examine.js").OpenedRecord} OpenedRecord */
/** @typedef {import("../wire/notes.js").Mark} Mark */
/** @typedef {import("./opening.js").Queue} Queue */

/**
 * Mark records, or take their marks back, and note each mark in the queue once the server keeps it; those that are
 * marked so already are left. How many were marked. Throws what `api` throws.
 * @param {{ api: (method: string, path: string, body: unknown) => Promise<unknown>, now: number,
 *   clinician: Parameters<typeof makeMark>[0] }} how `now` in Unix milliseconds
 * @param {Queue} queue whose `marks` are known and that is whole
 * @param {readonly OpenedRecord[]} records
 * @param {Mark["said"]} said
 */
export async function mark({ api, now, clinician }, queue, records, said) {
  const { marks, versions } = queue;
  if (marks === null || !queue.whole) throw new RangeError("Marks can be set once everything was opened.");
  let count = 0;
  for (const record of records) {
    if (isDiscussed(record, marks) === (said === "discussed")) continue;
    /** @type {Mark} */
    const made = { said, at: Math.floor(now / 1000) };
    const noted = { marks, versions, flags: [] };
    const { device, record: id, version, sealed } = await makeMark(clinician, record, made, noted);
    await api("PUT", `/v1/marks/${device}/${id}`, { version, sealed: b64url(sealed) });
    marks.set(placeOf(record), made);
    versions.set(placeOf(record), version);
    count++;
  }
  return count;
}
