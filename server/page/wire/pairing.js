// Pairing: the device's proof, the clinician's invitation and approval (FORMAT.md section 5).

import { concat, domain, equal, ID_BYTES, KEY_BYTES, need, readU64, SIGNATURE_BYTES, u64, utf8 } from "./bytes.js";
import { FrameError, SealError } from "./errors.js";
import { open, seal } from "./hpke.js";
import { hkdf, hmac, keyId, sha256, sign, verifies } from "./primitives.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./primitives.js").AgreementKey} AgreementKey */
/** @typedef {import("./primitives.js").SigningKey} SigningKey */
/** @typedef {import("./primitives.js").VerifyKey} VerifyKey */

/** @typedef {{ pairingId: Bytes, claimHash: Bytes, expiresAt: bigint, readingKeyId: Bytes }} Invitation */
/** @typedef {{ pairingId: Bytes, secret: Bytes, expiresAt: bigint }} OpenedInvitation */
/** @typedef {{ signing: Bytes, encryption: Bytes, approvedAt: bigint }} Approval */

const VERSION = 1;
const INVITATION_MAGIC = utf8("1BIn");
const APPROVAL_MAGIC = utf8("1BAp");
const INVITATION_BYTES = 205;
const PUBLIC_BYTES = 77;
const APPROVAL_BYTES = 141;
const INVITATION_SIGNED = domain("onebreath invitation v1");
const INVITATION_INFO = domain("onebreath invitation secret v1");
const APPROVAL_SIGNED = domain("onebreath approval v1");
const PROOF = domain("onebreath device proof v1");
const NO_SALT = new Uint8Array(0);

/**
 * 32 bytes that show the server that a device holds the link, and tell it nothing of the secret.
 * @param {Bytes} secret
 */
export function claimToken(secret) {
  return derive(secret, "onebreath pairing claim v1");
}

/**
 * A MAC under the link's secret over a device's raw public keys: the server can swap neither.
 * @param {Bytes} secret
 * @param {Bytes} pairingId
 * @param {Bytes} signing
 * @param {Bytes} encryption
 */
export async function deviceProof(secret, pairingId, signing, encryption) {
  need(pairingId, ID_BYTES, "a pairing id");
  need(signing, KEY_BYTES, "a signing key");
  need(encryption, KEY_BYTES, "an encryption key");
  const key = await derive(secret, "onebreath pairing proof v1");
  return hmac(key, concat(PROOF, pairingId, signing, encryption));
}

/**
 * Whether the device that holds these keys held the link.
 * @param {Bytes} proof
 * @param {OpenedInvitation} invitation
 * @param {Bytes} signing
 * @param {Bytes} encryption
 */
export async function checkDeviceProof(proof, { secret, pairingId }, signing, encryption) {
  return equal(await deviceProof(secret, pairingId, signing, encryption), proof);
}

/**
 * An invitation that the server keeps: it can check a claim, and neither read nor replace the secret.
 * @param {SigningKey} identity
 * @param {Bytes} reading the clinician's raw reading key
 * @param {OpenedInvitation} what `expiresAt` in Unix seconds
 */
export async function makeInvitation(identity, reading, { pairingId, secret, expiresAt }) {
  need(pairingId, ID_BYTES, "a pairing id");
  need(secret, ID_BYTES, "a pairing secret");
  if (expiresAt < 0n || expiresAt >= 2n ** 63n) throw new RangeError("the expiry is out of range");
  const claimHash = await sha256(await claimToken(secret));
  const readable = concat(
    INVITATION_MAGIC,
    Uint8Array.of(VERSION),
    pairingId,
    claimHash,
    u64(expiresAt),
    await keyId(reading),
  );
  const body = concat(readable, await seal(secret, reading, concat(INVITATION_INFO, readable)));
  return concat(body, await sign(identity, concat(INVITATION_SIGNED, body)));
}

/**
 * The readable part of an invitation, unverified. Throws FrameError.
 * @param {Bytes} data
 * @returns {Invitation}
 */
