// Marks, labels and shares in the hands of a malicious server (the table is in hostile.test.mjs).

import assert from "node:assert/strict";
import { test } from "node:test";

import * as boxes from "../../server/page/wire/boxes.js";
import { concat, hex, utf8 } from "../../server/page/wire/bytes.js";
import * as colleagues from "../../server/page/wire/colleagues.js";
import { SealError } from "../../server/page/wire/errors.js";
import * as notes from "../../server/page/wire/notes.js";
import { agreementKey, sign } from "../../server/page/wire/primitives.js";
import { makeShare, openShared } from "../../server/page/wire/sharing.js";
import { fingerprint, signStatement } from "../../server/page/wire/statement.js";
import { caseload, flip, kinds, noticing, seed } from "./rig.mjs";

const { clinic, one, two, listed, entries, stranger } = await caseload();

test("marks and labels: only one's own, of that record, and no earlier one brought back", async () => {
  const clinicianId = seed("okafor").slice(0, 16);
  const own = { identity: clinic.identity, reading: clinic.keys[1].public, clinicianId };
  const { records } = await clinic.read(entries, listed);
  const none = await notes.readMarks(clinic.reader, clinicianId, [], new Map());
  const first = await notes.makeMark(own, records[1], { said: "discussed", at: 5 }, none);
  const noted = await notes.readMarks(clinic.reader, clinicianId, [first], new Map());
  assert.deepEqual(noted.flags, []);
  assert.deepEqual(noted.marks.get(notes.placeOf(records[1])), { said: "discussed", at: 5 });
  const second = await notes.makeMark(own, records[1], { said: "none", at: 6 }, noted);
  const later = await notes.readMarks(clinic.reader, clinicianId, [second], noted.versions);
  assert.deepEqual([later.flags, second.version], [[], 2]);
  const back = await notes.readMarks(clinic.reader, clinicianId, [first], later.versions);
  assert.match(back.flags[0].message, /brought earlier ones back: 1\.$/);
  assert.deepEqual(back.versions, later.versions);
  const theirs = await notes.makeMark(
    { ...own, identity: stranger.identity },
    records[2],
    { said: "discussed", at: 1 },
    none,
  );
  const closed = await notes.makeMark(
    { ...own, reading: stranger.keys[0].public },
    records[2],
    { said: "discussed", at: 1 },
    none,
  );
  const label = await notes.makeLabel(own, one.entry.deviceId, "Ana", 1);
  const odd = [
    theirs,
    { ...first, record: records[2].record },
    { ...first, version: 3 },
    { ...first, sealed: label },
    { ...first, sealed: new Uint8Array(3) },
  ];
  const mixed = await notes.readMarks(clinic.reader, clinicianId, [first, ...odd, closed], new Map(), {
    broken: 1,
    whole: false,
  });
  assert.deepEqual(
    mixed.flags.map(({ message }) => message),
    [
      "Marks that are not yours, or were altered, are left out: 6.",
      "Marks that were sealed to a key that is not here cannot be opened: 1.",
      "The server's list of marks runs in a circle; it may not be whole.",
    ],
  );
  assert.equal(mixed.marks.size, 1);
  const kept = { ...one.entry, label };
  assert.deepEqual(await notes.readLabel(kept, clinic.reader, clinicianId), { name: "Ana", version: 1 });
  for (const entry of [
    { ...two.entry, label },
    { ...kept, label: flip(label, 300) },
    { ...kept, label: first.sealed },
    { ...kept, label: null },
  ]) {
    assert.equal(await notes.readLabel(entry, clinic.reader, clinicianId), null);
  }
  assert.equal(await notes.readLabel(kept, stranger.reader, clinicianId), null);
  assert.throws(() => notes.makeLabel(own, one.entry.deviceId, " Ana", 2), RangeError);
});

