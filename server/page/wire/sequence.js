// What the sequence of a device's records gives away: gaps, repeats, disorder, and records that are gone
// (server/reader_sequence.py, in the same words).
//
// Each device counts its records from 1 and sends them in order; a server cannot leave one out, put one twice, or take
// one back without a trace here.

import { weekday } from "./content.js";

/** @typedef {import("./content.js").Moment} Moment */
/** @typedef {import("./memory.js").Memory} Memory */

/** @typedef {"missing" | "vanished" | "changed" | "duplicate" | "conflict" | "order" | "forged" | "misfiled" |
 *   "unapproved" | "unopenable" | "destroyed" | "content" | "frame" | "list" | "deleted" | "doubtful" | "mark"} Kind
 * "deleted" is not wrong: it is what the server says was deleted, where nothing speaks against it. */
/** One thing that is wrong, in plain words. `device` in hex.
 * @typedef {{ kind: Kind, message: string, device: string | null, sequence: bigint | null }} Flag */
/** A verified frame's place; ids in hex. `at` is null when it could not be opened.
 * @typedef {{ sequence: bigint, recordId: string, digest: string, at: Moment | null }} Placed */

const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");
export const MONTHS = "January February March April May June July August September October November December".split(
  " ",
);

/**
 * @param {Kind} kind
 * @param {string} message
 * @param {string | null} [device]
 * @param {bigint | null} [sequence]
 * @returns {Flag}
 */
export function flag(kind, message, device = null, sequence = null) {
  return { kind, message, device, sequence };
}

/**
 * `Tuesday 3 March`, in the client's own time.
 * @param {Moment} at
 */
export function day(at) {
  return `${DAYS[weekday(at)]} ${at.day} ${MONTHS[at.month - 1]}`;
}

/**
 * Gaps, two records in one place, and disorder.
 * @param {string} device
 * @param {readonly Placed[]} placed in the server's order
 * @param {ReadonlySet<bigint>} [accounted] numbers of records that were deleted, of which nothing speaks against that
 */
export function checkSequence(device, placed, accounted = new Set()) {
  /** @type {Flag[]} */
  const flags = [];
  /** @type {Map<bigint, Placed>} */
  const byPlace = new Map();
  const ids = new Set();
  for (const one of placed) {
    if (byPlace.has(one.sequence) || ids.has(one.recordId)) {
      const said = "Two records claim the same place. Both are signed by the device, and both are shown.";
      flags.push(flag("conflict", said, device, one.sequence));
    }
    if (!byPlace.has(one.sequence)) byPlace.set(one.sequence, one);
    ids.add(one.recordId);
  }
  for (const [at, after] of placed.entries()) {
    const before = placed[at - 1];
    if (before !== undefined && after.sequence < before.sequence) {
      const said = `Records arrived out of order: ${after.sequence} after ${before.sequence}.`;
      flags.push(flag("order", said, device, after.sequence));
    }
  }
  return [...flags, ...gaps(device, byPlace, accounted)];
}

/**
 * What nothing accounts for, with the days of the records around it.
 * @param {string} device
 * @param {ReadonlyMap<bigint, Placed>} byPlace
 * @param {ReadonlySet<bigint>} accounted
 */
function gaps(device, byPlace, accounted) {
  /** @type {Flag[]} */
  const flags = [];
  const numbers = [...new Set([...byPlace.keys(), ...accounted])].sort(ascending);
  /** @type {(Placed | null)[]} the first record that is here at or after each number */
  const following = [];
  for (const [at, sequence] of [...numbers.entries()].reverse()) {
    following[at] = byPlace.get(sequence) ?? following[at + 1] ?? null;
  }
  let last = 0n;
  /** @type {Placed | null} */
  let before = null;
  for (const [at, sequence] of numbers.entries()) {
    if (sequence > last + 1n) {
      const said = `${are(sequence - last - 1n)}${between(before, following[at])}.`;
      flags.push(flag("missing", said, device, last + 1n));
    }
    last = sequence;
    before = byPlace.get(sequence) ?? before;
  }
  return flags;
}

/**
 * Records that were read before and are gone, or are others now; not those that were deleted.
 * @param {Memory} memory
 * @param {ReadonlyMap<string, readonly Placed[]>} found
 * @param {ReadonlyMap<string, ReadonlySet<bigint>>} [accounted] by device
 */
export function checkMemory(memory, found, accounted = new Map()) {
  /** @type {Flag[]} */
  const flags = [];
  for (const [device, known] of memory.seen) {
    const placed = found.get(device);
    if (placed === undefined) {
      if (known.size > 0) {
        const said = `A device is gone from the list, and with it ${records(known.size)} that you had read.`;
        flags.push(flag("vanished", said, device));
      }
      continue;
    }
    /** @type {Map<bigint, Set<string>>} */
    const there = new Map();
    for (const one of placed) {
      there.set(one.sequence, (there.get(one.sequence) ?? new Set()).add(one.digest));
    }
    const sequences = [...known.keys()].sort(ascending);
    const gone = sequences.filter((sequence) => !there.has(sequence) && !accounted.get(device)?.has(sequence));
    if (gone.length > 0) {
      const end = gone.at(-1) === sequences.at(-1) ? " from the end of the list" : "";
      const have = gone.length === 1 ? "has" : "have";
      const said = `${records(gone.length)} that you had read ${have} been taken out${end}.`;
      flags.push(flag("vanished", said[0].toUpperCase() + said.slice(1), device, gone[0]));
    }
    for (const sequence of sequences) {
      const digests = there.get(sequence);
      if (digests !== undefined && !digests.has(/** @type {string} */ (known.get(sequence)))) {
        flags.push(flag("changed", "A record that you had read is another one now.", device, sequence));
      }
    }
  }
  return flags;
}

/**
 * @param {Placed | null} before
 * @param {Placed | null} after
 */
function between(before, after) {
  if (after === null) {
    if (before === null) return "";
    return before.at === null ? ` after record ${before.sequence}` : ` after ${day(before.at)}`;
  }
  if (after.at === null || (before !== null && before.at === null)) {
    const first = before === null ? "the beginning" : `record ${before.sequence}`;
    return ` between ${first} and record ${after.sequence}`;
  }
  if (before === null || before.at === null) return ` before ${day(after.at)}`;
  const [one, two] = [before.at, after.at];
  if (one.year === two.year && one.month === two.month && one.day === two.day) {
    return ` on ${day(two)}, between ${clock(one)} and ${clock(two)}`;
  }
  return ` between ${day(one)} and ${day(two)}`;
}

/** @param {Moment} at */
function clock({ hour, minute }) {
  return `${String(hour).padStart(2, "0")}:${String(minute).padStart(2, "0")}`;
}

/**
 * @param {bigint} first
 * @param {bigint} second
 */
export function ascending(first, second) {
  return first < second ? -1 : Number(first > second);
}

/** @param {bigint} count */
function are(count) {
  return count === 1n ? "A record is missing" : `${count} records are missing`;
}

/** @param {number} count */
export function records(count) {
  return count === 1 ? "a record" : `${count} records`;
}