export function parseInvitation(data) {
  if (data.length !== INVITATION_BYTES || !equal(data.subarray(0, 4), INVITATION_MAGIC)) {
    throw new FrameError("not an invitation");
  }
  if (data[4] !== VERSION) throw new FrameError(`invitation version ${data[4]} is not known`);
  const expiresAt = readU64(data, 53);
  if (expiresAt >= 2n ** 63n) throw new FrameError("the invitation's expiry is out of range");
  return {
    pairingId: data.slice(5, 21),
    claimHash: data.slice(21, 53),
    expiresAt,
    readingKeyId: data.slice(61, 77),
  };
}

/**
 * The readable part, if `identity` signed the invitation. Throws FrameError, SealError.
 * @param {Bytes} data
 * @param {VerifyKey} identity
 */
export async function verifyInvitation(data, identity) {
  const invitation = parseInvitation(data);
  await verify(identity, data, INVITATION_SIGNED, "the invitation is not this clinician's");
  return invitation;
}

/**
 * Verify and open the clinician's own invitation. Throws FrameError, SealError.
 * @param {Bytes} data
 * @param {VerifyKey} identity
 * @param {readonly AgreementKey[]} keys one's reading keys, of every epoch that is kept
 * @returns {Promise<OpenedInvitation>}
 */
export async function openInvitation(data, identity, keys) {
  const invitation = await verifyInvitation(data, identity);
  const key = keys.find((one) => equal(one.id, invitation.readingKeyId));
  if (key === undefined) throw new SealError("the invitation is sealed to another reading key");
  const readable = data.subarray(0, PUBLIC_BYTES);
  let secret;
  try {
    secret = await open(data.slice(PUBLIC_BYTES, -SIGNATURE_BYTES), key, concat(INVITATION_INFO, readable));
  } catch (error) {
    if (!(error instanceof SealError)) throw error;
    throw new SealError("the invitation does not open", { cause: error });
  }
  if (secret.length !== ID_BYTES || !equal(await sha256(await claimToken(secret)), invitation.claimHash)) {
    throw new SealError("the invitation's secret is not the one it names");
  }
  return { pairingId: invitation.pairingId, secret, expiresAt: invitation.expiresAt };
}

/**
 * The clinician's signature on a device's raw public keys; `approvedAt` in Unix seconds.
 * @param {SigningKey} identity
 * @param {Approval} what
 */
export async function signApproval(identity, { signing, encryption, approvedAt }) {
  need(signing, KEY_BYTES, "a signing key");
  need(encryption, KEY_BYTES, "an encryption key");
  if (approvedAt < 0n || approvedAt >= 2n ** 63n) throw new RangeError("the time is out of range");
  const body = concat(APPROVAL_MAGIC, Uint8Array.of(VERSION), signing, encryption, u64(approvedAt));
  return concat(body, await sign(identity, concat(APPROVAL_SIGNED, body)));
}

/**
 * The approval, if `identity` signed it. Throws FrameError, SealError.
 * @param {Bytes} data
 * @param {VerifyKey} identity
 * @returns {Promise<Approval>}
 */
export async function verifyApproval(data, identity) {
  if (data.length !== APPROVAL_BYTES || !equal(data.subarray(0, 4), APPROVAL_MAGIC)) {
    throw new FrameError("not an approval");
  }
  if (data[4] !== VERSION) throw new FrameError(`approval version ${data[4]} is not known`);
  const approvedAt = readU64(data, 69);
  if (approvedAt >= 2n ** 63n) throw new FrameError("the approval's time is out of range");
  await verify(identity, data, APPROVAL_SIGNED, "the approval is not this clinician's");
  return { signing: data.slice(5, 37), encryption: data.slice(37, 69), approvedAt };
}

/**
 * @param {Bytes} secret
 * @param {string} purpose
 */
function derive(secret, purpose) {
  need(secret, ID_BYTES, "a pairing secret");
  return hkdf(secret, NO_SALT, utf8(purpose));
}

/**
 * @param {VerifyKey} identity
 * @param {Bytes} data
 * @param {Bytes} purpose
 * @param {string} problem
 */
async function verify(identity, data, purpose, problem) {
  const signed = concat(purpose, data.subarray(0, -SIGNATURE_BYTES));
  if (!(await verifies(identity, data.subarray(-SIGNATURE_BYTES), signed))) throw new SealError(problem);
}
