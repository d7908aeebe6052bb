// The primitives, all of them the browser's own (WebCrypto): SHA-256, HMAC, HKDF, AES-256-GCM, Ed25519, X25519.

import { concat, equal, ID_BYTES, KEY_BYTES, need } from "./bytes.js";
import { FrameError, SealError } from "./errors.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */

/**
 * Someone's Ed25519 public key. `id` is the first 16 bytes of SHA-256 of the raw key.
 * @typedef {{ raw: Bytes, id: Bytes, key: CryptoKey }} VerifyKey
 */

/**
 * An Ed25519 key pair; the private half cannot be read out again.
 * @typedef {{ public: VerifyKey, key: CryptoKey }} SigningKey
 */

/**
 * An X25519 key pair; the private half cannot be read out again. `id` is of the public key.
 * @typedef {{ public: Bytes, id: Bytes, key: CryptoKey }} AgreementKey
 */

// RFC 8410: what comes before the 32 bytes of a private key in PKCS #8, but for the curve's number.
const PKCS8 = Uint8Array.from([0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0, 4, 0x22, 4, 0x20]);
const CURVE_AT = 11;
const X25519_CURVE = 0x6e;
const ED25519_CURVE = 0x70;
const BASE_POINT = Uint8Array.from({ length: KEY_BYTES }, (_, at) => (at === 0 ? 9 : 0));
const ZEROS = new Uint8Array(KEY_BYTES);

/**
 * Fresh random bytes.
 * @param {number} size
 * @returns {Bytes}
 */
export function random(size) {
  return crypto.getRandomValues(new Uint8Array(size));
}

/**
 * @param {Bytes} data
 * @returns {Promise<Bytes>}
 */
export async function sha256(data) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data));
}

/**
 * The 16-byte name of a raw public key: the first half of its SHA-256. Self-certifying.
 * @param {Bytes} rawPublic
 */
export async function keyId(rawPublic) {
  return (await sha256(rawPublic)).slice(0, ID_BYTES);
}

/**
 * HMAC-SHA256 (RFC 2104).
 * @param {Bytes} key
 * @param {Bytes} data
 * @returns {Promise<Bytes>}
 */
export async function hmac(key, data) {
  return new Uint8Array(await crypto.subtle.sign("HMAC", await hmacKey(key), data));
}

/** @param {Bytes} key */
export function hmacKey(key) {
  return crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
}

/**
 * HKDF-SHA256 (RFC 5869), extract and expand. No salt is an empty one.
 * @param {Bytes} material
 * @param {Bytes} salt
 * @param {Bytes} info
 * @param {number} [size]
 */
export async function hkdf(material, salt, info, size = KEY_BYTES) {
  return expand(await hkdfKey(material), salt, info, size);
}

/** @param {Bytes} material */
export function hkdfKey(material) {
  return crypto.subtle.importKey("raw", material, "HKDF", false, ["deriveBits"]);
}

/**
 * @param {CryptoKey} material
 * @param {Bytes} salt
 * @param {Bytes} info
 * @param {number} size
 * @returns {Promise<Bytes>}
 */
export async function expand(material, salt, info, size) {
  const how = { name: "HKDF", hash: "SHA-256", salt, info };
  return new Uint8Array(await crypto.subtle.deriveBits(how, material, 8 * size));
}

/**
 * AES-256-GCM; the tag is the last 16 bytes.
 * @param {Bytes} key
 * @param {Bytes} nonce
 * @param {Bytes} plaintext
 * @param {Bytes} associated
 * @returns {Promise<Bytes>}
 */
export async function aesSeal(key, nonce, plaintext, associated) {
  const used = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt"]);
  const how = { name: "AES-GCM", iv: nonce, additionalData: associated };
  return new Uint8Array(await crypto.subtle.encrypt(how, used, plaintext));
}

/**
 * The plaintext; null when key, nonce, associated data or ciphertext are not those of the sealing.
 * @param {Bytes} key
 * @param {Bytes} nonce
 * @param {Bytes} sealed
 * @param {Bytes} associated
 * @returns {Promise<Bytes | null>}
 */
