// The sealed card: what a clinician sends to one device for one part (FORMAT.md section 8).

import { concat, domain, equal, ID_BYTES, need, pad, readU64, SIGNATURE_BYTES, u64, unpad, utf8 } from "./bytes.js";
import { FrameError, SealError } from "./errors.js";
import { open, seal, SEALING_BYTES } from "./hpke.js";
import { keyId, sign, verifies } from "./primitives.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./primitives.js").AgreementKey} AgreementKey */
/** @typedef {import("./primitives.js").SigningKey} SigningKey */
/** @typedef {import("./primitives.js").VerifyKey} VerifyKey */

/**
 * A well-formed sealed card; not verified and not opened. `version` only grows, over all cards of a device.
 * @typedef {{ deviceId: Bytes, cardId: Bytes, version: bigint, recipient: Bytes, header: Bytes, sealed: Bytes,
 *   signature: Bytes }} CardFrame
 */

const MAGIC = utf8("1BCd");
const FORMAT_VERSION = 1;
const SUITE = 1;
const BUCKETS = [2048, 8192, 32768];
const HEADER_BYTES = 63;
const MAX_VERSION = 2n ** 63n - 1n;
const INFO = domain("onebreath card v1");
const SIGNED = domain("onebreath card signature v1");

/**
 * The version of the next card: above the highest listed one, and growing when cards were deleted meanwhile.
 * @param {readonly bigint[]} listed versions of the device's cards
 * @param {number} now Unix seconds
 */
export function nextVersion(listed, now) {
  return listed.reduce((highest, one) => (one >= highest ? one + 1n : highest), BigInt(Math.floor(now)));
}

/**
 * Seal to a device's encryption key, and sign with the clinician's identity key; 2-33 KB.
 * Throws RangeError for what cannot be framed.
 * @param {Bytes} plaintext
 * @param {{ signer: SigningKey, deviceId: Bytes, cardId: Bytes, version: bigint, recipient: Bytes }} how
 *   `recipient` is the device's raw encryption key
 */
export async function sealCard(plaintext, { signer, deviceId, cardId, version, recipient }) {
  need(deviceId, ID_BYTES, "a device id");
  need(cardId, ID_BYTES, "a card id");
  if (version < 1n || version > MAX_VERSION) throw new RangeError("a card's version is 1 to 2**63 - 1");
  const code = BUCKETS.findIndex((size) => plaintext.length < size);
  if (code < 0) throw new RangeError(`a card holds at most ${BUCKETS[2] - 1} bytes, not ${plaintext.length}`);
  const header = concat(
    MAGIC,
    Uint8Array.of(FORMAT_VERSION, SUITE, code),
    deviceId,
    cardId,
    u64(version),
    await keyId(recipient),
  );
  const sealed = await seal(pad(plaintext, BUCKETS[code]), recipient, infoOf(header, signer.public));
  const body = concat(header, sealed);
  return concat(body, await sign(signer, concat(SIGNED, body)));
}

/**
 * Check a sealed card by exact sizes, without opening it. Throws FrameError.
 * @param {Bytes} data
 * @returns {CardFrame}
 */
export function parseCard(data) {
  if (data.length < HEADER_BYTES) throw new FrameError("shorter than a card's header");
  if (!equal(data.subarray(0, 4), MAGIC)) throw new FrameError("not a card");
  const [version, suite, bucket] = data.subarray(4, 7);
  if (version !== FORMAT_VERSION) throw new FrameError(`card format ${version} is not known`);
  if (suite !== SUITE) throw new FrameError(`card suite ${suite} is not known`);
  if (bucket >= BUCKETS.length) throw new FrameError(`card size ${bucket} is not known`);
  const signatureAt = HEADER_BYTES + SEALING_BYTES + BUCKETS[bucket];
  if (data.length !== signatureAt + SIGNATURE_BYTES) {
    throw new FrameError(`the card is ${data.length} bytes; its header says ${signatureAt + SIGNATURE_BYTES}`);
  }
  const counted = readU64(data, 39);
  if (counted < 1n || counted > MAX_VERSION) throw new FrameError("the card's version is out of range");
  return {
    deviceId: data.slice(7, 23),
    cardId: data.slice(23, 39),
    version: counted,
    recipient: data.slice(47, HEADER_BYTES),
    header: data.slice(0, HEADER_BYTES),
    sealed: data.slice(HEADER_BYTES, signatureAt),
    signature: data.slice(signatureAt),
  };
}

/**
 * Check that this clinician's identity key signed the card. Throws SealError.
 * @param {CardFrame} frame
 * @param {VerifyKey} identity
 */
export async function verifyCard(frame, identity) {
  if (!(await verifies(identity, frame.signature, concat(SIGNED, frame.header, frame.sealed)))) {
    throw new SealError("the card was not signed by this clinician");
  }
}

/**
 * The plaintext of a card that `identity` sealed and signed, as the device opens it. Throws SealError.
 * @param {CardFrame} frame
 * @param {AgreementKey} key
 * @param {VerifyKey} identity
 */
export async function openCard(frame, key, identity) {
  await verifyCard(frame, identity);
  if (!equal(frame.recipient, key.id)) throw new SealError("the card is not for this key");
  let padded;
  try {
    padded = await open(frame.sealed, key, infoOf(frame.header, identity));
  } catch (error) {
    if (!(error instanceof SealError)) throw error;
    throw new SealError("the card does not open: it was altered", { cause: error });
  }
  const plaintext = unpad(padded);
  if (plaintext === null) throw new SealError("the card's padding is not whole");
  return plaintext;
}

/**
 * Everything readable, and who sealed it: nobody else can sign the same sealed bytes as their own.
 * @param {Bytes} header
 * @param {VerifyKey} identity
 */
function infoOf(header, identity) {
  return concat(INFO, header.subarray(4), identity.raw);
}
