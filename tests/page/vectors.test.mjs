// tests/vectors: what must hold holds, and what must be refused is refused at its own step, as in tests/wire.

import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeLabel, decodeMark, MARK, openBox, parseBox, verifyBox } from "../../server/page/wire/boxes.js";
import { utf8 } from "../../server/page/wire/bytes.js";
import { decodeCard, encodeCard } from "../../server/page/wire/card_content.js";
import {
  decodeReport,
  openReport,
  openReportFrame,
  parseReport,
  verifyReport,
} from "../../server/page/wire/card_reports.js";
import { openCard, parseCard, verifyCard } from "../../server/page/wire/cards.js";
import { decode, encode } from "../../server/page/wire/content.js";
import { verifyEndorsement } from "../../server/page/wire/endorsement.js";
import { ContentError, FrameError, SealError } from "../../server/page/wire/errors.js";
import { unwrapPrivate } from "../../server/page/wire/keys.js";
import { formatLink, parseLink } from "../../server/page/wire/link.js";
import * as pairing from "../../server/page/wire/pairing.js";
import { agreementKey, random, verifyKey } from "../../server/page/wire/primitives.js";
import { openFrame, parseFrame, verifyFrame } from "../../server/page/wire/record.js";
import { derive, parseParameters, recoverySignIn } from "../../server/page/wire/secrets.js";
import { openShared, parseShare, verifyShare } from "../../server/page/wire/sharing.js";
import { verifyStatement } from "../../server/page/wire/statement.js";
import { fromB64url, vectors } from "./rig.mjs";

/** @typedef {Record<string, any>} Vector */

/**
 * The first step that refuses, by the kind of its error; "holds" when none does.
 * @param {[string, new (message?: string) => Error, () => unknown][]} steps
 */
async function walk(steps) {
  for (const [name, refusal, step] of steps) {
    try {
      await step();
    } catch (error) {
      assert.ok(error instanceof refusal, `${name} threw ${error}`);
      return name;
    }
  }
  return "holds";
}

test("records", async (t) => {
  for (const vector of vectors("record.json")) {
    await t.test(vector.name, async () => {
      const device = await verifyKey(fromB64url(vector.device));
      const key = await agreementKey(fromB64url(vector.private));
      /** @type {any} */ let frame;
      /** @type {any} */ let plaintext;
      const step = await walk([
        ["parse", FrameError, () => (frame = parseFrame(fromB64url(vector.frame)))],
        ["verify", SealError, () => verifyFrame(frame, device)],
        ["open", SealError, async () => (plaintext = await openFrame(frame, [key]))],
        ["content", ContentError, () => decode(plaintext)],
      ]);
      assert.equal(step, vector.expect);
      if (step === "holds") assert.deepEqual(plaintext, utf8(vector.content));
    });
  }
});

test("contents", async (t) => {
  for (const vector of vectors("content.json")) {
    await t.test(vector.name, async () => {
      const step = await walk([["decode", ContentError, () => encode(decode(utf8(vector.text)))]]);
      assert.equal(step, vector.expect);
    });
  }
});

test("statements", async (t) => {
  for (const vector of vectors("statement.json")) {
    await t.test(vector.name, async () => {
      const given = /** @type {const} */ ([
        fromB64url(vector.statement),
        fromB64url(vector.fingerprint),
        vector.at_least_epoch,
      ]);
      let step = "holds";
      try {
        await verifyStatement(...given);
      } catch (error) {
        step = error instanceof FrameError ? "parse" : error instanceof SealError ? "verify" : String(error);
      }
      assert.equal(step, vector.expect);
    });
  }
});

const PAIRING = vectors("pairing.json");

test("links", async (t) => {
  for (const vector of PAIRING.links) {
    await t.test(vector.name, () => {
      if (vector.expect === "parse") {
        assert.throws(
          () => parseLink(vector.link),
          (error) => error instanceof FrameError && /^[A-Z].+\.$/.test(error.message),
        );
        return;
      }
      const link = parseLink(vector.link);
      assert.deepEqual(link.pairingId, fromB64url(PAIRING.pairing_id));
      assert.deepEqual(link.secret, fromB64url(PAIRING.secret));
      assert.deepEqual(link.fingerprint, fromB64url(PAIRING.fingerprint));
      assert.deepEqual(parseLink(formatLink(link)), link);
    });
  }
});

