// What the page says where the browser cannot do it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { UnsupportedError } from "../../server/page/wire/errors.js";
import { missing, requireSupport } from "../../server/page/wire/support.js";

/**
 * A WebCrypto that knows only these algorithms.
 * @param {string[]} known
 */
function only(...known) {
  const subtle = {
    /** @param {{ name: string }} how */
    async generateKey({ name }) {
      if (!known.includes(name)) throw new DOMException("Unrecognized name.", "NotSupportedError");
      return {};
    },
  };
  return /** @type {{ crypto: Crypto }} */ (/** @type {unknown} */ ({ crypto: { subtle } }));
}

test("here everything is there", async () => {
  assert.deepEqual(await missing(), []);
  await requireSupport();
});

test("what is missing is said, with the versions that work", async () => {
  const cases = /** @type {const} */ ([
    [only("X25519"), "Ed25519"],
    [only("Ed25519"), "X25519"],
    [only(), "X25519 and Ed25519"],
    [{}, "WebCrypto"],
    [{ ...only("X25519", "Ed25519"), isSecureContext: false }, "a secure connection (https)"],
  ]);
  for (const [where, lacking] of cases) {
    await assert.rejects(requireSupport(where), (error) => {
      assert.ok(error instanceof UnsupportedError);
      assert.ok(error.message.includes(`it lacks ${lacking}.`), error.message);
      assert.match(error.message, /Chrome or Edge \d+, Firefox \d+, Safari \d+/);
      return true;
    });
  }
});
