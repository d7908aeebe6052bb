// Destroying the key of an older epoch: what is lost with it, and the order of the steps (server/commands/keys.py,
// shred). What only that key opens and the clinician wrote themselves is sealed to the key in use first; the key goes
// last. Cut short anywhere, it can be run again.

import { AdviceError } from "./forms.js";
import { CONSENT, LABEL, MARK, NO_RECORD, PART } from "./wire/boxes.js";
import { b64url, equal, fromB64url, fromHex, hex, ID_BYTES } from "./wire/bytes.js";
import { judge } from "./wire/devices.js";
import { FrameError, held } from "./wire/errors.js";
import { ClosedNoteError, resealed } from "./wire/leaving.js";
import { deviceEntry, markEntry, recordEntry, shaped, sharedEntry } from "./wire/listing.js";
import { signApproval } from "./wire/pairing.js";
import { keyId } from "./wire/primitives.js";
import { parseFrame } from "./wire/record.js";
import { parseShare } from "./wire/sharing.js";
import { fingerprint, verifyStatement } from "./wire/statement.js";

/** @typedef {import("./context.js").Keys} Keys */
/** @typedef {import("./wire/bytes.js").Bytes} Bytes */
/** @typedef {import("./wire/statement.js").Statement} Statement */
/** @typedef {(method: string, path: string, body?: unknown) => Promise<any>} Api */

/** An epoch as it is shown: `state` "in use", "kept" for older records, or "destroyed" on `shreddedAt` (the server's
 * text). Only what is "kept" can be destroyed. `nextAt`: when the next one was stated, in Unix seconds; null for the newest.
 * @typedef {{ epoch: number, keyId: Bytes, stated: Statement, state: "in use" | "kept" | "destroyed",
 *   shreddedAt: string | null, nextAt: bigint | null }} Epoch */
/** What nobody can open afterwards: records by device in hex, with the days on which the first and the last of them
 * arrived, and how many records that colleagues shared. `waiting`: devices (in hex) that may hold more of it, with the
 * time when each last called as the server says it; null: never.
 * @typedef {{ devices: Map<string, { count: number, from: string, to: string }>, shared: number,
 *   waiting: { device: string, lastSeenAt: string | null }[] }} Losses */
/** `moved`: notes that were sealed to the key in use; `approved`: devices.
 * @typedef {{ keys: Keys, moved: number, approved: number }} Shredded */

const PAGE = 500;
const SHARES = 200;
const LAST_CURSOR = "9223372036854775807";

/**
 * Every epoch that the server lists and the identity signed, newest first. Throws FrameError, SealError.
 * @param {Keys} keys
 * @param {{ epochs: { epoch: number, statement: string | null, shredded_at: string | null }[] }} served
 * @returns {Promise<Epoch[]>}
 */
export async function epochsOf(keys, { epochs }) {
  if (!Array.isArray(epochs)) throw new FrameError("the server's answer is not of this version");
  const pinned = await fingerprint(keys.identity.public);
  /** @type {Epoch[]} */
  const found = [];
  for (const { epoch, statement, shredded_at: shreddedAt } of epochs) {
    if (statement === null) continue;
    const stated = await verifyStatement(fromB64url(statement), pinned);
    if (stated.epoch !== epoch || !equal(stated.clinicianId, keys.clinicianId)) {
      throw new FrameError("a statement is in another's place");
    }
    const state = shreddedAt !== null ? "destroyed" : epoch >= keys.statement.epoch ? "in use" : "kept";
    found.push({ epoch, keyId: await keyId(stated.reading), stated, state, shreddedAt, nextAt: null });
  }
  found.sort((a, b) => b.epoch - a.epoch);
  return found.map((one, at) => ({ ...one, nextAt: found[at - 1]?.stated.issuedAt ?? null }));
}

/**
 * What would be lost with an epoch's key: looks through every record, through what colleagues shared, and at which
 * devices may still hold lines. Throws AdviceError for a key that is not here.
 * @param {Api} api
 * @param {Keys} keys
 * @param {Epoch} one
 * @param {(seen: number) => void} [told] how many records were looked through
 * @returns {Promise<Losses>}
 */
