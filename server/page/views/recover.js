// A lost passphrase: the printed code and the authenticator make a new one, and move the keys under it.

import { button, el, heading } from "../elements.js";
import { AdviceError, codeField, field, form, newPassphrase, progress, STRETCHING } from "../forms.js";
import { keyByCode, newParameters, newSlotId, openKeys, passphraseSlots } from "../keyring.js";
import { removeSlots, steps } from "../steps.js";
import { stretch } from "../stretching.js";
import { b64url } from "../wire/bytes.js";
import { parseCode } from "../wire/recovery_code.js";
import { formatParameters, recoverySignIn } from "../wire/secrets.js";
import { passphraseSlot } from "../wire/slots.js";
import { blank } from "./blank.js";
import { finished } from "./passphrase.js";

/** @typedef {import("../context.js").Account} Account */
/** @typedef {import("../context.js").Keys} Keys */

/**
 * @param {HTMLElement} root
 * @param {{ api: (method: string, path: string, body?: unknown) => Promise<any>,
 *   onSignedIn: (account: Account, keys: Keys | null) => void, onBack: () => void }} to
 */
export function mount(root, { api, onSignedIn, onBack }) {
  const name = field("Name", { type: "text", autocomplete: "username", required: true });
  const printed = field("Recovery code", { type: "text", autocomplete: "off", class: "code", required: true });
  const code = codeField();
  const fresh = newPassphrase();
  const working = progress();
  const children = [name.root, printed.root, code.root, ...fresh.roots, working.root];
  let gone = false;
  /** What is still to be done once the account has the new passphrase.
   * @type {(() => Promise<void>) | null} */
  let begun = null;
  const renew = form("Take the new passphrase", children, async () => {
    begun ??= await recovered();
    if (begun !== null) await finished(begun, () => {});
  });

  /** The account first: nobody is signed in before. The recovery code opens the keys all the while. */
  async function recovered() {
    if (name.input.value.trim() === "") throw new AdviceError("Type your name.");
    // Read once: it is needed again when the account has changed, and whoever goes back empties the field.
    const typed = printed.input.value;
    const recovery = b64url(await recoverySignIn(parseCode(typed)));
    const [digits, words, parameters] = [code.value(), fresh.chosen(), newParameters()];
    try {
      const stretched = await stretch(words, parameters, working.begin(STRETCHING));
      const account = await api("POST", "/v1/recovery/passphrase", {
        name: name.input.value.trim(),
        recovery,
        code: digits,
        kdf: formatParameters(parameters),
        new_secret: b64url(stretched.signIn),
      });
      return account.role === "administrator" ? steps(async () => enter(account, null)) : moved(account, typed, stretched, parameters);
    } finally {
      working.end();
    }
  }

  /**
   * The steps that move the keys under the new passphrase.
   * @param {Account} account
   * @param {string} typed the recovery code
   * @param {import("../stretching.js").Stretched} stretched
   * @param {import("../wire/secrets.js").Parameters} parameters
   */
  function moved(account, typed, stretched, parameters) {
    const id = newSlotId();
    /** @type {Keys | null} */
    let keys = null;
    /** @type {string[]} */
    let old = [];
    return steps(
      async () => {
        const served = await api("GET", "/v1/keys");
        // Whoever reads with the command line alone has no keys here: the locked page says so.
        if (served.slots.length === 0) return;
        const slotKey = await keyByCode(served, typed);
        const slot = await passphraseSlot(slotKey, stretched.wrapping, parameters);
        old = passphraseSlots(served).map((one) => one.slot).filter((one) => one !== id);
        keys = await openKeys(served, slotKey);
        await api("PUT", `/v1/key-slots/${id}`, slot);
      },
      () => removeSlots(api, old),
      async () => enter(account, keys),
    );
  }

  /**
   * @param {Account} account
   * @param {Keys | null} keys
   */
  function enter(account, keys) {
    if (!gone) onSignedIn(account, keys);
  }

  root.append(
    el(
      "div",
      { class: "narrow" },
      heading("A new passphrase"),
      el("p", {}, "It takes the recovery code that you printed, and your authenticator. Both lost: ask your administrator."),
      renew,
      el("p", { class: "aside" }, button("Back", onBack, { class: "link" })),
    ),
  );
  return () => {
    gone = true;
    blank(root);
  };
}
