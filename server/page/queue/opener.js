// Opens what the server lists, step by step: in a worker where there is one, else on the page's own thread.
//
// It keeps the keys and what it was given until it is dropped; it fetches nothing and stores nothing.

import { hex } from "../wire/bytes.js";
import { colleagueEntry, known, readShared } from "../wire/colleagues.js";
import { confirmedBy } from "../wire/confirmation.js";
import { FrameError } from "../wire/errors.js";
import { deviceEntry, markEntry, recordEntry, shaped, sharedEntry, tombstone } from "../wire/listing.js";
import { formatMemory, NOTHING, parseMemory } from "../wire/memory.js";
import { placeOf, readLabel, readMarks } from "../wire/notes.js";
import { beginReading } from "../wire/reader.js";
import { flag } from "../wire/sequence.js";

/** @typedef {import("../wire/bytes.js").Bytes} Bytes */
/** @typedef {import("../wire/devices.js").Reader} Reader */
/** @typedef {import("../wire/examine.js").OpenedRecord} OpenedRecord */
/** @typedef {import("../wire/listing.js").MarkEntry} MarkEntry */
/** @typedef {import("../wire/notes.js").Mark} Mark */
/** @typedef {import("../wire/sequence.js").Flag} Flag */

/** A believed device, and what the clinician calls its client; `name` is null without a label that holds.
 * @typedef {{ device: string, name: string | null }} Named */
/** `marks` and `stones`: all entries of the server's, and whether its pages made a whole.
 * @typedef {{ whole: boolean, marksWhole: boolean, stones: unknown, stonesWhole: boolean,
 *   retentionDays: number | null }} Ending */
/** What the whole list shows. `remembered` is what to remember of it, as text without content (wire/memory.js).
 * @typedef {{ flags: Flag[], marks: Map<string, Mark>, versions: Map<string, number>, remembered: string }} Ended */

/** What colleagues shared: newest first, and everything that is wrong with it.
 * @typedef {{ records: OpenedRecord[], flags: Flag[] }} Shared */

const FORGETFUL = "The notes of what you had read were damaged. Nothing could be compared.";

/** One opening of the queue: `begin`, `take` pages newest first, `marks`, `finish`, `shared`; in this order. */
export function makeOpener() {
  /** @type {Awaited<ReturnType<typeof beginReading>>} */
  let reading;
  /** @type {Reader} */
  let reader;
  /** @type {Bytes} */
  let clinicianId;
  let memory = NOTHING;
  let damaged = false;
  let broken = 0;
  /** @type {{ entries: MarkEntry[], broken: number }} */
  let marks = { entries: [], broken: 0 };

  return {
    /**
     * Judge the devices. Throws FrameError for an answer of another version.
     * @param {{ reader: Reader, clinicianId: Bytes, devices: unknown, remembered: string | null }} what `devices`: the
     *   server's list; `remembered`: what `finish` gave last time
     * @returns {Promise<Named[]>}
     */
    async begin(what) {
      ({ reader, clinicianId } = what);
      try {
        memory = what.remembered === null ? NOTHING : parseMemory(what.remembered);
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
        damaged = true;
      }
      const { entries } = shaped(what.devices, deviceEntry);
      reading = await beginReading(reader, entries, memory);
      const believed = reading.devices.filter(({ trust }) => trust !== null);
      const named = believed.map(async ({ entry }) => {
        const label = await readLabel(entry, reader, clinicianId);
        return { device: hex(entry.deviceId), name: label?.name ?? null };
      });
      return Promise.all(named);
    },

    /**
     * Verify and open a page of the server's list of records.
     * @param {unknown} listed
     * @returns {Promise<OpenedRecord[]>} newest first; what does not hold is told by `finish`
     */
    async take(listed) {
      const page = shaped(listed, recordEntry);
      broken += page.broken;
      return reading.take(page.entries);
    },

    /**
     * Keep the server's list of marks for `finish`, and open those of a few records now.
     * @param {unknown} listed
     * @param {readonly { device: string, record: string }[]} wanted
     * @returns {Promise<Map<string, Mark>>} by place
     */
    async marks(listed, wanted) {
      marks = shaped(listed, markEntry);
      const places = new Set(wanted.map(placeOf));
      const now = marks.entries.filter((entry) => places.has(placeOf(entry)));
      return (await readMarks(reader, clinicianId, now, memory.marks)).marks;
    },

    /**
     * Everything that only the whole list shows.
     * @param {Ending} ending
     * @returns {Promise<Ended>}
     */
    async finish({ whole, marksWhole, stones, stonesWhole, retentionDays }) {
      const told = shaped(stones, tombstone);
      const deleted = { stones: told.entries, broken: told.broken, whole: stonesWhole, retentionDays };
      const found = reading.finish({ broken, whole, deleted });
      const ending = { broken: marks.broken, whole: marksWhole };
      const noted = await readMarks(reader, clinicianId, marks.entries, memory.marks, ending);
      const forgot = damaged ? [flag("list", FORGETFUL)] : [];
      return {
        flags: [...found.flags, ...noted.flags, ...forgot],
        marks: noted.marks,
        versions: noted.versions,
        remembered: formatMemory({ seen: found.memory.seen, marks: noted.versions }),
      };
    },

    /**
     * Verify and open what colleagues shared.
     * @param {{ shares: unknown, whole: boolean, colleagues: unknown, confirmations: readonly Bytes[] }} what the
     *   server's lists, whether its pages made a whole, and what this browser keeps of compared fingerprints
     * @returns {Promise<Shared>}
     */
    async shared({ shares, whole, colleagues, confirmations }) {
      const confirmed = await confirmedBy(confirmations, reader.identity, clinicianId);
      const believed = await known(shaped(colleagues, colleagueEntry).entries, confirmed);
      const listed = shaped(shares, sharedEntry);
      return readShared(reader, listed.entries, believed, { broken: listed.broken, whole });
    },
  };
}

/** @typedef {ReturnType<typeof makeOpener>} Opener */
