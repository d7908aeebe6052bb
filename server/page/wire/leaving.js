// Notes to oneself that leave a reading key before it is destroyed (server/reader_notes.py, marks_leaving).

import { openBox, parseBox, sealBox, verifyBox } from "./boxes.js";
import { equal } from "./bytes.js";
import { held, SealError } from "./errors.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./primitives.js").SigningKey} SigningKey */

/** One's own note names the key that goes, and does not open: it would be lost with it. */
export class ClosedNoteError extends Error {
  name = "ClosedNoteError";
}

/**
 * One's own note sealed anew to the key in use, one version on (`same`: as the version that it is); null when it is
 * sealed to another key than the one that goes, or is not one's own note on this subject. Throws ClosedNoteError.
 * @param {Bytes} data
 * @param {{ reader: import("./devices.js").Reader, identity: SigningKey, reading: Bytes, clinicianId: Bytes }} clinician
 * @param {Bytes} leaving the id of the reading key that goes
 * @param {{ purpose: number, deviceId: Bytes, recordId: Bytes }} subject
 * @param {{ same?: boolean }} [how]
 */
export function resealed(data, clinician, leaving, { purpose, deviceId, recordId }, { same: stays = false } = {}) {
  return held(async () => {
    const box = parseBox(data);
    await verifyBox(box, clinician.identity.public);
    const same =
      box.purpose === purpose &&
      equal(box.clinicianId, clinician.clinicianId) &&
      equal(box.deviceId, deviceId) &&
      equal(box.recordId, recordId);
    if (!same || !equal(box.readingKeyId, leaving)) throw new SealError("not of this key");
    const version = stays ? box.version : box.version + 1;
    const { identity, reading, clinicianId } = clinician;
    const plaintext = await held(() => openBox(box, clinician.reader.keys));
    if (plaintext === null) throw new ClosedNoteError("a note under the key that goes does not open");
    const sealed = await sealBox(plaintext, { purpose, identity, reading, clinicianId, deviceId, recordId, version });
    return { version, sealed };
  });
}
