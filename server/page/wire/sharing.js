// A share: one record's data key, sealed anew for a colleague (FORMAT.md section 13).

import { concat, domain, equal, ID_BYTES, KEY_BYTES, readU64, SIGNATURE_BYTES, u64, utf8 } from "./bytes.js";
import { FrameError, SealError } from "./errors.js";
import { open, seal } from "./hpke.js";
import { keyId, sha256, sign, verifies, verifyKey } from "./primitives.js";
import { dataKeyOf, MAX_SEQUENCE, openWithDataKey, parseFrame, verifyFrame } from "./record.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./primitives.js").AgreementKey} AgreementKey */
/** @typedef {import("./primitives.js").SigningKey} SigningKey */
/** @typedef {import("./primitives.js").VerifyKey} VerifyKey */

/**
 * A well-formed share; not verified and not opened. `sha256` is of the whole frame, `recipient` a reading key's id.
 * @typedef {{ deviceId: Bytes, recordId: Bytes, sequence: bigint, sha256: Bytes, device: VerifyKey, recipient: Bytes,
 *   bound: Bytes, sealedKey: Bytes }} Share
 */

const MAGIC = utf8("1BSh");
const VERSION = 1;
const SUITE = 1;
const SHARE_BYTES = 270;
const BOUND_BYTES = 126;
const INFO = domain("onebreath share v1");
const SIGNED = domain("onebreath share signature v1");

/**
 * A share of one's own record for a colleague's reading key, 270 bytes. The frame is verified and opened first:
 * nobody vouches for a record that they cannot read themselves. Throws FrameError, SealError.
 * @param {Bytes} frame
 * @param {{ device: VerifyKey, keys: readonly AgreementKey[], identity: SigningKey, recipient: Bytes }} how
 *   `keys` are one's own reading keys, `recipient` is the colleague's raw reading key
 */
export async function makeShare(frame, { device, keys, identity, recipient }) {
  const parsed = parseFrame(frame);
  await verifyFrame(parsed, device);
  const dataKey = await dataKeyOf(parsed, keys);
  await openWithDataKey(parsed, dataKey);
  const bound = concat(
    MAGIC,
    Uint8Array.of(VERSION, SUITE),
    parsed.deviceId,
    parsed.recordId,
    u64(parsed.sequence),
    await sha256(frame),
    device.raw,
    await keyId(recipient),
  );
  const body = concat(bound, await seal(dataKey, recipient, concat(INFO, bound, identity.public.raw)));
  return concat(body, await sign(identity, concat(SIGNED, body)));
}

/**
 * Check a share by exact sizes. Throws FrameError.
 * @param {Bytes} data
 * @returns {Promise<Share>}
 */
export async function parseShare(data) {
  if (data.length !== SHARE_BYTES || !equal(data.subarray(0, 4), MAGIC)) throw new FrameError("not a share");
  if (data[4] !== VERSION) throw new FrameError(`share version ${data[4]} is not known`);
  if (data[5] !== SUITE) throw new FrameError(`share suite ${data[5]} is not known`);
  const sequence = readU64(data, 38);
  if (sequence < 1n || sequence > MAX_SEQUENCE) throw new FrameError("the sequence number is out of range");
  const device = await verifyKey(data.slice(78, 78 + KEY_BYTES));
  if (!equal(device.id, data.subarray(6, 22))) throw new FrameError("the share's device id is not its signing key's");
  return {
    deviceId: data.slice(6, 22),
    recordId: data.slice(22, 38),
    sequence,
    sha256: data.slice(46, 78),
    device,
    recipient: data.slice(110, 110 + ID_BYTES),
    bound: data.slice(0, BOUND_BYTES),
    sealedKey: data.slice(BOUND_BYTES, -SIGNATURE_BYTES),
  };
}

/**
 * The share, if `identity` signed it. Throws FrameError, SealError.
 * @param {Bytes} data
 * @param {VerifyKey} identity
 */
export async function verifyShare(data, identity) {
  const share = await parseShare(data);
  const signed = concat(SIGNED, data.subarray(0, -SIGNATURE_BYTES));
  if (!(await verifies(identity, data.subarray(-SIGNATURE_BYTES), signed))) {
    throw new SealError("the share was not signed by this clinician");
  }
  return share;
}

/**
 * The plaintext of a shared record: share, frame and device signature verified, in this order.
 * Throws FrameError, SealError.
 * @param {Bytes} data
 * @param {Bytes} frame
 * @param {VerifyKey} identity the sharing clinician's, confirmed by the person who reads
 * @param {readonly AgreementKey[]} keys
 */
export async function openShared(data, frame, identity, keys) {
  const share = await verifyShare(data, identity);
  if (!equal(await sha256(frame), share.sha256)) throw new SealError("the share is of another record");
  const parsed = parseFrame(frame);
  const same =
    equal(parsed.deviceId, share.deviceId) &&
    equal(parsed.recordId, share.recordId) &&
    parsed.sequence === share.sequence;
  if (!same) throw new SealError("the share is of another record");
  await verifyFrame(parsed, share.device);
  const key = keys.find((one) => equal(one.id, share.recipient));
  if (key === undefined) throw new SealError("the share is not for this key");
  let dataKey;
  try {
    dataKey = await open(share.sealedKey, key, concat(INFO, share.bound, identity.raw));
  } catch (error) {
    if (!(error instanceof SealError)) throw error;
    const said = "the share does not open: it was altered, moved, or made by another";
    throw new SealError(said, { cause: error });
  }
  return openWithDataKey(parsed, dataKey);
}
