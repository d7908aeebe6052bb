// What the server lists, believed only in shape: nothing here is verified (server/clinician_client.py).

import { fromB64url, fromHex, hex, ID_BYTES, KEY_BYTES } from "./bytes.js";
import { FrameError } from "./errors.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */

/**
 * A device. `state`, `lastSeenAt` and `outboxDepth` are the server's word; `label` is a sealed note.
 * @typedef {{ deviceId: Bytes, signing: Bytes, encryption: Bytes, proof: Bytes, pairingId: Bytes, invitation: Bytes,
 *   approval: Bytes | null, state: string, lastSeenAt: string | null, outboxDepth: number | null,
 *   label: Bytes | null }} DeviceEntry
 */
/** A record: `device` in hex as the server says, `frame` as it came.
 * @typedef {{ cursor: number, device: string, receivedAt: string, frame: Bytes }} RecordEntry */
/** What is said to be left of a deleted record; ids and `sha256` in hex. Times are Unix milliseconds; null: none that
 * can be read.
 * @typedef {{ device: string, record: string, sequence: bigint, sha256: string, receivedAt: number | null,
 *   deletedAt: number | null, reason: string }} Tombstone */
/** A sealed mark; ids in hex, as the server says.
 * @typedef {{ device: string, record: string, version: number, sealed: Bytes }} MarkEntry */
/** What a colleague shared; `from` is their clinician id in hex, as the server says.
 * @typedef {{ from: string, share: Bytes, frame: Bytes, receivedAt: string }} SharedEntry */

const MOST_CHARACTERS = 500;

/**
 * A server's words without characters that would be obeyed rather than seen.
 * @param {unknown} text
 */
export function plain(text) {
  return [...String(text)]
    .slice(0, MOST_CHARACTERS)
    .join("")
    .replace(/[\p{C}\p{Z}]/gu, (c) => (c === " " ? c : "\ufffd"));
}

/**
 * Each of the fields that has its shape, in order, and how many had not.
 * @template T
 * @param {unknown} list
 * @param {(fields: Record<string, unknown>) => T} entry throws FrameError
 * @returns {{ entries: T[], broken: number }}
 */
export function shaped(list, entry) {
  if (!Array.isArray(list)) throw new FrameError("the server's answer is not of this version");
  const entries = [];
  for (const fields of list) {
    try {
      if (typeof fields !== "object" || fields === null) throw new FrameError("not an object");
      entries.push(entry(fields));
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
    }
  }
  return { entries, broken: list.length - entries.length };
}

/**
 * Throws FrameError.
 * @param {Record<string, unknown>} fields
 * @returns {DeviceEntry}
 */
export function deviceEntry(fields) {
  const { last_seen_at: seen, outbox_depth: depth } = fields;
  return {
    deviceId: fromHex(fields.device, ID_BYTES),
    signing: fromB64url(fields.signing, KEY_BYTES),
    encryption: fromB64url(fields.encryption, KEY_BYTES),
    proof: fromB64url(fields.proof, 32),
    pairingId: fromB64url(fields.pairing, ID_BYTES),
    invitation: fromB64url(fields.invitation),
    approval: optional(fields.approval),
    state: plain(fields.state),
    lastSeenAt: seen === null || seen === undefined ? null : plain(seen),
    outboxDepth: typeof depth === "number" && Number.isSafeInteger(depth) && depth >= 0 ? depth : null,
    label: optional(fields.label),
  };
}

/**
 * Throws FrameError.
 * @param {Record<string, unknown>} fields
 * @returns {RecordEntry}
 */
export function recordEntry(fields) {
  const { cursor } = fields;
  if (typeof cursor !== "number" || !Number.isSafeInteger(cursor)) throw new FrameError("not a cursor");
  const receivedAt = plain(fields.received_at);
  return { cursor, device: plain(fields.device), receivedAt, frame: fromB64url(fields.frame) };
}

/**
 * Throws FrameError.
 * @param {Record<string, unknown>} fields
 * @returns {Tombstone}
 */
export function tombstone(fields) {
  const { sequence } = fields;
  if (typeof sequence !== "number" || !Number.isSafeInteger(sequence) || sequence < 1) {
    throw new FrameError("not a sequence number");
  }
  return {
    device: hex(fromHex(fields.device, ID_BYTES)),
    record: hex(fromHex(fields.record, ID_BYTES)),
    sequence: BigInt(sequence),
    sha256: hex(fromHex(fields.sha256, 32)),
    receivedAt: time(fields.received_at),
    deletedAt: time(fields.deleted_at),
    reason: plain(fields.reason),
  };
}

/**
 * Throws FrameError.
 * @param {Record<string, unknown>} fields
 * @returns {MarkEntry}
 */
export function markEntry(fields) {
  const { version } = fields;
  if (typeof version !== "number" || !Number.isSafeInteger(version)) throw new FrameError("not a version");
  const [device, record] = [fromHex(fields.device, ID_BYTES), fromHex(fields.record, ID_BYTES)];
  return { device: hex(device), record: hex(record), version, sealed: fromB64url(fields.sealed) };
}

/**
 * Throws FrameError.
 * @param {Record<string, unknown>} fields
 * @returns {SharedEntry}
 */
export function sharedEntry(fields) {
  return {
    from: hex(fromHex(fields.from, ID_BYTES)),
    share: fromB64url(fields.share),
    frame: fromB64url(fields.frame),
    receivedAt: plain(fields.received_at),
  };
}

/**
 * A time as the server writes it, UTC to the second, in Unix milliseconds.
 * @param {unknown} text
 */
function time(text) {
  if (typeof text !== "string" || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text)) return null;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : at;
}

/** @param {unknown} text */
function optional(text) {
  return text === null || text === undefined ? null : fromB64url(text);
}
