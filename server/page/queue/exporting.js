// Chosen records as FHIR R4 `DocumentReference` resources in one transaction Bundle (docs/fhir.md): the same bytes as
// server/fhir.py (tests/vectors/fhir.json).
//
// The client's name is nowhere, and what was said in the attached text alone; the identifier is made of device id,
// record id and number, so that a record that is exported again is known again.

import { concat, domain, fromHex, hex, ID_BYTES, u64, utf8 } from "../wire/bytes.js";
import { FrameError } from "../wire/errors.js";
import { sha256 } from "../wire/primitives.js";
import { safe } from "../wire/text.js";
import { isDiscussed, ofDevice } from "./model.js";
import { clock, date, deviceStart, flagText, lineText, noticings, number, zone } from "./sentences.js";
import { whenIn, wrongWith } from "./text.js";

/** @typedef {import("../wire/bytes.js").Bytes} Bytes */
/** @typedef {import("../wire/content.js").Line} Line */
/** @typedef {import("../wire/content.js").Moment} Moment */
/** @typedef {import("../wire/examine.js").OpenedRecord} OpenedRecord */
/** @typedef {import("../wire/sequence.js").Flag} Flag */
/** @typedef {import("./opening.js").Queue} Queue */

/** @typedef {"open" | "week" | "month" | "all"} Span */

/** Which of a client's records are shown.
 * @type {readonly (readonly [Span, string])[]} */
export const SPANS = [
  ["open", "Not discussed"],
  ["week", "The last 7 days"],
  ["month", "The last 4 weeks"],
  ["all", "Everything"],
];
const DAY_MS = 86_400_000;
const DAYS = { open: Infinity, week: 7, month: 28, all: Infinity };

/** A reference to a patient on the FHIR server that the documents go to. */
export const PATIENT = /^Patient\/[A-Za-z0-9.-]{1,64}$/;
export const MEDIA_TYPE = "application/fhir+json";

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const URIS = "urn:ietf:rfc:3986";
const LOINC = "http://loinc.org";
const OBSERVATION_VALUE = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
const DOCUMENT = domain("onebreath fhir document v1");
const ENTRY = domain("onebreath fhir entry v1");
const DEVICE = domain("onebreath fhir device v1");
/** FHIR's dateTime has no zone further away. */
const MOST_OFFSET_MINUTES = 14 * 60;

const SPOKEN = "The client said this to their device, which wrote it down. Nothing is corrected.";
const NAMED = "The client named the part to their device. A noticing is complete without a line.";
const DOUBTED = "(?) after a word: the recogniser was unsure of it.";
const ROUGH = "[rough]: a line of the starter transcriber.";
const DOUBLED =
  "Two of the chosen records claim the same id and number; as documents they could not be told apart. " +
  "Leave them out, or take them as text.";

/**
 * One client's records within a span, the oldest first.
 * @param {Pick<Queue, "records" | "marks">} queue
 * @param {string} device
 * @param {Span} span
 * @param {number} now Unix milliseconds
 */
export function within({ records, marks }, device, span, now) {
  const theirs = ofDevice(records, device, now - DAYS[span] * DAY_MS);
  return span === "open" ? theirs.filter((one) => !isDiscussed(one, marks)) : theirs;
}

/**
 * `3 noticings chosen, 1 of them without a line.`
 * @param {readonly Pick<OpenedRecord, "line">[]} records
 */
export function counted(records) {
  const without = records.filter(({ line }) => line === null).length;
  const said = without === 0 ? "" : `, ${number(without)} of them without a line`;
  return `${noticings(records.length)} chosen${said}.`;
}

/**
 * What a word's doubt mark and a line's roughness mean, where they occur; nothing where they do not.
 * @param {readonly Pick<OpenedRecord, "line">[]} records
 */
export function legend(records) {
  const lines = records.map(({ line }) => line);
  const said = [lines.some((line) => doubts(line) > 0) ? DOUBTED : "", lines.some(isRough) ? ROUGH : ""];
  return said.filter((one) => one !== "").join("\n");
}

/**
 * A file's name: the start of the device's id and the day, no client's name. Throws FrameError.
 * @param {string} device
 * @param {string} exportedAt
 * @param {string} ending
 */
export function fileName(device, exportedAt, ending) {
  return `onebreath-${deviceStart(device)}-${instant(exportedAt).slice(0, 10)}.${ending}`;
}

/**
 * The server's time of an export. Throws FrameError for anything but an instant in UTC, in whole seconds.
 * @param {unknown} given
 * @returns {string}
 */
export function instant(given) {
  if (typeof given !== "string" || !INSTANT.test(given)) throw new FrameError("the time of the export is none");
  return given;
}

/**
 * A transaction that creates each record's document where it is not there yet; `records` in their order. Without a
 * patient the author is the device, by an identifier, and no subject is named. Throws FrameError, RangeError.
 * @param {readonly OpenedRecord[]} records
 * @param {readonly Flag[]} flags everything that is flagged
 * @param {{ exportedAt: string, patient: string | null }} how
 */
export async function bundle(records, flags, { exportedAt, patient }) {
  if (patient !== null && !PATIENT.test(patient)) throw new RangeError("A patient is given such as Patient/123.");
  const made = { resourceType: "Bundle", type: "transaction", timestamp: instant(exportedAt) };
  if (records.length === 0) return made;
  const entry = await Promise.all(records.map((one) => entryOf(one, flags, exportedAt, patient)));
  if (new Set(entry.map(({ fullUrl }) => fullUrl)).size < entry.length) throw new RangeError(DOUBLED);
  return { ...made, entry };
}

