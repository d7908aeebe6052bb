// Making the next reading key: the order of the steps, so that no interruption leaves an account that cannot open
// (server/rotating.py does the same for a key file).
//
// Statement and wrapped key go to the server in one call, which it takes or leaves whole: there is no statement that a
// device could follow without the key that opens what it then sends. The key is wrapped under the slot key, which every
// slot holds (passphrase, printed code, passkeys), so that each of them opens the new key with the old ones. What was
// asked and not answered is asked after, and a key that was made is never made a second time.

import { AdviceError } from "./forms.js";
import { openKeys } from "./keyring.js";
import { b64url, equal, KEY_BYTES } from "./wire/bytes.js";
import { SealError } from "./wire/errors.js";
import { unwrapReading, wrapPrivate } from "./wire/keys.js";
import { agreementKey, random } from "./wire/primitives.js";
import { signStatement } from "./wire/statement.js";

/** @typedef {import("./context.js").Keys} Keys */
/** @typedef {import("./keyring.js").Served} Served */
/** @typedef {import("./wire/bytes.js").Bytes} Bytes */
/** @typedef {(method: string, path: string, body?: unknown) => Promise<any>} Api */

/** `made`: a new key was made now; otherwise one was there that this page did not have yet.
 * @typedef {{ keys: Keys, made: boolean }} Rotated */
/** `slotKey` gives the slot key of what the server keeps, by whatever secret the person gave; it throws
 * WrongSecretError. `holding` is told of the new key before the server is: whatever a device seals to it from then on
 * can be opened on this page. `now` in Unix milliseconds.
 * @typedef {{ api: Api, keys: Keys, slotKey: (served: Served) => Promise<Bytes>, holding: (keys: Keys) => void,
 *   now: number }} How */

const DAY_S = 86_400;
const UNSURE =
  "It is not known whether the server has the new key. Nothing is lost: try again, and it goes on where it was.";
const OLDER =
  "The server shows an older reading key than this page has. It may have been restored from a backup. Nothing was " +
  "changed; tell whoever runs it.";

/**
 * How old the reading key in use is, in whole days.
 * @param {Keys} keys
 * @param {number} now Unix milliseconds
 */
export function ageInDays({ statement }, now) {
  return Math.max(0, Math.floor((now / 1000 - Number(statement.issuedAt)) / DAY_S));
}

/**
 * Make the next reading key, state it, and use it; or take over one that was made before. Throws WrongSecretError,
 * FrameError, SealError, AdviceError, and what `api` throws; nothing was changed then, or running it again goes on.
 * @param {How} how
 * @returns {Promise<Rotated>}
 */
export async function rotate(how) {
  const { api, keys } = how;
  const served = await api("GET", "/v1/keys");
  const slotKey = await how.slotKey(served);
  const rawPrivate = random(KEY_BYTES);
  try {
    const there = await opened(served, slotKey, keys);
    if (there.statement.epoch > keys.statement.epoch) return { keys: there, made: false };
    const pair = await agreementKey(rawPrivate);
    const epoch = keys.statement.epoch + 1;
    const place = { clinicianId: keys.clinicianId, epoch, publicKey: pair.public };
    const statement = await signStatement(keys.identity, {
      clinicianId: keys.clinicianId,
      name: keys.statement.name,
      epoch,
      reading: pair.public,
      // A clock that was set back must not make the newer statement look older.
      issuedAt: later(BigInt(Math.floor(how.now / 1000)), keys.statement.issuedAt),
    });
    const wrapped = await wrapPrivate(rawPrivate, slotKey, place);
    // Read back before it is sent: a copy that does not open would be found out too late.
    await unwrapReading(wrapped, slotKey, place);
    how.holding({ ...keys, reader: { ...keys.reader, keys: [pair, ...keys.reader.keys] } });
    try {
      await api("PUT", `/v1/keys/${epoch}`, { statement: b64url(statement), wrapped: b64url(wrapped) });
    } catch (error) {
      // Another tab or machine made one meanwhile, or the answer was lost: what the server has decides.
      if (!(error instanceof Error && (error.name === "OfflineError" || ("code" in error && error.code === "epoch")))) throw error;
    }
    const now = await settled(api, slotKey, keys);
    const ours = equal(now.reading, pair.public);
    if (now.statement.epoch < epoch) throw new AdviceError("The server did not take the new key. Nothing was changed; try again.");
    return { keys: now, made: ours };
  } finally {
    slotKey.fill(0);
    rawPrivate.fill(0);
  }
}

/**
 * @param {Api} api
 * @param {Bytes} slotKey
 * @param {Keys} keys
 */
async function settled(api, slotKey, keys) {
  let served;
  try {
    served = await api("GET", "/v1/keys");
  } catch (error) {
    throw new AdviceError(UNSURE, { cause: error });
  }
  return opened(served, slotKey, keys);
}

/**
 * What the server keeps, opened, if it is this clinician's and no older.
 * @param {Served} served
 * @param {Bytes} slotKey
 * @param {Keys} keys
 */
async function opened(served, slotKey, keys) {
  // openKeys zeroes what it is given.
  const found = await openKeys(served, slotKey.slice());
  const same =
    equal(found.identity.public.raw, keys.identity.public.raw) && equal(found.clinicianId, keys.clinicianId);
  if (!same) throw new SealError("the server gives another clinician's keys");
  if (found.statement.epoch < keys.statement.epoch) throw new AdviceError(OLDER);
  if (found.statement.epoch === keys.statement.epoch && !equal(found.reading, keys.reading)) {
    throw new SealError("the server gives another reading key under the same number");
  }
  return found;
}

/**
 * @param {bigint} a
 * @param {bigint} b
 */
function later(a, b) {
  return a > b ? a : b;
}
