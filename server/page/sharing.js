// Cover: who the colleagues are, confirming one, sharing records with them, and ending that. Calls and order; the
// cryptography is in wire/, the work on records in sharing_maker.js.

import { AdviceError } from "./forms.js";
import { keepConfirmation, keptConfirmations, sawColleague } from "./sharing_memory.js";
import { b64url, equal, hex } from "./wire/bytes.js";
import { colleagueEntry, confirms, known, spokenFingerprint } from "./wire/colleagues.js";
import { confirmedBy, signConfirmation } from "./wire/confirmation.js";
import { FrameError } from "./wire/errors.js";
import { shaped } from "./wire/listing.js";
import { placeOf } from "./wire/notes.js";
import { keyId } from "./wire/primitives.js";
import { fingerprint } from "./wire/statement.js";
import { safe } from "./wire/text.js";

/** @typedef {import("./context.js").Keys} Keys */
/** @typedef {import("./sharing_maker.js").Sharer} Sharer */
/** @typedef {import("./sharing_maker.js").Wanted} Wanted */
/** @typedef {import("./sharing_memory.js").Kept} Kept */
/** @typedef {import("./wire/bytes.js").Bytes} Bytes */
/** @typedef {import("./wire/statement.js").Statement} Statement */
/** @typedef {(method: string, path: string, body?: unknown) => Promise<any>} Api */

/** A colleague as they are shown. `shared`: how many records of one's own they can fetch.
 * `newest`: the number of the newest reading key of theirs that this browser has seen; 0 before they are confirmed.
 * @typedef {{ id: string, stated: Statement, confirmed: boolean, spoken: string, shared: number, newest: number }}
 *   Colleague */
/** `exchanged`: colleagues whom the server shows with another identity than the confirmed one; they are left out.
 * @typedef {{ colleagues: Colleague[], exchanged: number }} Colleagues */
/** How far it is: records looked through, of how many (null: not known), and how many the colleague has now.
 * @typedef {{ seen: number, of: number | null, shared: number }} Progress */
/** `shared`: how many records of those that were chosen the colleague can read now; `added`: those of them that are new.
 * @typedef {{ shared: number, added: number }} Outcome */

/** Shares that one call takes. */
export const BATCH = 100;
const PAGE = 500;
const GIVEN_PAGE = 200;
/** The greatest cursor there is (FORMAT.md section 7). */
const LAST_CURSOR = "9223372036854775807";

/**
 * The colleagues of the practice. Throws what `api` throws.
 * @param {Api} api
 * @param {Keys} keys
 * @param {Kept} storage
 * @returns {Promise<Colleagues>}
 */
export async function colleaguesOf(api, keys, storage) {
  const { colleagues: listed } = await api("GET", "/v1/colleagues");
  const { entries } = shaped(listed, colleagueEntry);
  const confirmations = keptConfirmations(storage, hex(keys.clinicianId));
  const confirmed = await confirmedBy(confirmations, keys.identity.public, keys.clinicianId);
  const found = await known(entries, confirmed);
  const colleagues = Array.from(found, async ([id, { stated, confirmed: compared }]) => {
    const { count } = await api("GET", `/v1/shares/${id}?limit=1`);
    const shared = Number.isSafeInteger(count) ? count : 0;
    const newest = compared ? sawColleague(storage, hex(keys.clinicianId), id, stated.epoch) : 0;
    return { id, stated, confirmed: compared, spoken: await spokenFingerprint(stated.identity), shared, newest };
  });
  const exchanged = entries.filter(({ clinicianId }) => confirmed.has(hex(clinicianId)) && !found.has(hex(clinicianId)));
  return { colleagues: await Promise.all(colleagues), exchanged: exchanged.length };
}

/**
 * Note that this colleague's fingerprint was compared. Throws AdviceError when what was typed is not it, or when this
 * browser cannot keep the note.
 * @param {Keys} keys
 * @param {Colleague} colleague
 * @param {string} typed
 * @param {{ storage: Kept, now: number }} how `now` in Unix milliseconds
 */
export async function confirmColleague(keys, { stated }, typed, { storage, now }) {
  if (!(await confirms(stated.identity, typed))) {
    throw new AdviceError(
      `That is not the fingerprint of the key that the server shows for ${safe(stated.name)}. Check it with them once ` +
        "more. If it stays so, the server shows another key: share nothing, and tell whoever runs the server.",
    );
  }
  const { clinicianId: colleagueId } = stated;
  const made = await signConfirmation(keys.identity, {
    clinicianId: keys.clinicianId,
    colleagueId,
    fingerprint: await fingerprint(stated.identity),
    at: BigInt(Math.floor(now / 1000)),
  });
  if (!keepConfirmation(storage, hex(keys.clinicianId), made)) {
    throw new AdviceError("This browser could not keep it. Let it keep data for this page, and confirm again.");
  }
  sawColleague(storage, hex(keys.clinicianId), hex(colleagueId), stated.epoch);
}

/**
 * What is said of a colleague whom the server shows with an older reading key than was seen; null for any other.
 * @param {Colleague} colleague
 */
export function olderKey({ stated, newest }) {
  if (stated.epoch >= newest) return null;
  return (
    `The server shows reading key ${stated.epoch} of ${safe(stated.name)}, and this browser has seen their key ${newest}. ` +
    "Nothing is shared to an older key. Ask them to look at their reading keys, and tell whoever runs the server."
  );
}

