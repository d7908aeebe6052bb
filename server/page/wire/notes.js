// The clinician's own sealed notes, opened: records that were marked as discussed, and clients' names
// (server/reader_notes.py, in the same words).
//
// Only the clinician can make a note that holds; a server can keep one back, or give an earlier one, which shows where
// a later version was seen before.

import {
  decodeLabel,
  decodeMark,
  encodeLabel,
  encodeMark,
  LABEL,
  MARK,
  NO_RECORD,
  openBox,
  parseBox,
  sealBox,
  verifyBox,
} from "./boxes.js";
import { equal, fromHex, hex, ID_BYTES } from "./bytes.js";
import { held, SealError } from "./errors.js";
import { flag } from "./sequence.js";

/** @typedef {import("./boxes.js").Mark} Mark */
/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./devices.js").Reader} Reader */
/** @typedef {import("./listing.js").DeviceEntry} DeviceEntry */
/** @typedef {import("./listing.js").MarkEntry} MarkEntry */
/** @typedef {import("./primitives.js").SigningKey} SigningKey */
/** @typedef {import("./sequence.js").Flag} Flag */

/** Marks that hold, by place ("DEVICE/RECORD", in hex); `versions`: the greatest ever seen, of those that do not open
 * too.
 * @typedef {{ marks: Map<string, Mark>, versions: Map<string, number>, flags: Flag[] }} Noted */

/**
 * The place of a record among marks.
 * @param {{ device: string, record: string }} record
 */
export function placeOf({ device, record }) {
  return `${device}/${record}`;
}

/**
 * Verify and open marks.
 * @param {Reader} reader
 * @param {Bytes} clinicianId
 * @param {readonly MarkEntry[]} entries
 * @param {ReadonlyMap<string, number>} seen the greatest versions that this browser has come across (memory.js)
 * @param {{ broken?: number, whole?: boolean }} [ending]
 * @returns {Promise<Noted>}
 */
export async function readMarks(reader, clinicianId, entries, seen, { broken = 0, whole = true } = {}) {
  /** @type {Map<string, Mark>} */
  const marks = new Map();
  /** @type {Map<string, number>} */
  const found = new Map();
  let forged = broken;
  let closed = 0;
  for (const entry of entries) {
    const place = placeOf(entry);
    const box = await held(() => own(entry, reader, clinicianId));
    if (box === null) {
      forged++;
      continue;
    }
    found.set(place, Math.max(box.version, found.get(place) ?? 0));
    const mark = await held(async () => decodeMark(await openBox(box, reader.keys)));
    if (mark === null) closed++;
    else marks.set(place, mark);
  }
  const older = [...seen].filter(([place, version]) => (found.get(place) ?? version) < version).length;
  const flags = /** @type {const} */ ([
    [forged, "Marks that are not yours, or were altered, are left out"],
    [closed, "Marks that were sealed to a key that is not here cannot be opened"],
    [older, "Marks are older than those that you had seen: the server brought earlier ones back"],
  ]).flatMap(([count, said]) => (count > 0 ? [flag("mark", `${said}: ${count}.`)] : []));
  if (!whole) flags.push(flag("list", "The server's list of marks runs in a circle; it may not be whole."));
  const versions = new Map(seen);
  for (const [place, version] of found) versions.set(place, Math.max(version, versions.get(place) ?? 0));
  return { marks, versions, flags };
}

/**
 * A new mark on a record, one version above the greatest seen, for the server to keep.
 * @param {{ identity: SigningKey, reading: Bytes, clinicianId: Bytes }} clinician `reading`: the newest epoch's raw key
 * @param {{ device: string, record: string }} record
 * @param {Mark} mark
 * @param {Noted} noted
 * @returns {Promise<MarkEntry>}
 */
export async function makeMark(clinician, record, mark, noted) {
  const version = (noted.versions.get(placeOf(record)) ?? 0) + 1;
  const [deviceId, recordId] = [fromHex(record.device, ID_BYTES), fromHex(record.record, ID_BYTES)];
  const sealed = await sealBox(encodeMark(mark), { ...clinician, purpose: MARK, deviceId, recordId, version });
  return { device: record.device, record: record.record, version, sealed };
}

/**
 * What the clinician calls a device's client; null without a label, or with one that does not hold. `version` is what a
 * newer one must be above.
 * @param {DeviceEntry} entry
 * @param {Reader} reader
 * @param {Bytes} clinicianId
 */
export async function readLabel({ label, deviceId }, reader, clinicianId) {
  if (label === null) return null;
  return held(async () => {
    const box = parseBox(label);
    await verifyBox(box, reader.identity);
    if (box.purpose !== LABEL || !equal(box.clinicianId, clinicianId) || !equal(box.deviceId, deviceId)) {
      throw new SealError("the label is of another device");
    }
    return { name: decodeLabel(await openBox(box, reader.keys)), version: box.version };
  });
}

/**
 * A client's name, sealed for the server to keep beside a device. Throws RangeError for a name that cannot be kept.
 * @param {{ identity: SigningKey, reading: Bytes, clinicianId: Bytes }} clinician
 * @param {Bytes} deviceId
 * @param {string} name
 * @param {number} version
 */
export function makeLabel(clinician, deviceId, name, version) {
  return sealBox(encodeLabel(name), { ...clinician, purpose: LABEL, deviceId, recordId: NO_RECORD, version });
}

/**
 * @param {MarkEntry} entry
 * @param {Reader} reader
 * @param {Bytes} clinicianId
 */
async function own(entry, { identity }, clinicianId) {
  const box = parseBox(entry.sealed);
  await verifyBox(box, identity);
  const same =
    box.purpose === MARK &&
    equal(box.clinicianId, clinicianId) &&
    hex(box.deviceId) === entry.device &&
    hex(box.recordId) === entry.record &&
    box.version === entry.version;
  if (!same) throw new SealError("the mark is of another record");
  return box;
}
