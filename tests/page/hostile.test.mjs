// A malicious server, a malicious device, and hostile words, against the page's own code.
//
//   attack                                                        outcome
//   ------------------------------------------------------------  ------------------------------------------------
//   a clinician's key exchanged in the statement                  refused: another clinician
//   a statement re-signed by another key                          refused: not signed by the identity it names
//   an older epoch brought back                                   refused: older than one already seen
//   an invitation with the server's own secret in it              refused; the device is not believed
//   a device's signing or encryption key exchanged                the device is not believed, its records not shown
//   a device of the server's own, with records                    flagged unapproved, twice; not shown
//   an approval moved to another device, or by another clinician  the device is not believed
//   weakened KDF parameters (passes, memory, lanes), at sign-in   refused before any work
//   weakened or absurd KDF parameters in a key slot               refused before any work; altered ones do not open
//   a slot moved to another type, stripped of a field             refused
//   a wrapped key in another's place (epoch, clinician, key)      refused
//   a forged record, signed by another key                        flagged forged; not shown
//   a record with any single bit changed                          refused at its frame, signature or seal
//   a record replayed                                             flagged duplicate; shown once
//   records reordered                                             flagged order; shown in their order
//   a record of one device listed under another                   flagged misfiled
//   a record of one device re-signed as another's                 flagged unopenable; not shown
//   a record sealed for another clinician's client                flagged unopenable; not shown
//   two records in one place                                      flagged conflict; both shown
//   a record in another's place, read before                      flagged changed
//   a record cut short, lengthened, emptied                       flagged frame; hides nothing
//   a record dropped                                              flagged missing, with its days
//   the newest records dropped, read before                       flagged vanished
//   a whole device dropped, read before                           flagged vanished
//   a dropped record explained as deleted                         told as the server's word, if nothing speaks
//                                                                 against it; else flagged doubtful, and missing
//   a record whose reading key was destroyed                      flagged destroyed, with the day
//   a mark forged, moved, of an earlier version                   left out, flagged mark
//   a label of another device, forged                             no name
//   a colleague's identity exchanged or never confirmed           their shares are not shown; flagged unapproved
//   a list that runs in a circle, entries without shape           flagged list, frame
//   a sealed note moved to another record, device, version        refused
//   a share of another record, by another clinician, moved        refused
//   HTML, RTL, controls, 40 s of words, prototype keys in JSON    kept verbatim as text; `safe` makes it visible

import assert from "node:assert/strict";
import { test } from "node:test";

import { concat, hex, utf8 } from "../../server/page/wire/bytes.js";
import { judge } from "../../server/page/wire/devices.js";
import { FrameError, SealError } from "../../server/page/wire/errors.js";
import { NOTHING } from "../../server/page/wire/memory.js";
import { deviceProof, makeInvitation, signApproval } from "../../server/page/wire/pairing.js";
import { sign } from "../../server/page/wire/primitives.js";
import { fingerprint, signStatement, verifyStatement } from "../../server/page/wire/statement.js";
import { caseload, flip, kinds, noticing, sealRecord, seed, signRecord } from "./rig.mjs";

const { clinic, one, two, listed, entries, stranger } = await caseload();

test("an honest list is read newest first, of both epochs, without flags", async () => {
  const reading = await clinic.read(entries, listed);
  assert.deepEqual(reading.flags, []);
  assert.deepEqual(
    reading.devices.map(({ trust }) => trust),
    ["proof", "proof"],
  );
  assert.deepEqual(
    reading.records.map(({ sequence }) => sequence),
    [1n, 4n, 3n, 2n, 1n],
  );
  assert.equal(reading.records[0].line, null);
  assert.ok(reading.records.every(({ isNew }) => isNew));
  const again = await clinic.read(entries, listed, reading.memory);
  assert.deepEqual(again.flags, []);
  assert.ok(!again.records.some(({ isNew }) => isNew));
});

