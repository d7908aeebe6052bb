// Key slots: ways to unlock the one key that wraps a clinician's private keys (FORMAT.md section 15).
//
// A slot holds that key under AES-256-GCM; its type and every parameter are bound as associated data, so that none can
// be weakened or moved without the slot refusing to open.

import { b64url, concat, domain, fromB64url, KEY_BYTES, TAG_BYTES } from "./bytes.js";
import { hasKeys, spell } from "./canonical.js";
import { FrameError, WrongSecretError } from "./errors.js";
import { aesOpen, aesSeal, hkdf, random, sha256 } from "./primitives.js";
import { parseCode } from "./recovery_code.js";
import { checkCost, derive, RECOVERY_BYTES, SALT_BYTES } from "./secrets.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */

/** Under the wrapping half of a passphrase, whose other half signs in.
 * @typedef {{ type: "passphrase", kdf: "argon2id-hkdf", passes: number, memory_kib: number, lanes: number,
 *   salt: string }} PassphraseParameters */
/** @typedef {{ type: "recovery", kdf: "hkdf-sha256", salt: string }} RecoveryParameters */
/** `salt` is what the passkey's PRF is asked with.
 * @typedef {{ type: "passkey", kdf: "hkdf-sha256", credential: string, salt: string }} PasskeyParameters */
/** @typedef {PassphraseParameters | RecoveryParameters | PasskeyParameters} SlotParameters */
/** @typedef {SlotParameters & { nonce: string, wrapped: string }} Slot */

export const PRF_SALT_BYTES = 32;
const NONCE_BYTES = 12;
const DOMAIN = domain("onebreath key slot v1");
const RECOVERY_INFO = domain("onebreath recovery code v1");
const PASSKEY_INFO = domain("onebreath passkey slot v1");
const PRF_DOMAIN = domain("onebreath passkey PRF v1");
const COST = ["lanes", "memory_kib", "passes"];
const EVERY = ["kdf", "nonce", "salt", "type", "wrapped"];

/**
 * What a passkey's PRF is evaluated on, 32 bytes, always the same: a sign-in asks before it knows whose passkey answers.
 */
export function prfSalt() {
  return sha256(PRF_DOMAIN);
}

/**
 * The key under the wrapping half of a passphrase (secrets.js, derive).
 * @param {Bytes} key
 * @param {Bytes} wrapping
 * @param {import("./secrets.js").Parameters} parameters those that it was derived with
 */
export function passphraseSlot(key, wrapping, { salt, passes, memoryKib, lanes }) {
  checkCost({ passes, memoryKib, lanes });
  return close(
    { type: "passphrase", kdf: "argon2id-hkdf", passes, memory_kib: memoryKib, lanes, salt: b64url(salt) },
    key,
    wrapping,
  );
}

/**
 * The key under a recovery code of 128 bits.
 * @param {Bytes} key
 * @param {Bytes} code
 */
export async function recoverySlot(key, code) {
  const salt = random(SALT_BYTES);
  return close({ type: "recovery", kdf: "hkdf-sha256", salt: b64url(salt) }, key, await fromCode(code, salt));
}

/**
 * The key under what a passkey's PRF answers to `salt`. The output never leaves this machine.
 * @param {Bytes} key
 * @param {Bytes} output 32 bytes
 * @param {{ credential: Bytes, salt: Bytes }} asked
 */
export async function passkeySlot(key, output, { credential, salt }) {
  const parameters = { credential: b64url(credential), salt: b64url(salt) };
  return close({ type: "passkey", kdf: "hkdf-sha256", ...parameters }, key, await fromPrf(output, salt));
}

/**
 * The key. Throws WrongSecretError; SealError, before any work, for a cost below LEAST or beyond MOST;
 * UnsupportedError when it does not fit in memory.
 * @param {unknown} slot
 * @param {string} passphrase
 * @param {(done: number) => void} [onProgress]
 */
export async function openPassphraseSlot(slot, passphrase, onProgress) {
  const { fields, cost, salt } = passphraseShape(slot);
  checkCost(cost);
  return openSlot(fields, (await derive(passphrase, { ...cost, salt }, onProgress)).wrapping);
}

