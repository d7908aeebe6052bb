// Unlocking: the session lives, the keys are gone from this page's memory. By passphrase, or by the printed code.

import { button, el, heading } from "../elements.js";
import { AdviceError, field, form, progress, STRETCHING } from "../forms.js";
import { keyByCode, keyByPassphrase, openKeys, passphraseSlots } from "../keyring.js";
import { stretch } from "../stretching.js";
import { WrongSecretError } from "../wire/errors.js";

/** @typedef {import("../context.js").Keys} Keys */
/** @typedef {import("../keyring.js").Served} Served */

const NO_KEYS =
  "The server keeps no keys for you, so that nothing can be opened here. If you read with the command line, " +
  "`onebreath keys rotate --copy` lets the server keep them, wrapped. If you set up in a browser and it was cut short, " +
  "ask your administrator for a new invitation.";

/**
 * @param {HTMLElement} root
 * @param {{ api: (method: string, path: string, body?: unknown) => Promise<any>, said?: string,
 *   onUnlocked: (keys: Keys) => void, onSignOut: () => Promise<void> }} to
 */
export function mount(root, { api, said, onUnlocked, onSignOut }) {
  const passphrase = field("Passphrase", { type: "password", autocomplete: "current-password", required: true });
  const working = progress();
  let gone = false;
  /** @param {Keys} keys */
  const unlocked = (keys) => {
    // Who signed out while the keys were being opened wants none of them.
    if (!gone) onUnlocked(keys);
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
      el("p", {}, said ?? "Your passphrase opens the records in this browser. Nothing of it is sent."),
      byPassphrase,
      el("details", {}, el("summary", {}, "Use the recovery code instead"), byCode),
      el("p", { class: "aside" }, button("Sign out", onSignOut, { class: "link" })),
    ),
  );
  return () => {
    gone = true;
    passphrase.input.value = code.input.value = "";
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
 * The keys by the first slot that the passphrase opens; more than one is there while a passphrase is being changed.
 * @param {Served} served
 * @param {string} passphrase
 * @param {(done: number) => void} onProgress
 */
async function openBy(served, passphrase, onProgress) {
  const slots = passphraseSlots(served);
  if (slots.length === 0) throw new AdviceError("The server keeps no keys under a passphrase. Use the recovery code.");
  for (const { fields, parameters } of slots) {
    try {
      return await openKeys(served, await keyByPassphrase(fields, await stretch(passphrase, parameters, onProgress)));
    } catch (error) {
      if (!(error instanceof WrongSecretError)) throw error;
    }
  }
  throw new AdviceError("That is not the passphrase of these keys.");
}