export async function aesOpen(key, nonce, sealed, associated) {
  if (key.length !== KEY_BYTES) return null;
  const used = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["decrypt"]);
  const how = { name: "AES-GCM", iv: nonce, additionalData: associated };
  try {
    return new Uint8Array(await crypto.subtle.decrypt(how, used, sealed));
  } catch {
    return null;
  }
}

/**
 * An Ed25519 public key from its 32 raw bytes. Throws FrameError.
 * @param {Bytes} raw
 * @returns {Promise<VerifyKey>}
 */
export async function verifyKey(raw) {
  if (raw.length !== KEY_BYTES) throw new FrameError("not an Ed25519 public key");
  try {
    const key = await crypto.subtle.importKey("raw", raw, "Ed25519", true, ["verify"]);
    return { raw, id: await keyId(raw), key };
  } catch (error) {
    throw new FrameError("not an Ed25519 public key", { cause: error });
  }
}

/**
 * Whether `key` signed `data` (RFC 8032).
 * @param {VerifyKey} key
 * @param {Bytes} signature
 * @param {Bytes} data
 */
export function verifies(key, signature, data) {
  return crypto.subtle.verify("Ed25519", key.key, signature, data);
}

/**
 * @param {SigningKey} key
 * @param {Bytes} data
 * @returns {Promise<Bytes>}
 */
export async function sign(key, data) {
  return new Uint8Array(await crypto.subtle.sign("Ed25519", key.key, data));
}

/**
 * An Ed25519 key pair from the 32 raw bytes of its private half.
 * @param {Bytes} rawPrivate
 * @returns {Promise<SigningKey>}
 */
export async function signingKey(rawPrivate) {
  const wrapped = pkcs8(rawPrivate, ED25519_CURVE);
  // Ed25519 has no other way in WebCrypto to the public key of a private one than to write it as a JWK.
  const readable = await crypto.subtle.importKey("pkcs8", wrapped, "Ed25519", true, ["sign"]);
  const { x } = await crypto.subtle.exportKey("jwk", readable);
  const raw = Uint8Array.from(atob((x ?? "").replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const key = await crypto.subtle.importKey("pkcs8", wrapped, "Ed25519", false, ["sign"]);
  wrapped.fill(0);
  return { public: await verifyKey(raw), key };
}

/**
 * An X25519 key pair from the 32 raw bytes of its private half.
 * @param {Bytes} rawPrivate
 * @returns {Promise<AgreementKey>}
 */
export async function agreementKey(rawPrivate) {
  const wrapped = pkcs8(rawPrivate, X25519_CURVE);
  const key = await crypto.subtle.importKey("pkcs8", wrapped, "X25519", false, ["deriveBits"]);
  wrapped.fill(0);
  // RFC 7748 section 6.1: the public key is the private one times the base point, 9.
  const rawPublic = await multiply(key, BASE_POINT);
  return { public: rawPublic, id: await keyId(rawPublic), key };
}

/**
 * The shared secret of X25519 (RFC 7748). Throws SealError for a point of low order, with which every key agrees.
 * @param {AgreementKey} key
 * @param {Bytes} rawPublic
 */
export async function agree(key, rawPublic) {
  let shared;
  try {
    shared = await multiply(key.key, rawPublic);
  } catch (error) {
    throw new SealError("a key that agrees with every other", { cause: error });
  }
  if (equal(shared, ZEROS)) throw new SealError("a key that agrees with every other");
  return shared;
}

/**
 * @param {CryptoKey} key
 * @param {Bytes} rawPublic
 * @returns {Promise<Bytes>}
 */
async function multiply(key, rawPublic) {
  const point = await crypto.subtle.importKey("raw", rawPublic, "X25519", false, []);
  return new Uint8Array(await crypto.subtle.deriveBits({ name: "X25519", public: point }, key, 256));
}

/**
 * @param {Bytes} rawPrivate
 * @param {number} curve
 */
function pkcs8(rawPrivate, curve) {
  need(rawPrivate, KEY_BYTES, "a private key");
  const whole = concat(PKCS8, rawPrivate);
  whole[CURVE_AT] = curve;
  return whole;
}