/**
 * The key, with the wrapping half that signing in has derived already, when the slot's parameters are those of
 * signing in. Throws as openPassphraseSlot does.
 * @param {unknown} slot
 * @param {Bytes} wrapping
 */
export async function openWrappingSlot(slot, wrapping) {
  const { fields, cost } = passphraseShape(slot);
  checkCost(cost);
  return openSlot(fields, wrapping);
}

/**
 * The key, by the code as it was typed. Throws WrongSecretError.
 * @param {unknown} slot
 * @param {string} typed
 */
export async function openRecoverySlot(slot, typed) {
  const fields = shape(slot, "recovery", EVERY);
  return openSlot(fields, await fromCode(parseCode(typed), bytesOf(fields.salt, SALT_BYTES)));
}

/**
 * The key, by what the passkey's PRF answered to the slot's salt. Throws WrongSecretError.
 * @param {unknown} slot
 * @param {Bytes} output
 */
export async function openPasskeySlot(slot, output) {
  const fields = shape(slot, "passkey", ["credential", ...EVERY]);
  return openSlot(fields, await fromPrf(output, bytesOf(fields.salt, PRF_SALT_BYTES)));
}

/** @param {unknown} slot */
function passphraseShape(slot) {
  const fields = shape(slot, "passphrase", [...EVERY, ...COST].sort());
  const cost = { passes: fields.passes, memoryKib: fields.memory_kib, lanes: fields.lanes };
  const whole = Object.values(cost).every((one) => Number.isInteger(one) && one >= 1);
  if (!whole) throw new WrongSecretError("a cost that is no number");
  return { fields, cost, salt: bytesOf(fields.salt, SALT_BYTES) };
}

/**
 * The slot, if it has these keys and no others, and a kdf of its type.
 * @template {Slot["type"]} T
 * @param {unknown} slot
 * @param {T} type
 * @param {string[]} keys sorted
 * @returns {Extract<Slot, { type: T }>}
 */
function shape(slot, type, keys) {
  if (typeof slot !== "object" || slot === null || !hasKeys(slot, keys)) throw new WrongSecretError("not a slot");
  const fields = /** @type {Extract<Slot, { type: T }>} */ (slot);
  const kdf = type === "passphrase" ? "argon2id-hkdf" : "hkdf-sha256";
  if (fields.type !== type || fields.kdf !== kdf) throw new WrongSecretError("a slot of another kind");
  return fields;
}

/**
 * @param {Bytes} code
 * @param {Bytes} salt
 */
function fromCode(code, salt) {
  if (code.length !== RECOVERY_BYTES) throw new RangeError(`a recovery code is ${RECOVERY_BYTES} bytes`);
  return hkdf(code, salt, RECOVERY_INFO);
}

/**
 * @param {Bytes} output
 * @param {Bytes} salt
 */
function fromPrf(output, salt) {
  if (output.length !== KEY_BYTES) throw new WrongSecretError("a passkey's answer is 32 bytes");
  return hkdf(output, salt, PASSKEY_INFO);
}

/**
 * @param {SlotParameters} parameters
 * @param {Bytes} key
 * @param {Bytes} under
 */
async function close(parameters, key, under) {
  const nonce = random(NONCE_BYTES);
  const wrapped = await aesSeal(under, nonce, key, bound(parameters));
  return { ...parameters, nonce: b64url(nonce), wrapped: b64url(wrapped) };
}

/**
 * @param {Slot} slot
 * @param {Bytes} under
 */
async function openSlot({ nonce, wrapped, ...parameters }, under) {
  const sealed = bytesOf(wrapped, KEY_BYTES + TAG_BYTES);
  const key = await aesOpen(under, bytesOf(nonce, NONCE_BYTES), sealed, bound(parameters));
  if (key === null) throw new WrongSecretError("the secret does not open the slot");
  return key;
}

/** @param {SlotParameters} parameters */
function bound(parameters) {
  return concat(DOMAIN, spell(/** @type {import("./canonical.js").Json} */ ({ ...parameters })));
}

/**
 * @param {unknown} text
 * @param {number} size
 */
function bytesOf(text, size) {
  try {
    return fromB64url(text, size);
  } catch (error) {
    if (!(error instanceof FrameError)) throw error;
    throw new WrongSecretError("the slot was altered", { cause: error });
  }
}
