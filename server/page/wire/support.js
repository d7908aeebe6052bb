// Whether this browser can do what the page needs, tried rather than guessed from its name.

import { UnsupportedError } from "./errors.js";

/** The first versions that can, for the sentence that refuses. */
export const WORKING = "Chrome or Edge 137, Firefox 130, Safari 17";

/**
 * What is missing, in words; empty when nothing is. Never throws.
 * @param {{ isSecureContext?: boolean, crypto?: Crypto }} [where]
 */
export async function missing(where = globalThis) {
  if (where.isSecureContext === false) return ["a secure connection (https)"];
  const subtle = where.crypto?.subtle;
  if (subtle === undefined) return ["WebCrypto"];
  const found = [];
  if (!(await works(() => subtle.generateKey({ name: "X25519" }, false, ["deriveBits"])))) found.push("X25519");
  if (!(await works(() => subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"])))) found.push("Ed25519");
  if (typeof BigInt === "undefined" || typeof Uint8Array.prototype.at !== "function") found.push("modern JavaScript");
  return found;
}

/**
 * Throw UnsupportedError, worded for the person, unless everything that is needed is there.
 * @param {{ isSecureContext?: boolean, crypto?: Crypto }} [where]
 */
export async function requireSupport(where = globalThis) {
  const lacking = await missing(where);
  if (lacking.length === 0) return;
  throw new UnsupportedError(
    `This browser cannot open sealed records: it lacks ${lacking.join(" and ")}. ` +
      `Browsers that can, from these versions on: ${WORKING}.`,
  );
}

/** @param {() => Promise<unknown>} attempt */
async function works(attempt) {
  try {
    await attempt();
    return true;
  } catch {
    return false;
  }
}
