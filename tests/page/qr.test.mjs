// The QR encoder: the files that were pinned, and what a decoder that shares nothing with it reads.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import decoder from "jsqr";

import { encodeQR } from "../../server/page/vendor/qr/index.js";

const VENDOR = new URL("../../server/page/vendor/qr/", import.meta.url);
// As in the npm package qr 0.7.0: `npm pack qr@0.7.0`, then sha256sum.
const PINNED = {
  "LICENSE-MIT": "07a9f887e9215644439b808628b09f8eece932d79130ff563f958f3a1783e684",
  "index.d.ts": "4fe68252a6e994e19c30b8071082057d1ee46ec8aead71f4341c0e05c8f46a89",
  "index.js": "a0de370051f94bd74f218f74401fdf197585e3f9ef0143164f87ea941a3fdd6f",
};
const SCALE = 4;
const LINK = "https://onebreath.clinic.example:8443/pair/faptZGfao-hmx7ewBa4bvA#";
const SECRET = "Qk1xAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLQ";

/** @param {string} text */
function readBack(text) {
  const rows = encodeQR(text, "raw", { ecc: "medium", border: 4 });
  const size = rows.length * SCALE;
  const pixels = new Uint8ClampedArray(size * size * 4).fill(255);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const dark = rows[Math.floor(y / SCALE)]?.[Math.floor(x / SCALE)];
      if (dark) pixels.fill(0, (y * size + x) * 4, (y * size + x) * 4 + 3);
    }
  }
  return decoder.default(pixels, size, size, { inversionAttempts: "dontInvert" })?.data;
}

test("the vendored files are those that were pinned, and no others", () => {
  const found = readdirSync(VENDOR)
    .sort()
    .map((name) => [name, createHash("sha256").update(readFileSync(new URL(name, VENDOR))).digest("hex")]);
  assert.deepEqual(Object.fromEntries(found), PINNED);
});

test("the vendored code reaches for nothing", () => {
  const code = readFileSync(new URL("index.js", VENDOR), "utf8").replace(/\/\*[^]*?\*\/|\/\/[^\n]*/g, "");
  assert.doesNotMatch(code, /\b(eval|Function|import|require|document|window|fetch|innerHTML|localStorage)\b/);
});

for (const text of [LINK + SECRET, "otpauth://totp/Onebreath:okafor?secret=JBSWY3DPEHPK3PXP&issuer=Onebreath", "0123456789", "Ünïcødé 線"]) {
  test(`a decoder reads ${text.length} characters as they were`, () => assert.equal(readBack(text), text));
}

test("links of every length that a server's name can have are read", () => {
  for (let more = 0; more < 160; more += 13) {
    const link = `https://${"a".repeat(more + 1)}.example/pair/faptZGfao-hmx7ewBa4bvA#${SECRET}`;
    assert.equal(readBack(link), link);
  }
});
