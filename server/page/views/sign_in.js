// Signing in by passphrase and authenticator; the same derivation opens the keys where their slot is of one make with it.

import { el, heading, button } from "../elements.js";
import { codeField, field, form, progress, STRETCHING, AdviceError } from "../forms.js";
import { keyByPassphrase, openKeys, passphraseSlots } from "../keyring.js";
import { stretch } from "../stretching.js";
import { b64url, equal } from "../wire/bytes.js";
import { WrongSecretError } from "../wire/errors.js";
import { parseParameters } from "../wire/secrets.js";

/** @typedef {import("../context.js").Account} Account */
/** @typedef {import("../context.js").Keys} Keys */
/** @typedef {import("../stretching.js").Stretched} Stretched */
/** @typedef {import("../wire/secrets.js").Parameters} Parameters */

/**
 * @param {HTMLElement} root
 * @param {{ api: (method: string, path: string, body?: unknown) => Promise<any>, said?: string,
 *   onSignedIn: (account: Account, keys: Keys | null) => void, onLost: () => void }} to `keys` is null when they are to
 *   be unlocked apart; `onLost`: the passphrase is lost
 */
export function mount(root, { api, said, onSignedIn, onLost }) {
  const name = field("Name", { type: "text", autocomplete: "username", required: true });
  const passphrase = field("Passphrase", { type: "password", autocomplete: "current-password", required: true });
  const code = codeField();
  const working = progress();
  const signIn = form("Sign in", [name.root, passphrase.root, code.root, working.root], async () => {
    if (name.input.value.trim() === "" || passphrase.input.value === "") {
      throw new AdviceError("Type your name and your passphrase.");
    }
    const digits = code.value();
    const asked = { name: name.input.value.trim() };
    const parameters = parseParameters(String((await api("POST", "/v1/sign-in/start", asked)).kdf));
    try {
      const stretched = await stretch(passphrase.input.value, parameters, working.begin(STRETCHING));
      const proof = { ...asked, secret: b64url(stretched.signIn), code: digits };
      const account = await api("POST", "/v1/sign-in/passphrase", proof);
      passphrase.input.value = code.input.value = "";
      onSignedIn(account, account.role === "administrator" ? null : await keysBy(api, stretched, parameters));
    } finally {
      working.end();
    }
  });
  root.append(
    el(
      "div",
      { class: "narrow" },
      heading("Sign in"),
      said === undefined ? null : el("p", { class: "said" }, said),
      signIn,
      el("p", { class: "aside" }, button("I have lost my passphrase", onLost, { class: "link" })),
    ),
  );
  return () => {
    passphrase.input.value = code.input.value = "";
  };
}

/**
 * The keys, if a slot is under this very derivation; null when they need unlocking by themselves.
 * @param {(method: string, path: string) => Promise<any>} api
 * @param {Stretched} stretched
 * @param {Parameters} parameters
 */
async function keysBy(api, stretched, parameters) {
  const served = await api("GET", "/v1/keys");
  for (const { fields, parameters: slots } of passphraseSlots(served, parameters.salt)) {
    if (!equal(slots.salt, parameters.salt)) break;
    try {
      return await openKeys(served, await keyByPassphrase(fields, stretched));
    } catch (error) {
      if (!(error instanceof WrongSecretError)) throw error;
    }
  }
  return null;
}
