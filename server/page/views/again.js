// Changing what one signs in with needs a sign-in of the last ten minutes: asked for where it is needed, and no sooner.

import { RefusedError } from "../api.js";
import { button, el } from "../elements.js";
import { AdviceError, codeField, field, form, progress, STRETCHING } from "../forms.js";
import { stretch } from "../stretching.js";
import { usePasskey } from "../webauthn.js";
import { b64url } from "../wire/bytes.js";
import { parseParameters } from "../wire/secrets.js";
import { blank } from "./blank.js";
import { passkeyButton } from "./passkey_button.js";

/** @typedef {import("../context.js").Account} Account */
/** @typedef {import("../context.js").Context} Context */

/** Of the server's ten minutes, so much is left for what follows. */
const SOON_MS = 5 * 60 * 1000;
const NEEDED = "This needs a sign-in of the last ten minutes. Nothing was changed.";

/**
 * What `act` gives; when the server finds the sign-in too old, it is asked for anew, and `act` is done again.
 * @template T
 * @param {HTMLElement} root what the question stands in
 * @param {Context} context
 * @param {AbortSignal} gone
 * @param {() => Promise<T>} act
 * @returns {Promise<T>}
 */
export async function recently(root, context, gone, act) {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof RefusedError && error.code === "recent")) throw error;
  }
  const account = context.account();
  if (account === null || gone.aborted || !(await signedInAgain(root, context, account, gone))) throw new AdviceError(NEEDED);
  return act();
}

/**
 * Ask for a new sign-in now, where the one there is would be too old for what follows. Throws AdviceError.
 * @param {HTMLElement} root
 * @param {Context} context
 * @param {AbortSignal} gone
 */
export async function needRecent(root, context, gone) {
  const account = await context.api("GET", "/v1/account");
  const age = Date.parse(account.server_time) - Date.parse(account.signed_in_at);
  if (age < SOON_MS) return;
  if (gone.aborted || !(await signedInAgain(root, context, account, gone))) throw new AdviceError(NEEDED);
}

/**
 * Whether the person signed in again; the focus goes back where it was.
 * @param {HTMLElement} root
 * @param {Context} context
 * @param {Account} account
 * @param {AbortSignal} gone
 * @returns {Promise<boolean>}
 */
function signedInAgain(root, { api, signOut }, account, gone) {
  return new Promise((resolve) => {
    const ended = new AbortController();
    const passphrase = field("Passphrase", { type: "password", autocomplete: "current-password", required: true });
    const code = codeField();
    const working = progress();
    const byWords = form("Sign in again", [passphrase.root, code.root, working.root], async () => {
      if (passphrase.input.value === "") throw new AdviceError("Type your passphrase.");
      const digits = code.value();
      const parameters = parseParameters(String((await api("POST", "/v1/sign-in/start", { name: account.name })).kdf));
      try {
        const { signIn, wrapping } = await stretch(passphrase.input.value, parameters, working.begin(STRETCHING));
        wrapping.fill(0);
        await api("POST", "/v1/sign-in/passphrase", { name: account.name, secret: b64url(signIn), code: digits });
      } finally {
        working.end();
      }
      dialog.close("yes");
    });
    const byPasskey = passkeyButton("Use a passkey", async () => {
      const { passkeys } = await api("GET", "/v1/account/passkeys");
      if (passkeys.length === 0) throw new AdviceError("You have no passkey here. Use your passphrase.");
      const { options } = await api("POST", "/v1/sign-in/passkey/start", {});
      const mine = passkeys.map((/** @type {{ credential: string }} */ { credential }) => credential);
      const { sent, prf } = await usePasskey(options, ended.signal, mine);
      prf?.fill(0);
      const found = await api("POST", "/v1/sign-in/passkey", sent);
      // Somebody else's passkey would have opened somebody else's session: these keys have no place in it.
      if (found.account !== account.account) return signOut(false);
      dialog.close("yes");
    });
    const title = el("h2", { id: "again" }, "Sign in again to go on");
    const why = "What you sign in with is changed only shortly after a sign-in.";
    /** @type {HTMLDialogElement} */
    const dialog = el(
      "dialog",
      { "aria-labelledby": "again" },
      title,
      el("p", {}, why),
      byWords,
      byPasskey,
      button("Cancel", () => dialog.close(""), { class: "link" }),
    );
    dialog.addEventListener("close", () => {
      ended.abort();
      blank(dialog);
      dialog.remove();
      resolve(dialog.returnValue === "yes" && !gone.aborted);
    });
    gone.addEventListener("abort", () => dialog.close(""));
    root.append(dialog);
    dialog.showModal();
  });
}
