// What of the queue is shown, and how it is grouped: by client, newest first; by day; noticings without a line counted.

import { placeOf } from "../wire/notes.js";
import { newestFirst } from "../wire/reader.js";

/** @typedef {import("../wire/examine.js").OpenedRecord} OpenedRecord */
/** @typedef {import("../wire/notes.js").Mark} Mark */
/** @typedef {import("../wire/sequence.js").Flag} Flag */
/** @typedef {import("./opener.js").Named} Named */
/** @typedef {import("./opening.js").Queue} Queue */

/** "unread": what was not read before, and the newest 50 besides. "open": what is not marked as discussed.
 * @typedef {"unread" | "open" | "all"} Choice */
/** One thing to read: a record with a line, or a run of noticings of one part on one day without one.
 * @typedef {{ records: OpenedRecord[] }} Entry */
/** @typedef {{ date: string, entries: Entry[] }} Day */
/** A client as the clinician calls them, or a device whose client is not known. `again`: another client has the same
 * name. `fresh`: how many were not read before. `sharedBy`: the colleague whose client it is; null for one's own.
 * @typedef {{ device: string, name: string | null, again: boolean, records: OpenedRecord[], fresh: number,
 *   flags: Flag[], sharedBy: string | null }} Client */

/** Records that are shown without being asked for, besides every unread one (server/reader_view.py). */
export const NEWEST = 50;

/**
 * @param {OpenedRecord} record
 * @param {ReadonlyMap<string, Mark> | null} marks
 */
export function isDiscussed(record, marks) {
  return marks?.get(placeOf(record))?.said === "discussed";
}

/**
 * The records to show, newest first. Of what colleagues shared nothing is marked, and what was read is not remembered:
 * of those too the newest 50 are shown without being asked for, and they take no place from one's own.
 * @param {Pick<Queue, "records" | "marks" | "shared">} queue
 * @param {Choice} choice
 */
export function chosen({ records, marks, shared }, choice) {
  const theirs = shared?.records ?? [];
  /** @param {OpenedRecord} record @param {number} place */
  const unread = (record, place) => record.isNew || place < NEWEST;
  const own =
    choice === "all"
      ? [...records]
      : records.filter(choice === "open" ? (record) => !isDiscussed(record, marks) : unread);
  const given = choice === "unread" ? theirs.filter(unread) : theirs;
  return given.length === 0 ? own : [...own, ...given].sort(newestFirst);
}

/**
 * The records of one device from a moment on, the oldest first.
 * @param {readonly OpenedRecord[]} records newest first
 * @param {string} device
 * @param {number} [since] Unix milliseconds
 */
export function ofDevice(records, device, since = -Infinity) {
  return records.filter((record) => record.device === device && record.at.ms >= since).reverse();
}

/**
 * The clients of these records, the one with the newest first; then those of whom there is only something to flag.
 * `rest`: flags that concern no client. A colleague's client is a client of their own, whatever their device's id.
 * @param {readonly OpenedRecord[]} records newest first
 * @param {readonly Named[]} named
 * @param {readonly Flag[]} flags
 * @param {readonly Flag[]} [given] flags of what colleagues shared
 * @returns {{ clients: Client[], rest: Flag[] }}
 */
export function byClient(records, named, flags, given = []) {
  const names = new Map(named.map(({ device, name }) => [device, name]));
  /** @type {Map<string, number>} */
  const times = new Map();
  for (const name of names.values()) if (name !== null) times.set(name, (times.get(name) ?? 0) + 1);
  /** @type {Map<string, Client>} */
  const clients = new Map();
  /**
   * @param {string} device
   * @param {string | null} [sharedBy]
   */
  const client = (device, sharedBy = null) => {
    const name = sharedBy === null ? (names.get(device) ?? null) : null;
    const again = name !== null && (times.get(name) ?? 0) > 1;
    const key = sharedBy === null ? device : `${device} ${sharedBy}`;
    const made = clients.get(key) ?? { device, name, again, records: [], fresh: 0, flags: [], sharedBy };
    clients.set(key, made);
    return made;
  };
  for (const record of records) {
    const theirs = client(record.device, record.sharedBy);
    theirs.records.push(record);
    theirs.fresh += Number(record.isNew);
  }
  /** @type {Flag[]} */
  const rest = [];
  for (const one of given) {
    const theirs = [...clients.values()].find(({ device, sharedBy }) => sharedBy !== null && device === one.device);
    (theirs?.flags ?? rest).push(one);
  }
  for (const one of flags) {
    if (one.device === null) rest.push(one);
    else client(one.device).flags.push(one);
  }
  return { clients: [...clients.values()], rest };
}

/**
 * Records by day, in the client's own time and in the order in which they come. Noticings without a line that follow
 * one another on a day, of one part, with the same word for when and discussed or not alike, are one entry: counted,
 * each with its time.
 * @param {readonly OpenedRecord[]} records
 * @param {ReadonlyMap<string, Mark> | null} marks
 * @returns {Day[]}
 */
export function byDay(records, marks) {
  /** @type {Day[]} */
  const days = [];
  for (const record of records) {
    const date = record.at.text.slice(0, 10);
    if (days.at(-1)?.date !== date) days.push({ date, entries: [] });
    const { entries } = /** @type {Day} */ (days.at(-1));
    const run = entries.at(-1);
    if (run !== undefined && alike(run.records[0], record, marks)) run.records.push(record);
    else entries.push({ records: [record] });
  }
  return days;
}

/**
 * @param {OpenedRecord} first
 * @param {OpenedRecord} second
 * @param {ReadonlyMap<string, Mark> | null} marks
 */
function alike(first, second, marks) {
  return (
    first.line === null &&
    second.line === null &&
    first.part === second.part &&
    (first.when ?? null) === (second.when ?? null) &&
    first.at.offsetMinutes === second.at.offsetMinutes &&
    first.isNew === second.isNew &&
    isDiscussed(first, marks) === isDiscussed(second, marks)
  );
}
