// The page's code as a process that Python talks to: one JSON request a line, one JSON answer a line.
//
// {"op": NAME, ...} is answered by {"ok": VALUE}, or by {"error": KIND, "message": TEXT} when it is refused. Bytes are
// base64url. Anything else that goes wrong ends the process: that is a fault, and not a refusal.

import { createInterface } from "node:readline";

import * as boxes from "../../server/page/wire/boxes.js";
import { colleagueEntry, confirms, known, readShared, spokenFingerprint } from "../../server/page/wire/colleagues.js";
import { resealed } from "../../server/page/wire/leaving.js";
import { b64url, fromB64url, fromUtf8, hex, utf8 } from "../../server/page/wire/bytes.js";
import { decodeCard, encodeCard } from "../../server/page/wire/card_content.js";
import { decodeReport } from "../../server/page/wire/card_reports.js";
import { openCard, parseCard, sealCard } from "../../server/page/wire/cards.js";
import { decode, encode } from "../../server/page/wire/content.js";
import { ContentError, FrameError, SealError, WrongSecretError } from "../../server/page/wire/errors.js";
import { open, seal } from "../../server/page/wire/hpke.js";
import { unwrapPrivate, wrapPrivate } from "../../server/page/wire/keys.js";
import { formatLink, parseLink } from "../../server/page/wire/link.js";
import { deviceEntry, recordEntry, shaped, sharedEntry, tombstone } from "../../server/page/wire/listing.js";
import { formatMemory, parseMemory } from "../../server/page/wire/memory.js";
import * as pairing from "../../server/page/wire/pairing.js";
import { aesOpen, agree, agreementKey, signingKey, verifies, verifyKey } from "../../server/page/wire/primitives.js";
import { read } from "../../server/page/wire/reader.js";
import { openFrame, parseFrame, verifyFrame } from "../../server/page/wire/record.js";
import { formatCode, parseCode } from "../../server/page/wire/recovery_code.js";
import * as secrets from "../../server/page/wire/secrets.js";
import { makeShare, openShared } from "../../server/page/wire/sharing.js";
import * as slots from "../../server/page/wire/slots.js";
import { signStatement, verifyStatement } from "../../server/page/wire/statement.js";
import { sealRecord } from "./rig.mjs";

/** @typedef {Record<string, any>} Request */

const in_ = fromB64url;
const out = b64url;
/** @param {string[]} list */
const agreements = (list) => Promise.all(list.map((one) => agreementKey(in_(one))));

