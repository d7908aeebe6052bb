// A lost passphrase: the printed code and the authenticator make a new one, and move the keys under it.

import { button, el, heading } from "../elements.js";
import { AdviceError, codeField, field, form, newPassphrase, progress, STRETCHING } from "../forms.js";
import { keyByCode, newParameters, newSlotId, openKeys, passphraseSlots } from "../keyring.js";
import { stretch } from "../stretching.js";
import { b64url } from "../wire/bytes.js";
import { parseCode } from "../wire/recovery_code.js";
import { formatParameters, recoverySignIn } from "../wire/secrets.js";
import { passphraseSlot } from "../wire/slots.js";

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
  const renew = form("Take the new passphrase", children, async () => {
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
      if (account.role === "administrator") return onSignedIn(account, null);
      const served = await api("GET", "/v1/keys");
      const slotKey = await keyByCode(served, typed);
      const slot = await passphraseSlot(slotKey, stretched.wrapping, parameters);
      const keys = await openKeys(served, slotKey);
      await api("PUT", `/v1/key-slots/${newSlotId()}`, slot);
      for (const { slot: old } of passphraseSlots(served)) await api("DELETE", `/v1/key-slots/${old}`);
      onSignedIn(account, keys);
    } finally {
      working.end();
    }
  });
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
    printed.input.value = "";
    fresh.clear();
  };
}