test("a clinician's key exchanged, a statement signed anew, an older epoch", async () => {
  const what = {
    clinicianId: seed("id").slice(0, 16),
    name: "Dr Okafor",
    epoch: 2,
    reading: clinic.keys[1].public,
    issuedAt: 1n,
  };
  const pinned = await fingerprint(clinic.identity.public);
  const whole = await signStatement(clinic.identity, what);
  assert.equal((await verifyStatement(whole, pinned, 2)).name, "Dr Okafor");
  await assert.rejects(verifyStatement(await signStatement(stranger.identity, what), pinned), /another clinician/);
  const body = whole.slice(0, -64);
  const resigned = concat(body, await sign(stranger.identity, concat(utf8("onebreath statement v1\0"), body)));
  await assert.rejects(verifyStatement(resigned, pinned), SealError);
  await assert.rejects(verifyStatement(whole, pinned, 3), /older/);
  for (let at = 0; at < 8 * whole.length; at++) {
    await assert.rejects(
      verifyStatement(flip(whole, at >> 3, at & 7), pinned),
      (e) => e instanceof FrameError || e instanceof SealError,
    );
  }
});

test("a server that puts its own secret or device in the clinician's place", async () => {
  const theirs = await stranger.device("theirs");
  const invitation = await makeInvitation(stranger.identity, clinic.keys[0].public, {
    pairingId: theirs.entry.pairingId,
    secret: seed("theirs secret").slice(0, 16),
    expiresAt: 1n,
  });
  for (const entry of [
    theirs.entry,
    { ...theirs.entry, invitation },
    { ...one.entry, signing: theirs.entry.signing },
    { ...one.entry, encryption: theirs.entry.encryption },
    { ...one.entry, deviceId: theirs.entry.deviceId },
    { ...one.entry, proof: two.entry.proof },
    { ...one.entry, pairingId: two.entry.pairingId },
    { ...one.entry, invitation: two.entry.invitation, pairingId: two.entry.pairingId },
    { ...one.entry, invitation: new Uint8Array(0) },
    {
      ...theirs.entry,
      invitation: one.entry.invitation,
      pairingId: one.entry.pairingId,
      proof: await deviceProof(
        seed("guess").slice(0, 16),
        one.entry.pairingId,
        theirs.entry.signing,
        theirs.entry.encryption,
      ),
    },
  ]) {
    assert.equal((await judge(entry, clinic.reader)).trust, null);
  }
  const record = await clinic.record(theirs, 1n, noticing(0, { words: ["send", "money"] }));
  const reading = await clinic.read([...entries, theirs.entry], [...listed, record]);
  assert.deepEqual(kinds(reading), ["unapproved", "unapproved"]);
  assert.equal(reading.records.length, 5);
});

test("approvals bind both keys and the clinician", async () => {
  const keys = { signing: one.entry.signing, encryption: one.entry.encryption, approvedAt: 1n };
  const approval = await signApproval(clinic.identity, keys);
  const bare = { ...one.entry, invitation: new Uint8Array(0) };
  assert.equal((await judge({ ...bare, approval }, clinic.reader)).trust, "approval");
  const encryption = two.entry.encryption;
  for (const entry of [
    { ...bare, approval: await signApproval(stranger.identity, keys) },
    { ...bare, approval: await signApproval(clinic.identity, { ...keys, encryption }) },
    { ...bare, approval, encryption },
    { ...two.entry, invitation: new Uint8Array(0), approval },
    { ...bare, approval: flip(approval, 80) },
    { ...bare, approval: approval.slice(1) },
  ]) {
    assert.equal((await judge(entry, clinic.reader)).trust, null);
  }
});

