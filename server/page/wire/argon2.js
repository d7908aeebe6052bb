// Argon2id (RFC 9106) behind one function, so that only this file knows which library does it.
//
// Plain JavaScript takes some five times as long as WebAssembly (2.0 s against 0.4 s in node 20 at the least cost that is
// taken). It was chosen all the same: it can be read as it runs, it tells how far it is, it overwrites its memory, it is
// checked on the RFC's own vector, and the page's policy need not allow `wasm-unsafe-eval`. A passkey needs none of it.

import { argon2idAsync } from "../vendor/noble-hashes/argon2.js";
import { KEY_BYTES } from "./bytes.js";
import { UnsupportedError } from "./errors.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */

const MOST_MEMORY_KIB = 1024 * 1024;
const TICK_MS = 50;

/**
 * 32 bytes. Some seconds at the least cost that is taken: run it in a worker. Throws UnsupportedError when this
 * browser cannot give so much memory.
 * @param {Bytes} secret
 * @param {Bytes} salt
 * @param {{ passes: number, memoryKib: number, lanes: number }} cost checked by the caller
 * @param {(done: number) => void} [onProgress] told 0 to 1
 * @returns {Promise<Bytes>}
 */
export async function argon2id(secret, salt, { passes, memoryKib, lanes }, onProgress) {
  if (memoryKib > MOST_MEMORY_KIB) throw tooMuch(memoryKib);
  const how = { t: passes, m: memoryKib, p: lanes, dkLen: KEY_BYTES, asyncTick: TICK_MS };
  try {
    return new Uint8Array(await argon2idAsync(secret, salt, onProgress ? { ...how, onProgress } : how));
  } catch (error) {
    if (error instanceof RangeError) throw tooMuch(memoryKib);
    throw error;
  }
}

/** @param {number} memoryKib */
function tooMuch(memoryKib) {
  return new UnsupportedError(
    `Unlocking needs ${Math.floor(memoryKib / 1024)} MiB of memory, which this browser does not give. ` +
      "Close other tabs and try again, or use another machine.",
  );
}
