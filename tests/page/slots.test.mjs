// Passphrases, recovery codes, key slots and wrapped keys. Argon2id takes seconds at the least cost that is allowed, so
// it is run as seldom as it can be.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { argon2id as vendored } from "../../server/page/vendor/noble-hashes/argon2.js";
import { argon2id } from "../../server/page/wire/argon2.js";
import { b64url, fromHex, hex, utf8 } from "../../server/page/wire/bytes.js";
import { FrameError, SealError, UnsupportedError, WrongSecretError } from "../../server/page/wire/errors.js";
import { unwrapIdentity, unwrapPrivate, unwrapReading, wrapPrivate } from "../../server/page/wire/keys.js";
import { agreementKey, signingKey } from "../../server/page/wire/primitives.js";
import { formatCode, parseCode } from "../../server/page/wire/recovery_code.js";
import * as secrets from "../../server/page/wire/secrets.js";
import * as slots from "../../server/page/wire/slots.js";
import { flip, seed } from "./rig.mjs";

const VENDOR = new URL("../../server/page/vendor/noble-hashes/", import.meta.url);
// As in the npm package @noble/hashes 2.4.0: `npm pack @noble/hashes@2.4.0`, then sha256sum.
const PINNED = {
  LICENSE: "4f221aee6e072336700c408c68ab3b96a3fc09f6aebe6f48f1bd99e5ef13faec",
  "_blake.js": "cabbff61d1f373bac45594ad758df7c42e176464ddbb94b44f5533fa977a4f56",
  "_md.js": "60cf3010fda89e3e4d3f0e7ff1ce249e9c467f34b4fd41b6fd6101d9f69be763",
  "_u64.js": "b09da8c07fe8187c07649494cdb7cd0bcf13df90b506a9473d19e4d5f8c2e102",
  "argon2.d.ts": "a455841ea6f034d54790094ac67afc9311a78a39abb967009a605c37122c03d9",
  "argon2.js": "f39753324bdf2f484150731d24b1d71236f26bf10bedd594f7d190fcdfdefdc9",
  "blake2.js": "03f00237bcc0b4d822a80f7c0ac22e42632c48e246c3b6da584e6452186e32f0",
  "utils.d.ts": "cfccade8c719b698bd8b0313ff996941f5d5a384654ec2886d9141224f6db439",
  "utils.js": "037ad49adb78168b6b699598fd33f85f7877456b1d28b4d032e2a1a16807947c",
};

test("the vendored files are those that were pinned, and no others", () => {
  const found = readdirSync(VENDOR)
    .sort()
    .map((name) => {
      const data = readFileSync(new URL(name, VENDOR));
      return [name, createHash("sha256").update(data).digest("hex")];
    });
  assert.deepEqual(Object.fromEntries(found), PINNED);
});

