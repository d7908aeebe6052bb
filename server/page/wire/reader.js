// The reader: which devices are believed, what their records say, and whatever is wrong with the list
// (server/reader.py, in the same words).
//
// Pages come newest first, so that the newest lines can be read at once; what only the whole list shows (gaps, order,
// records that are gone) is said at the end. A record that does not hold is flagged and never hides one that does.

import { hex } from "./bytes.js";
import { compare } from "./content.js";
import { judge } from "./devices.js";
import { held } from "./errors.js";
import { examine } from "./examine.js";
import { after } from "./memory.js";
import { verifyKey } from "./primitives.js";
import { checkMemory, checkSequence, flag } from "./sequence.js";
import { account } from "./tombstones.js";

/** @typedef {import("./devices.js").Device} Device */
/** @typedef {import("./devices.js").Reader} Reader */
/** @typedef {import("./examine.js").Judged} Judged */
/** @typedef {import("./examine.js").OpenedRecord} OpenedRecord */
/** @typedef {import("./examine.js").Outcome} Outcome */
/** @typedef {import("./listing.js").DeviceEntry} DeviceEntry */
/** @typedef {import("./listing.js").RecordEntry} RecordEntry */
/** @typedef {import("./memory.js").Memory} Memory */
/** @typedef {import("./primitives.js").VerifyKey} VerifyKey */
/** @typedef {import("./sequence.js").Flag} Flag */
/** @typedef {import("./sequence.js").Placed} Placed */
/** @typedef {import("./tombstones.js").Deleted} Deleted */

/** Records newest first, and everything that is wrong.
 * @typedef {{ records: OpenedRecord[], flags: Flag[], devices: Device[], memory: Memory }} Reading */
/** How the list ended: entries without the right shape, whether the server's pages made a whole, and what the server
 * says was deleted.
 * @typedef {{ broken?: number, whole?: boolean, deleted?: Deleted }} Ending */

const AT_ONCE = 64;

/**
 * Begin to read: judges the devices; then `take` pages newest first, and `finish`.
 * @param {Reader} reader
 * @param {readonly DeviceEntry[]} entries
 * @param {Memory} memory
 */
export async function beginReading(reader, entries, memory) {
  const devices = await Promise.all(entries.map((entry) => judge(entry, reader)));
  /** @type {Map<string, VerifyKey>} */
  const trusted = new Map();
  for (const { entry, trust } of devices) {
    const key = trust === null ? null : await held(() => verifyKey(entry.signing));
    if (key !== null) trusted.set(hex(entry.deviceId), key);
  }
  /** @type {Map<string, Promise<Judged>>} */
  const judgements = new Map();
  /** @type {Outcome[]} newest first */
  const outcomes = [];
  /** @type {Set<string>} */
  const shown = new Set();

  return {
    devices,

    /**
     * Verify and open a page; entries newest first. The records in it that were not in a page before, newest first.
     * @param {readonly RecordEntry[]} page
     */
    async take(page) {
      /** @type {OpenedRecord[]} */
      const opened = [];
      for (let at = 0; at < page.length; at += AT_ONCE) {
        const some = page.slice(at, at + AT_ONCE);
        const found = await Promise.all(some.map((entry) => examine(entry, reader, trusted, judgements, memory)));
        outcomes.push(...found);
        for (const outcome of found) {
          const { judged, digest, receivedAt } = outcome;
          if (shown.has(digest) || judged === null || judged.forged || judged.record === null) continue;
          shown.add(digest);
          opened.push({ ...judged.record, receivedAt });
        }
      }
      return opened.sort(newestFirst);
    },

    /**
     * Everything, once every page was taken.
     * @param {Ending} [ending]
     * @returns {Reading}
     */
    finish(ending = {}) {
      return conclude(devices, [...trusted.keys()], outcomes.toReversed(), memory, ending);
    },
  };
}

/**
 * Verify, order and open a whole list, against what was read before.
 * @param {Reader} reader
 * @param {readonly DeviceEntry[]} entries
 * @param {readonly RecordEntry[]} listed in the server's order
 * @param {Memory} memory
 * @param {Ending & { batch?: number, onBatch?: (opened: OpenedRecord[], done: number, of: number) => void }} [more]
 */
