// The one place where a worker is started, and the one Trusted Types policy: an address of a script comes from the list
// below, never from data.

/** Every worker there is. */
const WORKERS = Object.freeze(/** @type {const} */ ({
  unlock: "/page/unlock_worker.js",
  queue: "/page/views/queue_worker.js",
  sharing: "/page/sharing_worker.js",
}));

/** The policy that the server's Content-Security-Policy names. */
const POLICY = "onebreath-workers";

/** @type {{ createScriptURL(url: string): string } | null} */
let policy = null;

/**
 * A module worker of this page, by name.
 * @param {keyof typeof WORKERS} name
 */
export function startWorker(name) {
  const url = WORKERS[name];
  if (url === undefined) throw new RangeError("no such worker");
  return new Worker(trusted(url), { type: "module" });
}

/** @param {string} url */
function trusted(url) {
  const factory = /** @type {any} */ (globalThis).trustedTypes;
  if (factory === undefined) return url;
  policy ??= factory.createPolicy(POLICY, {
    /** @param {string} asked */
    createScriptURL(asked) {
      if (!Object.values(WORKERS).some((one) => one === asked)) throw new TypeError("not a worker of this page");
      return asked;
    },
  });
  return /** @type {{ createScriptURL(url: string): string }} */ (policy).createScriptURL(url);
}