test("a colleague's shares: believed for their confirmed identity alone", async () => {
  const what = {
    clinicianId: seed("id").slice(0, 16),
    name: "Dr Okafor",
    epoch: 2,
    reading: clinic.keys[1].public,
    issuedAt: 1n,
  };
  const served = [{ clinicianId: what.clinicianId, statement: await signStatement(clinic.identity, what) }];
  const from = hex(what.clinicianId);
  const pinned = new Map([[from, await fingerprint(clinic.identity.public)]]);
  const how = {
    device: one.signing.public,
    keys: clinic.keys,
    identity: clinic.identity,
    recipient: stranger.keys[1].public,
  };
  const entry = { from, share: await makeShare(listed[0].frame, how), frame: listed[0].frame, receivedAt: "x" };
  const trusted = await colleagues.known(served, pinned);
  const good = await colleagues.readShared(stranger.reader, [entry], trusted);
  assert.deepEqual([good.flags, good.records.map(({ sharedBy }) => sharedBy)], [[], ["Dr Okafor"]]);

  const unconfirmed = await colleagues.known(served, new Map());
  const exchanged = await colleagues.known(
    [{ ...served[0], statement: await signStatement(stranger.identity, what) }],
    pinned,
  );
  const misnamed = await colleagues.known([{ ...served[0], clinicianId: seed("x").slice(0, 16) }], new Map());
  assert.deepEqual([exchanged.size, misnamed.size], [0, 0]);
  for (const believed of [unconfirmed, exchanged]) {
    const reading = await colleagues.readShared(stranger.reader, [entry, entry], believed);
    assert.deepEqual([kinds(reading), reading.records], [["unapproved"], []]);
  }
  const elsewhere = await makeShare(listed[0].frame, { ...how, recipient: (await agreementKey(seed("gone"))).public });
  const odd = [
    entry,
    { ...entry, share: flip(entry.share, 50) },
    { ...entry, frame: listed[1].frame },
    { ...entry, share: elsewhere },
  ];
  const reading = await colleagues.readShared(stranger.reader, [entry, ...odd], trusted, { broken: 2, whole: false });
  assert.deepEqual(kinds(reading), ["frame", "list", "duplicate", "forged", "forged", "unopenable"]);
  assert.equal(reading.records.length, 1);

  const spoken = await colleagues.spokenFingerprint(clinic.identity.public);
  assert.match(spoken, /^([0-9a-f]{4} ){7}[0-9a-f]{4}$/);
  assert.ok(await colleagues.confirms(clinic.identity.public, ` ${spoken.toUpperCase()} `));
  assert.ok(!(await colleagues.confirms(clinic.identity.public, spoken.slice(0, -2))));
  assert.ok(!(await colleagues.confirms(stranger.identity.public, spoken)));
});

test("sealed notes cannot be moved or taken for another's", async () => {
  const how = {
    purpose: boxes.MARK,
    identity: clinic.identity,
    reading: clinic.keys[1].public,
    clinicianId: seed("c").slice(0, 16),
    deviceId: one.entry.deviceId,
    recordId: seed("r").slice(0, 16),
    version: 1,
  };
  const box = await boxes.sealBox(boxes.encodeMark({ said: "discussed", at: 5 }), how);
  const parsed = boxes.parseBox(box);
  await boxes.verifyBox(parsed, clinic.identity.public);
  assert.deepEqual(boxes.decodeMark(await boxes.openBox(parsed, clinic.keys)), { said: "discussed", at: 5 });
  await assert.rejects(boxes.verifyBox(parsed, stranger.identity.public), SealError);
  await assert.rejects(boxes.openBox(parsed, stranger.keys), SealError);
  for (let at = 0; at < 8 * box.length; at++) {
    await assert.rejects(async () =>
      boxes.verifyBox(boxes.parseBox(flip(box, at >> 3, at & 7)), clinic.identity.public),
    );
  }
  for (const at of [8, 24, 40, 63]) {
    const moved = flip(box.slice(0, -64), at, at === 63 ? 1 : 0);
    const resigned = concat(moved, await sign(clinic.identity, concat(utf8("onebreath box signature v1\0"), moved)));
    await assert.rejects(async () => boxes.openBox(boxes.parseBox(resigned), clinic.keys), SealError);
  }
});

test("a share is of one record, by one clinician, for one colleague", async () => {
  const frame = listed[0].frame;
  const how = {
    device: one.signing.public,
    keys: clinic.keys,
    identity: clinic.identity,
    recipient: stranger.keys[1].public,
  };
  const share = await makeShare(frame, how);
  assert.deepEqual(await openShared(share, frame, clinic.identity.public, stranger.keys), noticing(0));
  await assert.rejects(openShared(share, listed[1].frame, clinic.identity.public, stranger.keys), /another record/);
  await assert.rejects(openShared(share, frame, stranger.identity.public, stranger.keys), SealError);
  await assert.rejects(openShared(share, frame, clinic.identity.public, clinic.keys), /not for this key/);
  await assert.rejects(makeShare(frame, { ...how, keys: stranger.keys }), SealError);
  await assert.rejects(makeShare(flip(frame, 500), how), SealError);
  const body = share.slice(0, -64);
  const resigned = concat(body, await sign(stranger.identity, concat(utf8("onebreath share signature v1\0"), body)));
  await assert.rejects(openShared(resigned, frame, stranger.identity.public, stranger.keys), /made by another/);
  for (let at = 0; at < 8 * share.length; at += 5) {
    await assert.rejects(openShared(flip(share, at >> 3, at & 7), frame, clinic.identity.public, stranger.keys));
  }
});
