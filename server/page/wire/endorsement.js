// The clinician's signed word that devices also seal to someone else (FORMAT.md section 14).

import {
  concat,
  domain,
  equal,
  fromUtf8,
  ID_BYTES,
  KEY_BYTES,
  need,
  readU32,
  readU64,
  SIGNATURE_BYTES,
  u32,
  u64,
  utf8,
} from "./bytes.js";
import { FrameError, SealError } from "./errors.js";
import { agree, agreementKey, sha256, sign, verifies, verifyKey } from "./primitives.js";
import { nameProblem } from "./text.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./primitives.js").SigningKey} SigningKey */
/** @typedef {import("./primitives.js").VerifyKey} VerifyKey */

/**
 * `number` only grows. `holder` is spoken by the device. It counts for records that are sealed under reading keys from
 * `fromEpoch` on. `key` null: withdrawn, and `holder` is empty.
 * @typedef {{ clinicianId: Bytes, identity: VerifyKey, number: bigint, fromEpoch: number, key: Bytes | null,
 *   holder: string }} Endorsement
 */

const MAGIC = utf8("1BEn");
const VERSION = 1;
const FIXED_BYTES = 98;
const MAX_NAME_BYTES = 200;
const SIGNED = domain("onebreath endorsement v1");
const WITHDRAWN = new Uint8Array(KEY_BYTES);

/**
 * A signed endorsement, 163-362 bytes, or, with a null key and an empty holder, its withdrawal, 162 bytes.
 * Throws RangeError for what cannot be endorsed.
 * @param {SigningKey} identity
 * @param {{ clinicianId: Bytes, number: bigint, fromEpoch: number, key: Bytes | null, holder: string }} what
 */
export async function signEndorsement(identity, { clinicianId, number, fromEpoch, key, holder }) {
  need(clinicianId, ID_BYTES, "a clinician id");
  if (number < 1n || number >= 2n ** 63n || !Number.isInteger(fromEpoch) || fromEpoch < 1 || fromEpoch >= 2 ** 32) {
    throw new RangeError("the number or the epoch is out of range");
  }
  const spoken = utf8(holder);
  if (key !== null) {
    need(key, KEY_BYTES, "a key");
    const problem = holderProblem(holder, spoken.length);
    if (problem) throw new RangeError(problem);
    if (!(await usable(key))) throw new RangeError("nothing can be sealed to this key");
  } else if (holder !== "") throw new RangeError("a withdrawal names nobody");
  const body = concat(
    MAGIC,
    Uint8Array.of(VERSION),
    clinicianId,
    identity.public.raw,
    u64(number),
    u32(fromEpoch),
    key ?? WITHDRAWN,
    Uint8Array.of(spoken.length),
    spoken,
  );
  return concat(body, await sign(identity, concat(SIGNED, body)));
}

/**
 * The endorsement, if the identity with this fingerprint signed it for this clinician and it is not older.
 * Throws FrameError when malformed, SealError for another clinician, a bad signature or a lower number.
 * @param {Bytes} data
 * @param {Bytes} pinned the fingerprint, 32 bytes
 * @param {Bytes} clinicianId
 * @param {bigint} [atLeast]
 */
export async function verifyEndorsement(data, pinned, clinicianId, atLeast = 1n) {
  const endorsement = await parseEndorsement(data);
  if (!equal(await sha256(endorsement.identity.raw), pinned) || !equal(endorsement.clinicianId, clinicianId)) {
    throw new SealError("the endorsement is of another clinician");
  }
  if (endorsement.number < atLeast) throw new SealError("the endorsement is older than one already seen");
  return endorsement;
}

/**
 * The endorsement, signed by the identity it names, whoever that is. Throws FrameError, SealError.
 * @param {Bytes} data
 * @returns {Promise<Endorsement>}
 */
export async function parseEndorsement(data) {
  if (data.length < FIXED_BYTES + SIGNATURE_BYTES || !equal(data.subarray(0, 4), MAGIC)) {
    throw new FrameError("not an endorsement");
  }
  if (data[4] !== VERSION) throw new FrameError(`endorsement version ${data[4]} is not known`);
  if (data.length !== FIXED_BYTES + data[FIXED_BYTES - 1] + SIGNATURE_BYTES) {
    throw new FrameError("the endorsement's length is wrong");
  }
  const body = data.subarray(0, -SIGNATURE_BYTES);
  const [number, fromEpoch] = [readU64(body, 53), readU32(body, 61)];
  if (number < 1n || number >= 2n ** 63n || fromEpoch < 1) {
    throw new FrameError("the endorsement's number or epoch is out of range");
  }
  const raw = body.slice(65, 97);
  const spoken = body.subarray(FIXED_BYTES);
  const withdrawn = equal(raw, WITHDRAWN);
  if (withdrawn && spoken.length > 0) throw new FrameError("a withdrawal names nobody");
  const holder = fromUtf8(spoken);
  const problem = withdrawn ? "" : holderProblem(holder, spoken.length);
  if (problem) throw new FrameError(problem);
  if (!withdrawn && !(await usable(raw))) throw new FrameError("nothing can be sealed to the endorsed key");
  const identity = await verifyKey(body.slice(21, 53));
  if (!(await verifies(identity, data.subarray(-SIGNATURE_BYTES), concat(SIGNED, body)))) {
    throw new SealError("the endorsement was not signed by the identity it names");
  }
  return { clinicianId: body.slice(5, 21), identity, number, fromEpoch, key: withdrawn ? null : raw, holder };
}

/**
 * @param {string} holder
 * @param {number} size
 */
function holderProblem(holder, size) {
  return nameProblem(holder, size, MAX_NAME_BYTES).replace("a clinician's", "the holder's");
}

/**
 * Whether it is no point of low order, with which every private key agrees: one fixed key finds out.
 * @param {Bytes} key
 */
async function usable(key) {
  const probe = await agreementKey(Uint8Array.from({ length: KEY_BYTES }, (_, at) => at + 1));
  try {
    await agree(probe, key);
    return true;
  } catch (error) {
    if (error instanceof SealError) return false;
    throw error;
  }
}
