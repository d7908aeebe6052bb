// Makes shares of one's own records, page by page (server/reader_shared.py, shares_for): in a worker where there is one.
//
// It keeps the keys until it is dropped; it fetches nothing and stores nothing.

import { hex } from "./wire/bytes.js";
import { held } from "./wire/errors.js";
import { deviceEntry, recordEntry, shaped } from "./wire/listing.js";
import { NOTHING } from "./wire/memory.js";
import { placeOf } from "./wire/notes.js";
import { verifyKey } from "./wire/primitives.js";
import { beginReading } from "./wire/reader.js";
import { parseFrame } from "./wire/record.js";
import { makeShare } from "./wire/sharing.js";

/** @typedef {import("./wire/bytes.js").Bytes} Bytes */
/** @typedef {import("./wire/devices.js").Reader} Reader */
/** @typedef {import("./wire/examine.js").OpenedRecord} OpenedRecord */
/** @typedef {import("./wire/primitives.js").SigningKey} SigningKey */
/** @typedef {import("./wire/primitives.js").VerifyKey} VerifyKey */

/** Which records: of these devices (in hex; null: of all), on these days by the client's calendar, first and last
 * (`2026-03-02`; null: without end).
 * @typedef {{ devices: readonly string[] | null, since: string | null, until: string | null }} Wanted */
/** `recipient`: the colleague's raw reading key.
 * @typedef {{ reader: Reader, identity: SigningKey, recipient: Bytes, devices: unknown, wanted: Wanted }} Beginning */
/** `chosen`: how many of the page are wanted and hold; `left`: of them, those that were shared before.
 * @typedef {{ shares: Bytes[], chosen: number, left: number }} Made */

/** The steps, as a port knows them. */
export const STEPS = Object.freeze(["begin", "take"]);

/** One sharing: `begin`, then `take` each page of the server's list of records. */
export function makeSharer() {
  /** @type {Beginning} */
  let how;
  /** @type {Awaited<ReturnType<typeof beginReading>>} */
  let reading;
  /** @type {Map<string, VerifyKey>} */
  const signers = new Map();

  return {
    /**
     * Judge the devices; those that are believed, in hex. Throws FrameError for an answer of another version.
     * @param {Beginning} beginning
     */
    async begin(beginning) {
      how = beginning;
      reading = await beginReading(how.reader, shaped(how.devices, deviceEntry).entries, NOTHING);
      for (const { entry, trust } of reading.devices) {
        const key = trust === null ? null : await held(() => verifyKey(entry.signing));
        if (key !== null) signers.set(hex(entry.deviceId), key);
      }
      return [...signers.keys()];
    },

    /**
     * Shares of a page's records that are wanted, newest first, without those that were `given` before (places). Frames
     * are verified and opened once more as they are shared; what does not hold is in no share.
     * @param {unknown} listed
     * @param {ReadonlySet<string>} given
     * @returns {Promise<Made>}
     */
    async take(listed, given) {
      const { entries } = shaped(listed, recordEntry);
      const opened = (await reading.take(entries)).filter((record) => isWanted(record, how.wanted));
      const wanted = new Set(opened.map((record) => `${placeOf(record)} ${record.sequence}`));
      const made = new Set();
      /** @type {Bytes[]} */
      const shares = [];
      let left = 0;
      for (const { frame } of entries) {
        const found = await held(async () => parseFrame(frame));
        if (found === null) continue;
        const [device, record] = [hex(found.deviceId), hex(found.recordId)];
        const place = placeOf({ device, record });
        const key = signers.get(device);
        if (key === undefined || made.has(place) || !wanted.has(`${place} ${found.sequence}`)) continue;
        if (given.has(place)) {
          made.add(place);
          left++;
          continue;
        }
        const { reader, identity, recipient } = how;
        const share = await held(() => makeShare(frame, { device: key, keys: reader.keys, identity, recipient }));
        if (share === null) continue;
        made.add(place);
        shares.push(share);
      }
      return { shares, chosen: shares.length + left, left };
    },
  };
}

/** @typedef {ReturnType<typeof makeSharer>} Sharer */

/**
 * @param {OpenedRecord} record
 * @param {Wanted} wanted
 */
function isWanted({ device, at }, { devices, since, until }) {
  const day = at.text.slice(0, 10);
  return (devices === null || devices.includes(device)) && (since === null || day >= since) && (until === null || day <= until);
}
