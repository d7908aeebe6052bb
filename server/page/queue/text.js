// One client's records as plain text, for a note: in the order of the page for the session, and in its words.

import { safe } from "../wire/text.js";
import { byDay, isDiscussed } from "./model.js";
import { called, clock, date, deviceStart, flagText, lineText, noticings, WHEN, withoutLine, zone } from "./sentences.js";

/** @typedef {import("../wire/examine.js").OpenedRecord} OpenedRecord */
/** @typedef {import("../wire/notes.js").Mark} Mark */
/** @typedef {import("../wire/sequence.js").Flag} Flag */
/** @typedef {import("./model.js").Client} Client */
/** @typedef {import("./model.js").Entry} Entry */

/**
 * The client's name, with the start of the device's id where two clients have the same.
 * @param {Pick<Client, "device" | "name" | "again">} client
 */
export function titleOf(client) {
  return client.again ? `${called(client)} (device ${deviceStart(client.device)})` : called(client);
}

/**
 * The times of an entry: `23:05`; the zone is said where the records of a page are in more than one.
 * @param {Entry} entry
 * @param {boolean} zones
 */
export function timesOf({ records }, zones) {
  const times = records.map(({ at }) => clock(at)).join(", ");
  return zones ? `${times} (${zone(records[0].at)})` : times;
}

/**
 * What an entry says, in words.
 * @param {Entry} entry
 */
export function saidIn({ records }) {
  return records[0].line === null ? withoutLine(records.length) : lineText(records[0].line);
}

/**
 * Whether the records are in more than one zone.
 * @param {Client["records"]} records
 */
export function severalZones(records) {
  return new Set(records.map(({ at }) => at.offsetMinutes)).size > 1;
}

/** Flags whose number is that of a record that is not here, or of none.
 * @type {readonly Flag["kind"][]} */
const OF_NONE = ["missing", "vanished", "deleted"];

/**
 * The flags that concern this very record.
 * @param {Pick<OpenedRecord, "device" | "sequence">} record
 * @param {readonly Flag[]} flags
 */
export function wrongWith({ device, sequence }, flags) {
  return flags.filter((one) => one.device === device && one.sequence === sequence && !OF_NONE.includes(one.kind));
}

/**
 * The client's own word for when they noticed, to stand after what was said; empty without one.
 * @param {readonly Pick<OpenedRecord, "when">[]} records
 */
export function whenIn(records) {
  const said = new Set(records.map(({ when }) => when ?? null));
  return [...said].map((when) => (when === null ? "" : `  “${WHEN[when]}”`)).join("");
}

/**
 * What is flagged of one record stands under it, the rest at the end.
 * @param {Omit<Client, "sharedBy">} client with its records in the order in which they are to be read
 * @param {ReadonlyMap<string, Mark> | null} marks
 */
export function asText(client, marks) {
  const zones = severalZones(client.records);
  /** @type {Set<Flag>} */
  const beside = new Set();
  const days = byDay(client.records, marks).map(({ entries }) => {
    const lines = entries.flatMap((entry) => {
      const note = isDiscussed(entry.records[0], marks) ? "  (discussed)" : "";
      const flags = entry.records.flatMap((record) =>
        wrongWith(record, client.flags).map((flag) => {
          beside.add(flag);
          return `    ${entry.records.length > 1 ? `${clock(record.at)} ` : ""}${flagText(flag)}`;
        }),
      );
      const said = `${saidIn(entry)}${whenIn(entry.records)}${note}`;
      return [`${timesOf(entry, zones)}  ${safe(entry.records[0].part)}: ${said}`, ...flags];
    });
    return [date(entries[0].records[0].at), ...lines].join("\n");
  });
  const head = `${titleOf(client)}\n${noticings(client.records.length)}, in the client's own time`;
  const flags = client.flags.filter((flag) => !beside.has(flag)).map(flagText).join("\n");
  return [head, ...days, flags].filter((one) => one !== "").join("\n\n") + "\n";
}
