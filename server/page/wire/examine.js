// One listed record: checked, verified, opened, decoded (server/reader.py, in the same words).

import { hex } from "./bytes.js";
import { decode } from "./content.js";
import { FrameError, SealError } from "./errors.js";
import { knows } from "./memory.js";
import { sha256 } from "./primitives.js";
import { openFrame, parseFrame, verifyFrame } from "./record.js";
import { flag } from "./sequence.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./content.js").Line} Line */
/** @typedef {import("./content.js").Moment} Moment */
/** @typedef {import("./content.js").When} When */
/** @typedef {import("./devices.js").Reader} Reader */
/** @typedef {import("./listing.js").RecordEntry} RecordEntry */
/** @typedef {import("./memory.js").Memory} Memory */
/** @typedef {import("./primitives.js").VerifyKey} VerifyKey */
/** @typedef {import("./record.js").Frame} Frame */
/** @typedef {import("./sequence.js").Flag} Flag */
/** @typedef {import("./sequence.js").Placed} Placed */

/**
 * One verified, opened record; ids in hex. `at` is in the client's own time; `isNew`: not read before; `sharedBy`: the
 * colleague who shared it, null for one's own. `when`: the client's own word, null where there is none (absent is the
 * same). `part` and the words may hold any Unicode: whoever shows them uses
 * `textContent` and text.js, safe.
 * @typedef {{ device: string, record: string, sequence: bigint, at: Moment, part: string, line: Line | null,
 *   when?: When | null, receivedAt: string, isNew: boolean, sharedBy: string | null }} OpenedRecord
 */
/** What one frame turned out to be, once for all the places where it is listed.
 * @typedef {{ forged: true } | { forged: false, placed: Placed, record: Omit<OpenedRecord, "receivedAt"> | null,
 *   flag: Flag | null }} Judged */
/** What one entry of the list turned out to be; `judged` is null when there is no frame of a trusted device in it.
 * @typedef {{ flags: Flag[], device: string, digest: string, receivedAt: string, judged: Judged | null }} Outcome */

/**
 * Check one listed record. `judgements` keeps what each frame, by its SHA-256, turned out to be.
 * @param {RecordEntry} entry
 * @param {Reader} reader
 * @param {ReadonlyMap<string, VerifyKey>} trusted
 * @param {Map<string, Promise<Judged>>} judgements
 * @param {Memory} memory
 * @returns {Promise<Outcome>}
 */
export async function examine(entry, reader, trusted, judgements, memory) {
  const none = { device: "", digest: "", receivedAt: entry.receivedAt, judged: null };
  let frame;
  try {
    frame = parseFrame(entry.frame);
  } catch (error) {
    if (!(error instanceof FrameError)) throw error;
    return { ...none, flags: [flag("frame", `A record is damaged: ${error.message}.`, entry.device)] };
  }
  const device = hex(frame.deviceId);
  const key = trusted.get(device);
  if (key === undefined) {
    const said = "A record comes from a device that you have not approved. It is not shown.";
    return { ...none, flags: [flag("unapproved", said, device, frame.sequence)] };
  }
  const digest = hex(await sha256(entry.frame));
  const known = judgements.get(digest) ?? judgeFrame(frame, device, digest, key, reader, memory);
  judgements.set(digest, known);
  const judged = await known;
  if (judged.forged) {
    const said = "A record was forged or altered: the device did not sign it. It is not shown.";
    return { ...none, flags: [flag("forged", said, device, frame.sequence)] };
  }
  const said = "A record was listed under another device than the one that signed it.";
  const flags = entry.device === device ? [] : [flag("misfiled", said, device, frame.sequence)];
  return { flags, device, digest, receivedAt: entry.receivedAt, judged };
}

/**
 * Verify, open and decode one frame.
 * @param {Frame} frame
 * @param {string} device
 * @param {string} digest
 * @param {VerifyKey} key
 * @param {Reader} reader
 * @param {Memory} memory
 * @returns {Promise<Judged>}
 */
async function judgeFrame(frame, device, digest, key, reader, memory) {
  try {
    await verifyFrame(frame, key);
  } catch (error) {
    if (error instanceof SealError || error instanceof FrameError) return { forged: true };
    throw error;
  }
  const { sequence } = frame;
  const place = { sequence, recordId: hex(frame.recordId), digest };
  let plaintext;
  try {
    plaintext = await openFrame(frame, reader.keys);
  } catch (error) {
    if (!(error instanceof SealError)) throw error;
    const day = dayOfDestruction(frame, reader);
    const said = `A record of this device cannot be opened: ${error.message}.`;
    const told = day === null ? flag("unopenable", said, device, sequence) : flag("destroyed", day, device, sequence);
    return { forged: false, placed: { ...place, at: null }, record: null, flag: told };
  }
  const { record, flag: told } = contentOf(frame, plaintext, {
    isNew: !knows(memory, device, sequence, digest),
    sharedBy: null,
  });
  return { forged: false, placed: { ...place, at: record?.at ?? null }, record, flag: told };
}

/**
 * What an opened record says; the flag when it says nothing of this version.
 * @param {Frame} frame
 * @param {Bytes} plaintext
 * @param {{ isNew: boolean, sharedBy: string | null }} more
 */
export function contentOf(frame, plaintext, more) {
  const [device, record, { sequence }] = [hex(frame.deviceId), hex(frame.recordId), frame];
  try {
    return { record: { device, record, sequence, ...decode(plaintext), ...more }, flag: null };
  } catch (error) {
    if (!(error instanceof FrameError)) throw error;
    const why = "A record was opened and its content is not of this version. Update Onebreath.";
    return { record: null, flag: flag("content", why, device, sequence) };
  }
}

/**
 * The day, in UTC, on which a key of this record was destroyed; null when none of them was.
 * @param {Frame} frame
 * @param {Reader} reader
 */
function dayOfDestruction(frame, { destroyed = new Map() }) {
  const at = frame.recipients.map((id) => destroyed.get(hex(id))).find((time) => time !== undefined);
  return at === undefined ? null : new Date(1000 * at).toISOString().slice(0, 10);
}
