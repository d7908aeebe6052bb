// The clinician's statement: what an identity key says of itself (FORMAT.md section 4).

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
import { sha256, sign, verifies, verifyKey } from "./primitives.js";
import { nameProblem } from "./text.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./primitives.js").SigningKey} SigningKey */
/** @typedef {import("./primitives.js").VerifyKey} VerifyKey */

/**
 * `name` is spoken by the device ("Dr Okafor"). `epoch` counts reading keys from 1; devices refuse an older one.
 * `issuedAt` is in Unix seconds.
 * @typedef {{ clinicianId: Bytes, name: string, identity: VerifyKey, epoch: number, reading: Bytes,
 *   issuedAt: bigint }} Statement
 */

const MAGIC = utf8("1BSt");
const VERSION = 1;
const MAX_NAME_BYTES = 200;
const FIXED_BYTES = 98;
const SIGNED = domain("onebreath statement v1");

/**
 * The 32 bytes by which a device pins its clinician: SHA-256 of the raw identity key.
 * @param {VerifyKey} identity
 */
export function fingerprint(identity) {
  return sha256(identity.raw);
}

/**
 * A signed statement, 163-362 bytes. Throws RangeError for a name or number that cannot be stated.
 * @param {SigningKey} identity
 * @param {{ clinicianId: Bytes, name: string, epoch: number, reading: Bytes, issuedAt: bigint }} what
 */
export async function signStatement(identity, { clinicianId, name, epoch, reading, issuedAt }) {
  need(clinicianId, ID_BYTES, "a clinician id");
  need(reading, KEY_BYTES, "a reading key");
  const spoken = utf8(name);
  const problem = nameProblem(name, spoken.length, MAX_NAME_BYTES);
  if (problem) throw new RangeError(problem);
  if (!Number.isInteger(epoch) || epoch < 1 || epoch >= 2 ** 32 || issuedAt < 0n || issuedAt >= 2n ** 63n) {
    throw new RangeError("the epoch or the time is out of range");
  }
  const body = concat(
    MAGIC,
    Uint8Array.of(VERSION),
    clinicianId,
    identity.public.raw,
    u32(epoch),
    reading,
    u64(issuedAt),
    Uint8Array.of(spoken.length),
    spoken,
  );
  return concat(body, await sign(identity, concat(SIGNED, body)));
}

/**
 * The statement, signed by the identity it names, whoever that is.
 * Throws FrameError when malformed, SealError when the signature does not hold.
 * @param {Bytes} data
 * @returns {Promise<Statement>}
 */
export async function parseStatement(data) {
  if (data.length < FIXED_BYTES + SIGNATURE_BYTES || !equal(data.subarray(0, 4), MAGIC)) {
    throw new FrameError("not a clinician's statement");
  }
  if (data[4] !== VERSION) throw new FrameError(`statement version ${data[4]} is not known`);
  if (data.length !== FIXED_BYTES + data[FIXED_BYTES - 1] + SIGNATURE_BYTES) {
    throw new FrameError("the statement's length is wrong");
  }
  const body = data.subarray(0, -SIGNATURE_BYTES);
  const spoken = body.subarray(FIXED_BYTES);
  const name = fromUtf8(spoken);
  const problem = nameProblem(name, spoken.length, MAX_NAME_BYTES);
  if (problem) throw new FrameError(problem);
  const epoch = readU32(body, 53);
  const issuedAt = readU64(body, 89);
  if (epoch < 1 || issuedAt >= 2n ** 63n) throw new FrameError("the statement's epoch or time is out of range");
  const identity = await verifyKey(body.slice(21, 53));
  if (!(await verifies(identity, data.subarray(-SIGNATURE_BYTES), concat(SIGNED, body)))) {
    throw new SealError("the statement was not signed by the identity it names");
  }
  return { clinicianId: body.slice(5, 21), name, identity, epoch, reading: body.slice(57, 89), issuedAt };
}

/**
 * The statement, if the identity with this fingerprint signed it and its epoch is not older.
 * Throws FrameError when malformed, SealError for another identity, a bad signature or an older epoch.
 * @param {Bytes} data
 * @param {Bytes} pinned the fingerprint, 32 bytes
 * @param {number} [atLeastEpoch]
 */
export async function verifyStatement(data, pinned, atLeastEpoch = 1) {
  const statement = await parseStatement(data);
  if (!equal(await fingerprint(statement.identity), pinned)) {
    throw new SealError("the statement is of another clinician");
  }
  if (statement.epoch < atLeastEpoch) throw new SealError("the statement is older than one already seen");
  return statement;
}
