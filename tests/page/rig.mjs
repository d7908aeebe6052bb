// What the page's tests share: the vectors, and a device and a clinician made of fixed keys.
//
// The page never seals a record; `sealRecord` is here so that every attack can be made, and it is a second hand at
// FORMAT.md section 2 that shares only the primitives with the page.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

import { b64url, concat, fromB64url, hex, order, pad, u64, utf8 } from "../../server/page/wire/bytes.js";
import { encode, moment } from "../../server/page/wire/content.js";
import { seal } from "../../server/page/wire/hpke.js";
import { NOTHING } from "../../server/page/wire/memory.js";
import { deviceProof, makeInvitation } from "../../server/page/wire/pairing.js";
import { aesSeal, agreementKey, keyId, random, sign, signingKey } from "../../server/page/wire/primitives.js";
import { read } from "../../server/page/wire/reader.js";

/** @typedef {import("../../server/page/wire/bytes.js").Bytes} Bytes */
/** @typedef {import("../../server/page/wire/listing.js").DeviceEntry} DeviceEntry */
/** @typedef {import("../../server/page/wire/listing.js").RecordEntry} RecordEntry */
/** @typedef {import("../../server/page/wire/primitives.js").AgreementKey} AgreementKey */
/** @typedef {import("../../server/page/wire/primitives.js").SigningKey} SigningKey */

export { b64url, fromB64url };

/**
 * A file of tests/vectors, parsed.
 * @param {string} name
 */
export function vectors(name) {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), "ascii"));
}

/**
 * 32 fixed bytes.
 * @param {string} text
 * @returns {Bytes}
 */
export function seed(text) {
  return new Uint8Array(createHash("sha256").update(`onebreath page test ${text}`).digest());
}

/**
 * The same bytes with one bit changed.
 * @param {Bytes} data
 * @param {number} at
 * @param {number} [bit]
 */
export function flip(data, at, bit = 0) {
  const changed = data.slice();
  changed[at] ^= 1 << bit;
  return changed;
}

/**
 * The content of a noticing, that many days after Monday 2 March 2026, 23:05 UTC.
 * @param {number} days
 * @param {{ part?: string, words?: string[] | null, doubt?: number[] }} [said]
 */
export function noticing(days, { part = "the foreman", words = ["he", "yelled"], doubt = [] } = {}) {
  const date = new Date(Date.UTC(2026, 2, 2 + days, 23, 5)).toISOString().slice(0, 19);
  const line = words && {
    words: words.map((text, at) => ({ text, doubt: doubt.includes(at) })),
    transcriber: "vosk",
    rough: false,
  };
  return encode({ part, at: moment(`${date}+00:00`), line });
}

/**
 * A record sealed by `device` for raw reading keys.
 * @param {SigningKey} device
 * @param {Bytes} plaintext
 * @param {{ sequence: bigint, readers: Bytes[], recordId?: Bytes, deviceId?: Bytes, size?: number }} how
 */
export async function sealRecord(
  device,
  plaintext,
  { sequence, readers, recordId = random(16), deviceId = device.public.id, size },
) {
  const sizes = [2048, 8192, 32768];
  const code = size ?? sizes.findIndex((one) => plaintext.length < one);
  const head = concat(
    Uint8Array.from([0x31, 0x42, 0x52, 0x63, 1, 1, readers.length, code]),
    deviceId,
    recordId,
    u64(sequence),
  );
  const dataKey = random(32);
  const stanzas = [];
  for (const reader of readers) {
    const id = await keyId(reader);
    const info = concat(utf8("onebreath record v1\0"), head.subarray(4, 6), head.subarray(8), id);
    stanzas.push(concat(id, await seal(dataKey, reader, info)));
  }
  const associated = concat(head, ...stanzas.sort(order));
  const sealed = await aesSeal(dataKey, new Uint8Array(12), pad(plaintext, sizes[code]), associated);
  return signRecord(device, concat(associated, sealed));
}

/**
 * @param {SigningKey} device
 * @param {Bytes} body
 */
export async function signRecord(device, body) {
  return concat(body, await sign(device, concat(utf8("onebreath record signature v1\0"), body)));
}

/** One clinician with a reading key for each of two epochs, and the devices that they paired. */
export class Clinic {
  /**
   * @param {SigningKey} identity
   * @param {AgreementKey[]} keys
   */
  constructor(identity, keys) {
    this.identity = identity;
    this.keys = keys;
    this.reader = { identity: identity.public, keys };
  }

  static async make(name = "Dr Okafor") {
    const keys = [await agreementKey(seed(`${name} epoch 1`)), await agreementKey(seed(`${name} epoch 2`))];
    return new Clinic(await signingKey(seed(`${name} identity`)), keys);
  }

  /**
   * A paired device: its keys, and the entry that an honest server lists.
   * @param {string} name
   */
  async device(name) {
    const signing = await signingKey(seed(`${name} signing`));
    const encryption = await agreementKey(seed(`${name} encryption`));
    const pairingId = seed(`${name} pairing`).slice(0, 16);
    const secret = seed(`${name} secret`).slice(0, 16);
    const invitation = await makeInvitation(this.identity, this.keys[0].public, {
      pairingId,
      secret,
      expiresAt: 1_790_000_000n,
    });
    /** @type {DeviceEntry} */
    const entry = {
      deviceId: signing.public.id,
      signing: signing.public.raw,
      encryption: encryption.public,
      proof: await deviceProof(secret, pairingId, signing.public.raw, encryption.public),
      pairingId,
      invitation,
      approval: null,
      state: "active",
      lastSeenAt: null,
      outboxDepth: null,
      label: null,
    };
    return { signing, encryption, entry, hex: hex(signing.public.id) };
  }

  /**
   * A record of a device, as an honest server lists it.
   * @param {{ signing: SigningKey, hex: string }} device
   * @param {bigint} sequence
   * @param {Bytes} [content]
   * @param {number} [epoch] 0 or 1
   * @returns {Promise<RecordEntry>}
   */
  async record(device, sequence, content = noticing(Number(sequence) - 1), epoch = 0) {
    const frame = await sealRecord(device.signing, content, { sequence, readers: [this.keys[epoch].public] });
    return { cursor: Number(sequence), device: device.hex, receivedAt: "2026-03-03T00:00:00Z", frame };
  }

  /**
   * Read, with nothing remembered unless given.
   * @param {DeviceEntry[]} entries
   * @param {RecordEntry[]} listed
   * @param {import("../../server/page/wire/memory.js").Memory} [memory]
   * @param {import("../../server/page/wire/reader.js").Ending} [ending]
   */
  read(entries, listed, memory = NOTHING, ending = {}) {
    return read(this.reader, entries, listed, memory, ending);
  }
}

/**
 * A clinician with two devices: the first with records from Monday to Thursday (Wednesday's of the second
 * epoch), the second with one; and a stranger.
 */
export async function caseload() {
  const clinic = await Clinic.make();
  const [one, two] = [await clinic.device("one"), await clinic.device("two")];
  const listed = [
    await clinic.record(one, 1n),
    await clinic.record(one, 2n),
    await clinic.record(one, 3n, undefined, 1),
    await clinic.record(one, 4n),
    await clinic.record(two, 1n, noticing(5, { part: "the little one by the window", words: null })),
  ];
  return { clinic, one, two, listed, entries: [one.entry, two.entry], stranger: await Clinic.make("Dr Nobody") };
}

/** @param {{ flags: { kind: string }[] }} reading */
export function kinds(reading) {
  return reading.flags.map(({ kind }) => kind);
}