export async function lossesOf(api, keys, one, told) {
  needHere(keys, one);
  const { keyId: leaving, nextAt } = one;
  const staying = keys.reader.keys.filter(({ id }) => !equal(id, leaving));
  const waiting = (await devicesOf(api))
    .filter((entry) => mayHold(entry, nextAt))
    .map(({ deviceId, lastSeenAt }) => ({ device: hex(deviceId), lastSeenAt }));
  /** @type {Losses} */
  const losses = { devices: new Map(), shared: 0, waiting };
  let seen = 0;
  for (let before = LAST_CURSOR; ; ) {
    const page = await api("GET", `/v1/records?before=${before}&limit=${PAGE}`);
    for (const { frame, receivedAt } of shaped(page.records, recordEntry).entries) {
      const found = await held(async () => parseFrame(frame));
      if (found === null || !found.recipients.some((one) => equal(one, leaving))) continue;
      if (found.recipients.some((one) => staying.some(({ id }) => equal(id, one)))) continue;
      count(losses, hex(found.deviceId), receivedAt.slice(0, 10));
    }
    told?.((seen += page.records.length));
    if (page.more !== true) break;
    before = goesOn(page.next, before);
  }
  for (const fields of await every(api, "/v1/shares", "shares", SHARES)) {
    const { entries } = shaped([fields], sharedEntry);
    const share = entries.length === 0 ? null : await held(() => parseShare(entries[0].share));
    if (share !== null && equal(share.recipient, leaving)) losses.shared++;
  }
  return losses;
}

/**
 * Destroy it. Devices that are believed by their proof alone are approved, since the proof needs the key of its day;
 * clients' names, marks, notes on parts and consents under this key are sealed to the one in use. Throws AdviceError
 * for a key that cannot go or is not here, and for notes that would be lost; FrameError for lists that are not whole;
 * and what `api` throws. The key is there then.
 * @param {Api} api
 * @param {Keys} keys
 * @param {number} epoch
 * @param {number} now Unix milliseconds
 * @returns {Promise<Shredded>}
 */
export async function shred(api, keys, epoch, now) {
  const listed = await epochsOf(keys, await api("GET", "/v1/keys"));
  const found = listed.find((one) => one.epoch === epoch);
  if (found === undefined) throw new AdviceError(`There is no key ${epoch}.`);
  if (found.state === "in use") throw new AdviceError(`Key ${epoch} is in use: new records are sealed to it. Make the next one first.`);
  needHere(keys, found);
  const { keyId: leaving } = found;
  let [moved, closed, approved] = [0, 0, 0];
  /**
   * @param {Bytes} data
   * @param {Parameters<typeof resealed>[3]} subject
   * @param {(sealed: string, version: number) => Promise<unknown>} put
   * @param {{ same?: boolean }} [how]
   */
  async function carry(data, subject, put, how) {
    try {
      const note = await resealed(data, keys, leaving, subject, how);
      if (note === null) return;
      await put(b64url(note.sealed), note.version);
      moved++;
    } catch (error) {
      if (!(error instanceof ClosedNoteError)) throw error;
      closed++;
    }
  }
  for (const entry of await devicesOf(api)) {
    const path = `/v1/devices/${hex(entry.deviceId)}`;
    if ((await judge(entry, keys.reader)).trust === "proof") {
      const approvedAt = BigInt(Math.floor(now / 1000));
      const { signing, encryption } = entry;
      const approval = await signApproval(keys.identity, { signing, encryption, approvedAt });
      await api("PUT", `${path}/approval`, { approval: b64url(approval) });
      approved++;
    }
    const { deviceId, label } = entry;
    const about = { deviceId, recordId: NO_RECORD };
    if (label !== null) await carry(label, { purpose: LABEL, ...about }, (sealed) => api("PUT", `${path}/label`, { label: sealed }));
    // Notes on parts and consents have their versions for good: each stays the version that it is.
    const { notes } = await api("GET", `${path}/notes`);
    for (const { card, sealed: note } of whole(notes, noteOn, "notes")) {
      const subject = { purpose: PART, deviceId, recordId: fromHex(card, ID_BYTES) };
      await carry(note, subject, (sealed) => api("PUT", `${path}/cards/${card}/note`, { sealed }), { same: true });
    }
    const { consents } = await api("GET", `${path}/consents`);
    for (const { sealed: consent } of whole(consents, consentOf, "consents")) {
      const put = (/** @type {string} */ sealed, /** @type {number} */ version) => api("PUT", `${path}/consents/${version}`, { sealed });
      await carry(consent, { purpose: CONSENT, ...about }, put, { same: true });
    }
  }
  for (const { device, record, sealed: mark } of whole(await every(api, "/v1/marks", "marks", PAGE), markEntry, "marks")) {
    const subject = { purpose: MARK, deviceId: fromHex(device, ID_BYTES), recordId: fromHex(record, ID_BYTES) };
    await carry(mark, subject, (sealed, version) => api("PUT", `/v1/marks/${device}/${record}`, { version, sealed }));
  }
  if (closed > 0) {
    throw new AdviceError(
      `Key ${epoch} was not destroyed. Names, marks or notes of yours that are sealed to it and do not open here: ` +
        `${closed}. They would be lost with it. Write them anew first.`,
    );
  }
  await api("DELETE", `/v1/keys/${epoch}`);
  return { keys: without(keys, leaving, now), moved, approved };
}

