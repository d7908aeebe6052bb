// A passkey's key slot, the keys that go with set-up, and calls that are cut short.

import assert from "node:assert/strict";
import { test } from "node:test";

import { OfflineError, RefusedError } from "../../server/page/api.js";
import { firstKeys, keyByPasskey, makeKeys, newCode, newParameters, openKeys, unlockingPasskeys } from "../../server/page/keyring.js";
import { removeSlots, steps } from "../../server/page/steps.js";
import { createPasskey, keepPasskey } from "../../server/page/webauthn.js";
import { WrongSecretError } from "../../server/page/wire/errors.js";
import { random } from "../../server/page/wire/primitives.js";
import { openPasskeySlot, openWrappingSlot, passkeySlot, prfSalt } from "../../server/page/wire/slots.js";
import { b64url, fromB64url, vectors } from "./rig.mjs";

/** @typedef {import("../../server/page/keyring.js").Served} Served */

const VECTORS = /** @type {any} */ (vectors("passkey_slot.json"));

test("what a passkey's PRF is evaluated on is the same for everybody", async () => {
  assert.deepEqual(await prfSalt(), fromB64url(VECTORS.salt));
});

test("passkey slots", async (t) => {
  for (const { name, slot, prf, expect } of VECTORS.slots) {
    await t.test(name, async () => {
      const opened = openPasskeySlot(slot, fromB64url(prf));
      if (expect === "holds") assert.deepEqual(await opened, fromB64url(VECTORS.key));
      else await assert.rejects(opened, WrongSecretError);
    });
  }
});

/** Someone new, what set-up would send, and what the server would then keep. */
async function someone() {
  const parameters = newParameters();
  const stretched = { signIn: random(32), wrapping: random(32) };
  const made = await makeKeys("Dr Okafor", { token: random(32), code: newCode(), stretched, parameters, now: 0 });
  const { epochs, slots } = firstKeys(made);
  /** @type {Served} */
  const served = {
    epochs: Object.entries(epochs).map(([epoch, kept]) => ({ epoch: Number(epoch), statement: null, shredded_at: null, ...kept })),
    slots: Object.entries(slots).map(([slot, fields]) => ({ slot, fields: /** @type {any} */ (fields) })),
  };
  const passphrase = served.slots.find(({ fields }) => fields.type === "passphrase");
  return { made, served, slotKey: () => openWrappingSlot(passphrase?.fields, stretched.wrapping) };
}

test("what goes with set-up is what the keys open from", async () => {
  const { made, served, slotKey } = await someone();
  assert.deepEqual(served.epochs.map(({ epoch }) => epoch), [0, 1]);
  assert.deepEqual(served.epochs.map(({ statement }) => statement), [null, b64url(made.statement)]);
  assert.deepEqual(served.slots.map(({ fields }) => fields.type).sort(), ["passphrase", "recovery"]);
  assert.deepEqual((await openKeys(served, await slotKey())).clinicianId, made.keys.clinicianId);
});

test("a passkey opens by the slot of its own, whichever of several it is", async () => {
  const { made, served, slotKey } = await someone();
  const salt = await prfSalt();
  const [one, other] = [1, 2].map(() => ({ credential: random(32), output: random(32) }));
  for (const { credential, output } of [one, other]) {
    const fields = await passkeySlot(await slotKey(), output, { credential, salt });
    served.slots.push({ slot: b64url(random(16)), fields });
  }
  assert.deepEqual(unlockingPasskeys(served), new Map([one, other].map(({ credential }) => [b64url(credential), b64url(salt)])));
  for (const { credential, output } of [one, other]) {
    const keys = await openKeys(served, await keyByPasskey(served, credential, output));
    assert.deepEqual(keys.reading, made.keys.reading);
  }
  await assert.rejects(keyByPasskey(served, one.credential, other.output), WrongSecretError);
  await assert.rejects(keyByPasskey(served, random(32), one.output), WrongSecretError);
  // A slot that names this passkey and was made of something else does not hide the one that opens.
  const lying = await passkeySlot(random(32), random(32), { credential: one.credential, salt });
  served.slots.unshift({ slot: b64url(random(16)), fields: lying });
  assert.equal((await keyByPasskey(served, one.credential, one.output)).length, 32);
});