/** @type {Record<string, (asked: Request) => unknown>} */
const OPS = {
  async hpke_open({ sealed, private: secret, info, aad }) {
    return out(await open(in_(sealed), await agreementKey(in_(secret)), in_(info), in_(aad)));
  },
  async hpke_seal({ plaintext, public: recipient, info, aad }) {
    return out(await seal(in_(plaintext), in_(recipient), in_(info), { associated: in_(aad) }));
  },
  async agree({ private: secret, public: other }) {
    return out(await agree(await agreementKey(in_(secret)), in_(other)));
  },
  async public_of({ private: secret }) {
    const raw = in_(secret);
    return { x25519: out((await agreementKey(raw)).public), ed25519: out((await signingKey(raw)).public.raw) };
  },
  async aes_open({ key, nonce, sealed, aad }) {
    const plaintext = await aesOpen(in_(key), in_(nonce), in_(sealed), in_(aad));
    return plaintext && out(plaintext);
  },
  async verifies({ public: raw, signature, data }) {
    return verifies(await verifyKey(in_(raw)), in_(signature), in_(data));
  },
  async open_record({ frame, device, privates }) {
    const parsed = parseFrame(in_(frame));
    await verifyFrame(parsed, await verifyKey(in_(device)));
    const plaintext = await openFrame(parsed, await agreements(privates));
    return { plaintext: out(plaintext), record: hex(parsed.recordId), sequence: String(parsed.sequence) };
  },
  async seal_record({ plaintext, device, readers, sequence }) {
    const how = { sequence: BigInt(sequence), readers: readers.map((/** @type {string} */ one) => in_(one)) };
    return out(await sealRecord(await signingKey(in_(device)), in_(plaintext), how));
  },
  content({ data }) {
    return out(encode(decode(in_(data))));
  },
  async open_box({ box, identity, private: secret }) {
    const parsed = boxes.parseBox(in_(box));
    await boxes.verifyBox(parsed, await verifyKey(in_(identity)));
    const plaintext = await boxes.openBox(parsed, [await agreementKey(in_(secret))]);
    const said = parsed.purpose === boxes.MARK ? boxes.decodeMark(plaintext) : boxes.decodeLabel(plaintext);
    return { said, record: hex(parsed.recordId), version: parsed.version };
  },
  async seal_box({ purpose, identity, reading, clinician, device, record, version, mark, label }) {
    const plaintext = purpose === boxes.MARK ? boxes.encodeMark(mark) : boxes.encodeLabel(label);
    return out(
      await boxes.sealBox(plaintext, {
        purpose,
        version,
        identity: await signingKey(in_(identity)),
        reading: in_(reading),
        clinicianId: in_(clinician),
        deviceId: in_(device),
        recordId: in_(record),
      }),
    );
  },
  label({ data }) {
    return boxes.decodeLabel(in_(data));
  },
  async open_card({ card, identity, private: secret }) {
    const frame = parseCard(in_(card));
    const plaintext = await openCard(frame, await agreementKey(in_(secret)), await verifyKey(in_(identity)));
    return { content: fromUtf8(encodeCard(decodeCard(plaintext))), version: String(frame.version) };
  },
  async seal_card({ content, signer, device, card, version, recipient }) {
    return out(
      await sealCard(encodeCard(decodeCard(utf8(content))), {
        signer: await signingKey(in_(signer)),
        deviceId: in_(device),
        cardId: in_(card),
        version: BigInt(version),
        recipient: in_(recipient),
      }),
    );
  },
  report_content({ data }) {
    decodeReport(in_(data));
    return out(in_(data));
  },
  card_content({ data }) {
    return out(encodeCard(decodeCard(in_(data))));
  },
  async statement({ data, fingerprint }) {
    const { name, epoch, reading, issuedAt } = await verifyStatement(in_(data), in_(fingerprint));
    return { name, epoch, reading: out(reading), issued_at: String(issuedAt) };
  },
  async sign_statement({ identity, clinician, name, epoch, reading, issued_at: issued }) {
    const what = { clinicianId: in_(clinician), name, epoch, reading: in_(reading), issuedAt: BigInt(issued) };
    return out(await signStatement(await signingKey(in_(identity)), what));
  },
  link({ text }) {
    return formatLink(parseLink(text));
  },
  async open_invitation({ data, identity, private: secret }) {
    const opened = await pairing.openInvitation(in_(data), await verifyKey(in_(identity)), [
      await agreementKey(in_(secret)),
    ]);
    return { pairing: out(opened.pairingId), secret: out(opened.secret), expires_at: String(opened.expiresAt) };
  },
  async make_invitation({ identity, reading, pairing: id, secret, expires_at: expires }) {
    const what = { pairingId: in_(id), secret: in_(secret), expiresAt: BigInt(expires) };
    return out(await pairing.makeInvitation(await signingKey(in_(identity)), in_(reading), what));
  },
  async approve({ identity, signing, encryption, at }) {
    const what = { signing: in_(signing), encryption: in_(encryption), approvedAt: BigInt(at) };
    return out(await pairing.signApproval(await signingKey(in_(identity)), what));
  },
  async share({ frame, device, private: secret, identity, recipient }) {
    const how = {
      device: await verifyKey(in_(device)),
      keys: [await agreementKey(in_(secret))],
      identity: await signingKey(in_(identity)),
    };
    return out(await makeShare(in_(frame), { ...how, recipient: in_(recipient) }));
  },
  async open_shared({ share, frame, identity, private: secret }) {
    return out(
      await openShared(in_(share), in_(frame), await verifyKey(in_(identity)), [await agreementKey(in_(secret))]),
    );
  },
  async read_shared({ identity, privates, destroyed, shares, broken, whole, colleagues, confirmed }) {
    const gone = new Map(Object.entries(destroyed));
    const reader = { identity: await verifyKey(in_(identity)), keys: await agreements(privates), destroyed: gone };
    const pins = new Map(Object.entries(confirmed).map(([id, print]) => [id, in_(/** @type {string} */ (print))]));
    const believed = await known(shaped(colleagues, colleagueEntry).entries, pins);
    const listed = shaped(shares, sharedEntry);
    const reading = await readShared(reader, listed.entries, believed, { broken: broken + listed.broken, whole });
    const number = (/** @type {bigint | null} */ one) => (one === null ? null : Number(one));
    return {
      known: Array.from(believed, ([id, one]) => ({ id, name: one.stated.name, confirmed: one.confirmed })),
      records: reading.records.map(({ device, record, sequence, at, part, line, receivedAt, isNew, sharedBy }) => ({
        device,
        record,
        sequence: number(sequence),
        at: at.text,
        part,
        line,
        received_at: receivedAt,
        new: isNew,
        shared_by: sharedBy,
      })),
      flags: reading.flags.map(({ kind, message, device, sequence }) => ({
        kind,
        message,
        device,
        sequence: number(sequence),
      })),
    };
  },
  async spoken({ identity }) {
    return spokenFingerprint(await verifyKey(in_(identity)));
  },
  async confirms({ identity, typed }) {
    return confirms(await verifyKey(in_(identity)), typed);
  },
  async resealed({ box, identity, privates, reading, clinician, leaving, purpose, device, record }) {
    const signer = await signingKey(in_(identity));
    const keys = await agreements(privates);
    const mine = { reader: { identity: signer.public, keys }, identity: signer, reading: in_(reading), clinicianId: in_(clinician) };
    const found = await resealed(in_(box), mine, in_(leaving), { purpose, deviceId: in_(device), recordId: in_(record) });
    return found && { version: found.version, sealed: out(found.sealed) };
  },
  async wrap({ private: secret, key, clinician, epoch, public: raw }) {
    return out(await wrapPrivate(in_(secret), in_(key), { clinicianId: in_(clinician), epoch, publicKey: in_(raw) }));
  },
  async unwrap({ data, key, clinician, epoch, public: raw }) {
    return out(await unwrapPrivate(in_(data), in_(key), { clinicianId: in_(clinician), epoch, publicKey: in_(raw) }));
  },
  parameters({ text }) {
    return secrets.formatParameters(secrets.parseParameters(text));
  },
  async derive({ passphrase, parameters }) {
    const found = await secrets.derive(passphrase, secrets.parseParameters(parameters));
    return { sign_in: out(found.signIn), wrapping: out(found.wrapping) };
  },
  async recovery_sign_in({ code }) {
    return out(await secrets.recoverySignIn(in_(code)));
  },
  async sign_set_up({ identity, token, statement }) {
    return out(await secrets.signSetUp(await signingKey(in_(identity)), in_(token), in_(statement)));
  },
  async open_passphrase_slot({ slot, passphrase }) {
    return out(await slots.openPassphraseSlot(slot, passphrase));
  },
  async open_passkey_slot({ slot, output }) {
    return out(await slots.openPasskeySlot(slot, in_(output)));
  },
  async open_recovery_slot({ slot, code }) {
    return out(await slots.openRecoverySlot(slot, code));
  },
  async recovery_slot({ key, code }) {
    return { slot: await slots.recoverySlot(in_(key), in_(code)), printed: formatCode(in_(code)) };
  },
  async slots({ key, wrapping, parameters, output, credential, salt }) {
    return [
      await slots.passphraseSlot(in_(key), in_(wrapping), secrets.parseParameters(parameters)),
      await slots.passkeySlot(in_(key), in_(output), { credential: in_(credential), salt: in_(salt) }),
    ];
  },
  code({ text }) {
    return out(parseCode(text));
  },
  async read({ identity, privates, destroyed, devices, records, broken, whole, memory, tombstones, days }) {
    const gone = new Map(Object.entries(destroyed));
    const reader = { identity: await verifyKey(in_(identity)), keys: await agreements(privates), destroyed: gone };
    const stones = shaped(tombstones, tombstone);
    const deleted = { stones: stones.entries, broken: stones.broken, retentionDays: days };
    const listed = shaped(records, recordEntry);
    const reading = await read(reader, shaped(devices, deviceEntry).entries, listed.entries, parseMemory(memory), {
      broken: broken + listed.broken,
      whole,
      deleted,
      batch: 3,
    });
    const number = (/** @type {bigint | null} */ one) => (one === null ? null : Number(one));
    return {
      records: reading.records.map(({ device, record, sequence, at, part, line, when, receivedAt, isNew }) => ({
        device,
        record,
        sequence: number(sequence),
        at: at.text,
        part,
        line,
        when,
        received_at: receivedAt,
        new: isNew,
      })),
      flags: reading.flags.map(({ kind, message, device, sequence }) => ({
        kind,
        message,
        device,
        sequence: number(sequence),
      })),
      trust: reading.devices.map(({ trust }) => trust),
      memory: formatMemory(reading.memory),
    };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  let answer;
  try {
    answer = { ok: await OPS[asked.op](asked) };
  } catch (error) {
    if (!(error instanceof FrameError || error instanceof SealError || error instanceof WrongSecretError)) throw error;
    answer = { error: error instanceof ContentError ? "FrameError" : error.name, message: error.message };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
