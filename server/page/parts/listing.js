// What the server lists of a device's cards and notes, believed only in shape (FORMAT.md section 7).

import { fromB64url, fromHex, hex, ID_BYTES } from "../wire/bytes.js";
import { FrameError } from "../wire/errors.js";
import { plain } from "../wire/listing.js";

/** @typedef {import("../wire/bytes.js").Bytes} Bytes */

/**
 * A card that was sent. `card` is its id in hex; times are the server's word, null where there is none; `report` is a
 * sealed report, not opened.
 * @typedef {{ card: string, cardId: Bytes, version: number, createdAt: string, fetchedAt: string | null,
 *   report: Bytes | null, reportedAt: string | null }} CardEntry
 */
/** A sealed note on a card's part, not opened. @typedef {{ card: string, sealed: Bytes }} NoteEntry */

/**
 * Throws FrameError. A version above 2^53 - 1, which no program of ours gives, is refused: it could not be counted on from.
 * @param {Record<string, unknown>} fields
 * @returns {CardEntry}
 */
export function cardEntry(fields) {
  const { version } = fields;
  if (typeof version !== "number" || !Number.isSafeInteger(version) || version < 1) throw new FrameError("not a version");
  const cardId = fromHex(fields.card, ID_BYTES);
  return {
    card: hex(cardId),
    cardId,
    version,
    createdAt: plain(fields.created_at),
    fetchedAt: timeOf(fields.fetched_at),
    report: fields.report === null || fields.report === undefined ? null : fromB64url(fields.report),
    reportedAt: timeOf(fields.reported_at),
  };
}

/**
 * Throws FrameError.
 * @param {Record<string, unknown>} fields
 * @returns {NoteEntry}
 */
export function noteEntry(fields) {
  return { card: hex(fromHex(fields.card, ID_BYTES)), sealed: fromB64url(fields.sealed) };
}

/** @param {unknown} text */
function timeOf(text) {
  return text === null || text === undefined ? null : plain(text);
}