test("what the link proves", async () => {
  const [secret, id, signing, encryption, proof] = ["secret", "pairing_id", "signing", "encryption", "proof"].map(
    (name) => fromB64url(PAIRING[name]),
  );
  const opened = { secret, pairingId: id, expiresAt: 0n };
  assert.deepEqual(await pairing.claimToken(secret), fromB64url(PAIRING.claim));
  assert.deepEqual(await pairing.deviceProof(secret, id, signing, encryption), proof);
  assert.ok(await pairing.checkDeviceProof(proof, opened, signing, encryption));
  assert.ok(!(await pairing.checkDeviceProof(proof, opened, encryption, signing)));
  assert.ok(!(await pairing.checkDeviceProof(proof.slice(1), opened, signing, encryption)));
});

test("invitations", async (t) => {
  const identity = await verifyKey(fromB64url(PAIRING.identity));
  const key = await agreementKey(fromB64url(PAIRING.reading_private));
  for (const vector of PAIRING.invitations) {
    await t.test(vector.name, async () => {
      const data = fromB64url(vector.invitation);
      /** @type {any} */ let opened;
      const step = await walk([
        ["parse", FrameError, () => pairing.parseInvitation(data)],
        ["verify", SealError, () => pairing.verifyInvitation(data, identity)],
        ["open", SealError, async () => (opened = await pairing.openInvitation(data, identity, [key]))],
      ]);
      assert.equal(step, vector.expect);
      if (step === "holds") assert.deepEqual(opened.secret, fromB64url(PAIRING.secret));
    });
  }
});

test("approvals", async (t) => {
  const identity = await verifyKey(fromB64url(PAIRING.identity));
  for (const vector of PAIRING.approvals) {
    await t.test(vector.name, async () => {
      const approval = pairing.verifyApproval(fromB64url(vector.approval), identity);
      if (vector.expect === "parse") await assert.rejects(approval, FrameError);
      else if (vector.expect === "verify") await assert.rejects(approval, SealError);
      else assert.deepEqual((await approval).signing, fromB64url(PAIRING.signing));
    });
  }
});

test("sealed notes", async (t) => {
  for (const vector of vectors("box.json")) {
    await t.test(vector.name, async () => {
      const identity = await verifyKey(fromB64url(vector.identity));
      const key = await agreementKey(fromB64url(vector.private));
      /** @type {any} */ let box;
      /** @type {any} */ let plaintext;
      const step = await walk([
        ["parse", FrameError, () => (box = parseBox(fromB64url(vector.box)))],
        ["verify", SealError, () => verifyBox(box, identity)],
        ["open", SealError, async () => (plaintext = await openBox(box, [key]))],
        ["content", ContentError, () => (box.purpose === MARK ? decodeMark(plaintext) : decodeLabel(plaintext))],
      ]);
      assert.equal(step, vector.expect);
      if (step === "holds") {
        assert.deepEqual(plaintext, utf8(vector.content));
        assert.equal(box.version, vector.number);
      }
    });
  }
});

test("cards", async (t) => {
  const { identity: raw, private: secret, cards } = vectors("card.json");
  const identity = await verifyKey(fromB64url(raw));
  const key = await agreementKey(fromB64url(secret));
  for (const vector of cards) {
    await t.test(vector.name, async () => {
      /** @type {any} */ let frame;
      /** @type {any} */ let plaintext;
      const step = await walk([
        ["parse", FrameError, () => (frame = parseCard(fromB64url(vector.card)))],
        ["verify", SealError, () => verifyCard(frame, identity)],
        ["open", SealError, async () => (plaintext = await openCard(frame, key, identity))],
        ["content", ContentError, () => decodeCard(plaintext)],
      ]);
      assert.equal(step, vector.expect);
      if (step === "holds") assert.deepEqual(plaintext, utf8(vector.content));
    });
  }
});

test("contents of cards", async (t) => {
  for (const vector of vectors("card_content.json")) {
    await t.test(vector.name, async () => {
      const data = utf8(vector.text);
      const step = await walk([["decode", ContentError, () => assert.deepEqual(encodeCard(decodeCard(data)), data)]]);
      assert.equal(step, vector.expect);
    });
  }
});

test("reports", async (t) => {
  const { device: raw, private: secret, card, version, reports } = vectors("card_report.json");
  const [device, key] = [await verifyKey(fromB64url(raw)), await agreementKey(fromB64url(secret))];
  for (const vector of reports) {
    await t.test(vector.name, async () => {
      const frame = fromB64url(vector.report);
      /** @type {any} */ let parsed;
      /** @type {any} */ let plaintext;
      const step = await walk([
        ["parse", FrameError, () => (parsed = parseReport(frame))],
        ["verify", SealError, () => verifyReport(parsed, device)],
        ["open", SealError, async () => (plaintext = await openReportFrame(parsed, [key]))],
        ["content", ContentError, () => decodeReport(plaintext)],
      ]);
      assert.equal(step, vector.expect === "card" ? "holds" : vector.expect);
      const opened = openReport({
        frame,
        device,
        reader: { keys: [await agreementKey(random(32)), key] },
        card: fromB64url(card),
        version: BigInt(version),
      });
      if (vector.expect === "holds") {
        assert.deepEqual(plaintext, utf8(vector.content));
        assert.deepEqual(await opened, { number: vector.number, ...decodeReport(utf8(vector.content)) });
      } else {
        await assert.rejects(opened, ["parse", "content"].includes(vector.expect) ? FrameError : SealError);
      }
    });
  }
});

