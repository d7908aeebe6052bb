// Cover: whose shares are believed, and what they open (server/colleagues.py, server/reader_shared.py).
//
// The server says who is a colleague; whose key that is, it cannot be asked. Two people compare a fingerprint by voice
// or on paper once. A share is believed for its sharer's confirmed identity alone.

import { equal, fromB64url, fromHex, hex, ID_BYTES } from "./bytes.js";
import { FrameError, held, SealError } from "./errors.js";
import { contentOf } from "./examine.js";
import { sha256 } from "./primitives.js";
import { newestFirst } from "./reader.js";
import { parseFrame } from "./record.js";
import { flag } from "./sequence.js";
import { openShared, verifyShare } from "./sharing.js";
import { fingerprint, parseStatement } from "./statement.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./devices.js").Reader} Reader */
/** @typedef {import("./examine.js").OpenedRecord} OpenedRecord */
/** @typedef {import("./listing.js").SharedEntry} SharedEntry */
/** @typedef {import("./primitives.js").VerifyKey} VerifyKey */
/** @typedef {import("./sequence.js").Flag} Flag */
/** @typedef {import("./statement.js").Statement} Statement */

/** Another clinician of the practice, as the server says.
 * @typedef {{ clinicianId: Bytes, statement: Bytes }} ServedColleague */
/** A colleague whose statement holds; `confirmed` when their fingerprint was compared.
 * @typedef {{ stated: Statement, confirmed: boolean }} Colleague */

const SPOKEN_DIGITS = 32;

/**
 * Throws FrameError.
 * @param {Record<string, unknown>} fields
 * @returns {ServedColleague}
 */
export function colleagueEntry(fields) {
  return { clinicianId: fromHex(fields.clinician, ID_BYTES), statement: fromB64url(fields.statement) };
}

/**
 * 128 bits of a fingerprint in groups of four, to be read out and typed.
 * @param {VerifyKey} identity
 */
export async function spokenFingerprint(identity) {
  return (
    hex(await fingerprint(identity))
      .slice(0, SPOKEN_DIGITS)
      .match(/.{4}/g) ?? []
  ).join(" ");
}

/**
 * Whether what was typed is this identity's fingerprint; spaces and case do not matter, but at least 128 bits do.
 * @param {VerifyKey} identity
 * @param {string} typed
 */
export async function confirms(identity, typed) {
  const digits = typed.replace(/[\s:-]/g, "").toLowerCase();
  return digits.length >= SPOKEN_DIGITS && hex(await fingerprint(identity)).startsWith(digits);
}

/**
 * The colleagues whose statements hold, by id in hex, without one whose identity is not the confirmed one.
 * @param {readonly ServedColleague[]} served
 * @param {ReadonlyMap<string, Bytes>} confirmed fingerprints, by clinician id in hex
 * @returns {Promise<Map<string, Colleague>>}
 */
export async function known(served, confirmed) {
  const found = new Map();
  for (const { clinicianId, statement } of served) {
    const stated = await held(() => parseStatement(statement));
    if (stated === null || !equal(stated.clinicianId, clinicianId)) continue;
    const pinned = confirmed.get(hex(clinicianId));
    if (pinned === undefined || equal(pinned, await fingerprint(stated.identity))) {
      found.set(hex(clinicianId), { stated, confirmed: pinned !== undefined });
    }
  }
  return found;
}

/**
 * Verify and open what colleagues shared: newest first, each under its sharer's name.
 * @param {Reader} reader
 * @param {readonly SharedEntry[]} entries
 * @param {ReadonlyMap<string, Colleague>} colleagues
 * @param {{ broken?: number, whole?: boolean }} [ending]
 */
export async function readShared(reader, entries, colleagues, { broken = 0, whole = true } = {}) {
  /** @type {OpenedRecord[]} */
  const records = [];
  /** @type {Flag[]} */
  const flags = [];
  if (broken > 0) flags.push(flag("frame", `Shares in the list that cannot be read at all: ${broken}.`));
  if (!whole) flags.push(flag("list", "The server's list runs in a circle; it may not be complete."));
  /** @type {Map<string, number>} */
  const strangers = new Map();
  const taken = new Set();
  for (const entry of entries) {
    const sharer = colleagues.get(entry.from);
    if (sharer === undefined || !sharer.confirmed) {
      strangers.set(entry.from, (strangers.get(entry.from) ?? 0) + 1);
      continue;
    }
    const { record, flag: told } = await openOne(reader, entry, sharer);
    const digest = hex(await sha256(entry.frame));
    if (record !== null && taken.has(digest)) {
      const twice = "A shared record is listed twice. It is shown once.";
      flags.push(flag("duplicate", twice, record.device, record.sequence));
    } else if (record !== null) {
      taken.add(digest);
      records.push(record);
    }
    if (told !== null) flags.push(told);
  }
  for (const [from, count] of strangers) {
    const name = colleagues.get(from)?.stated.name ?? "someone whose identity is not the one you confirmed";
    flags.push(flag("unapproved", `Shared by ${name}: ${count}. Not shown until you confirm their fingerprint.`));
  }
  return { records: records.sort(newestFirst), flags };
}

/**
 * @param {Reader} reader
 * @param {SharedEntry} entry
 * @param {Colleague} sharer
 * @returns {Promise<{ record: OpenedRecord | null, flag: Flag | null }>}
 */
async function openOne(reader, entry, { stated }) {
  let share;
  try {
    share = await verifyShare(entry.share, stated.identity);
  } catch (error) {
    if (!(error instanceof FrameError || error instanceof SealError)) throw error;
    return { record: null, flag: flag("forged", `A share was forged or altered: ${error.message}. It is not shown.`) };
  }
  const { recipient, sequence } = share;
  const device = hex(share.deviceId);
  if (!reader.keys.some((one) => equal(one.id, recipient))) {
    const gone = reader.destroyed?.has(hex(recipient)) ?? false;
    const why = gone ? "a key that was destroyed" : "another key than yours";
    const message = `A share of ${stated.name} is for ${why}. Ask them to share it again.`;
    return { record: null, flag: flag(gone ? "destroyed" : "unopenable", message, device, sequence) };
  }
  try {
    const plaintext = await openShared(entry.share, entry.frame, stated.identity, reader.keys);
    const { record, flag: told } = contentOf(parseFrame(entry.frame), plaintext, {
      isNew: false,
      sharedBy: stated.name,
    });
    return { record: record && { ...record, receivedAt: entry.receivedAt }, flag: told };
  } catch (error) {
    if (!(error instanceof FrameError || error instanceof SealError)) throw error;
    const message = `A shared record was forged, altered or exchanged: ${error.message}. It is not shown.`;
    return { record: null, flag: flag("forged", message, device, sequence) };
  }
}
