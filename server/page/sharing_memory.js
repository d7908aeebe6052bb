// What this browser remembers of colleagues: confirmations of their fingerprints, signed by the clinician themselves
// (wire/confirmation.js), and the newest reading keys that were seen, one's own and theirs. Public keys' hashes and numbers; no content, no name.

import { b64url, fromB64url } from "./wire/bytes.js";
import { CONFIRMATION_BYTES } from "./wire/confirmation.js";
import { FrameError } from "./wire/errors.js";

/** @typedef {import("./wire/bytes.js").Bytes} Bytes */
/** What of a browser's storage is used.
 * @typedef {Pick<Storage, "getItem" | "setItem">} Kept */

const CONFIRMED = "onebreath.confirmed.";
const EPOCH = "onebreath.epoch.";
const THEIRS = "onebreath.colleague_epoch.";
const MOST = 500;

/**
 * The confirmations that are kept, not verified yet; what is damaged is left out.
 * @param {Kept} storage
 * @param {string} clinician their id in hex
 * @returns {Bytes[]}
 */
export function keptConfirmations(storage, clinician) {
  const words = (storage.getItem(CONFIRMED + clinician) ?? "").split(" ").filter((one) => one !== "");
  return words.slice(-MOST).flatMap((one) => {
    try {
      return [fromB64url(one, CONFIRMATION_BYTES)];
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      return [];
    }
  });
}

/**
 * Keep one more; whether it could be kept.
 * @param {Kept} storage
 * @param {string} clinician
 * @param {Bytes} confirmation
 */
export function keepConfirmation(storage, clinician, confirmation) {
  const all = [...keptConfirmations(storage, clinician), confirmation].slice(-MOST);
  return kept(storage, CONFIRMED + clinician, all.map(b64url).join(" "));
}

/**
 * The number of the newest reading key that this browser has seen; 0 when it has seen none.
 * @param {Kept} storage
 * @param {string} clinician
 */
export function newestSeen(storage, clinician) {
  return seenAt(storage, EPOCH + clinician);
}

/**
 * Remember that this one was seen; the newest of all then. It only grows.
 * @param {Kept} storage
 * @param {string} clinician
 * @param {number} epoch
 */
export function sawEpoch(storage, clinician, epoch) {
  return sawAt(storage, EPOCH + clinician, epoch);
}

/**
 * The same of a colleague whose fingerprint was compared: a server can show a statement of theirs that they truly
 * signed and have replaced since.
 * @param {Kept} storage
 * @param {string} clinician
 * @param {string} colleague their id in hex
 * @param {number} epoch
 */
export function sawColleague(storage, clinician, colleague, epoch) {
  return sawAt(storage, `${THEIRS}${clinician}.${colleague}`, epoch);
}

/**
 * @param {Kept} storage
 * @param {string} key
 */
function seenAt(storage, key) {
  const text = storage.getItem(key) ?? "";
  return /^[1-9][0-9]{0,9}$/.test(text) ? Number(text) : 0;
}

/**
 * @param {Kept} storage
 * @param {string} key
 * @param {number} epoch
 */
function sawAt(storage, key, epoch) {
  const newest = Math.max(epoch, seenAt(storage, key));
  if (newest === epoch) kept(storage, key, String(epoch));
  return newest;
}

/**
 * @param {Kept} storage
 * @param {string} key
 * @param {string} text
 */
function kept(storage, key, text) {
  try {
    storage.setItem(key, text);
    return true;
  } catch {
    // A browser may have no room, or forbid it.
    return false;
  }
}
