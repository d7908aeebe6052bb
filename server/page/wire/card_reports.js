// The sealed report: how an enrolment that a card asked for goes (FORMAT.md, "The sealed report").

import { concat, domain, equal, readU64, SIGNATURE_BYTES, unpad, utf8 } from "./bytes.js";
import { object, parse, spell, text } from "./canonical.js";
import { ContentError, FrameError, SealError } from "./errors.js";
import { open, SEALING_BYTES } from "./hpke.js";
import { verifies } from "./primitives.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./canonical.js").Json} Json */
/** @typedef {import("./primitives.js").AgreementKey} AgreementKey */
/** @typedef {import("./primitives.js").VerifyKey} VerifyKey */

/**
 * A well-formed sealed report; not verified and not opened. `version` is the card's; `number` only grows for one
 * version of a card.
 * @typedef {{ deviceId: Bytes, cardId: Bytes, version: bigint, number: number, recipient: Bytes, header: Bytes,
 *   sealed: Bytes, signature: Bytes }} ReportFrame
 */

/** @typedef {"waiting" | "recording" | "phrase" | "trying" | "talking" | "done" | "refused" | "stopped"} Stage */

/** @typedef {"cut_off" | "different" | "too_long" | "too_loud" | "too_quiet" | "too_short" | "hard_to_hear"
 *   | "too_common" | "alike" | "as_before" | "name_too_long" | "name_too_short" | "microphone" | "storage"} Reason */

/**
 * What is to be expected at home. `ofTen`: of ten tries, at least and at most so many will probably be heard; null
 * when unknown. `from` "tries": counted in `tries` tries after the takes, of which `found` were heard; "takes": from
 * the takes against each other, which is cautious, and both ends are the same. `falseAWeek`: false tones, to a tenth.
 * @typedef {{ ofTen: [number, number] | null, from: "takes" | "tries", tries: number, found: number,
 *   falseAWeek: number }} Forecast
 */

/**
 * `takes` of at least `of` takes are recorded, `tries` of at most `triesOf` tries were said. `forecast` comes with the
 * stages "done" and "refused" alone, and not always then.
 * @typedef {{ stage: Stage, takes: number, of: number, tries: number, triesOf: number, forecast: Forecast | null,
 *   reason: Reason | null }} Report
 */

export const MAX_NUMBER = Number.MAX_SAFE_INTEGER;

const MAGIC = utf8("1BRp");
const FORMAT_VERSION = 1;
const SUITE = 1;
const BUCKETS = [512, 2048];
const HEADER_BYTES = 71;
const MAX_VERSION = 2n ** 63n - 1n;
const INFO = domain("onebreath card report v1");
const SIGNED = domain("onebreath card report signature v1");

const VERSION = 1;
const MOST_COUNTED = 99;
const MOST_FALSE_TENTHS = 1_000_000;
const KEYS = ["forecast", "of", "reason", "stage", "takes", "tries", "tries_of", "v"];
const FORECAST_KEYS = ["false_tenths", "found", "from", "of_ten", "tries"];

/** @type {Reason[]} */
const OF_A_TAKE = ["cut_off", "different", "too_long", "too_loud", "too_quiet", "too_short"];
/** @type {Reason[]} */
const OF_A_FORECAST = ["hard_to_hear", "too_common"];

/**
 * Each stage, in the order in which they come, with the reasons that it may give.
 * @type {ReadonlyMap<Stage, readonly Reason[]>}
 */
export const REASONS = new Map([
  ["waiting", []],
  ["recording", OF_A_TAKE],
  ["phrase", []],
  ["trying", []],
  ["talking", []],
  ["done", [...OF_A_FORECAST, "alike", "as_before"]],
  ["refused", [...OF_A_FORECAST, "name_too_long", "name_too_short"]],
  ["stopped", [...OF_A_TAKE, "microphone", "storage"]],
]);

/**
 * What a device reports of a card, verified and opened.
 *
 * Throws FrameError when malformed (ContentError among it), SealError when it is of another device, card or version,
 * not signed by this device, altered, or sealed to a key that is not here. Whether `number` is below one that was seen
 * before, so that the server shows an old report, is the caller's to remember.
 * @param {{ frame: Bytes, device: VerifyKey, reader: { keys: readonly AgreementKey[] }, card: Bytes,
 *   version: bigint }} what `device`: the signing key of a device that is believed (devices.js, judge); `card`: the
 *   card's id; `version`: as it is listed
 * @returns {Promise<{ number: number } & Report>}
 */
export async function openReport({ frame, device, reader, card, version }) {
  const parsed = parseReport(frame);
  await verifyReport(parsed, device);
  if (!equal(parsed.cardId, card)) throw new SealError("the report is about another card");
  if (parsed.version !== version) throw new SealError("the report is about another version of the card");
  return { number: parsed.number, ...decodeReport(await openReportFrame(parsed, reader.keys)) };
}

/**
 * Check a sealed report by exact sizes, without opening it. Throws FrameError.
 * @param {Bytes} data
 * @returns {ReportFrame}
 */
