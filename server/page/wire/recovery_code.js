// The printed recovery code: 128 bits as 26 of Crockford's letters in groups of five (server/key_slots.py).

import { WrongSecretError } from "./errors.js";
import { RECOVERY_BYTES } from "./secrets.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */

// Crockford's base 32: no I, L, O or U to be misread on paper.
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LETTERS = 26;

/**
 * 26 letters in groups of five: 128 bits and two zero bits.
 * @param {Bytes} code
 */
export function formatCode(code) {
  let number = code.reduce((so_far, byte) => (so_far << 8n) | BigInt(byte), 0n) << 2n;
  let letters = "";
  for (let at = 0; at < LETTERS; at++) {
    letters = ALPHABET[Number(number & 31n)] + letters;
    number >>= 5n;
  }
  return letters.replace(/(.{5})(?=.)/g, "$1-");
}

/**
 * The 16 bytes of a code as it was typed. Spaces, dashes and case do not matter; O, I, L are 0, 1, 1.
 * Throws WrongSecretError.
 * @param {string} typed
 * @returns {Bytes}
 */
export function parseCode(typed) {
  const letters = typed
    .toUpperCase()
    .replace(/[^\p{L}\p{N}]/gu, "")
    .replaceAll("O", "0")
    .replace(/[IL]/g, "1");
  const values = Array.from(letters, (letter) => ALPHABET.indexOf(letter));
  if (values.length !== LETTERS || values.includes(-1)) throw new WrongSecretError("not a recovery code");
  let number = values.reduce((so_far, value) => (so_far << 5n) | BigInt(value), 0n);
  if (number & 3n) throw new WrongSecretError("not a recovery code");
  number >>= 2n;
  const code = new Uint8Array(RECOVERY_BYTES);
  for (let at = RECOVERY_BYTES - 1; at >= 0; at--) {
    code[at] = Number(number & 255n);
    number >>= 8n;
  }
  return code;
}
