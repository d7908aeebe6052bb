// HPKE (RFC 9180), base mode, one message: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.

import { concat, KEY_BYTES, TAG_BYTES, utf8 } from "./bytes.js";
import { SealError } from "./errors.js";
import { aesOpen, aesSeal, agree, agreementKey, expand, hkdfKey, hmacKey, random } from "./primitives.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./primitives.js").AgreementKey} AgreementKey */

/** Bytes that sealing adds: the encapsulated key and the tag. */
export const SEALING_BYTES = KEY_BYTES + TAG_BYTES;

const KEM_SUITE = Uint8Array.from([0x4b, 0x45, 0x4d, 0x00, 0x20]); // "KEM" and its number
const SUITE = Uint8Array.from([0x48, 0x50, 0x4b, 0x45, 0x00, 0x20, 0x00, 0x01, 0x00, 0x02]); // "HPKE", KEM, KDF, AEAD
const VERSION = utf8("HPKE-v1");
const NONE = new Uint8Array(0);
const NONCE_BYTES = 12;

/** HMAC under no salt, which RFC 5869 writes as zeros. */
const unsalted = once(() => hmacKey(new Uint8Array(KEY_BYTES)));
const pskIdHash = once(() => extract(labeled(SUITE, "psk_id_hash", NONE)));
/** Without a pre-shared key what "secret" is extracted from is always the same. */
const noSecret = once(() => hkdfKey(labeled(SUITE, "secret", NONE)));

/**
 * `enc` (32) || ciphertext || tag (16), for who holds the private half of `recipient`. `ephemeral` is for tests alone.
 * @param {Bytes} plaintext
 * @param {Bytes} recipient raw X25519 public key
 * @param {Bytes} info
 * @param {{ associated?: Bytes, ephemeral?: AgreementKey }} [more]
 */
export async function seal(plaintext, recipient, info, more = {}) {
  const ephemeral = more.ephemeral ?? (await agreementKey(random(KEY_BYTES)));
  const shared = await agree(ephemeral, recipient);
  const { key, nonce } = await schedule(shared, ephemeral.public, recipient, info);
  return concat(ephemeral.public, await aesSeal(key, nonce, plaintext, more.associated ?? NONE));
}

/**
 * The plaintext. Throws SealError when it was not sealed for this key with this info, or was altered.
 * @param {Bytes} sealed
 * @param {AgreementKey} recipient
 * @param {Bytes} info
 * @param {Bytes} [associated]
 */
export async function open(sealed, recipient, info, associated = NONE) {
  if (sealed.length < SEALING_BYTES) throw new SealError("it does not open");
  const enc = sealed.slice(0, KEY_BYTES);
  const shared = await agree(recipient, enc);
  const { key, nonce } = await schedule(shared, enc, recipient.public, info);
  const plaintext = await aesOpen(key, nonce, sealed.subarray(KEY_BYTES), associated);
  if (plaintext === null) throw new SealError("it does not open");
  return plaintext;
}

/**
 * Sections 4.1 (ExtractAndExpand) and 5.1 (KeySchedule): the key and nonce of the first message.
 * @param {Bytes} shared
 * @param {Bytes} enc
 * @param {Bytes} recipient
 * @param {Bytes} info
 */
async function schedule(shared, enc, recipient, info) {
  const material = await hkdfKey(labeled(KEM_SUITE, "eae_prk", shared));
  const context = concat(enc, recipient);
  const [secret, infoHash, pskHash, nothing] = await Promise.all([
    expand(material, NONE, sized(KEM_SUITE, "shared_secret", context, KEY_BYTES), KEY_BYTES),
    extract(labeled(SUITE, "info_hash", info)),
    pskIdHash(),
    noSecret(),
  ]);
  const bound = concat(Uint8Array.of(0), pskHash, infoHash);
  const [key, nonce] = await Promise.all([
    expand(nothing, secret, sized(SUITE, "key", bound, KEY_BYTES), KEY_BYTES),
    expand(nothing, secret, sized(SUITE, "base_nonce", bound, NONCE_BYTES), NONCE_BYTES),
  ]);
  return { key, nonce };
}

/**
 * What LabeledExtract extracts from (section 4).
 * @param {Bytes} suite
 * @param {string} label
 * @param {Bytes} material
 */
function labeled(suite, label, material) {
  return concat(VERSION, suite, utf8(label), material);
}

/**
 * What LabeledExpand is told (section 4).
 * @param {Bytes} suite
 * @param {string} label
 * @param {Bytes} info
 * @param {number} size
 */
function sized(suite, label, info, size) {
  return concat(Uint8Array.of(0, size), VERSION, suite, utf8(label), info);
}

/**
 * HKDF-Extract without salt.
 * @param {Bytes} material
 * @returns {Promise<Bytes>}
 */
async function extract(material) {
  return new Uint8Array(await crypto.subtle.sign("HMAC", await unsalted(), material));
}

/**
 * @template T
 * @param {() => Promise<T>} make
 * @returns {() => Promise<T>}
 */
function once(make) {
  /** @type {Promise<T> | undefined} */
  let made;
  return () => (made ??= make());
}