test("contents of reports", async (t) => {
  for (const vector of vectors("card_report_content.json")) {
    await t.test(vector.name, async () => {
      const step = await walk([["decode", ContentError, () => decodeReport(utf8(vector.text))]]);
      assert.equal(step, vector.expect);
    });
  }
});

test("what a report says", () => {
  const [, { text: done }, { text: takes }] = vectors("card_report_content.json");
  assert.deepEqual(decodeReport(utf8(done)), {
    stage: "done",
    takes: 3,
    of: 3,
    tries: 5,
    triesOf: 5,
    forecast: { ofTen: [7, 10], from: "tries", tries: 5, found: 5, falseAWeek: 0.4 },
    reason: null,
  });
  assert.deepEqual(decodeReport(utf8(takes)).forecast?.ofTen, [9, 9]);
});

test("shares", async (t) => {
  for (const vector of vectors("share.json")) {
    await t.test(vector.name, async () => {
      const [data, frame] = [fromB64url(vector.share), fromB64url(vector.frame)];
      const sharer = await verifyKey(fromB64url(vector.sharer));
      const key = await agreementKey(fromB64url(vector.private));
      /** @type {any} */ let plaintext;
      const step = await walk([
        ["parse", FrameError, () => parseShare(data)],
        ["verify", SealError, () => verifyShare(data, sharer)],
        ["open", SealError, async () => (plaintext = await openShared(data, frame, sharer, [key]))],
      ]);
      assert.equal(step, vector.expect);
      if (step === "holds") assert.deepEqual(plaintext, utf8(vector.content));
    });
  }
});

/**
 * "parse", "verify" or "holds", and what was given.
 * @template T
 * @param {() => Promise<T>} check
 * @returns {Promise<[string, T | null]>}
 */
async function verdict(check) {
  try {
    return ["holds", await check()];
  } catch (error) {
    if (error instanceof FrameError) return ["parse", null];
    if (error instanceof SealError) return ["verify", null];
    throw error;
  }
}

test("endorsements", async (t) => {
  for (const vector of vectors("endorsement.json")) {
    await t.test(vector.name, async () => {
      const given = [vector.endorsement, vector.fingerprint, vector.clinician].map((text) => fromB64url(text));
      const [step] = await verdict(() => verifyEndorsement(given[0], given[1], given[2], BigInt(vector.at_least)));
      assert.equal(step, vector.expect);
    });
  }
});

test("wrapped keys", async (t) => {
  for (const vector of vectors("wrapped_key.json")) {
    await t.test(vector.name, async () => {
      const place = {
        clinicianId: fromB64url(vector.clinician),
        epoch: vector.epoch,
        publicKey: fromB64url(vector.public),
      };
      const [step, raw] = await verdict(() => unwrapPrivate(fromB64url(vector.wrapped), fromB64url(vector.key), place));
      assert.equal(step, vector.expect);
      if (step === "holds") assert.deepEqual(raw, fromB64url(vector.private));
    });
  }
});

test("a person's secrets", async (t) => {
  const { passphrases, recovery } = vectors("secrets.json");
  // Argon2id is dear here: the two whose passphrases differ in their Unicode form alone, and no more.
  const derived = passphrases.slice(1, 3);
  for (const [at, vector] of passphrases.entries()) {
    await t.test(`${at}: ${vector.expect}`, async () => {
      const [step, parameters] = await verdict(async () => parseParameters(vector.parameters));
      assert.equal(
        step,
        { holds: "holds", malformed: "parse", weak: "verify", absurd: "verify" }[/** @type {string} */ (vector.expect)],
      );
      if (parameters === null || !derived.includes(vector)) return;
      const { signIn, wrapping } = await derive(vector.passphrase, parameters);
      assert.deepEqual([signIn, wrapping], [fromB64url(vector.sign_in), fromB64url(vector.wrapping)]);
    });
  }
  assert.deepEqual(await recoverySignIn(fromB64url(recovery.code)), fromB64url(recovery.sign_in));
});