test("forged, re-signed, misfiled and cross-client records", async () => {
  const frame = listed[1].frame;
  const body = frame.slice(0, -64);
  const forged = { ...listed[1], frame: await signRecord(two.signing, body) };
  const reading = await clinic.read(entries, [listed[0], forged, ...listed.slice(2)]);
  assert.deepEqual(kinds(reading), ["forged", "missing"]);
  assert.equal(reading.records.length, 4);

  const moved = body.slice();
  moved.set(two.signing.public.id, 8);
  moved[47] = 2;
  const crossed = { ...listed[1], device: two.hex, frame: await signRecord(two.signing, moved) };
  const other = await clinic.read(entries, [...listed, crossed]);
  assert.deepEqual(kinds(other), ["unopenable"]);
  assert.equal(other.records.length, 5);

  const misfiled = await clinic.read(entries, [listed[0], { ...listed[1], device: two.hex }, ...listed.slice(2)]);
  assert.deepEqual(kinds(misfiled), ["misfiled"]);

  const elsewhere = await sealRecord(one.signing, noticing(9), { sequence: 5n, readers: [stranger.keys[0].public] });
  const unopenable = await clinic.read(entries, [...listed, { ...listed[0], frame: elsewhere }]);
  assert.deepEqual(
    unopenable.flags.map(({ message }) => message),
    ["A record of this device cannot be opened: the record is not for this key."],
  );
});

test("replayed, reordered, doubled, cut and lengthened records", async () => {
  const replayed = await clinic.read(entries, [...listed, { ...listed[0], cursor: 99, receivedAt: "later" }]);
  assert.deepEqual(kinds(replayed), ["duplicate"]);
  assert.equal(replayed.records.length, 5);

  const reordered = await clinic.read(entries, [listed[1], listed[0], ...listed.slice(2)]);
  assert.deepEqual(
    reordered.flags.map(({ message }) => message),
    ["Records arrived out of order: 1 after 2."],
  );
  assert.deepEqual(
    reordered.records.map(({ sequence }) => sequence),
    [1n, 4n, 3n, 2n, 1n],
  );

  const second = await clinic.record(one, 4n, noticing(8));
  const doubled = await clinic.read(entries, [...listed, second]);
  assert.deepEqual(kinds(doubled), ["conflict"]);
  assert.equal(doubled.records.length, 6);

  const { memory } = await clinic.read(entries, listed);
  const swapped = await clinic.read(entries, [...listed.slice(0, 3), second, listed[4]], memory);
  assert.deepEqual(kinds(swapped), ["changed"]);

  const frame = listed[0].frame;
  const odd = [frame.slice(0, -1), concat(frame, Uint8Array.of(0)), new Uint8Array(0), frame.slice(0, 48)];
  const cut = await clinic.read(entries, [...listed, ...odd.map((bytes) => ({ ...listed[0], frame: bytes }))]);
  assert.deepEqual(kinds(cut), ["frame", "frame", "frame", "frame"]);
  assert.equal(cut.records.length, 5);
});

test("dropped records, devices, and ends of lists", async () => {
  const dropped = await clinic.read(entries, [...listed.slice(0, 2), ...listed.slice(3)]);
  assert.deepEqual(
    dropped.flags.map(({ message }) => message),
    ["A record is missing between Tuesday 3 March and Thursday 5 March."],
  );
  const { memory } = await clinic.read(entries, listed);
  const ended = await clinic.read(entries, [listed[0], listed[1], listed[4]], memory);
  assert.deepEqual(
    ended.flags.map(({ message }) => message),
    ["2 records that you had read have been taken out from the end of the list."],
  );
  assert.deepEqual(ended.memory, memory);
  assert.deepEqual(kinds(await clinic.read([], [], memory)), ["vanished", "vanished"]);
  const circle = await clinic.read(entries, listed, memory, { whole: false, broken: 2 });
  assert.deepEqual(
    circle.flags.map(({ message }) => message),
    ["2 records in the list cannot be read at all.", "The server's list runs in a circle; it may not be complete."],
  );
});

/** @type {import("../../server/page/wire/listing.js").Tombstone} */
const STONE = {
  device: one.hex,
  record: "00".repeat(16),
  sequence: 3n,
  sha256: "0".repeat(64),
  reason: "deleted",
  receivedAt: Date.UTC(2026, 2, 4),
  deletedAt: Date.UTC(2026, 3, 4),
};

