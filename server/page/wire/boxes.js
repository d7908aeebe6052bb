// Sealed notes of a clinician to themselves: reviewed marks, clients' names, parts, and what was agreed with a client
// (FORMAT.md section 10; the content of the last two is in part_notes.js and consents.js).

import { concat, domain, equal, ID_BYTES, need, pad, readU64, SIGNATURE_BYTES, u64, unpad, utf8 } from "./bytes.js";
import { object, parse, spell, text } from "./canonical.js";
import { ContentError, FrameError, SealError } from "./errors.js";
import { open, seal, SEALING_BYTES } from "./hpke.js";
import { keyId, sign, verifies } from "./primitives.js";
import { holdsControls, spaced } from "./text.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./primitives.js").AgreementKey} AgreementKey */
/** @typedef {import("./primitives.js").SigningKey} SigningKey */
/** @typedef {import("./primitives.js").VerifyKey} VerifyKey */

/**
 * A well-formed sealed note; not verified and not opened. `recordId` is zeros in a label and a consent, which are about
 * a device, and a card's id in a note on a part.
 * @typedef {{ purpose: number, clinicianId: Bytes, deviceId: Bytes, recordId: Bytes, version: number,
 *   readingKeyId: Bytes, header: Bytes, sealed: Bytes, signature: Bytes }} Box
 */

/** What a mark says of a record; "none" takes an earlier mark back. `at` is in Unix seconds.
 * @typedef {{ said: "discussed" | "none", at: number }} Mark */

/** What a note is. */
export const MARK = 1;
export const LABEL = 2;
export const PART = 3;
export const CONSENT = 4;
/** In place of a record's id in a label. */
export const NO_RECORD = new Uint8Array(ID_BYTES);

const MAGIC = utf8("1BBx");
const VERSION = 1;
const SUITE = 1;
/** Padded sizes in bytes by purpose, each at its size code. @type {ReadonlyMap<number, readonly (number | null)[]>} */
const SIZES = new Map([
  [MARK, [256, 1024]],
  [LABEL, [256, 1024]],
  [PART, [null, null, 16384]],
  [CONSENT, [null, null, 16384]],
]);
const HEADER_BYTES = 80;
const MAX_NAME_BYTES = 400;
const INFO = domain("onebreath box v1");
const SIGNED = domain("onebreath box signature v1");

/**
 * Seal a note to the clinician's own reading key and sign it; 448, 1216 or 16576 bytes.
 * Throws RangeError for arguments that cannot be framed.
 * @param {Bytes} plaintext
 * @param {{ purpose: number, identity: SigningKey, reading: Bytes, clinicianId: Bytes, deviceId: Bytes,
 *   recordId?: Bytes, version: number }} how `reading` is the raw public key of the newest epoch
 */
export async function sealBox(
  plaintext,
  { purpose, identity, reading, clinicianId, deviceId, recordId = NO_RECORD, version },
) {
  need(clinicianId, ID_BYTES, "a clinician id");
  need(deviceId, ID_BYTES, "a device id");
  need(recordId, ID_BYTES, "a record id");
  if (!Number.isSafeInteger(version) || version < 1) throw new RangeError("a note's version is 1 to 2**53 - 1");
  const sizes = SIZES.get(purpose);
  if (sizes === undefined) throw new RangeError("a note is a mark, a label, on a part, or of a consent");
  if (aboutDevice(purpose) !== equal(recordId, NO_RECORD)) {
    throw new RangeError("a mark is about a record, and a label about a device");
  }
  const code = sizes.findIndex((size) => size !== null && plaintext.length < size);
  const size = sizes[code] ?? null;
  if (size === null) throw new RangeError(`a note holds at most ${(sizes.at(-1) ?? 0) - 1} bytes`);
  const header = concat(
    MAGIC,
    Uint8Array.of(VERSION, SUITE, purpose, code),
    clinicianId,
    deviceId,
    recordId,
    u64(BigInt(version)),
    await keyId(reading),
  );
  const body = concat(header, await seal(pad(plaintext, size), reading, concat(INFO, header)));
  return concat(body, await sign(identity, concat(SIGNED, body)));
}

/**
 * Check a sealed note by exact sizes, without opening it. Throws FrameError.
 * @param {Bytes} data
 * @returns {Box}
 */