test("the vendored files call nothing that the page's security policy forbids, and nothing from elsewhere", () => {
  for (const name of Object.keys(PINNED).filter((name) => name.endsWith(".js"))) {
    const code = readFileSync(new URL(name, VENDOR), "utf8").replace(/\/\*[^]*?\*\/|\/\/.*$/gm, "");
    assert.doesNotMatch(
      code,
      /\beval\b|\bFunction\(|innerHTML|document\.|fetch\(|XMLHttp|localStorage|importScripts/,
      name,
    );
    for (const [, from] of code.matchAll(/from\s+["']([^"']+)["']/g)) assert.match(from, /^\.\/\w+\.js$/, name);
  }
});

test("RFC 9106 section 5.3: Argon2id", () => {
  const [password, salt] = [new Uint8Array(32).fill(1), new Uint8Array(16).fill(2)];
  const more = { key: new Uint8Array(8).fill(3), personalization: new Uint8Array(12).fill(4) };
  const tag = vendored(password, salt, { t: 3, m: 32, p: 4, dkLen: 32, ...more });
  assert.equal(hex(tag), "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
});

test("Argon2id in passing tells how far it is, and refuses what does not fit", async () => {
  /** @type {number[]} */
  const told = [];
  const cost = { passes: 1, memoryKib: 64, lanes: 2 };
  const tag = await argon2id(utf8("four unrelated kettle words"), new Uint8Array(16), cost, (done) => told.push(done));
  assert.equal(tag.length, 32);
  assert.deepEqual(tag, await argon2id(utf8("four unrelated kettle words"), new Uint8Array(16), cost));
  assert.equal(told.at(-1), 1);
  await assert.rejects(argon2id(utf8("x"), new Uint8Array(16), { ...cost, memoryKib: 2 ** 21 }), UnsupportedError);
});

const SALT = seed("salt").slice(0, 16);
const PARAMETERS = { salt: SALT, passes: 3, memoryKib: 65536, lanes: 4 };
const WEAK = [{ passes: 2 }, { passes: 1 }, { memoryKib: 65535 }, { memoryKib: 8 }, { lanes: 3 }, { lanes: 1 }];
const ABSURD = [{ passes: 65 }, { memoryKib: 2 ** 22 + 1 }, { lanes: 65 }, { passes: 2 ** 31 }];

test("parameters have one spelling, and weak or absurd ones are refused before any work", () => {
  const text = secrets.formatParameters(PARAMETERS);
  assert.equal(text, `{"kdf":"argon2id","lanes":4,"memory_kib":65536,"passes":3,"salt":"${b64url(SALT)}"}`);
  assert.deepEqual(secrets.parseParameters(text), PARAMETERS);
  for (const change of [...WEAK, ...ABSURD]) {
    assert.throws(() => secrets.parseParameters(secrets.formatParameters({ ...PARAMETERS, ...change })), SealError);
  }
  for (const bad of [
    "",
    "null",
    "{}",
    "[]",
    ` ${text}`,
    text.replace("3", "3.0"),
    text.replace("3,", "true,"),
    text.replace("3,", '"3",'),
    text.replace("argon2id", "argon2i"),
    text.replace("{", '{"a":1,'),
    text.replace(/"salt.*/, '"salt":"AA"}'),
    "x".repeat(401),
    text.replace('"passes":3', '"passes":NaN'),
    text.replace('"passes":3', '"passes":-3'),
    text.replace('"passes":3', '"passes":3e0'),
  ]) {
    assert.throws(() => secrets.parseParameters(bad), FrameError, bad);
  }
});

/** @param {Record<string, unknown>} slot @param {Record<string, number>} change */
function weakened(slot, { passes, memoryKib, lanes }) {
  return { ...slot, ...(passes && { passes }), ...(memoryKib && { memory_kib: memoryKib }), ...(lanes && { lanes }) };
}

test("a passphrase's halves, its slot, and what a server may do to it", async () => {
  const passphrase = "four unrelated kettle words \ufb01";
  const { signIn, wrapping } = await secrets.derive(passphrase, PARAMETERS);
  assert.notDeepEqual(signIn, wrapping);
  const key = seed("the key of keys");
  const slot = await slots.passphraseSlot(key, wrapping, PARAMETERS);
  assert.deepEqual(Object.keys(slot).sort(), [
    "kdf",
    "lanes",
    "memory_kib",
    "nonce",
    "passes",
    "salt",
    "type",
    "wrapped",
  ]);
  assert.deepEqual(await slots.openWrappingSlot(slot, wrapping), key);
  // Typed in another form of the same letters (NFKC).
  assert.deepEqual(await slots.openPassphraseSlot(slot, passphrase.replace("\ufb01", "fi")), key);
  await assert.rejects(slots.openWrappingSlot(slot, signIn), WrongSecretError);

  const atWork = () => assert.fail("refused only after work had begun");
  for (const change of [...WEAK, ...ABSURD]) {
    await assert.rejects(slots.openPassphraseSlot(weakened(slot, change), passphrase, atWork), SealError);
    await assert.rejects(slots.openWrappingSlot(weakened(slot, change), wrapping), SealError);
    await assert.rejects(secrets.derive(passphrase, { ...PARAMETERS, ...change }, atWork), SealError);
    assert.throws(() => slots.passphraseSlot(key, wrapping, { ...PARAMETERS, ...change }), SealError);
  }
  for (const altered of [
    { ...slot, passes: 4 },
    { ...slot, lanes: 5 },
    { ...slot, memory_kib: 65540 },
    { ...slot, salt: b64url(seed("x").slice(0, 16)) },
    { ...slot, kdf: "argon2id" },
    { ...slot, kdf: "none" },
    { ...slot, type: "recovery" },
    { ...slot, extra: 1 },
    { ...slot, passes: "3" },
    { ...slot, passes: 3.5 },
    { ...slot, passes: 0 },
    { ...slot, passes: NaN },
    { ...slot, salt: "AA" },
    { ...slot, nonce: "" },
    { ...slot, wrapped: slot.wrapped.slice(1) },
    null,
    7,
    [],
    {},
  ]) {
    await assert.rejects(slots.openWrappingSlot(altered, wrapping), WrongSecretError, JSON.stringify(altered));
  }
});

test("the recovery code is printed to be read back by a person", async () => {
  const code = seed("code").slice(0, 16);
  const printed = formatCode(code);
  assert.match(printed, /^([0-9A-HJKMNP-TV-Z]{5}-){5}[0-9A-HJKMNP-TV-Z]$/);
  assert.deepEqual(parseCode(printed), code);
  assert.deepEqual(parseCode(` ${printed.toLowerCase().replaceAll("-", " ")} `), code);
  assert.deepEqual(parseCode(printed.replaceAll("0", "o").replaceAll("1", "l")), code);
  assert.equal(formatCode(new Uint8Array(16)), "00000-00000-00000-00000-00000-0");
  assert.deepEqual(parseCode(formatCode(new Uint8Array(16).fill(255))), new Uint8Array(16).fill(255));
  for (const bad of [
    "",
    printed.slice(1),
    `${printed}0`,
    printed.replace(/.$/, "Z"),
    printed.replace(/^./, "U"),
    "ſ".repeat(26),
  ]) {
    assert.throws(() => parseCode(bad), WrongSecretError, bad);
  }
  const key = seed("the key of keys");
  const slot = await slots.recoverySlot(key, code);
  assert.deepEqual(await slots.openRecoverySlot(slot, printed), key);
  await assert.rejects(slots.openRecoverySlot(slot, formatCode(flip(code, 3))), WrongSecretError);
  await assert.rejects(slots.openRecoverySlot({ ...slot, type: "passkey" }, printed), WrongSecretError);
  await assert.rejects(slots.openRecoverySlot({ ...slot, salt: b64url(SALT) }, printed), WrongSecretError);
  assert.notDeepEqual(await secrets.recoverySignIn(code), key);
  await assert.rejects(async () => slots.recoverySlot(key, code.slice(1)), RangeError);
});

test("a passkey's slot opens by what its PRF answers, and nothing else", async () => {
  const key = seed("the key of keys");
  const output = seed("what the PRF answers");
  const asked = { credential: seed("credential"), salt: seed("PRF salt") };
  const slot = await slots.passkeySlot(key, output, asked);
  assert.deepEqual(Object.keys(slot).sort(), ["credential", "kdf", "nonce", "salt", "type", "wrapped"]);
  assert.deepEqual(await slots.openPasskeySlot(slot, output), key);
  for (const altered of [
    { ...slot, credential: b64url(seed("x")) },
    { ...slot, salt: b64url(seed("x")) },
    { ...slot, salt: b64url(SALT) },
  ]) {
    await assert.rejects(slots.openPasskeySlot(altered, output), WrongSecretError);
  }
  await assert.rejects(slots.openPasskeySlot(slot, seed("another")), WrongSecretError);
  await assert.rejects(slots.openPasskeySlot(slot, output.slice(1)), WrongSecretError);
});

test("a wrapped key serves in no other place", async () => {
  const [key, clinicianId] = [seed("the key of keys"), seed("clinician").slice(0, 16)];
  const reading = await agreementKey(seed("reading"));
  const identity = await signingKey(seed("identity"));
  const place = { clinicianId, epoch: 2, publicKey: reading.public };
  const wrapped = await wrapPrivate(seed("reading"), key, place);
  assert.equal(wrapped.length, 60);
  assert.deepEqual(await unwrapPrivate(wrapped, key, place), seed("reading"));
  assert.deepEqual((await unwrapReading(wrapped, key, place)).id, reading.id);
  const own = { clinicianId, publicKey: identity.public.raw };
  const kept = await wrapPrivate(seed("identity"), key, { ...own, epoch: 0 });
  assert.deepEqual((await unwrapIdentity(kept, key, own)).public.raw, identity.public.raw);
  for (const other of [
    { ...place, epoch: 1 },
    { ...place, clinicianId: seed("x").slice(0, 16) },
    { ...place, publicKey: identity.public.raw },
  ]) {
    await assert.rejects(unwrapReading(wrapped, key, other), SealError);
  }
  await assert.rejects(unwrapReading(wrapped, seed("another key"), place), SealError);
  await assert.rejects(unwrapReading(flip(wrapped, 20), key, place), SealError);
  await assert.rejects(unwrapReading(wrapped.slice(1), key, place), FrameError);
  // Wrapped under the right key for a place whose public key is not its own.
  const lying = { ...place, publicKey: fromHex("11".repeat(32), 32) };
  await assert.rejects(unwrapReading(await wrapPrivate(seed("reading"), key, lying), key, lying), SealError);
  await assert.rejects(unwrapIdentity(await wrapPrivate(seed("x"), key, { ...own, epoch: 0 }), key, own), SealError);
});
