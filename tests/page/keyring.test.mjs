// A clinician's keys as the page makes and opens them, against a server that gives other things than it was given.

import assert from "node:assert/strict";
import { test } from "node:test";

import { keyByCode, keyByPassphrase, makeKeys, newCode, newParameters, openKeys, passphraseSlots } from "../../server/page/keyring.js";
import { b64url, fromB64url } from "../../server/page/wire/bytes.js";
import { FrameError, SealError, WrongSecretError } from "../../server/page/wire/errors.js";
import { random, sign, verifies } from "../../server/page/wire/primitives.js";
import { formatCode } from "../../server/page/wire/recovery_code.js";

/** @typedef {import("../../server/page/keyring.js").Served} Served */

const NOW = Date.UTC(2026, 2, 2);

/** Someone new, and what the server would keep of them. */
async function someone() {
  const parameters = newParameters();
  const stretched = { signIn: random(32), wrapping: random(32) };
  const code = newCode();
  const made = await makeKeys("Dr Okafor", { token: random(32), code, stretched, parameters, now: NOW });
  /** @type {Served} */
  const served = {
    epochs: Array.from(made.wrapped, ([epoch, wrapped]) => ({
      epoch,
      statement: epoch === 0 ? null : b64url(made.statement),
      wrapped: b64url(wrapped),
      shredded_at: null,
    })),
    slots: Array.from(made.slots, ([slot, fields]) => ({ slot, fields })),
  };
  const slotKey = async () => keyByPassphrase(passphraseSlots(served, parameters.salt)[0].fields, stretched);
  return { made, served, stretched, code, slotKey };
}

test("what was made opens again, by passphrase and by code, as the same keys", async () => {
  const { made, served, code, slotKey } = await someone();
  for (const key of [await slotKey(), await keyByCode(served, formatCode(code))]) {
    const keys = await openKeys(served, key);
    assert.deepEqual(key, new Uint8Array(32));
    assert.deepEqual(keys.clinicianId, made.keys.clinicianId);
    assert.deepEqual(keys.reading, made.keys.reading);
    assert.equal(keys.statement.name, "Dr Okafor");
    assert.equal(keys.statement.issuedAt, BigInt(NOW / 1000));
    assert.ok(await verifies(made.keys.identity.public, await sign(keys.identity, random(9)), random(9)) === false);
    const said = random(9);
    assert.ok(await verifies(made.keys.identity.public, await sign(keys.identity, said), said));
  }
});

test("no private key can be read out", async () => {
  const { made, served, slotKey } = await someone();
  for (const keys of [made.keys, await openKeys(served, await slotKey())]) {
    for (const key of [keys.identity.key, ...keys.reader.keys.map((one) => one.key)]) {
      assert.equal(key.extractable, false);
      await assert.rejects(crypto.subtle.exportKey("pkcs8", key));
    }
  }
});

test("another passphrase and another code are refused", async () => {
  const { served } = await someone();
  const [slot] = passphraseSlots(served);
  await assert.rejects(keyByPassphrase(slot.fields, { signIn: random(32), wrapping: random(32) }), WrongSecretError);
  await assert.rejects(keyByCode(served, formatCode(newCode())), WrongSecretError);
});

test("keys, statements and epochs of somebody else are refused", async () => {
  const [one, other] = [await someone(), await someone()];
  /** @type {((served: Served) => void)[]} */
  const attacks = [
    (served) => void (served.epochs = other.served.epochs),
    (served) => void (served.epochs[0].wrapped = other.served.epochs[0].wrapped),
    (served) => void (served.epochs[1].wrapped = other.served.epochs[1].wrapped),
    (served) => void (served.epochs[1].statement = other.served.epochs[1].statement),
    (served) => void (served.epochs[1].epoch = 2),
    (served) => void served.epochs.push({ ...other.served.epochs[1], epoch: 2 }),
    (served) => void ([served.epochs[0].wrapped, served.epochs[1].wrapped] = [served.epochs[1].wrapped, served.epochs[0].wrapped]),
    (served) => void (served.epochs[0].wrapped = null),
    (served) => void (served.epochs[1].wrapped = null),
    (served) => void (served.epochs = []),
    (served) => {
      const bent = fromB64url(served.epochs[1].statement);
      bent[60] ^= 1;
      served.epochs[1].statement = b64url(bent);
    },
  ];
  for (const attack of attacks) {
    const served = structuredClone(one.served);
    attack(served);
    const key = await one.slotKey();
    await assert.rejects(openKeys(served, key), (error) => error instanceof SealError || error instanceof FrameError);
    assert.deepEqual(key, new Uint8Array(32), "the slot key is zeroed in any case");
  }
});

test("a name that devices could not say makes no clinician", async () => {
  const how = { token: random(32), code: newCode(), stretched: { signIn: random(32), wrapping: random(32) } };
  for (const name of ["", " Dr Okafor", "Dr\u202eOkafor", "x".repeat(201)]) {
    await assert.rejects(makeKeys(name, { ...how, parameters: newParameters(), now: NOW }), RangeError);
  }
});
