// A clinician's keys: made here, wrapped for the server to keep, and opened again. No private half leaves unwrapped.

import { b64url, equal, fromB64url, hex, ID_BYTES, KEY_BYTES } from "./wire/bytes.js";
import { FrameError, SealError, WrongSecretError } from "./wire/errors.js";
import { IDENTITY_EPOCH, unwrapIdentity, unwrapReading, wrapPrivate } from "./wire/keys.js";
import { agreementKey, keyId, random, signingKey } from "./wire/primitives.js";
import { formatParameters, LEAST, recoverySignIn, RECOVERY_BYTES, SALT_BYTES, signSetUp } from "./wire/secrets.js";
import { openPasskeySlot, openRecoverySlot, openWrappingSlot, passphraseSlot, recoverySlot } from "./wire/slots.js";
import { fingerprint, parseStatement, signStatement, verifyStatement } from "./wire/statement.js";

/** @typedef {import("./context.js").Keys} Keys */
/** @typedef {import("./stretching.js").Stretched} Stretched */
/** @typedef {import("./wire/bytes.js").Bytes} Bytes */
/** @typedef {import("./wire/primitives.js").AgreementKey} AgreementKey */
/** @typedef {import("./wire/secrets.js").Parameters} Parameters */
/** @typedef {import("./wire/slots.js").Slot} Slot */

/** `GET /v1/keys`, as the server says it.
 * @typedef {{ epochs: { epoch: number, statement: string | null, wrapped: string | null, shredded_at: string | null }[],
 *   slots: { slot: string, fields: Record<string, any> }[] }} Served */
/** What goes to the server for a new clinician, and the keys themselves; `wrapped` by epoch, `slots` by id.
 * @typedef {{ statement: Bytes, proof: Bytes, wrapped: Map<number, Bytes>, slots: Map<string, Slot>, keys: Keys }} Made */

/**
 * The cost and a fresh salt for a new passphrase.
 * @returns {Parameters}
 */
export function newParameters() {
  return { ...LEAST, salt: random(SALT_BYTES) };
}

/** A fresh recovery code of 128 bits. */
export function newCode() {
  return random(RECOVERY_BYTES);
}

/** A fresh id for a key slot, in hex. */
export function newSlotId() {
  return hex(random(ID_BYTES));
}

/**
 * A new clinician. Throws RangeError for a name that cannot be spoken.
 * @param {string} name as devices speak it
 * @param {{ token: Bytes, code: Bytes, stretched: Stretched, parameters: Parameters, now: number }} with_ `now` in Unix
 *   milliseconds; `parameters` those that `stretched` was made with
 * @returns {Promise<Made>}
 */
export async function makeKeys(name, { token, code, stretched, parameters, now }) {
  const [slotKey, rawIdentity, rawReading] = [random(KEY_BYTES), random(KEY_BYTES), random(KEY_BYTES)];
  try {
    const clinicianId = random(ID_BYTES);
    const [identity, reading] = [await signingKey(rawIdentity), await agreementKey(rawReading)];
    const issuedAt = BigInt(Math.floor(now / 1000));
    const stated = { clinicianId, name, epoch: 1, reading: reading.public, issuedAt };
    const statement = await signStatement(identity, stated);
    const wrapped = new Map([
      [IDENTITY_EPOCH, await wrapPrivate(rawIdentity, slotKey, { ...stated, epoch: 0, publicKey: identity.public.raw })],
      [1, await wrapPrivate(rawReading, slotKey, { ...stated, publicKey: reading.public })],
    ]);
    const slots = new Map([
      [newSlotId(), /** @type {Slot} */ (await recoverySlot(slotKey, code))],
      [newSlotId(), /** @type {Slot} */ (await passphraseSlot(slotKey, stretched.wrapping, parameters))],
    ]);
    const keys = {
      reader: { identity: identity.public, keys: [reading] },
      identity,
      reading: reading.public,
      clinicianId,
      statement: await parseStatement(statement),
    };
    return { statement, proof: await signSetUp(identity, token, statement), wrapped, slots, keys };
  } finally {
    for (const secret of [slotKey, rawIdentity, rawReading]) secret.fill(0);
  }
}

/**
 * What `POST /v1/set-up/finish` asks of these secrets; readers add their statement and proof.
 * @param {{ stretched: Stretched, parameters: Parameters, code: Bytes }} chosen
 */
export async function provenBy({ stretched, parameters, code }) {
  return {
    kdf: formatParameters(parameters),
    secret: b64url(stretched.signIn),
    recovery: b64url(await recoverySignIn(code)),
  };
}

/**
 * What `POST /v1/set-up/finish` takes as `keys`, so that account and keys are there together.
 * @param {Made} made
 */
export function firstKeys({ statement, wrapped, slots }) {
  const epochs = Array.from(wrapped, ([epoch, sealed]) => {
    const stated = epoch === IDENTITY_EPOCH ? {} : { statement: b64url(statement) };
    return [epoch, { ...stated, wrapped: b64url(sealed) }];
  });
  return { epochs: Object.fromEntries(epochs), slots: Object.fromEntries(slots) };
}

