// What a passphrase and a recovery code become: one half is sent to sign in, the other never leaves this machine
// (FORMAT.md section 12).

import { argon2id } from "./argon2.js";
import { b64url, concat, domain, fromB64url, KEY_BYTES, need, utf8 } from "./bytes.js";
import { FrameError, SealError } from "./errors.js";
import { hkdf, sha256, sign } from "./primitives.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** What one guess costs, and the 16-byte salt.
 * @typedef {{ salt: Bytes, passes: number, memoryKib: number, lanes: number }} Parameters */

export const SALT_BYTES = 16;
export const RECOVERY_BYTES = 16;
/** RFC 9106 section 4, second recommended option. A server that asks for less is refused. */
export const LEAST = Object.freeze({ passes: 3, memoryKib: 64 * 1024, lanes: 4 });
/** A server that asks for more wants to stop this machine, not to protect it. */
export const MOST = Object.freeze({ passes: 64, memoryKib: 4 * 1024 * 1024, lanes: 64 });

const MOST_CHARACTERS = 400;
const NO_SALT = new Uint8Array(0);
const SIGN_IN = utf8("onebreath sign-in v1");
const WRAPPING = utf8("onebreath key wrapping v1");
const RECOVERY = utf8("onebreath recovery sign-in v1");
const SET_UP = domain("onebreath set-up v1");

/**
 * The one spelling of parameters as JSON.
 * @param {Parameters} parameters
 */
export function formatParameters({ salt, passes, memoryKib, lanes }) {
  return JSON.stringify({ kdf: "argon2id", lanes, memory_kib: memoryKib, passes, salt: b64url(salt) });
}

/**
 * Parameters from their one spelling. Throws FrameError when malformed; SealError, before any work, when weaker than
 * LEAST or beyond MOST.
 * @param {string} text
 * @returns {Parameters}
 */
export function parseParameters(text) {
  if (text.length > MOST_CHARACTERS) throw new FrameError("the passphrase's parameters are too long");
  /** @type {Parameters} */
  let found;
  try {
    const { passes, memory_kib: memoryKib, lanes, salt } = JSON.parse(text);
    found = { salt: fromB64url(salt, SALT_BYTES), passes, memoryKib, lanes };
  } catch (error) {
    throw new FrameError("not the parameters of a passphrase", { cause: error });
  }
  if (![found.passes, found.memoryKib, found.lanes].every((one) => Number.isInteger(one) && one > 0 && one < 2 ** 32)) {
    throw new FrameError("a passphrase's parameters are whole numbers");
  }
  if (formatParameters(found) !== text) {
    throw new FrameError("the passphrase's parameters are not in their one spelling");
  }
  checkCost(found);
  return found;
}

/**
 * Throw SealError for a cost that is too low to protect, or too high to be meant.
 * @param {{ passes: number, memoryKib: number, lanes: number }} cost
 */
export function checkCost({ passes, memoryKib, lanes }) {
  // Written so that what is no number at all is refused too.
  if (!(passes >= LEAST.passes && memoryKib >= LEAST.memoryKib && lanes >= LEAST.lanes)) {
    throw new SealError("the passphrase's parameters are weaker than this version allows");
  }
  if (!(passes <= MOST.passes && memoryKib <= MOST.memoryKib && lanes <= MOST.lanes)) {
    throw new SealError("the passphrase's parameters ask for more work than any real ones");
  }
}

/**
 * Both secrets of a passphrase, 32 bytes each; `signIn` goes to the server, `wrapping` never. Some seconds: run it in
 * a worker. Throws SealError for parameters that are refused, UnsupportedError when they do not fit in memory.
 * @param {string} passphrase
 * @param {Parameters} parameters
 * @param {(done: number) => void} [onProgress]
 */
export async function derive(passphrase, parameters, onProgress) {
  checkCost(parameters);
  need(parameters.salt, SALT_BYTES, "a salt");
  // The same words typed on another keyboard may come as other code points; NFKC makes them one.
  const words = utf8(passphrase.normalize("NFKC"));
  const master = await argon2id(words, parameters.salt, parameters, onProgress);
  const [signIn, wrapping] = await Promise.all([hkdf(master, NO_SALT, SIGN_IN), hkdf(master, NO_SALT, WRAPPING)]);
  master.fill(0);
  return { signIn, wrapping };
}

/**
 * What a printed recovery code proves itself with at the server, apart from the key of its slot.
 * @param {Bytes} code
 */
export function recoverySignIn(code) {
  need(code, RECOVERY_BYTES, "a recovery code");
  return hkdf(code, NO_SALT, RECOVERY, KEY_BYTES);
}

/**
 * The proof that who sets an account up holds the identity key of the statement they give.
 * @param {import("./primitives.js").SigningKey} identity
 * @param {Bytes} token the one-time set-up token
 * @param {Bytes} statement
 */
export async function signSetUp(identity, token, statement) {
  return sign(identity, concat(SET_UP, await sha256(token), statement));
}
