// What the server says was deleted, held against what the reader knows itself (server/reader_tombstones.py, in the
// same words).
//
// A tombstone is never signed by a device: that a record was deleted, why and when is the server's word. What can be
// known without it: that the record existed (the device counted past it, or it was read before), and that it is the
// one that was read (its SHA-256). One against which something speaks accounts for nothing here.

import { ascending, flag, MONTHS, records } from "./sequence.js";

/** @typedef {import("./listing.js").Tombstone} Tombstone */
/** @typedef {import("./memory.js").Memory} Memory */
/** @typedef {import("./sequence.js").Flag} Flag */
/** @typedef {import("./sequence.js").Placed} Placed */

/** All tombstones that the server tells of, and its policy in days, or null.
 * @typedef {{ stones?: readonly Tombstone[], retentionDays?: number | null, broken?: number,
 *   whole?: boolean }} Deleted */
/** What is accounted for, by device, and what is to be said of it all.
 * @typedef {{ numbers: Map<string, Set<bigint>>, flags: Flag[] }} Account */

const DAY_MS = 86_400_000;
/** @type {ReadonlyMap<string, string>} */
const WHY = new Map([
  ["retention", "by the practice's retention policy"],
  ["erased", "by you, or with your key, when their client was erased"],
  ["deleted", "by you, or with your key, one by one"],
]);

/**
 * Judge every tombstone.
 * @param {Deleted} deleted
 * @param {ReadonlyMap<string, readonly Placed[]>} placed each trusted device's records that are here
 * @param {Memory} memory
 * @returns {Account}
 */
export function account({ stones = [], retentionDays = null, broken = 0, whole = true }, placed, memory) {
  /** @type {Flag[]} */
  const flags = [];
  const numbers = new Map();
  if (broken > 0) flags.push(flag("doubtful", `Tombstones that cannot be read at all: ${broken}.`));
  if (!whole) flags.push(flag("list", "The server's list of deletions runs in a circle; it may not be whole."));
  for (const [device, theirs] of grouped(stones, (stone) => stone.device)) {
    const here = placed.get(device);
    if (here === undefined) {
      const said = `The server tells of ${records(theirs.length)} deleted, of a device that is not yours.`;
      flags.push(flag("doubtful", said, device));
      continue;
    }
    const known = memory.seen.get(device) ?? new Map();
    const { good, doubts } = sort(theirs, here, known, retentionDays);
    for (const [why, found] of doubts) {
      const said = `The server says that it deleted ${records(found.length)}. ${why}`;
      flags.push(flag("doubtful", said, device, found[0].stone.sequence));
    }
    for (const reason of WHY.keys()) {
      const told = good.filter((stone) => stone.reason === reason);
      if (told.length > 0) flags.push(flag("deleted", tell(told, known, reason), device, told[0].sequence));
    }
    numbers.set(device, new Set(good.map((stone) => stone.sequence)));
  }
  return { numbers, flags };
}

/**
 * Those against which nothing speaks, by sequence; and the others, by what does.
 * @param {readonly Tombstone[]} stones
 * @param {readonly Placed[]} here
 * @param {ReadonlyMap<bigint, string>} known
 * @param {number | null} days
 */
function sort(stones, here, known, days) {
  const places = grouped(stones, (stone) => stone.sequence);
  const ids = grouped(stones, (stone) => stone.record);
  /** @type {Set<bigint | string>} */
  const taken = new Set(here.flatMap((one) => [one.sequence, one.recordId]));
  const reached = [...known.keys(), ...here.map((one) => one.sequence)].reduce((a, b) => (a > b ? a : b), 0n);
  /** @type {Tombstone[]} */
  const good = [];
  /** @type {{ why: string, stone: Tombstone }[]} */
  const doubts = [];
  for (const stone of [...stones].sort((a, b) => ascending(a.sequence, b.sequence))) {
    let why = "";
    if ((places.get(stone.sequence)?.length ?? 0) > 1 || (ids.get(stone.record)?.length ?? 0) > 1) {
      why = "It says so twice, of one place or one record.";
    } else if (taken.has(stone.sequence) || taken.has(stone.record)) {
      why = "It lists a record in the same place, or with the same id, all the same.";
    } else if ((known.get(stone.sequence) ?? stone.sha256) !== stone.sha256) {
      why = "What you had read in that place was another record.";
    } else {
      why = speaksAgainst(stone, days);
      if (!why && stone.sequence > reached) why = "Nothing but its word shows that the device ever made them.";
    }
    if (why) doubts.push({ why, stone });
    else good.push(stone);
  }
  return { good, doubts: grouped(doubts, ({ why }) => why) };
}

/**
 * What speaks against a tombstone by itself, and by the policy; nothing: empty.
 * @param {Tombstone} stone
 * @param {number | null} days
 */
function speaksAgainst({ reason, receivedAt, deletedAt }, days) {
  if (!WHY.has(reason)) return "It gives no reason that is known.";
  if (receivedAt === null || deletedAt === null) return "It gives no time that can be read.";
  if (deletedAt < receivedAt) return "It deleted them, it says, before it received them.";
  if (reason !== "retention") return "";
  if (days === null) return "It gives the practice's retention policy as the reason, and there is none now.";
  if (deletedAt - receivedAt >= days * DAY_MS) return "";
  return `They were younger than the practice's retention policy says now (${days} days).`;
}

/**
 * `12 records of March 2026 were deleted by ..., the server says. You had read 10 of them.`
 * @param {readonly Tombstone[]} stones
 * @param {ReadonlyMap<bigint, string>} known
 * @param {string} reason
 */
function tell(stones, known, reason) {
  const count = stones.length;
  const read = stones.filter((stone) => known.has(stone.sequence)).length;
  const [were, you] =
    count === 1
      ? [`A record of ${months(stones)} was`, `You had ${read ? "" : "not "}read it.`]
      : [
          `${count} records of ${months(stones)} were`,
          `You had read ${{ 0: "none", [count]: "all" }[read] ?? read} of them.`,
        ];
  return `${were} deleted ${WHY.get(reason)}, the server says. ${you}`;
}

/**
 * The months of their arrival: `March 2026`, `March to May 2026`, `December 2025 to January 2026`.
 * @param {readonly Tombstone[]} stones
 */
function months(stones) {
  const times = stones.map((stone) => stone.receivedAt ?? 0).sort((a, b) => a - b);
  const [first, last] = [new Date(times[0]), new Date(times[times.length - 1])];
  const end = `${MONTHS[last.getUTCMonth()]} ${last.getUTCFullYear()}`;
  const start = MONTHS[first.getUTCMonth()];
  if (first.getUTCFullYear() !== last.getUTCFullYear()) return `${start} ${first.getUTCFullYear()} to ${end}`;
  return first.getUTCMonth() === last.getUTCMonth() ? end : `${start} to ${end}`;
}

/**
 * @template T, K
 * @param {readonly T[]} list
 * @param {(one: T) => K} by
 */
function grouped(list, by) {
  /** @type {Map<K, T[]>} */
  const groups = new Map();
  for (const one of list) {
    const group = groups.get(by(one));
    if (group) group.push(one);
    else groups.set(by(one), [one]);
  }
  return groups;
}