/**
 * The passphrase slots, those of these parameters first, with their own parameters.
 * @param {Served} served
 * @param {Bytes} [salt]
 */
export function passphraseSlots(served, salt) {
  const found = served.slots.filter(({ fields }) => fields.type === "passphrase");
  const first = salt === undefined ? "" : b64url(salt);
  found.sort((a, b) => Number(b.fields.salt === first) - Number(a.fields.salt === first));
  return found.map(({ slot, fields }) => ({ slot, fields, parameters: parametersOf(fields) }));
}

/**
 * The slot key by a stretched passphrase. Throws WrongSecretError when the slot is another's.
 * @param {Record<string, any>} fields
 * @param {Stretched} stretched
 */
export function keyByPassphrase(fields, stretched) {
  return openWrappingSlot(fields, stretched.wrapping);
}

/**
 * The slot key by a recovery code as it was typed. Throws WrongSecretError.
 * @param {Served} served
 * @param {string} typed
 */
export async function keyByCode(served, typed) {
  for (const { fields } of served.slots) {
    if (fields.type !== "recovery") continue;
    try {
      return await openRecoverySlot(fields, typed);
    } catch (error) {
      if (!(error instanceof WrongSecretError)) throw error;
    }
  }
  throw new WrongSecretError("no recovery slot opens with this code");
}

/**
 * The passkeys that unlock: credential ids, each with what its PRF is to be evaluated on, in b64url.
 * @param {Served} served
 * @returns {Map<string, string>}
 */
export function unlockingPasskeys(served) {
  const found = served.slots.filter(({ fields }) => fields.type === "passkey");
  return new Map(found.map(({ fields }) => [String(fields.credential), String(fields.salt)]));
}

/**
 * The slot key by what a passkey's PRF answered. Throws WrongSecretError when none of its slots opens.
 * @param {Served} served
 * @param {Bytes} credential
 * @param {Bytes} output
 */
export async function keyByPasskey(served, credential, output) {
  const id = b64url(credential);
  for (const { fields } of served.slots) {
    if (fields.type !== "passkey" || fields.credential !== id) continue;
    try {
      return await openPasskeySlot(fields, output);
    } catch (error) {
      if (!(error instanceof WrongSecretError)) throw error;
    }
  }
  throw new WrongSecretError("no slot opens with this passkey");
}

/**
 * The keys under a slot key; `slotKey` is zeroed. The newest statement is believed because the identity key that opens
 * under the slot key, bound to its public half, signed it; the others because that identity signed them too.
 * Throws FrameError, SealError.
 * @param {Served} served
 * @param {Bytes} slotKey
 * @returns {Promise<Keys>}
 */
export async function openKeys(served, slotKey) {
  try {
    const epochs = [...served.epochs].sort((a, b) => b.epoch - a.epoch);
    const newest = epochs.find(({ statement }) => statement !== null);
    const kept = epochs.find(({ epoch }) => epoch === IDENTITY_EPOCH);
    if (newest === undefined || !kept?.wrapped) throw new FrameError("the server keeps no identity key for you");
    const statement = await parseStatement(fromB64url(newest.statement));
    const { clinicianId } = statement;
    const publicKey = statement.identity.raw;
    const identity = await unwrapIdentity(fromB64url(kept.wrapped), slotKey, { clinicianId, publicKey });
    const pinned = await fingerprint(identity.public);
    /** @type {AgreementKey[]} */
    const keys = [];
    /** @type {Map<string, number>} */
    const destroyed = new Map();
    for (const { epoch, statement: said, wrapped, shredded_at: shredded } of epochs) {
      if (epoch === IDENTITY_EPOCH || said === null) continue;
      const stated = await verifyStatement(fromB64url(said), pinned);
      if (!equal(stated.clinicianId, clinicianId) || stated.epoch !== epoch) {
        throw new SealError("a statement is in another's place");
      }
      if (shredded !== null) destroyed.set(hex(await keyId(stated.reading)), Math.floor(Date.parse(shredded) / 1000));
      else if (wrapped !== null) {
        const place = { clinicianId, epoch, publicKey: stated.reading };
        keys.push(await unwrapReading(fromB64url(wrapped), slotKey, place));
      }
    }
    if (!keys.some(({ public: raw }) => equal(raw, statement.reading))) {
      throw new FrameError("the server does not keep your newest reading key");
    }
    const reader = { identity: identity.public, keys, destroyed };
    return { reader, identity, reading: statement.reading, clinicianId, statement };
  } finally {
    slotKey.fill(0);
  }
}

/**
 * @param {Record<string, any>} fields
 * @returns {Parameters}
 */
function parametersOf({ passes, memory_kib: memoryKib, lanes, salt }) {
  return { passes, memoryKib, lanes, salt: fromB64url(salt, SALT_BYTES) };
}
