// The confirmation: what a clinician noted for themselves once they had compared a colleague's fingerprint (FORMAT.md,
// "The confirmation"). Signed, so that nobody can put one among the notes of a browser.

import { concat, domain, equal, hex, ID_BYTES, KEY_BYTES, need, readU64, SIGNATURE_BYTES, u64, utf8 } from "./bytes.js";
import { FrameError, held, SealError } from "./errors.js";
import { sign, verifies } from "./primitives.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./primitives.js").SigningKey} SigningKey */
/** @typedef {import("./primitives.js").VerifyKey} VerifyKey */

/**
 * `clinicianId`: whose note it is. `fingerprint`: 32 bytes, of the colleague's identity key. `at` in Unix seconds.
 * @typedef {{ clinicianId: Bytes, colleagueId: Bytes, fingerprint: Bytes, at: bigint }} Confirmation
 */

export const CONFIRMATION_BYTES = 141;
const MAGIC = utf8("1BCo");
const VERSION = 1;
const SIGNED = domain("onebreath confirmation v1");

/**
 * A signed confirmation, 141 bytes. Throws RangeError.
 * @param {SigningKey} identity
 * @param {Confirmation} what
 */
export async function signConfirmation(identity, { clinicianId, colleagueId, fingerprint, at }) {
  need(clinicianId, ID_BYTES, "a clinician id");
  need(colleagueId, ID_BYTES, "a clinician id");
  need(fingerprint, KEY_BYTES, "a fingerprint");
  if (at < 0n || at >= 2n ** 63n) throw new RangeError("the time is out of range");
  if (equal(clinicianId, colleagueId)) throw new RangeError("nobody is their own colleague");
  const body = concat(MAGIC, Uint8Array.of(VERSION), clinicianId, colleagueId, fingerprint, u64(at));
  return concat(body, await sign(identity, concat(SIGNED, body)));
}

/**
 * The confirmation, if this clinician signed it. Throws FrameError when malformed, SealError for another clinician or
 * a signature that does not hold.
 * @param {Bytes} data
 * @param {VerifyKey} identity
 * @param {Bytes} clinicianId
 * @returns {Promise<Confirmation>}
 */
export async function verifyConfirmation(data, identity, clinicianId) {
  if (data.length !== CONFIRMATION_BYTES || !equal(data.subarray(0, 4), MAGIC)) throw new FrameError("not a confirmation");
  if (data[4] !== VERSION) throw new FrameError(`confirmation version ${data[4]} is not known`);
  const at = readU64(data, 69);
  const [whose, colleagueId] = [data.slice(5, 21), data.slice(21, 37)];
  if (at >= 2n ** 63n) throw new FrameError("the confirmation's time is out of range");
  if (equal(whose, colleagueId)) throw new FrameError("nobody is their own colleague");
  if (!equal(whose, clinicianId)) throw new SealError("the confirmation is another clinician's");
  const body = data.subarray(0, -SIGNATURE_BYTES);
  if (!(await verifies(identity, data.subarray(-SIGNATURE_BYTES), concat(SIGNED, body)))) {
    throw new SealError("the confirmation was not signed by this clinician");
  }
  return { clinicianId: whose, colleagueId, fingerprint: data.slice(37, 69), at };
}

/**
 * The fingerprints that were confirmed, by clinician id in hex, of the confirmations that hold; of two for one
 * colleague the later.
 * @param {readonly Bytes[]} kept
 * @param {VerifyKey} identity
 * @param {Bytes} clinicianId
 * @returns {Promise<Map<string, Bytes>>}
 */
export async function confirmedBy(kept, identity, clinicianId) {
  const found = await Promise.all(kept.map((data) => held(() => verifyConfirmation(data, identity, clinicianId))));
  const whole = found.filter((one) => one !== null).sort((a, b) => (a.at < b.at ? -1 : Number(a.at > b.at)));
  return new Map(whole.map((one) => [hex(one.colleagueId), one.fingerprint]));
}
