// No bit of a record can be changed unseen (the table is in hostile.test.mjs).

import assert from "node:assert/strict";
import { test } from "node:test";

import { FrameError, SealError } from "../../server/page/wire/errors.js";
import { openFrame, parseFrame, verifyFrame } from "../../server/page/wire/record.js";
import { caseload, flip, signRecord } from "./rig.mjs";

const { clinic, one, listed } = await caseload();

test("any single bit of a record that is changed is refused, and at its own step", async () => {
  const { frame } = listed[0];
  const steps = { parse: 0, verify: 0 };
  /** @param {number} at */
  const refuse = async (at) => {
    /** @type {"parse" | "verify"} */
    let step = "parse";
    try {
      const parsed = parseFrame(flip(frame, at >> 3, at & 7));
      step = "verify";
      await verifyFrame(parsed, one.signing.public);
    } catch (error) {
      assert.ok(error instanceof (step === "parse" ? FrameError : SealError), `bit ${at}: ${error}`);
      steps[step]++;
      return;
    }
    assert.fail(`bit ${at} went unseen`);
  };
  for (let at = 0; at < 8 * frame.length; at += 8) {
    await Promise.all(Array.from({ length: 8 }, (_, bit) => refuse(at + bit)));
  }
  assert.equal(steps.parse + steps.verify, 8 * frame.length);
  assert.ok(steps.parse > 32 && steps.verify > 8 * 2048);
});

test("any single bit of a record that is changed and signed again does not open", async () => {
  // Whoever has the device's key can sign; the seal still holds what was sealed to its place.
  const body = listed[0].frame.slice(0, -64);
  for (let at = 8 * 8; at < 8 * body.length; at += at < 8 * 144 ? 1 : 61) {
    const changed = flip(body, at >> 3, at & 7);
    try {
      const frame = parseFrame(await signRecord(one.signing, changed));
      await openFrame(frame, clinic.keys);
      assert.fail(`bit ${at} opened`);
    } catch (error) {
      assert.ok(error instanceof SealError || error instanceof FrameError, `bit ${at}: ${error}`);
    }
  }
});
