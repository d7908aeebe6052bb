// Argon2id away from the page's own thread. One derivation, then the worker is ended, and its memory with it.

import { derive } from "./wire/secrets.js";

/** @typedef {import("./wire/secrets.js").Parameters} Parameters */
/** @typedef {{ passphrase: string, parameters: Parameters }} Asked */

self.onmessage = async (/** @type {MessageEvent<Asked>} */ { data: { passphrase, parameters } }) => {
  try {
    const secrets = await derive(passphrase, parameters, (done) => self.postMessage({ done }));
    self.postMessage({ secrets });
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error("the derivation failed");
    self.postMessage({ failed: { name, message } });
  }
};
