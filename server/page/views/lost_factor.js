// A lost authenticator: passphrase, recovery code, and a day in which any sign-in stops it; then a new one.

import { RefusedError, sentence } from "../api.js";
import { button, el, heading } from "../elements.js";
import { AdviceError, codeField, field, form, progress, STRETCHING } from "../forms.js";
import { keysOfSignIn } from "../held.js";
import { stretch } from "../stretching.js";
import { b64url } from "../wire/bytes.js";
import { WrongSecretError } from "../wire/errors.js";
import { parseCode } from "../wire/recovery_code.js";
import { parseParameters, recoverySignIn } from "../wire/secrets.js";
import { authenticatorSecret } from "./authenticator.js";
import { blank } from "./blank.js";
import { moment } from "./reset_notice.js";

/** @typedef {import("../context.js").Account} Account */
/** @typedef {import("../context.js").Keys} Keys */
/** @typedef {import("../stretching.js").Stretched} Stretched */
/** @typedef {import("../wire/secrets.js").Parameters} Parameters */

const NOT_A_CODE = "The recovery code has 26 letters and digits. Some are missing, or there are too many.";

/**
 * @param {HTMLElement} root
 * @param {{ api: (method: string, path: string, body?: unknown) => Promise<any>,
 *   onSignedIn: (account: Account, keys: Keys | null, said?: string) => void, onBack: () => void }} to
 */
export function mount(root, { api, onSignedIn, onBack }) {
  let gone = false;
  /** Both secrets, once they were typed: the steps that follow ask for them too.
   * @type {{ proof: { name: string, secret: string, recovery: string }, stretched: Stretched, parameters: Parameters } | null} */
  let proven = null;

  /**
   * @param {string} title
   * @param {...import("../elements.js").Child} children
   */
  function step(title, ...children) {
    if (gone) return;
    blank(root);
    const head = heading(title);
    const back = el("p", { class: "aside" }, button("Back to the sign-in", onBack, { class: "link" }));
    root.replaceChildren(el("div", { class: "narrow" }, head, ...children, back));
    head.focus();
  }

  function begin() {
    const name = field("Name", { type: "text", autocomplete: "username", required: true });
    const passphrase = field("Passphrase", { type: "password", autocomplete: "current-password", required: true });
    const printed = field("Recovery code", { type: "text", autocomplete: "off", class: "code", required: true });
    const working = progress();
    const next = form("Continue", [name.root, passphrase.root, printed.root, working.root], async () => {
      const who = name.input.value.trim();
      if (who === "" || passphrase.input.value === "") throw new AdviceError("Type your name and your passphrase.");
      const recovery = b64url(await recoverySignIn(read(printed.input.value)));
      const parameters = parseParameters(String((await api("POST", "/v1/sign-in/start", { name: who })).kdf));
      const words = passphrase.input.value;
      const stretched = await stretch(words, parameters, working.begin(STRETCHING)).finally(working.end);
      const proof = { name: who, secret: b64url(stretched.signIn), recovery };
      proven = { proof, stretched, parameters };
      try {
        replaced(await api("POST", "/v1/recovery/factor/start", proof));
      } catch (error) {
        if (!(error instanceof RefusedError && error.code === "wait")) throw error;
        ask();
      }
    });
    step(
      "A lost authenticator",
      el("p", {}, "With your passphrase and your recovery code you can ask for a new authenticator. This is what happens:"),
      el(
        "ul",
        {},
        el("li", {}, "You ask today. If the practice has an e-mail address of yours, it is told."),
        el("li", {}, "In a day you come back here and add the new authenticator. You have a week for that."),
        el("li", {}, "Any sign-in stops it: so, if it was not you who asked, signing in is all that you need to do."),
        el("li", {}, "Passkeys are then removed, since they may have been lost too. A passkey that you still have signs you in now."),
      ),
      el("p", {}, "Passphrase and recovery code both lost: ask your administrator."),
      next,
    );
  }

  function ask() {
    const send = form("Ask for a new authenticator", [], async () => {
      if (proven === null) return;
      const { ready_at: at } = await api("POST", "/v1/recovery/factor", proven.proof);
      asked(String(at));
    });
    step("Ask, and wait a day", el("p", {}, "Until then nothing changes. Any sign-in to this account stops it."), send);
  }

  /** @param {string} at */
  function asked(at) {
    forget();
    step(
      "It is asked for",
      el("p", {}, "From ", el("strong", {}, moment(at)), " on you can add a new authenticator: come back here, with passphrase and recovery code."),
      el("p", {}, "You have a week for it. Any sign-in until then stops it."),
    );
  }

  /** @param {{ token: string, otpauth: string }} begun */
  function replaced({ token, otpauth }) {
    const code = codeField();
    const finish = form("Take the new authenticator", [code.root], async () => {
      if (proven === null) return;
      const { proof, stretched, parameters } = proven;
      const account = await api("POST", "/v1/recovery/factor/finish", { ...proof, token, code: code.value() });
      if (gone) return;
      let said;
      const keys =
        account.role === "administrator"
          ? null
          : await keysOfSignIn(api, stretched, parameters).catch((error) => ((said = sentence(error)), null));
      if (!gone) onSignedIn(account, keys, said);
    });
    step("Add the new authenticator", el("p", {}, "The day has passed."), authenticatorSecret(otpauth), finish);
  }

  function forget() {
    proven?.stretched.wrapping.fill(0);
    proven?.stretched.signIn.fill(0);
    proven = null;
  }

  begin();
  return () => {
    gone = true;
    forget();
    blank(root);
  };
}

/** @param {string} typed */
function read(typed) {
  try {
    return parseCode(typed);
  } catch (error) {
    if (!(error instanceof WrongSecretError)) throw error;
    throw new AdviceError(NOT_A_CODE, { cause: error });
  }
}
