// Small, strict encodings that every wire format shares (voice/wire/encoding.py).

import { FrameError } from "./errors.js";

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */

export const ID_BYTES = 16;
export const KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;
export const TAG_BYTES = 16;

const ENCODER = new TextEncoder();
// A byte order mark is a character like any other here: nothing is dropped without being seen.
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The parts, one after another.
 * @param {...Uint8Array} parts
 * @returns {Bytes}
 */
export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * UTF-8. Half a character becomes U+FFFD: check with `isWellFormed` where that matters.
 * @param {string} text
 * @returns {Bytes}
 */
export function utf8(text) {
  return ENCODER.encode(text);
}

/**
 * The text of UTF-8 bytes. Throws FrameError for what is none.
 * @param {Uint8Array} data
 */
export function fromUtf8(data) {
  try {
    return DECODER.decode(data);
  } catch (error) {
    throw new FrameError("not UTF-8", { cause: error });
  }
}

/**
 * A text for domain separation, with its closing zero byte.
 * @param {string} text
 */
export function domain(text) {
  return utf8(`${text}\0`);
}

/** @param {Uint8Array} data */
export function hex(data) {
  let text = "";
  for (const byte of data) text += byte.toString(16).padStart(2, "0");
  return text;
}

/**
 * The bytes of lower-case hex digits, as many as they must be. Throws FrameError.
 * @param {unknown} text
 * @param {number} size
 * @returns {Bytes}
 */
export function fromHex(text, size) {
  if (typeof text !== "string" || text.length !== 2 * size || !/^[0-9a-f]*$/.test(text)) {
    throw new FrameError(`expected ${2 * size} hex digits`);
  }
  const data = new Uint8Array(size);
  for (let at = 0; at < size; at++) data[at] = parseInt(text.slice(2 * at, 2 * at + 2), 16);
  return data;
}

/**
 * Base64url without padding (RFC 4648 section 5).
 * @param {Uint8Array} data
 */
export function b64url(data) {
  let text = "";
  for (let at = 0; at < data.length; at += 8190) {
    text += btoa(String.fromCharCode(...data.subarray(at, at + 8190)));
  }
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * The bytes of `text`; only the one canonical spelling is taken. `size` is the exact number of bytes.
 * Throws FrameError.
 * @param {unknown} text
 * @param {number} [size]
 * @returns {Bytes}
 */
export function fromB64url(text, size) {
  if (typeof text !== "string" || !/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) {
    throw new FrameError("not base64url");
  }
  const spare = text.length % 4;
  const last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".indexOf(text.slice(-1));
  if ((spare === 2 && last & 15) || (spare === 3 && last & 3)) throw new FrameError("not canonical base64url");
  const packed = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  if (size !== undefined && packed.length !== size) {
    throw new FrameError(`expected ${size} bytes, got ${packed.length}`);
  }
  const data = new Uint8Array(packed.length);
  for (let at = 0; at < data.length; at++) data[at] = packed.charCodeAt(at);
  return data;
}

/**
 * Whether both hold the same bytes, in a time that does not tell where they differ.
 * @param {Uint8Array} first
 * @param {Uint8Array} second
 */
export function equal(first, second) {
  if (first.length !== second.length) return false;
  let different = 0;
  for (let at = 0; at < first.length; at++) different |= first[at] ^ second[at];
  return different === 0;
}

/**
 * Below 0, 0, or above 0, as the first sorts before, with, or after the second.
 * @param {Uint8Array} first
 * @param {Uint8Array} second
 */
export function order(first, second) {
  for (let at = 0; at < Math.min(first.length, second.length); at++) {
    if (first[at] !== second[at]) return first[at] - second[at];
  }
  return first.length - second.length;
}

/**
 * 8 bytes, big-endian.
 * @param {bigint} number
 * @returns {Bytes}
 */
export function u64(number) {
  const data = new Uint8Array(8);
  new DataView(data.buffer).setBigUint64(0, number);
  return data;
}

/**
 * 4 bytes, big-endian.
 * @param {number} number
 * @returns {Bytes}
 */
export function u32(number) {
  const data = new Uint8Array(4);
  new DataView(data.buffer).setUint32(0, number);
  return data;
}

/**
 * @param {Uint8Array} data
 * @param {number} at
 */
export function readU64(data, at) {
  return new DataView(data.buffer, data.byteOffset, data.byteLength).getBigUint64(at);
}

/**
 * @param {Uint8Array} data
 * @param {number} at
 */
export function readU32(data, at) {
  return new DataView(data.buffer, data.byteOffset, data.byteLength).getUint32(at);
}

/**
 * Throw RangeError when our own argument has the wrong size.
 * @param {Uint8Array} data
 * @param {number} size
 * @param {string} what
 */
export function need(data, size, what) {
  if (data.length !== size) throw new RangeError(`${what} is ${size} bytes, not ${data.length}`);
}

/**
 * `plaintext` || 80 || 00… up to `size` bytes (FORMAT.md section 2).
 * @param {Uint8Array} plaintext
 * @param {number} size
 */
export function pad(plaintext, size) {
  if (plaintext.length >= size) throw new RangeError(`${plaintext.length} bytes do not fit in ${size}`);
  const padded = new Uint8Array(size);
  padded.set(plaintext);
  padded[plaintext.length] = 0x80;
  return padded;
}

/**
 * What was padded; null when the padding is not whole.
 * @param {Bytes} padded
 * @returns {Bytes | null}
 */
export function unpad(padded) {
  let end = padded.length;
  while (end > 0 && padded[end - 1] === 0) end--;
  return end > 0 && padded[end - 1] === 0x80 ? padded.slice(0, end - 1) : null;
}