export function parseBox(data) {
  if (data.length < HEADER_BYTES || !equal(data.subarray(0, 4), MAGIC)) throw new FrameError("not a sealed note");
  const [version, suite, purpose, code] = data.subarray(4, 8);
  if (version !== VERSION) throw new FrameError(`note version ${version} is not known`);
  if (suite !== SUITE) throw new FrameError(`note suite ${suite} is not known`);
  const sizes = SIZES.get(purpose);
  if (sizes === undefined) throw new FrameError(`note purpose ${purpose} is not known`);
  const size = sizes[code] ?? null;
  if (size === null) throw new FrameError(`note size ${code} is not known`);
  const signatureAt = HEADER_BYTES + SEALING_BYTES + size;
  if (data.length !== signatureAt + SIGNATURE_BYTES) throw new FrameError("the note's length is wrong");
  const recordId = data.slice(40, 56);
  if (aboutDevice(purpose) !== equal(recordId, NO_RECORD)) {
    throw new FrameError("the note's purpose and subject disagree");
  }
  const number = readU64(data, 56);
  if (number < 1n || number > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new FrameError("the note's version is out of range");
  }
  return {
    purpose,
    clinicianId: data.slice(8, 24),
    deviceId: data.slice(24, 40),
    recordId,
    version: Number(number),
    readingKeyId: data.slice(64, 80),
    header: data.slice(0, HEADER_BYTES),
    sealed: data.slice(HEADER_BYTES, signatureAt),
    signature: data.slice(signatureAt),
  };
}

/**
 * Check that `identity` signed the note. Throws SealError.
 * @param {Box} box
 * @param {VerifyKey} identity
 */
export async function verifyBox(box, identity) {
  if (!(await verifies(identity, box.signature, concat(SIGNED, box.header, box.sealed)))) {
    throw new SealError("the note is not this clinician's");
  }
}

/**
 * The plaintext. Verify first: anyone can seal to a public key. Throws SealError.
 * @param {Box} box
 * @param {readonly AgreementKey[]} keys one's reading keys, of every epoch that is kept
 */
export async function openBox(box, keys) {
  const key = keys.find((one) => equal(one.id, box.readingKeyId));
  if (key === undefined) throw new SealError("the note is sealed to another reading key");
  let padded;
  try {
    padded = await open(box.sealed, key, concat(INFO, box.header));
  } catch (error) {
    if (!(error instanceof SealError)) throw error;
    throw new SealError("the note does not open: it was altered", { cause: error });
  }
  const plaintext = unpad(padded);
  if (plaintext === null) throw new SealError("the note's padding is not whole");
  return plaintext;
}

/**
 * The one spelling of a mark. Throws RangeError for a time that is none.
 * @param {Mark} mark
 */
export function encodeMark({ said, at }) {
  if (!Number.isSafeInteger(at) || at < 0) throw new RangeError("the time is out of range");
  return spell({ at, mark: said, v: 1 });
}

/**
 * The mark that `data` spells. Throws ContentError for anything but its one spelling.
 * @param {Bytes} data
 * @returns {Mark}
 */
export function decodeMark(data) {
  const { at, mark } = object(parse(data, "the content of a note"), ["at", "mark", "v"]);
  if (typeof at !== "number" || !Number.isSafeInteger(at) || at < 0) throw new ContentError("not a mark");
  if (mark !== "discussed" && mark !== "none") throw new ContentError("not a mark");
  if (!equal(encodeMark({ said: mark, at }), data)) throw new ContentError("not the canonical content of a mark");
  return { said: mark, at };
}

/**
 * The one spelling of a client's name, as the clinician wrote it. Throws RangeError.
 * @param {string} name
 */
export function encodeLabel(name) {
  const problem = labelProblem(name);
  if (problem) throw new RangeError(problem);
  return spell({ name, v: 1 });
}

/**
 * The name that `data` spells. Throws ContentError for anything but its one spelling.
 * @param {Bytes} data
 */
export function decodeLabel(data) {
  const name = text(object(parse(data, "the content of a note"), ["name", "v"]).name);
  if (labelProblem(name)) throw new ContentError("not a client's name");
  if (!equal(encodeLabel(name), data)) throw new ContentError("not the canonical content of a label");
  return name;
}

/** @param {number} purpose */
function aboutDevice(purpose) {
  return purpose === LABEL || purpose === CONSENT;
}

/** @param {string} name */
function labelProblem(name) {
  if (name === "" || spaced(name) || holdsControls(name)) {
    return "a client's name is text without controls or spaces around it";
  }
  return utf8(name).length > MAX_NAME_BYTES ? `a client's name is at most ${MAX_NAME_BYTES} bytes` : "";
}
