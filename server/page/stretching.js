// A passphrase into its two secrets (wire/secrets.js), in a worker of its own.

import { startWorker } from "./workers.js";
import { SealError, UnsupportedError } from "./wire/errors.js";
import { checkCost } from "./wire/secrets.js";

/** @typedef {import("./wire/bytes.js").Bytes} Bytes */
/** @typedef {import("./wire/secrets.js").Parameters} Parameters */
/** `signIn` goes to the server; `wrapping` never leaves this page.
 * @typedef {{ signIn: Bytes, wrapping: Bytes }} Stretched */

/**
 * Both secrets, 32 bytes each. Some seconds. Throws SealError before any work for a cost that is refused,
 * UnsupportedError when the memory cannot be had or the worker does not start.
 * @param {string} passphrase
 * @param {Parameters} parameters
 * @param {(done: number) => void} [onProgress] told 0 to 1
 * @returns {Promise<Stretched>}
 */
export async function stretch(passphrase, parameters, onProgress) {
  checkCost(parameters);
  const worker = startWorker("unlock");
  try {
    return await new Promise((resolve, reject) => {
      worker.onerror = () => reject(new UnsupportedError("This browser did not start the work on the passphrase."));
      worker.onmessage = ({ data }) => {
        if ("done" in data) onProgress?.(data.done);
        else if ("secrets" in data) resolve(data.secrets);
        else if (data.failed.name === "UnsupportedError") reject(new UnsupportedError(data.failed.message));
        else reject(new SealError(data.failed.message));
      };
      worker.postMessage({ passphrase, parameters });
    });
  } finally {
    worker.terminate();
  }
}
