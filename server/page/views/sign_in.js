// Signing in by passphrase and authenticator, or by a passkey. What signs in opens the keys too, where it can: the
// passphrase by the same derivation, a passkey by its PRF, evaluated in the same touch.

import { sentence } from "../api.js";
import { el, heading, button } from "../elements.js";
import { codeField, field, form, progress, STRETCHING, AdviceError } from "../forms.js";
import { keysOfSignIn } from "../held.js";
import { keyByPasskey, openKeys } from "../keyring.js";
import { stretch } from "../stretching.js";
import { usePasskey } from "../webauthn.js";
import { b64url } from "../wire/bytes.js";
import { WrongSecretError } from "../wire/errors.js";
import { parseParameters } from "../wire/secrets.js";
import { blank } from "./blank.js";
import { passkeyButton } from "./passkey_button.js";

/** @typedef {import("../context.js").Account} Account */
/** @typedef {import("../context.js").Keys} Keys */
/** @typedef {import("../webauthn.js").Used} Used */

const NOT_BY_THIS = "You are signed in. This passkey does not unlock: your passphrase opens the records.";

/**
 * @param {HTMLElement} root
 * @param {{ api: (method: string, path: string, body?: unknown) => Promise<any>, said?: string,
 *   onSignedIn: (account: Account, keys: Keys | null, said?: string) => void, onLost: () => void,
 *   onLostFactor: () => void }} to `keys` is null when they are to be unlocked apart; `onLost`: the passphrase is lost
 */
export function mount(root, { api, said, onSignedIn, onLost, onLostFactor }) {
  const gone = new AbortController();
  const name = field("Name", { type: "text", autocomplete: "username", required: true });
  const passphrase = field("Passphrase", { type: "password", autocomplete: "current-password", required: true });
  const code = codeField();
  const working = progress();

  /**
   * @param {Account} account
   * @param {() => Promise<Keys | null>} open
   * @param {string} [otherwise] what is said where they do not open
   */
  async function enter(account, open, otherwise) {
    let why = otherwise;
    // Signed in is signed in: what hinders the keys is said where they are unlocked.
    const keys = account.role === "administrator" ? null : await open().catch((error) => ((why = sentence(error)), null));
    if (!gone.signal.aborted) onSignedIn(account, keys, why);
  }

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
      await enter(account, () => keysOfSignIn(api, stretched, parameters));
    } finally {
      working.end();
    }
  });

  const byPasskey = passkeyButton("Sign in with a passkey", async () => {
    const { options } = await api("POST", "/v1/sign-in/passkey/start", {});
    const used = await usePasskey(options, gone.signal);
    const account = await api("POST", "/v1/sign-in/passkey", used.sent);
    await enter(account, () => keysByPasskey(api, used), NOT_BY_THIS);
  });

  root.append(
    el(
      "div",
      { class: "narrow" },
      heading("Sign in"),
      said === undefined ? null : el("p", { class: "said" }, said),
      signIn,
      byPasskey,
      el(
        "p",
        { class: "aside row" },
        button("I have lost my passphrase", onLost, { class: "link" }),
        button("I have lost my authenticator", onLostFactor, { class: "link" }),
      ),
    ),
  );
  return () => {
    gone.abort();
    blank(root);
  };
}

/**
 * The keys by what the passkey's PRF answered; null where it gave nothing, or has no slot.
 * @param {(method: string, path: string) => Promise<any>} api
 * @param {Used} used
 */
async function keysByPasskey(api, { credential, prf }) {
  if (prf === null) return null;
  try {
    const served = await api("GET", "/v1/keys");
    return await openKeys(served, await keyByPasskey(served, credential, prf));
  } catch (error) {
    if (!(error instanceof WrongSecretError)) throw error;
    return null;
  } finally {
    prf.fill(0);
  }
}
