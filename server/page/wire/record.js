// The sealed record: checked without being opened, verified, then opened (FORMAT.md section 2).

import {
  concat,
  domain,
  equal,
  ID_BYTES,
  KEY_BYTES,
  order,
  readU64,
  SIGNATURE_BYTES,
  TAG_BYTES,
  unpad,
} from "./bytes.js";
import { FrameError, SealError } from "./errors.js";
import { open } from "./hpke.js";
import { aesOpen, verifies } from "./primitives.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./primitives.js").AgreementKey} AgreementKey */
/** @typedef {import("./primitives.js").VerifyKey} VerifyKey */

/**
 * A well-formed frame; not verified and not opened. `recipients` are key ids, ascending, `sealedKeys` in their order.
 * @typedef {{ deviceId: Bytes, recordId: Bytes, sequence: bigint, recipients: Bytes[], sealedKeys: Bytes[],
 *   associated: Bytes, ciphertext: Bytes, signature: Bytes, signed: Bytes }} Frame
 */

export const MAX_SEQUENCE = 2n ** 63n - 1n;
const MAGIC = [0x31, 0x42, 0x52, 0x63];
const VERSION = 1;
const SUITE = 1;
const BUCKETS = [2048, 8192, 32768];
const MAX_RECIPIENTS = 8;
const HEADER_BYTES = 48;
const STANZA_BYTES = ID_BYTES + KEY_BYTES + KEY_BYTES + TAG_BYTES;
const NONCE = new Uint8Array(12);
const INFO = domain("onebreath record v1");
const SIGNED = domain("onebreath record signature v1");

/**
 * Check a frame by exact sizes, without opening it. Throws FrameError.
 * @param {Bytes} data
 * @returns {Frame}
 */
export function parseFrame(data) {
  if (data.length < HEADER_BYTES) throw new FrameError("shorter than a record's header");
  if (MAGIC.some((byte, at) => data[at] !== byte)) throw new FrameError("not a record");
  const [version, suite, count, bucket] = data.subarray(4, 8);
  if (version !== VERSION) throw new FrameError(`record version ${version} is not known`);
  if (suite !== SUITE) throw new FrameError(`record suite ${suite} is not known`);
  if (count < 1 || count > MAX_RECIPIENTS) {
    throw new FrameError(`a record has 1 to ${MAX_RECIPIENTS} recipients, not ${count}`);
  }
  if (bucket >= BUCKETS.length) throw new FrameError(`record size ${bucket} is not known`);
  const sealedAt = HEADER_BYTES + count * STANZA_BYTES;
  const signatureAt = sealedAt + BUCKETS[bucket] + TAG_BYTES;
  if (data.length !== signatureAt + SIGNATURE_BYTES) {
    throw new FrameError(`the record is ${data.length} bytes; its header says ${signatureAt + SIGNATURE_BYTES}`);
  }
  const sequence = readU64(data, 40);
  if (sequence < 1n || sequence > MAX_SEQUENCE) throw new FrameError("the sequence number is out of range");
  /** @type {Bytes[]} */
  const recipients = [];
  /** @type {Bytes[]} */
  const sealedKeys = [];
  for (let at = HEADER_BYTES; at < sealedAt; at += STANZA_BYTES) {
    recipients.push(data.subarray(at, at + ID_BYTES));
    sealedKeys.push(data.subarray(at + ID_BYTES, at + STANZA_BYTES));
  }
  if (recipients.some((id, at) => at > 0 && order(recipients[at - 1], id) >= 0)) {
    throw new FrameError("recipients are not distinct and ascending");
  }
  return {
    deviceId: data.subarray(8, 24),
    recordId: data.subarray(24, 40),
    sequence,
    recipients,
    sealedKeys,
    associated: data.subarray(0, sealedAt),
    ciphertext: data.subarray(sealedAt, signatureAt),
    signature: data.subarray(signatureAt),
    signed: data.subarray(0, signatureAt),
  };
}

/**
 * Check that `device` signed the frame and that the frame names it. Throws SealError.
 * @param {Frame} frame
 * @param {VerifyKey} device
 */
export async function verifyFrame(frame, device) {
  if (!equal(frame.deviceId, device.id)) throw new SealError("the record names another device");
  if (!(await verifies(device, frame.signature, concat(SIGNED, frame.signed)))) {
    throw new SealError("the record was not signed by this device");
  }
}

/**
 * The plaintext, opened with whichever of one's keys it was sealed to. Verify first: opening says nothing of who
 * sealed it. Throws SealError.
 * @param {Frame} frame
 * @param {readonly AgreementKey[]} keys one's reading keys, of every epoch that is kept
 */
export async function openFrame(frame, keys) {
  return openWithDataKey(frame, await dataKeyOf(frame, keys));
}

/**
 * The record's data key, 32 bytes, as it was sealed to one of these keys. Throws SealError.
 * @param {Frame} frame
 * @param {readonly AgreementKey[]} keys
 */
export async function dataKeyOf(frame, keys) {
  for (const [at, recipient] of frame.recipients.entries()) {
    const key = keys.find((one) => equal(one.id, recipient));
    if (key === undefined) continue;
    const bound = frame.associated;
    const info = concat(INFO, bound.subarray(4, 6), bound.subarray(8, HEADER_BYTES), recipient);
    try {
      return await open(frame.sealedKeys[at], key, info);
    } catch (error) {
      if (!(error instanceof SealError)) throw error;
      throw new SealError("the record does not open: it was altered", { cause: error });
    }
  }
  throw new SealError("the record is not for this key");
}

/**
 * The plaintext under a data key, one's own or one that a colleague shared. Throws SealError.
 * @param {Frame} frame
 * @param {Bytes} dataKey
 */
export async function openWithDataKey(frame, dataKey) {
  const padded = await aesOpen(dataKey, NONCE, frame.ciphertext, frame.associated);
  if (padded === null) throw new SealError("the record does not open: it was altered");
  const plaintext = unpad(padded);
  if (plaintext === null) throw new SealError("the record's padding is not whole");
  return plaintext;
}