test("steps go on where they were cut, and none is left out or made before its turn", async () => {
  /** @type {string[]} */
  const done = [];
  const cuts = new Set(["a", "b", "c"]);
  const step = (/** @type {string} */ name) => async () => {
    if (cuts.delete(name)) throw new Error(name);
    done.push(name);
  };
  const go = steps(step("a"), step("b"), step("c"));
  for (const name of ["a", "b", "c"]) await assert.rejects(go(), { message: name });
  await go();
  assert.deepEqual(done, ["a", "b", "c"]);
  await go();
  assert.deepEqual(done, ["a", "b", "c"]);
});

test("a slot that is gone already is removed; any other refusal is passed on", async () => {
  /** @type {string[]} */
  const asked = [];
  const api = async (/** @type {string} */ _, /** @type {string} */ path) => {
    asked.push(path);
    if (path.endsWith("gone")) throw new RefusedError(404, "slot", "There is no such key slot.", "");
    if (path.endsWith("last")) throw new RefusedError(409, "last_slot", "It is the last.", "");
  };
  await removeSlots(api, ["gone", "here"]);
  assert.deepEqual(asked, ["/v1/key-slots/gone", "/v1/key-slots/here"]);
  await assert.rejects(removeSlots(api, ["last", "here"]), { code: "last_slot" });
  assert.equal(asked.length, 3);
});

test("a passkey is asked for with verification and on the device, whatever the server's options say", async (t) => {
  /** @type {any[]} */
  const asked = [];
  const create = async (/** @type {any} */ { publicKey }) => {
    asked.push(publicKey);
    return null;
  };
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", { value: { credentials: { create } }, configurable: true });
  t.after(() => before === undefined ? Reflect.deleteProperty(globalThis, "navigator") : Object.defineProperty(globalThis, "navigator", before));
  const weak = { residentKey: "discouraged", requireResidentKey: false, userVerification: "discouraged" };
  const bytes = b64url(random(16));
  const options = { rp: { name: "Onebreath" }, user: { id: bytes, name: "a", displayName: "a" }, challenge: bytes, pubKeyCredParams: [] };
  for (const more of [{}, { authenticatorSelection: weak }]) {
    await assert.rejects(createPasskey({ ...options, ...more }, new AbortController().signal), { name: "AdviceError" });
  }
  const wanted = { residentKey: "required", requireResidentKey: true, userVerification: "required" };
  assert.deepEqual(asked.map(({ authenticatorSelection: one }) => one), [wanted, wanted]);
});

test("a new passkey is called useless only where the server refused it; after a fault the list says", async () => {
  const made = { credential: "abc", client_data: "", attestation: "", label: "laptop" };
  const kept = { credential: "abc", label: "laptop", created_at: "", used_at: null, unlocks: false };
  /** @param {Error} error @param {any} listed */
  const tried = async (error, listed) => {
    /** @type {string[]} */
    const signalled = [];
    const api = async () => {
      throw error;
    };
    const signal = async (/** @type {string} */ one) => void signalled.push(one);
    const found = await keepPasskey(api, made, async () => listed, signal).catch((thrown) => thrown);
    return [found, signalled];
  };
  for (const status of [400, 409, 499]) {
    const refused = new RefusedError(status, "passkey", "No.", "");
    assert.deepEqual(await tried(refused, [kept]), [refused, ["abc"]]);
  }
  for (const fault of [new RefusedError(500, "fault", "No.", ""), new RefusedError(503, "busy", "No.", ""), new OfflineError("No.")]) {
    assert.deepEqual(await tried(fault, [kept]), [kept, []]);
    assert.deepEqual(await tried(fault, []), [fault, []]);
    assert.deepEqual(await tried(fault, null), [fault, []]);
  }
});