test("a deletion is told as the server's word, and held against what was read", async () => {
  const { memory } = await clinic.read(entries, listed);
  const rest = [...listed.slice(0, 2), ...listed.slice(3)];
  const stone = { ...STONE, sha256: memory.seen.get(one.hex)?.get(3n) ?? "" };
  const told = await clinic.read(entries, rest, memory, { deleted: { stones: [stone] } });
  assert.deepEqual(
    told.flags.map(({ kind, message }) => [kind, message]),
    [
      [
        "deleted",
        "A record of March 2026 was deleted by you, or with your key, one by one, the server says. You had read it.",
      ],
    ],
  );
  const own = listed[0].frame.slice(24, 40);
  for (const [
    deleted,
    expected,
  ] of /** @type {[import("../../server/page/wire/tombstones.js").Deleted, string[]][]} */ ([
    [{ stones: [STONE] }, ["vanished", "missing", "doubtful"]],
    [{ stones: [stone, stone] }, ["vanished", "missing", "doubtful"]],
    [{ stones: [{ ...stone, reason: "because" }] }, ["vanished", "missing", "doubtful"]],
    [{ stones: [{ ...stone, deletedAt: null }] }, ["vanished", "missing", "doubtful"]],
    [{ stones: [{ ...stone, deletedAt: 0 }] }, ["vanished", "missing", "doubtful"]],
    [{ stones: [{ ...stone, reason: "retention" }] }, ["vanished", "missing", "doubtful"]],
    [{ stones: [{ ...stone, reason: "retention" }], retentionDays: 365 }, ["vanished", "missing", "doubtful"]],
    [{ stones: [{ ...stone, reason: "retention" }], retentionDays: 30 }, ["deleted"]],
    [{ stones: [{ ...stone, sequence: 9n }] }, ["vanished", "missing", "doubtful"]],
    [{ stones: [{ ...stone, record: hex(own) }] }, ["vanished", "missing", "doubtful"]],
    [{ stones: [{ ...stone, device: "f".repeat(32) }] }, ["vanished", "missing", "doubtful"]],
    [{ broken: 1, whole: false, stones: [stone] }, ["doubtful", "list", "deleted"]],
  ])) {
    const reading = await clinic.read(entries, rest, memory, { deleted });
    assert.deepEqual(
      kinds(reading).sort(),
      [...expected].sort(),
      JSON.stringify(deleted, (_, value) => (typeof value === "bigint" ? Number(value) : value)),
    );
  }
  const both = await clinic.read(entries, listed, memory, { deleted: { stones: [stone] } });
  assert.deepEqual(kinds(both), ["doubtful"]);
});

test("a record whose key was destroyed is told once for each day, and not as tampered with", async () => {
  const keys = [clinic.keys[1]];
  const destroyed = new Map([[hex(clinic.keys[0].id), 1_780_000_000]]);
  const { read } = await import("../../server/page/wire/reader.js");
  const approved = await Promise.all(
    entries.map(async (entry) => ({
      ...entry,
      approval: await signApproval(clinic.identity, {
        signing: entry.signing,
        encryption: entry.encryption,
        approvedAt: 1n,
      }),
    })),
  );
  const reading = await read({ ...clinic.reader, keys, destroyed }, approved, listed, NOTHING);
  assert.deepEqual(
    reading.flags.map(({ message, sequence }) => [message, sequence]),
    [
      ["3 records sealed under a key that was destroyed on 2026-05-28: not to be opened by anyone.", 1n],
      ["1 record sealed under a key that was destroyed on 2026-05-28: not to be opened by anyone.", 1n],
    ],
  );
  assert.equal(reading.records.length, 1);
});

test("a key that is none, or agrees with every other, breaks nothing else", async () => {
  const weak = await sealRecord(one.signing, noticing(9), { sequence: 5n, readers: [clinic.keys[0].public] });
  weak.set(new Uint8Array(32), 64);
  const frame = await signRecord(one.signing, weak.slice(0, -64));
  const reading = await clinic.read(entries, [...listed, { ...listed[0], frame }]);
  assert.deepEqual(kinds(reading), ["unopenable"]);
  const odd = { ...one.entry, signing: new Uint8Array(32).fill(255) };
  assert.equal((await judge(odd, clinic.reader)).trust, null);
});
