// What was read before: for each device, the SHA-256 of the sealed frame at each sequence number; and the greatest
// version of each of the clinician's own marks. No content.

import { FrameError } from "./errors.js";

/**
 * `seen`: by device in hex, then by sequence number, SHA-256 in hex. `marks`: by place ("DEVICE/RECORD", in hex).
 * @typedef {{ seen: ReadonlyMap<string, ReadonlyMap<bigint, string>>, marks: ReadonlyMap<string, number> }} Memory
 */

const VERSION = 1;

/** @type {Memory} */
export const NOTHING = { seen: new Map(), marks: new Map() };

/**
 * Whether this very frame was read before.
 * @param {Memory} memory
 * @param {string} device
 * @param {bigint} sequence
 * @param {string} digest
 */
export function knows(memory, device, sequence, digest) {
  return memory.seen.get(device)?.get(sequence) === digest;
}

/**
 * The memory once `found` has been read too. What was known is never forgotten or replaced.
 * @param {Memory} memory
 * @param {ReadonlyMap<string, readonly { sequence: bigint, digest: string }[]>} found
 * @returns {Memory}
 */
export function after(memory, found) {
  const devices = new Set([...found.keys(), ...memory.seen.keys()]);
  const seen = Array.from(devices, (device) => {
    const numbers = new Map((found.get(device) ?? []).map((one) => [one.sequence, one.digest]));
    for (const [sequence, digest] of memory.seen.get(device) ?? []) numbers.set(sequence, digest);
    return /** @type {const} */ ([device, numbers]);
  });
  return { seen: new Map(seen), marks: memory.marks };
}

/**
 * As text, in the shape of server/reader_memory.py.
 * @param {Memory} memory
 */
export function formatMemory({ seen, marks }) {
  const devices = Array.from(seen, ([device, numbers]) => [
    device,
    Object.fromEntries(Array.from(numbers, ([sequence, digest]) => [String(sequence), digest])),
  ]);
  return JSON.stringify({
    version: VERSION,
    devices: Object.fromEntries(devices),
    marks: Object.fromEntries(marks),
  });
}

/**
 * The memory that `text` keeps. Throws FrameError when it is damaged.
 * @param {string} text
 * @returns {Memory}
 */
export function parseMemory(text) {
  try {
    const { version, devices, marks = {} } = JSON.parse(text);
    if (version !== VERSION) throw new FrameError("a memory of another version");
    const seen = entries(devices).map(([device, numbers]) => {
      must(/^[0-9a-f]{32}$/.test(device));
      const known = entries(numbers).map(([sequence, digest]) => {
        must(/^[1-9][0-9]{0,18}$/.test(sequence) && typeof digest === "string" && /^[0-9a-f]{64}$/.test(digest));
        return /** @type {[bigint, string]} */ ([BigInt(sequence), digest]);
      });
      return /** @type {const} */ ([device, new Map(known)]);
    });
    const greatest = entries(marks).map(([place, version]) => {
      must(/^[0-9a-f]{32}\/[0-9a-f]{32}$/.test(place) && Number.isSafeInteger(version));
      return /** @type {[string, number]} */ ([place, version]);
    });
    return { seen: new Map(seen), marks: new Map(greatest) };
  } catch (error) {
    throw new FrameError("the memory of what was read is damaged", { cause: error });
  }
}

/** @param {boolean} whole */
function must(whole) {
  if (!whole) throw new FrameError("damaged");
}

/**
 * @param {unknown} json
 * @returns {[string, unknown][]}
 */
function entries(json) {
  must(typeof json === "object" && json !== null && !Array.isArray(json));
  return Object.entries(/** @type {object} */ (json));
}
