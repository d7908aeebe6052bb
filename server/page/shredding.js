// Destroying the key of an older epoch: what is lost with it, and the order of the steps (server/commands/keys.py,
// shred). What only that key opens and the clinician wrote themselves is sealed to the key in use first; the key goes
// last. Cut short anywhere, it can be run again.

import { AdviceError } from "./forms.js";
import { CONSENT, LABEL, MARK, NO_RECORD, PART } from "./wire/boxes.js";
import { b64url, equal, fromB64url, fromHex, hex, ID_BYTES } from "./wire/bytes.js";
import { judge } from "./wire/devices.js";
import { FrameError, held } from "./wire/errors.js";
import { resealed } from "./wire/leaving.js";
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
 * text). Only what is "kept" can be destroyed.
 * @typedef {{ epoch: number, keyId: Bytes, stated: Statement, state: "in use" | "kept" | "destroyed",
 *   shreddedAt: string | null }} Epoch */
/** What nobody can open afterwards: records by device in hex, with the days on which the first and the last of them
 * arrived, and how many records that colleagues shared.
 * @typedef {{ devices: Map<string, { count: number, from: string, to: string }>, shared: number }} Losses */
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
  const found = [];
  for (const { epoch, statement, shredded_at: shreddedAt } of epochs) {
    if (statement === null) continue;
    const stated = await verifyStatement(fromB64url(statement), pinned);
    if (stated.epoch !== epoch || !equal(stated.clinicianId, keys.clinicianId)) {
      throw new FrameError("a statement is in another's place");
    }
    const state = shreddedAt !== null ? "destroyed" : epoch >= keys.statement.epoch ? "in use" : "kept";
    found.push(/** @type {Epoch} */ ({ epoch, keyId: await keyId(stated.reading), stated, state, shreddedAt }));
  }
  return found.sort((a, b) => b.epoch - a.epoch);
}

/**
 * What would be lost with an epoch's key: looks through every record, and through what colleagues shared.
 * @param {Api} api
 * @param {Keys} keys
 * @param {Bytes} leaving the key's id
 * @param {(seen: number) => void} [told] how many records were looked through
 * @returns {Promise<Losses>}
 */
export async function lossesOf(api, keys, leaving, told) {
  const staying = keys.reader.keys.filter(({ id }) => !equal(id, leaving));
  /** @type {Losses} */
  const losses = { devices: new Map(), shared: 0 };
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
 * clients' names, marks, notes on parts and consents under this key are sealed to the one in use. Throws AdviceError for a key that cannot go,
 * and what `api` throws.
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
  const { keyId: leaving } = found;
  const { devices } = await api("GET", "/v1/devices");
  const { entries, broken } = shaped(devices, deviceEntry);
  if (broken > 0) throw new FrameError("the server's list of devices is not whole");
  let [moved, approved] = [0, 0];
  for (const entry of entries) {
    const path = `/v1/devices/${hex(entry.deviceId)}`;
    if ((await judge(entry, keys.reader)).trust === "proof") {
      const approvedAt = BigInt(Math.floor(now / 1000));
      const { signing, encryption } = entry;
      const approval = await signApproval(keys.identity, { signing, encryption, approvedAt });
      await api("PUT", `${path}/approval`, { approval: b64url(approval) });
      approved++;
    }
    const { deviceId } = entry;
    const subject = { purpose: LABEL, deviceId, recordId: NO_RECORD };
    const label = entry.label && (await resealed(entry.label, keys, leaving, subject));
    if (label) {
      await api("PUT", `${path}/label`, { label: b64url(label.sealed) });
      moved++;
    }
    // Notes on parts and consents have their versions for good: each stays the version that it is.
    const { notes } = await api("GET", `${path}/notes`);
    for (const { card, sealed } of shaped(notes, noteOn).entries) {
      const note = await resealed(sealed, keys, leaving, { purpose: PART, deviceId, recordId: fromHex(card, ID_BYTES) }, { same: true });
      if (note === null) continue;
      await api("PUT", `${path}/cards/${card}/note`, { sealed: b64url(note.sealed) });
      moved++;
    }
    const { consents } = await api("GET", `${path}/consents`);
    for (const { sealed } of shaped(consents, consentOf).entries) {
      const consent = await resealed(sealed, keys, leaving, { purpose: CONSENT, deviceId, recordId: NO_RECORD }, { same: true });
      if (consent === null) continue;
      await api("PUT", `${path}/consents/${consent.version}`, { sealed: b64url(consent.sealed) });
      moved++;
    }
  }
  const marks = shaped(await every(api, "/v1/marks", "marks", PAGE), markEntry);
  for (const { device, record, sealed } of marks.entries) {
    const [deviceId, recordId] = [fromHex(device, ID_BYTES), fromHex(record, ID_BYTES)];
    const mark = await resealed(sealed, keys, leaving, { purpose: MARK, deviceId, recordId });
    if (mark === null) continue;
    await api("PUT", `/v1/marks/${device}/${record}`, { version: mark.version, sealed: b64url(mark.sealed) });
    moved++;
  }
  await api("DELETE", `/v1/keys/${epoch}`);
  const destroyed = new Map(keys.reader.destroyed ?? []);
  destroyed.set(hex(leaving), Math.floor(now / 1000));
  const kept = keys.reader.keys.filter(({ id }) => !equal(id, leaving));
  return { keys: { ...keys, reader: { ...keys.reader, keys: kept, destroyed } }, moved, approved };
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