/**
 * The one spelling: the elements in FHIR's order, two spaces, a closing line break.
 * @param {object} resource
 */
export function spell(resource) {
  return utf8(`${JSON.stringify(resource, null, 2)}\n`);
}

/**
 * The attached text: when, which part, what was said with its doubt marks, and what is flagged.
 * @param {OpenedRecord} record
 * @param {readonly Flag[]} flags
 */
export function textOf(record, flags) {
  const { at, part, line } = record;
  const lines = [
    `${date(at)}, ${clock(at)} (${zone(at)})`,
    `${safe(part)}: ${lineText(line)}${whenIn([record])}`,
    ...wrongWith(record, flags).map(flagText),
    "",
    line === null ? NAMED : SPOKEN,
  ];
  const marks = legend([record]);
  return `${lines.join("\n")}\n${marks === "" ? "" : `${marks}\n`}`;
}

/**
 * @param {OpenedRecord} record
 * @param {readonly Flag[]} flags
 * @param {string} exportedAt
 * @param {string | null} patient
 */
async function entryOf(record, flags, exportedAt, patient) {
  const device = fromHex(record.device, ID_BYTES);
  const named = concat(device, fromHex(record.record, ID_BYTES), u64(record.sequence));
  const uri = await uuid(concat(DOCUMENT, named));
  const author =
    patient === null
      ? { type: "Device", identifier: { system: URIS, value: await uuid(concat(DEVICE, device)) } }
      : { reference: patient };
  const moment = Math.abs(record.at.offsetMinutes) <= MOST_OFFSET_MINUTES ? record.at.text : null;
  const resource = {
    resourceType: "DocumentReference",
    identifier: [{ system: URIS, value: uri }],
    status: "current",
    type: concept(LOINC, "51855-5", "Patient Note"),
    category: [concept(LOINC, "53576-5", "Personal health monitoring report Document")],
    ...(patient === null ? {} : { subject: { reference: patient } }),
    date: exportedAt,
    author: [author],
    description: descriptionOf(record, flags),
    securityLabel: labelsOf(record, flags),
    content: [{ attachment: await attachmentOf(record, flags, moment) }],
    ...(moment === null ? {} : { context: { period: { start: moment, end: moment } } }),
  };
  const request = { method: "POST", url: "DocumentReference", ifNoneExist: `identifier=${URIS}|${uri}` };
  // Not the identifier: some servers put the new resource's address wherever a text is the same as this.
  return { fullUrl: await uuid(concat(ENTRY, named)), resource, request };
}

/**
 * @param {OpenedRecord} record
 * @param {readonly Flag[]} flags
 * @param {string | null} moment
 */
async function attachmentOf(record, flags, moment) {
  const data = utf8(textOf(record, flags));
  // R4 says SHA-1, and that it is not for security.
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-1", data));
  return {
    contentType: "text/plain; charset=utf-8",
    data: base64(data),
    size: data.length,
    hash: base64(digest),
    title: `Noticing, ${date(record.at)} ${clock(record.at)}`,
    ...(moment === null ? {} : { creation: moment }),
  };
}

/**
 * @param {OpenedRecord} record
 * @param {readonly Flag[]} flags
 */
function labelsOf(record, flags) {
  const labels = [concept(OBSERVATION_VALUE, "PATAST", "patient asserted")];
  if (doubts(record.line) > 0 || isRough(record.line) || wrongWith(record, flags).length > 0) {
    labels.push(concept(OBSERVATION_VALUE, "UNCERTREL", "uncertain reliability"));
  }
  return labels;
}

/**
 * What kind of document it is, without a word of it.
 * @param {OpenedRecord} record
 * @param {readonly Flag[]} flags
 */
function descriptionOf(record, flags) {
  const { line } = record;
  const found = wrongWith(record, flags).map(({ message }) => ` Flag: ${safe(message)}`);
  if (line === null) return ["A noticing without a line.", ...found].join("");
  if (line.words.length === 0) {
    return ["A noticing. A line was spoken; it could not be made out.", ...found].join("");
  }
  const unsure = doubts(line);
  const words = unsure === 1 ? "1 word is" : `${unsure} words are`;
  const marked = unsure === 0 ? "" : ` ${words} uncertain, marked (?).`;
  const rough = line.rough ? " It was written down by the starter transcriber and is rough." : "";
  return ["A noticing with one line, verbatim.", marked, rough, ...found].join("");
}

/**
 * @param {string} system
 * @param {string} code
 * @param {string} display
 */
function concept(system, code, display) {
  return { coding: [{ system, code, display }] };
}

/** @param {Line | null} line */
function doubts(line) {
  return line === null ? 0 : line.words.filter(({ doubt }) => doubt).length;
}

/** @param {Line | null} line */
function isRough(line) {
  return line !== null && line.rough && line.words.length > 0;
}

/**
 * A UUID of version 8 (RFC 9562) made of SHA-256, as a URI.
 * @param {Bytes} named
 */
async function uuid(named) {
  const made = (await sha256(named)).slice(0, 16);
  made[6] = (made[6] & 0x0f) | 0x80;
  made[8] = (made[8] & 0x3f) | 0x80;
  return `urn:uuid:${hex(made).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")}`;
}

/** @param {Bytes} data */
function base64(data) {
  let text = "";
  for (let at = 0; at < data.length; at += 8190) text += String.fromCharCode(...data.subarray(at, at + 8190));
  return btoa(text);
}
