// What was agreed with a client: the vectors, sealing, and what a server can do to a list of versions.

import assert from "node:assert/strict";
import { test } from "node:test";

import { openBox, parseBox, verifyBox } from "../../server/page/wire/boxes.js";
import { utf8 } from "../../server/page/wire/bytes.js";
import { decodeConsent, encodeConsent, makeConsent, readConsents } from "../../server/page/wire/consents.js";
import { ContentError, FrameError, SealError } from "../../server/page/wire/errors.js";
import { agreementKey, signingKey, verifyKey } from "../../server/page/wire/primitives.js";
import { b64url, fromB64url, seed, vectors } from "./rig.mjs";

const VECTORS = vectors("consent.json");
const ID = seed("clinician").slice(0, 16);
const DEVICE = seed("device").slice(0, 16);

/** A clinician's keys, with an older reading key besides. */
async function clinician() {
  const [identity, own, older] = [
    await signingKey(seed("identity")),
    await agreementKey(seed("reading")),
    await agreementKey(seed("older")),
  ];
  const reader = { identity: identity.public, keys: [own, older], destroyed: new Map() };
  return { identity, own, older, reader, sealing: { identity, reading: own.public, clinicianId: ID } };
}

test("boxes", async (t) => {
  for (const vector of VECTORS.boxes) {
    await t.test(vector.name, async () => {
      const identity = await verifyKey(fromB64url(vector.identity));
      const key = await agreementKey(fromB64url(vector.private));
      /** @type {[string, Function, () => Promise<any>][]} */
      const steps = [["parse", FrameError, async () => parseBox(fromB64url(vector.box))]];
      steps.push(["verify", SealError, async () => verifyBox(parseBox(fromB64url(vector.box)), identity)]);
      steps.push(["open", SealError, async () => openBox(parseBox(fromB64url(vector.box)), [key])]);
      for (const [step, error, act] of steps) {
        if (step === vector.expect) {
          await assert.rejects(act, /** @type {any} */ (error));
          return;
        }
        await act();
      }
      assert.equal(vector.expect, "holds");
      const box = parseBox(fromB64url(vector.box));
      assert.deepEqual(await openBox(box, [key]), utf8(vector.content));
      assert.equal(box.version, vector.number);
    });
  }
});

for (const vector of VECTORS.contents) {
  test(`content: ${vector.name}`, () => {
    const data = utf8(vector.text);
    if (vector.expect === "holds") assert.deepEqual(encodeConsent(decodeConsent(data)), data);
    else assert.throws(() => decodeConsent(data), ContentError);
  });
}

test("what is sealed is read back, and what is kept back, altered or moved is told", async () => {
  const { sealing, reader, older, identity } = await clinician();
  const said = (/** @type {number} */ at) => ({ on: `2026-03-0${at}`, agreed: [`Point ${at}.`] });
  const make = async (/** @type {number} */ at, how = sealing, device = DEVICE) => ({
    version: at,
    sealed: b64url(await makeConsent(how, device, said(at), at)),
    created_at: `2026-03-0${at}T10:00:00Z`,
  });
  const [one, two, three] = [await make(1), await make(2, { ...sealing, reading: older.public }), await make(3)];
  const whole = await readConsents([three, one, two], DEVICE, reader, ID);
  assert.deepEqual(
    whole.consents.map(({ version, on, agreed }) => ({ version, on, agreed })),
    [1, 2, 3].map((version) => ({ version, ...said(version) })),
  );
  assert.deepEqual({ ...whole, consents: [] }, { consents: [], newest: 3, missing: 0, closed: 0, forged: 0 });

  const kept = await readConsents([one, three], DEVICE, reader, ID);
  assert.deepEqual([kept.missing, kept.newest], [1, 3]);
  const closed = await readConsents([two], DEVICE, { ...reader, keys: reader.keys.slice(0, 1) }, ID);
  assert.deepEqual([closed.consents.length, closed.closed, closed.newest], [0, 1, 2]);

  const bytes = fromB64url(one.sealed);
  bytes[200] ^= 1;
  const stranger = await signingKey(seed("stranger"));
  const forged = [
    { ...one, sealed: b64url(bytes) },
    { ...one, version: 2 },
    { ...one, sealed: "%" },
    await make(1, sealing, seed("another").slice(0, 16)),
    await make(1, { ...sealing, identity: stranger }),
    await make(1, { ...sealing, clinicianId: seed("other").slice(0, 16) }),
  ];
  for (const entry of forged) {
    const read = await readConsents([entry], DEVICE, reader, ID);
    assert.deepEqual([read.consents.length, read.forged], [0, 1]);
  }
  const twice = await readConsents([one, one], DEVICE, reader, ID);
  assert.deepEqual([twice.consents.length, twice.forged], [1, 1]);
  assert.equal(identity.public, reader.identity);
});