/**
 * Let a colleague read the records that are wanted: newest first, at most a hundred in a call. What they have already,
 * sealed to their newest key, is left; cut short anywhere it can be run again, and goes on. Once it has ended, whatever
 * way, no call of its own is under way. Throws AdviceError for a colleague who is not confirmed or is shown with an
 * older key than was seen, what `api` throws, and the signal's reason.
 * @param {{ api: Api, keys: Keys, sharer: Sharer, colleague: Colleague, wanted: Wanted, signal: AbortSignal,
 *   told: (progress: Progress) => void }} how
 * @returns {Promise<Outcome>}
 */
export async function share({ api, keys, sharer, colleague, wanted, signal, told }) {
  if (!colleague.confirmed) throw new AdviceError("Compare the fingerprint first.");
  const older = olderKey(colleague);
  if (older !== null) throw new AdviceError(older);
  const stopped = aborted(signal);
  /** @type {Api} */
  const call = async (...asked) => {
    signal.throwIfAborted();
    const answer = await api(...asked);
    signal.throwIfAborted();
    return answer;
  };
  const { reading: recipient } = colleague.stated;
  const given = await givenTo(call, colleague.id, hex(await keyId(recipient)));
  const { devices } = await call("GET", "/v1/devices");
  const { reader, identity } = keys;
  // A worker that was ended never answers.
  const believed = await Promise.race([sharer.begin({ reader, identity, recipient, devices, wanted }), stopped]);
  const one = wanted.devices?.length === 1 ? `&device=${wanted.devices[0]}` : "";
  const of = await countOf(call, one === "" ? believed : believed.filter((device) => device === wanted.devices?.[0]));
  const done = { seen: 0, of, shared: 0 };
  let added = 0;
  for (let before = LAST_CURSOR; ; ) {
    const page = await call("GET", `/v1/records?before=${before}&limit=${PAGE}${one}`);
    const { shares, left } = await Promise.race([sharer.take(page.records, given), stopped]);
    done.seen += page.records.length;
    done.shared += left;
    told({ ...done });
    for (let at = 0; at < shares.length; at += BATCH) {
      const batch = shares.slice(at, at + BATCH);
      const answer = await call("POST", "/v1/shares", { to: colleague.id, shares: batch.map(b64url) });
      done.shared += batch.length;
      added += Number.isSafeInteger(answer.added) ? answer.added : 0;
      told({ ...done });
    }
    if (page.more !== true) return { shared: done.shared, added };
    if (!(Number.isSafeInteger(page.next) && page.next > 0 && (before === LAST_CURSOR || page.next < Number(before)))) {
      throw new FrameError("the server's list runs in a circle");
    }
    before = String(page.next);
  }
}

/**
 * End it: the server gives the colleague nothing of one's own any more. How many records that were.
 * @param {Api} api
 * @param {Colleague} colleague
 * @returns {Promise<number>}
 */
export async function endSharing(api, { id }) {
  const { removed } = await api("DELETE", `/v1/shares/${id}`);
  return Number.isSafeInteger(removed) ? removed : 0;
}

/**
 * The same colleague as the server shows them now, for a reading key that is theirs today. Throws AdviceError when they
 * are gone, or are not who was confirmed.
 * @param {Api} api
 * @param {Keys} keys
 * @param {Kept} storage
 * @param {Colleague} colleague
 */
export async function again(api, keys, storage, colleague) {
  const { colleagues } = await colleaguesOf(api, keys, storage);
  const found = colleagues.find(({ id }) => id === colleague.id);
  if (found === undefined || !equal(found.stated.identity.raw, colleague.stated.identity.raw)) {
    throw new AdviceError(`${safe(colleague.stated.name)} is no longer among your colleagues. Nothing was shared.`);
  }
  return found;
}

/**
 * @param {AbortSignal} signal
 * @returns {Promise<never>}
 */
function aborted(signal) {
  const stopped = new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason));
  });
  stopped.catch(() => {});
  return /** @type {Promise<never>} */ (stopped);
}

/**
 * The places of what a colleague has, sealed to this key.
 * @param {Api} call
 * @param {string} id
 * @param {string} recipient
 */
async function givenTo(call, id, recipient) {
  /** @type {Set<string>} */
  const given = new Set();
  const seen = new Set();
  for (let after = ""; ; ) {
    const page = await call("GET", `/v1/shares/${id}?limit=${GIVEN_PAGE}${after}`);
    if (!Array.isArray(page.shares)) throw new FrameError("the server's answer is not of this version");
    for (const one of page.shares) if (one?.recipient === recipient) given.add(placeOf(one));
    const next = String(page.next);
    if (page.more !== true || seen.has(next) || !/^[0-9a-f]{48}$/.test(next)) return given;
    seen.add(next);
    after = `&after=${next}`;
  }
}

/**
 * How many records there are to look through.
 * @param {Api} call
 * @param {readonly string[]} devices
 */
async function countOf(call, devices) {
  let count = 0;
  for (const device of devices) {
    const { records } = await call("GET", `/v1/devices/${device}/records`);
    if (!Number.isSafeInteger(records)) return null;
    count += records;
  }
  return count;
}