export function parseReport(data) {
  if (data.length < HEADER_BYTES) throw new FrameError("shorter than a report's header");
  if (!equal(data.subarray(0, 4), MAGIC)) throw new FrameError("not a report");
  const [format, suite, bucket] = data.subarray(4, 7);
  if (format !== FORMAT_VERSION) throw new FrameError(`report format ${format} is not known`);
  if (suite !== SUITE) throw new FrameError(`report suite ${suite} is not known`);
  if (bucket >= BUCKETS.length) throw new FrameError(`report size ${bucket} is not known`);
  const signatureAt = HEADER_BYTES + SEALING_BYTES + BUCKETS[bucket];
  if (data.length !== signatureAt + SIGNATURE_BYTES) {
    throw new FrameError(`the report is ${data.length} bytes; its header says ${signatureAt + SIGNATURE_BYTES}`);
  }
  const [version, number] = [readU64(data, 39), readU64(data, 47)];
  if (version < 1n || version > MAX_VERSION) throw new FrameError("the card's version is out of range");
  if (number < 1n || number > BigInt(MAX_NUMBER)) throw new FrameError("the report's number is out of range");
  return {
    deviceId: data.slice(7, 23),
    cardId: data.slice(23, 39),
    version,
    number: Number(number),
    recipient: data.slice(55, HEADER_BYTES),
    header: data.slice(0, HEADER_BYTES),
    sealed: data.slice(HEADER_BYTES, signatureAt),
    signature: data.slice(signatureAt),
  };
}

/**
 * Check that `device` signed the report and that the report names it. Throws SealError.
 * @param {ReportFrame} frame
 * @param {VerifyKey} device
 */
export async function verifyReport(frame, device) {
  if (!equal(frame.deviceId, device.id)) throw new SealError("the report names another device");
  if (!(await verifies(device, frame.signature, concat(SIGNED, frame.header, frame.sealed)))) {
    throw new SealError("the report was not signed by this device");
  }
}

/**
 * The plaintext. Verify first: anyone can seal to a public key. Throws SealError.
 * @param {ReportFrame} frame
 * @param {readonly AgreementKey[]} keys one's reading keys, of every epoch that is kept
 */
export async function openReportFrame(frame, keys) {
  const key = keys.find((one) => equal(one.id, frame.recipient));
  if (key === undefined) throw new SealError("the report is not for this key");
  let padded;
  try {
    padded = await open(frame.sealed, key, concat(INFO, frame.header.subarray(4)));
  } catch (error) {
    if (!(error instanceof SealError)) throw error;
    throw new SealError("the report does not open: it was altered", { cause: error });
  }
  const plaintext = unpad(padded);
  if (plaintext === null) throw new SealError("the report's padding is not whole");
  return plaintext;
}

/**
 * The report that `data` spells. Throws ContentError for anything but its one canonical spelling.
 * @param {Bytes} data
 * @returns {Report}
 */
export function decodeReport(data) {
  const fields = object(parse(data, "the content of a report"), KEYS);
  if (fields.v !== VERSION) throw new ContentError("a report of another version");
  const stage = known(fields.stage, [...REASONS.keys()], "a report's stage is not known");
  const reasons = REASONS.get(stage) ?? [];
  const reason =
    fields.reason === null ? null : known(fields.reason, reasons, "a report's reason is not one of its stage");
  const [takes, of, tries, triesOf] = [fields.takes, fields.of, fields.tries, fields.tries_of].map((value) =>
    count(value, MOST_COUNTED),
  );
  if (tries > triesOf) throw new ContentError("more tries than there are");
  if (fields.forecast !== null && stage !== "done" && stage !== "refused") {
    throw new ContentError("a forecast comes at the end");
  }
  const forecast = fields.forecast === null ? null : forecastOf(fields.forecast);
  if (!equal(spell(fields), data)) throw new ContentError("not the canonical content of a report");
  return { stage, takes, of, tries, triesOf, forecast, reason };
}

/**
 * @param {Json} json
 * @returns {Forecast}
 */
function forecastOf(json) {
  const fields = object(json, FORECAST_KEYS);
  const falseTenths = count(fields.false_tenths, MOST_FALSE_TENTHS);
  const tries = count(fields.tries, MOST_COUNTED);
  const found = count(fields.found, tries);
  /** @type {("takes" | "tries")[]} */
  const sources = ["takes", "tries"];
  const from = known(fields.from, sources, "a forecast comes from takes or from tries");
  const ofTen = fields.of_ten === null ? null : range(fields.of_ten);
  if (from === "tries" && ofTen === null) throw new ContentError("what was counted is known");
  if (from === "takes" && ofTen !== null && ofTen[0] !== ofTen[1]) throw new ContentError("takes give one figure");
  return { ofTen, from, tries, found, falseAWeek: falseTenths / 10 };
}

/**
 * @param {Json} json
 * @returns {[number, number]}
 */
function range(json) {
  if (!Array.isArray(json) || json.length !== 2) throw new ContentError("a forecast is a range");
  const most = count(json[1], 10);
  return [count(json[0], most), most];
}

/**
 * @template {string} T
 * @param {Json} value
 * @param {readonly T[]} all
 * @param {string} otherwise
 * @returns {T}
 */
function known(value, all, otherwise) {
  const said = text(value);
  const found = all.find((one) => one === said);
  if (found === undefined) throw new ContentError(otherwise);
  return found;
}

/**
 * @param {unknown} value
 * @param {number} most
 */
function count(value, most) {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > most) {
    throw new ContentError(`not a number from 0 to ${most}`);
  }
  return value;
}