/**
 * Keys without the one that was destroyed.
 * @param {Keys} keys
 * @param {Bytes} leaving its id
 * @param {number} now Unix milliseconds
 * @returns {Keys}
 */
export function without(keys, leaving, now) {
  const destroyed = new Map(keys.reader.destroyed ?? []);
  destroyed.set(hex(leaving), Math.floor(now / 1000));
  const kept = keys.reader.keys.filter(({ id }) => !equal(id, leaving));
  return { ...keys, reader: { ...keys.reader, keys: kept, destroyed } };
}

/**
 * What is sealed to a key that is not on this page cannot be carried over here.
 * @param {Keys} keys
 * @param {Epoch} one
 */
function needHere({ reader }, { epoch, keyId: leaving, state }) {
  if (reader.keys.some(({ id }) => equal(id, leaving))) return;
  if (state === "destroyed") throw new AdviceError(`Key ${epoch} was destroyed before.`);
  throw new AdviceError(`This page does not have key ${epoch}; destroy it where the key file is.`);
}

/** @param {Api} api */
async function devicesOf(api) {
  return whole((await api("GET", "/v1/devices")).devices, deviceEntry, "devices");
}

/**
 * Whether a device may hold lines that were sealed before the next key was stated, by all that the server says of it.
 * @param {import("./wire/listing.js").DeviceEntry} entry
 * @param {bigint | null} nextAt
 */
function mayHold({ state, outboxDepth, lastSeenAt }, nextAt) {
  const heard = lastSeenAt !== null && nextAt !== null && Date.parse(lastSeenAt) > 1000 * Number(nextAt);
  return state !== "revoked" && (outboxDepth !== 0 || !heard);
}

/**
 * Every entry of a list of which none may be missing.
 * @template T
 * @param {unknown} list
 * @param {(fields: Record<string, unknown>) => T} entry
 * @param {string} name
 */
function whole(list, entry, name) {
  const { entries, broken } = shaped(list, entry);
  if (broken > 0) throw new FrameError(`the server's list of ${name} is not whole`);
  return entries;
}

/** @param {Record<string, unknown>} fields */
function noteOn({ card, sealed }) {
  return { card: hex(fromHex(card, ID_BYTES)), sealed: fromB64url(sealed) };
}

/** @param {Record<string, unknown>} fields */
function consentOf({ sealed }) {
  return { sealed: fromB64url(sealed) };
}

/**
 * @param {Losses} losses
 * @param {string} device
 * @param {string} day
 */
function count({ devices }, device, day) {
  const { count: before, from, to } = devices.get(device) ?? { count: 0, from: day, to: day };
  devices.set(device, { count: before + 1, from: day < from ? day : from, to: day > to ? day : to });
}

/**
 * Every page of a list; a list that does not go on is not whole, and nothing may be destroyed on its word.
 * @param {Api} api
 * @param {string} path
 * @param {string} name
 * @param {number} limit
 */
async function every(api, path, name, limit) {
  const entries = [];
  const seen = new Set();
  for (let after = ""; ; ) {
    const page = await api("GET", `${path}?limit=${limit}${after}`);
    if (!Array.isArray(page[name])) throw new FrameError("the server's answer is not of this version");
    entries.push(...page[name]);
    if (page.more !== true) return entries;
    const next = String(page.next);
    if (seen.has(next) || !/^[0-9a-f]{1,64}$/.test(next)) throw new FrameError("the server's list runs in a circle");
    seen.add(next);
    after = `&after=${next}`;
  }
}

/**
 * @param {unknown} next
 * @param {string} before
 */
function goesOn(next, before) {
  const further = Number.isSafeInteger(next) && Number(next) > 0 && (before === LAST_CURSOR || Number(next) < Number(before));
  if (!further) throw new FrameError("the server's list runs in a circle");
  return String(next);
}
