// What a clinician keeps of a part for their own eyes (FORMAT.md section 10; voice/wire/part_notes.py).
//
// A card is sealed to the device, and nobody else can read it back; so that the clinician can, a note on the part says
// what was sent, and what the client told of it that the device has no use for.

import { openBox, PART, parseBox, sealBox, verifyBox } from "./boxes.js";
import { equal } from "./bytes.js";
import { object, parse, spell } from "./canonical.js";
import { checkSettings, checkText } from "./card_content.js";
import { ContentError, SealError } from "./errors.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./canonical.js").Json} Json */
/** @typedef {import("./devices.js").Reader} Reader */
/** @typedef {import("./primitives.js").SigningKey} SigningKey */

/**
 * A part as it was set up together. `name`, `alias`, `tell` and `settings` are what its newest card says
 * (card_content.js). `age`, `role`, `image` and `whom` it is for are as the client tells them, "" where nothing was told.
 * `removed`: the part is at rest; all else stays, so that it can be taken up again.
 * @typedef {{ name: string, alias: string | null, tell: string, settings: { [key: string]: string | boolean | null },
 *   age: string, role: string, image: string, whom: string, removed: boolean }} PartNote
 */

const VERSION = 1;
export const MOST_NAME = 80;
export const MOST_TELL = 500;
export const MOST_TOLD = 800;
const KEYS = ["age", "alias", "image", "name", "removed", "role", "settings", "tell", "v", "whom"];

/**
 * The one spelling of a note. Throws ContentError, worded for a person.
 * @param {PartNote} note
 */
export function encodePartNote({ age, alias, image, name, removed, role, settings, tell, whom }) {
  const json = { age, alias, image, name, removed, role, settings, tell, v: VERSION, whom };
  check(json);
  return spell(json);
}

/**
 * The note that `data` spells. Throws ContentError for anything but its one canonical spelling.
 * @param {Bytes} data
 * @returns {PartNote}
 */
export function decodePartNote(data) {
  const json = parse(data, "the content of a note");
  const note = check(json);
  if (!equal(spell(json), data)) throw new ContentError("not the canonical content of a note on a part");
  return note;
}

/**
 * A note on a part, sealed for the server to keep beside its card. Throws ContentError, RangeError.
 * @param {{ identity: SigningKey, reading: Bytes, clinicianId: Bytes }} clinician `reading`: the newest epoch's raw key
 * @param {{ deviceId: Bytes, cardId: Bytes, version: number }} card the version is the card's
 * @param {PartNote} note
 */
export function makePartNote(clinician, { deviceId, cardId, version }, note) {
  return sealBox(encodePartNote(note), { ...clinician, purpose: PART, deviceId, recordId: cardId, version });
}

/**
 * The note that the clinician made on this card's part. Throws FrameError, SealError.
 * @param {Bytes} sealed
 * @param {{ deviceId: Bytes, cardId: Bytes }} card
 * @param {Reader} reader
 * @param {Bytes} clinicianId
 * @returns {Promise<{ note: PartNote, version: number }>}
 */
export async function readPartNote(sealed, { deviceId, cardId }, reader, clinicianId) {
  const box = parseBox(sealed);
  await verifyBox(box, reader.identity);
  const own = box.purpose === PART && equal(box.clinicianId, clinicianId);
  if (!own || !equal(box.deviceId, deviceId) || !equal(box.recordId, cardId)) {
    throw new SealError("the note is on another part");
  }
  return { note: decodePartNote(await openBox(box, reader.keys)), version: box.version };
}

/**
 * @param {Json} json
 * @returns {PartNote}
 */
function check(json) {
  const fields = object(json, KEYS);
  if (fields.v !== VERSION) throw new ContentError("a note of another version");
  if (typeof fields.removed !== "boolean") throw new ContentError("a part is at rest or it is not");
  return {
    name: checkText("a part's name", fields.name, MOST_NAME),
    alias: fields.alias === null ? null : checkText("a part's alias", fields.alias, MOST_NAME),
    tell: fields.tell === "" ? "" : checkText("a tell", fields.tell, MOST_TELL),
    settings: checkSettings(fields.settings),
    age: told(fields.age),
    role: told(fields.role),
    image: told(fields.image),
    whom: told(fields.whom),
    removed: fields.removed,
  };
}

/** @param {Json} text */
function told(text) {
  return text === "" ? "" : checkText("what the client tells of a part", text, MOST_TOLD);
}
