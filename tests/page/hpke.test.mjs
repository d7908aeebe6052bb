// HPKE against RFC 9180's own vectors (tests/vectors/rfc9180.json says where they are from), and what it refuses.

import assert from "node:assert/strict";
import { test } from "node:test";

import { concat, fromHex, hex, utf8 } from "../../server/page/wire/bytes.js";
import { SealError } from "../../server/page/wire/errors.js";
import { open, seal } from "../../server/page/wire/hpke.js";
import { agreementKey } from "../../server/page/wire/primitives.js";
import { flip, seed, vectors } from "./rig.mjs";

/** @param {string} text */
const bytes = (text) => fromHex(text, text.length / 2);

test("what the RFC sealed is sealed alike, byte for byte, and opens", async () => {
  const given = vectors("rfc9180.json").vectors;
  assert.ok(given.length > 0);
  for (const vector of given) {
    const recipient = await agreementKey(bytes(vector.skRm));
    const ephemeral = await agreementKey(bytes(vector.skEm));
    const [info, associated, plaintext] = [bytes(vector.info), bytes(vector.aad), bytes(vector.pt)];
    assert.equal(hex(recipient.public), vector.pkRm);
    const sealed = await seal(plaintext, recipient.public, info, { associated, ephemeral });
    assert.equal(hex(sealed), vector.enc + vector.ct);
    assert.deepEqual(await open(sealed, recipient, info, associated), plaintext);
  }
});

test("every part is bound", async () => {
  const recipient = await agreementKey(seed("recipient"));
  const info = utf8("info");
  const sealed = await seal(utf8("a data key"), recipient.public, info);
  assert.deepEqual(await open(sealed, recipient, info), utf8("a data key"));
  for (let at = 0; at < 8 * sealed.length; at++) {
    await assert.rejects(open(flip(sealed, at >> 3, at & 7), recipient, info), SealError, `bit ${at}`);
  }
  await assert.rejects(open(sealed, recipient, utf8("other")), SealError);
  await assert.rejects(open(sealed, recipient, info, utf8("x")), SealError);
  await assert.rejects(open(sealed, await agreementKey(seed("another")), info), SealError);
  await assert.rejects(open(sealed.slice(0, 47), recipient, info), SealError);
  await assert.rejects(open(new Uint8Array(0), recipient, info), SealError);
});

test("sealing the same twice gives different bytes", async () => {
  const { public: recipient } = await agreementKey(seed("recipient"));
  assert.notDeepEqual(await seal(utf8("x"), recipient, utf8("")), await seal(utf8("x"), recipient, utf8("")));
});

// RFC 7748 section 6.1 and https://cr.yp.to/ecdh.html: with these points every private key agrees on zeros. The last
// four are spellings of the same points above the prime.
const LOW_ORDER = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

test("a key that agrees with every other is refused, to seal to and to open from", async () => {
  const recipient = await agreementKey(seed("recipient"));
  for (const point of LOW_ORDER.map(bytes)) {
    await assert.rejects(seal(utf8("x"), point, utf8("")), SealError);
    await assert.rejects(open(concat(point, new Uint8Array(48)), recipient, utf8("")), SealError);
  }
});
