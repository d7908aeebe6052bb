// What was agreed with a client, and on which day (FORMAT.md section 18; voice/wire/consents.py).
//
// The clinician writes it for their own eyes, as points in their own words. Every version is kept: it is a history.

import { CONSENT, NO_RECORD, openBox, parseBox, sealBox, verifyBox } from "./boxes.js";
import { equal, fromB64url, hex } from "./bytes.js";
import { object, parse, spell } from "./canonical.js";
import { checkText } from "./card_content.js";
import { ContentError, held, SealError } from "./errors.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./canonical.js").Json} Json */
/** @typedef {import("./devices.js").Reader} Reader */
/** @typedef {import("./primitives.js").SigningKey} SigningKey */

/** What was agreed `on` a day of the clinician's calendar, "2026-03-02": 1 to 20 points.
 * @typedef {{ on: string, agreed: string[] }} Consent */
/** Those that hold, the oldest first. `missing`: how many of those before the newest are not here; `closed`: how many
 * are sealed to a key that is not here; `forged`: how many are not the clinician's, or of another device.
 * `newest` is the greatest version that is here, 0 for none.
 * @typedef {{ consents: (Consent & { version: number, keptAt: string })[], newest: number, missing: number,
 *   closed: number, forged: number }} Consents */

export const MOST_POINTS = 20;
export const MOST_POINT = 200;
const VERSION = 1;
const DAY = /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/;

/**
 * The one spelling of a consent. Throws ContentError, worded for a person.
 * @param {Consent} consent
 */
export function encodeConsent({ on, agreed }) {
  const json = { agreed, on, v: VERSION };
  check(json);
  return spell(json);
}

/**
 * The consent that `data` spells. Throws ContentError for anything but its one canonical spelling.
 * @param {Bytes} data
 * @returns {Consent}
 */
export function decodeConsent(data) {
  const json = parse(data, "the content of a note");
  const consent = check(json);
  if (!equal(spell(json), data)) throw new ContentError("not the canonical content of a consent");
  return consent;
}

/**
 * A consent, sealed for the server to keep. Throws ContentError, RangeError.
 * @param {{ identity: SigningKey, reading: Bytes, clinicianId: Bytes }} clinician `reading`: the newest epoch's raw key
 * @param {Bytes} deviceId
 * @param {Consent} consent
 * @param {number} version one above the newest
 */
export function makeConsent(clinician, deviceId, consent, version) {
  return sealBox(encodeConsent(consent), { ...clinician, purpose: CONSENT, deviceId, recordId: NO_RECORD, version });
}

/**
 * Verify and open what the server lists for a device.
 * @param {readonly { version: number, sealed: string, created_at: string }[]} listed
 * @param {Bytes} deviceId
 * @param {Reader} reader
 * @param {Bytes} clinicianId
 * @returns {Promise<Consents>}
 */
export async function readConsents(listed, deviceId, reader, clinicianId) {
  /** @type {Consents["consents"]} */
  const consents = [];
  const versions = new Set();
  let [closed, forged] = [0, 0];
  for (const { version, sealed, created_at: keptAt } of listed) {
    const box = await held(async () => {
      const found = parseBox(fromB64url(sealed));
      await verifyBox(found, reader.identity);
      const own = found.purpose === CONSENT && equal(found.clinicianId, clinicianId);
      if (!own || hex(found.deviceId) !== hex(deviceId) || found.version !== version || versions.has(version)) {
        throw new SealError("the consent is of another device or version");
      }
      return found;
    });
    if (box === null) {
      forged++;
      continue;
    }
    versions.add(box.version);
    const consent = await held(async () => decodeConsent(await openBox(box, reader.keys)));
    if (consent === null) closed++;
    else consents.push({ ...consent, version: box.version, keptAt });
  }
  consents.sort((a, b) => a.version - b.version);
  const newest = Math.max(0, ...versions);
  return { consents, newest, missing: newest - versions.size, closed, forged };
}

/**
 * @param {Json} json
 * @returns {Consent}
 */
function check(json) {
  const { agreed, on, v } = object(json, ["agreed", "on", "v"]);
  if (v !== VERSION) throw new ContentError("a consent of another version");
  if (!Array.isArray(agreed) || agreed.length < 1 || agreed.length > MOST_POINTS) {
    throw new ContentError(`what was agreed has 1 to ${MOST_POINTS} points`);
  }
  const points = agreed.map((point) => checkText("a point", /** @type {Json} */ (point), MOST_POINT));
  if (typeof on !== "string" || !isDay(on)) throw new ContentError("a consent is of a day");
  return { on, agreed: points };
}

/**
 * Whether there is such a day, from the year 1 on.
 * @param {string} text
 */
function isDay(text) {
  const found = DAY.exec(text);
  if (found === null) return false;
  const [year, month, day] = found.slice(1).map(Number);
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
  return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1];
}