export async function read(reader, entries, listed, memory, { batch = 200, onBatch, ...ending } = {}) {
  const reading = await beginReading(reader, entries, memory);
  const newest = listed.toReversed();
  for (let at = 0; at < newest.length; at += batch) {
    const opened = await reading.take(newest.slice(at, at + batch));
    onBatch?.(opened, Math.min(at + batch, newest.length), newest.length);
  }
  return reading.finish(ending);
}

/**
 * @param {Device[]} devices
 * @param {readonly string[]} trusted in hex
 * @param {readonly Outcome[]} outcomes in the server's order
 * @param {Memory} memory
 * @param {Ending} ending
 * @returns {Reading}
 */
function conclude(devices, trusted, outcomes, memory, { broken = 0, whole = true, deleted = {} }) {
  const flags = ofListing(devices, broken, whole);
  /** @type {Flag[]} */
  const destroyed = [];
  /** @type {Map<string, Placed[]>} */
  const placed = new Map(trusted.map((device) => [device, []]));
  /** @type {Map<string, OpenedRecord[]>} */
  const opened = new Map(trusted.map((device) => [device, []]));
  const taken = new Set();
  for (const { judged, device, digest, receivedAt, flags: own } of outcomes) {
    flags.push(...own);
    if (judged === null || judged.forged) continue;
    if (taken.has(digest)) {
      flags.push(flag("duplicate", "A record is listed twice. It is shown once.", device, judged.placed.sequence));
      continue;
    }
    taken.add(digest);
    placed.get(device)?.push(judged.placed);
    if (judged.record !== null) opened.get(device)?.push({ ...judged.record, receivedAt });
    if (judged.flag !== null) (judged.flag.kind === "destroyed" ? destroyed : flags).push(judged.flag);
  }
  const { numbers, flags: told } = account(deleted, placed, memory);
  for (const [device, found] of placed) flags.push(...checkSequence(device, found, numbers.get(device)));
  flags.push(...checkMemory(memory, placed, numbers), ...told, ...counted(destroyed));
  const records = [...opened.values()].flat().sort(newestFirst);
  return { records, flags, devices, memory: after(memory, placed) };
}

/**
 * @param {readonly Device[]} devices
 * @param {number} broken
 * @param {boolean} whole
 */
function ofListing(devices, broken, whole) {
  const unproved =
    "A device is listed that you have not approved and that cannot prove your link. Its records are not shown.";
  const flags = devices
    .filter(({ trust }) => trust === null)
    .map(({ entry }) => flag("unapproved", unproved, hex(entry.deviceId)));
  if (broken > 0) flags.push(flag("frame", `${count(broken)} in the list cannot be read at all.`));
  if (!whole) flags.push(flag("list", "The server's list runs in a circle; it may not be complete."));
  return flags;
}

/**
 * One flag for each device and day on which a key of its records was destroyed.
 * @param {readonly Flag[]} destroyed each says the day alone
 */
function counted(destroyed) {
  /** @type {Map<string, Flag[]>} */
  const groups = new Map();
  for (const one of destroyed) {
    const group = `${one.device} ${one.message}`;
    groups.set(group, groups.get(group) ?? []);
    groups.get(group)?.push(one);
  }
  return [...groups.values()].map((group) => {
    const [{ message: day, device }] = group;
    const said = `${count(group.length)} sealed under a key that was destroyed on ${day}: not to be opened by anyone.`;
    const first = group.map(({ sequence }) => sequence ?? 0n).reduce((a, b) => (a < b ? a : b));
    return flag("destroyed", said, device, first);
  });
}

/** @param {number} records */
function count(records) {
  return records === 1 ? "1 record" : `${records} records`;
}

/**
 * For sorting: the later first, and of one moment the one with the greater number.
 * @param {OpenedRecord} first
 * @param {OpenedRecord} second
 */
export function newestFirst(first, second) {
  const later = compare(second.at, first.at);
  return later !== 0 ? later : first.sequence < second.sequence ? 1 : Number(first.sequence > second.sequence) * -1;
}
