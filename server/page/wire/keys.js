// A clinician's private keys under the one key that the slots hold (FORMAT.md section 15).

import { concat, domain, ID_BYTES, KEY_BYTES, need, u32, equal } from "./bytes.js";
import { FrameError, SealError } from "./errors.js";
import { aesOpen, aesSeal, agreementKey, random, signingKey } from "./primitives.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */

/** The place of the wrapped identity key among the wrapped reading keys. */
export const IDENTITY_EPOCH = 0;
const NONCE_BYTES = 12;
const WRAPPED_BYTES = NONCE_BYTES + KEY_BYTES + 16;
const WRAPPED = domain("onebreath wrapped key v1");

/**
 * A private key for the server to keep, 60 bytes. Bound to clinician, epoch and public key, so that none can be put
 * in another's place. `nonce` is for tests alone.
 * @param {Bytes} rawPrivate
 * @param {Bytes} key what the slots hold
 * @param {{ clinicianId: Bytes, epoch: number, publicKey: Bytes }} place
 * @param {Bytes} [nonce]
 */
export async function wrapPrivate(rawPrivate, key, place, nonce = random(NONCE_BYTES)) {
  need(rawPrivate, KEY_BYTES, "a private key");
  need(nonce, NONCE_BYTES, "a nonce");
  return concat(nonce, await aesSeal(key, nonce, rawPrivate, bound(place)));
}

/**
 * The 32 raw bytes of a wrapped private key. Throws FrameError, SealError.
 * @param {Bytes} data
 * @param {Bytes} key
 * @param {{ clinicianId: Bytes, epoch: number, publicKey: Bytes }} place
 */
export async function unwrapPrivate(data, key, place) {
  if (data.length !== WRAPPED_BYTES) throw new FrameError("not a wrapped key");
  const rawPrivate = await aesOpen(key, data.slice(0, NONCE_BYTES), data.subarray(NONCE_BYTES), bound(place));
  if (rawPrivate === null) throw new SealError("the wrapped key does not open: it was altered, or is another's");
  return rawPrivate;
}

/**
 * The identity key pair, unwrapped. Throws FrameError, SealError, also when it is not that public key's.
 * @param {Bytes} data
 * @param {Bytes} key
 * @param {{ clinicianId: Bytes, publicKey: Bytes }} place
 */
export async function unwrapIdentity(data, key, place) {
  const rawPrivate = await unwrapPrivate(data, key, { ...place, epoch: IDENTITY_EPOCH });
  const pair = await signingKey(rawPrivate);
  rawPrivate.fill(0);
  if (!equal(pair.public.raw, place.publicKey)) throw new SealError("the wrapped key is not the one it is said to be");
  return pair;
}

/**
 * The reading key pair of an epoch, unwrapped. Throws FrameError, SealError, also when it is not that public key's.
 * @param {Bytes} data
 * @param {Bytes} key
 * @param {{ clinicianId: Bytes, epoch: number, publicKey: Bytes }} place
 */
export async function unwrapReading(data, key, place) {
  const rawPrivate = await unwrapPrivate(data, key, place);
  const pair = await agreementKey(rawPrivate);
  rawPrivate.fill(0);
  if (!equal(pair.public, place.publicKey)) throw new SealError("the wrapped key is not the one it is said to be");
  return pair;
}

/** @param {{ clinicianId: Bytes, epoch: number, publicKey: Bytes }} place */
function bound({ clinicianId, epoch, publicKey }) {
  need(clinicianId, ID_BYTES, "a clinician id");
  need(publicKey, KEY_BYTES, "a public key");
  return concat(WRAPPED, clinicianId, u32(epoch), publicKey);
}
