// Opening and sending a client's parts: the calls, in their order. What is shown is in views/parts.js.

import { sentence } from "../api.js";
import { b64url, hex, ID_BYTES } from "../wire/bytes.js";
import { encodeCard } from "../wire/card_content.js";
import { openReport } from "../wire/card_reports.js";
import { nextVersion, sealCard } from "../wire/cards.js";
import { ContentError, held } from "../wire/errors.js";
import { shaped } from "../wire/listing.js";
import { makePartNote, readPartNote } from "../wire/part_notes.js";
import { random, verifyKey } from "../wire/primitives.js";
import { cardEntry, noteEntry } from "./listing.js";
import { cardOf, partsOf } from "./model.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../context.js").Keys} Keys */
/** @typedef {import("../wire/bytes.js").Bytes} Bytes */
/** @typedef {import("../wire/card_reports.js").Report} Report */
/** @typedef {import("../wire/listing.js").DeviceEntry} DeviceEntry */
/** @typedef {import("../wire/part_notes.js").PartNote} PartNote */
/** @typedef {import("./listing.js").CardEntry} CardEntry */
/** @typedef {import("./model.js").Noted} Noted */
/** @typedef {import("./model.js").Parts} Parts */

const NOT_NOTED = "The device was told, but your own copy of it could not be kept. Send it again.";

/** What a device has reported, newest first seen: `older` the server showed an older one since; `foreign` what is there
 * is not the device's own. @typedef {{ report: (Report & { number: number }) | null, older: boolean, foreign: boolean }} Reported */

/** The reports of one device as they were seen while the page is open, by card and version. */
export class Reports {
  /** @type {Map<string, Report & { number: number }>} */
  #newest = new Map();

  /**
   * @param {CardEntry} entry
   * @param {DeviceEntry} device
   * @param {Keys} keys
   * @returns {Promise<Reported>}
   */
  async of(entry, device, { reader }) {
    const place = `${entry.card}/${entry.version}`;
    const known = this.#newest.get(place) ?? null;
    const { report: frame } = entry;
    if (frame === null) return { report: known, older: known !== null, foreign: false };
    const signer = await verifyKey(device.signing);
    const about = { frame, device: signer, reader, card: entry.cardId, version: BigInt(entry.version) };
    const opened = await held(() => openReport(about));
    if (opened === null) return { report: known, older: false, foreign: true };
    if (known !== null && opened.number < known.number) return { report: known, older: true, foreign: false };
    this.#newest.set(place, opened);
    return { report: opened, older: false, foreign: false };
  }

  /** Nothing that was opened outlives the view. */
  forget() {
    this.#newest.clear();
  }
}

/**
 * A device's cards as listed; `broken`: how many entries could not be read at all.
 * @param {Context["api"]} api
 * @param {DeviceEntry} device
 * @returns {Promise<{ entries: CardEntry[], broken: number }>}
 */
export async function listed(api, device) {
  const { cards } = await api("GET", `${pathOf(device)}/cards`);
  return shaped(cards, cardEntry);
}

/**
 * A client's parts. `foreign`: notes that are not the clinician's, or were altered, and are left out.
 * @param {Context["api"]} api
 * @param {DeviceEntry} device
 * @param {Keys} keys
 * @returns {Promise<{ parts: Parts, broken: number, foreign: number }>}
 */
export async function openParts(api, device, { reader, clinicianId }) {
  const [{ entries, broken }, { notes }] = await Promise.all([
    listed(api, device),
    api("GET", `${pathOf(device)}/notes`),
  ]);
  const sealed = shaped(notes, noteEntry);
  /** @type {Map<string, Noted>} */
  const noted = new Map();
  let foreign = sealed.broken;
  for (const { card, sealed: note } of sealed.entries) {
    const entry = entries.find((one) => one.card === card);
    if (entry === undefined) continue;
    const opened = await held(() => readPartNote(note, { ...device, cardId: entry.cardId }, reader, clinicianId));
    if (opened === null) foreign++;
    else noted.set(card, opened);
  }
  return { parts: partsOf(entries, noted), broken, foreign };
}

/**
 * Send a part's card, and keep the clinician's own note of it. The card goes first: a note without its card would say
 * what the device was never told. Throws RangeError, worded for a person, for what a card cannot say.
 * @param {Context} context
 * @param {Keys} keys
 * @param {DeviceEntry} device whose keys are believed
 * @param {PartNote} note
 * @param {Bytes} cardId of the part's card so far, or a new one; the same when it is tried again
 */
export async function sendPart(context, keys, device, note, cardId) {
  const content = said(() => encodeCard(cardOf(note)));
  const { entries } = await listed(context.api, device);
  const version = nextVersion(entries.map((one) => BigInt(one.version)), context.now() / 1000);
  const place = { deviceId: device.deviceId, cardId, version: Number(version) };
  // Sealed before anything is sent, so that what cannot be kept is not sent either.
  const kept = await making(() => makePartNote(keys, place, note));
  const sealed = await sealCard(content, {
    signer: keys.identity,
    deviceId: device.deviceId,
    cardId,
    version,
    recipient: device.encryption,
  });
  const path = `${pathOf(device)}/cards/${hex(cardId)}`;
  await context.api("PUT", path, sealed);
  try {
    await context.api("PUT", `${path}/note`, { sealed: b64url(kept) });
  } catch (error) {
    throw new RangeError(`${NOT_NOTED} ${sentence(error)}`, { cause: error });
  }
}

/** A fresh id for a part's card. */
export function newCardId() {
  return random(ID_BYTES);
}

/** @param {DeviceEntry} device */
function pathOf({ deviceId }) {
  return `/v1/devices/${hex(deviceId)}`;
}

/**
 * @template T
 * @param {() => T} make
 */
function said(make) {
  try {
    return make();
  } catch (error) {
    throw forPerson(error);
  }
}

/**
 * @template T
 * @param {() => Promise<T>} make
 */
async function making(make) {
  try {
    return await make();
  } catch (error) {
    throw forPerson(error);
  }
}

/** @param {unknown} error */
function forPerson(error) {
  return error instanceof ContentError ? new RangeError(`This cannot be sent: ${error.message}.`) : error;
}

