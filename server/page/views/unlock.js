// Unlocking: the session lives, the keys are gone from this page's memory. By passphrase, passkey, or the printed code.

import { button, el, heading } from "../elements.js";
import { AdviceError, field, form, progress, STRETCHING } from "../forms.js";
import { keyByWords } from "../held.js";
import { keyByCode, keyByPasskey, openKeys, passphraseSlots, unlockingPasskeys } from "../keyring.js";
import { askPrf } from "../webauthn.js";
import { WrongSecretError } from "../wire/errors.js";
import { blank } from "./blank.js";
import { passkeyButton } from "./passkey_button.js";
import { resetNotice } from "./reset_notice.js";

/** @typedef {import("../context.js").Keys} Keys */
/** @typedef {import("../keyring.js").Served} Served */

const NO_KEYS =
  "The server keeps no keys for you, so that nothing can be opened here. If you read with the command line, " +
  "`onebreath keys rotate --copy` lets the server keep them, wrapped.";
const NOT_THESE =
  "That is not the passphrase of these keys. If you made a new one just now and it was cut short, use the recovery code, " +
  "and then change the passphrase under Account.";
const NO_PASSKEY = "No passkey of yours unlocks yet: use your passphrase. Under Account you can let a passkey unlock.";
const NO_PRF = "This passkey gave no key for unlocking. Use your passphrase.";

/**
 * @param {HTMLElement} root
 * @param {{ api: (method: string, path: string, body?: unknown) => Promise<any>, said?: string,
 *   resetAt?: string | null, onUnlocked: (keys: Keys) => void, onSignOut: () => Promise<void> }} to `resetAt`: when an
 *   asked-for change of the authenticator takes effect
 */
export function mount(root, { api, said, resetAt = null, onUnlocked, onSignOut }) {
  const passphrase = field("Passphrase", { type: "password", autocomplete: "current-password", required: true });
  const working = progress();
  const gone = new AbortController();
  /** @param {Keys} keys */
  const unlocked = (keys) => {
    // Who signed out while the keys were being opened wants none of them.
    if (!gone.signal.aborted) onUnlocked(keys);
  };
  const byPassphrase = form("Unlock", [passphrase.root, working.root], async () => {
    if (passphrase.input.value === "") throw new AdviceError("Type your passphrase.");
    const served = await fetched(api);
    try {
      const keys = await openBy(served, passphrase.input.value, working.begin(STRETCHING));
      passphrase.input.value = "";
      unlocked(keys);
    } finally {
      working.end();
    }
  });
  const byPasskey = passkeyButton("Unlock with a passkey", async () => {
    const served = await fetched(api);
    const salts = unlockingPasskeys(served);
    if (salts.size === 0) throw new AdviceError(NO_PASSKEY);
    const { credential, prf } = await askPrf(salts, gone.signal);
    if (prf === null) throw new AdviceError(NO_PRF);
    const slotKey = await keyByPasskey(served, credential, prf);
    prf.fill(0);
    unlocked(await openKeys(served, slotKey));
  });
  const attributes = { type: "text", autocomplete: "off", required: true, class: "code" };
  const code = field("Recovery code", attributes, "26 letters and digits, as printed when you set up.");
  const byCode = form("Unlock with the code", [code.root], async () => {
    const served = await fetched(api);
    const keys = await openKeys(served, await keyByCode(served, code.input.value));
    code.input.value = "";
    unlocked(keys);
  });
  root.append(
    el(
      "div",
      { class: "narrow" },
      heading("Locked"),
      resetAt === null ? null : resetNotice(api, resetAt),
      el("p", {}, said ?? "Your passphrase opens the records in this browser. Nothing of it is sent."),
      byPassphrase,
      byPasskey,
      el("details", {}, el("summary", {}, "Use the recovery code instead"), byCode),
      el("p", { class: "aside" }, button("Sign out", onSignOut, { class: "link" })),
    ),
  );
  return () => {
    gone.abort();
    blank(root);
  };
}

/**
 * @param {(method: string, path: string) => Promise<any>} api
 * @returns {Promise<Served>}
 */
async function fetched(api) {
  const served = await api("GET", "/v1/keys");
  if (served.slots.length === 0) throw new AdviceError(NO_KEYS);
  return served;
}

/**
 * The keys by the first slot that the passphrase opens.
 * @param {Served} served
 * @param {string} passphrase
 * @param {(done: number) => void} onProgress
 */
async function openBy(served, passphrase, onProgress) {
  if (passphraseSlots(served).length === 0) {
    throw new AdviceError("The server keeps no keys under a passphrase. Use the recovery code.");
  }
  try {
    return await openKeys(served, await keyByWords(served, passphrase, null, onProgress));
  } catch (error) {
    if (error instanceof WrongSecretError) throw new AdviceError(NOT_THESE, { cause: error });
    throw error;
  }
}
