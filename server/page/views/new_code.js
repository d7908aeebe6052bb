// A new recovery code in the old one's place. The new slot first, then the account, the old slots last: cut short
// anywhere, one of the two papers still does everything, and pressing again goes on where it was cut.

import { button, el, heading } from "../elements.js";
import { AdviceError, field, form, progress, STRETCHING } from "../forms.js";
import { byPassphrase } from "../held.js";
import { newCode, newSlotId } from "../keyring.js";
import { removeSlots, steps } from "../steps.js";
import { b64url } from "../wire/bytes.js";
import { recoverySignIn } from "../wire/secrets.js";
import { recoverySlot } from "../wire/slots.js";
import { needRecent, recently } from "./again.js";
import { blank } from "./blank.js";
import { toPrint, toType } from "./paper.js";
import { finished } from "./passphrase.js";

/** @typedef {import("../context.js").Context} Context */

/**
 * Takes the whole of `root`, so that the code can be printed by itself.
 * @param {HTMLElement} root
 * @param {Context} context
 * @param {AbortSignal} gone
 * @param {(said: string) => void} onEnd with what was done, or ""
 */
export function newRecoveryCode(root, context, gone, onEnd) {
  const { api } = context;
  const code = newCode();
  const slotId = newSlotId();
  const aside = el("p", { class: "aside" }, button("Cancel: the old code stays", () => onEnd(""), { class: "link" }));
  let begun = false;
  gone.addEventListener("abort", () => code.fill(0));

  /**
   * @param {string} title
   * @param {...import("../elements.js").Child} children
   */
  function step(title, ...children) {
    blank(root);
    const head = heading(title);
    aside.hidden = begun;
    root.replaceChildren(el("div", { class: "narrow" }, head, ...children, aside));
    head.focus();
  }

  function passphrase() {
    const current = field("Current passphrase", { type: "password", autocomplete: "current-password", required: true });
    const working = progress();
    const next = form("Continue", [current.root, working.root], async () => {
      const account = context.account();
      if (account === null) throw new AdviceError("Sign in again, then repeat it.");
      const held = await byPassphrase(api, account, current.input.value, working.begin(STRETCHING)).finally(working.end);
      const { slotKey, served, secret } = held;
      const slot = slotKey === null ? null : await recoverySlot(slotKey, code);
      slotKey?.fill(0);
      const change = { secret: b64url(secret), recovery: b64url(await recoverySignIn(code)) };
      const old = (served?.slots ?? []).filter(({ fields }) => fields.type === "recovery").map((one) => one.slot);
      // Asked for now, so that nobody types the whole code only to be told.
      await needRecent(root, context, gone);
      if (gone.aborted) return;
      const made = steps(
        async () => slot && api("PUT", `/v1/key-slots/${slotId}`, slot),
        () => recently(root, context, gone, () => api("PUT", "/v1/account/recovery", change)),
        () => removeSlots(api, old),
      );
      printed(made);
    });
    step("A new recovery code", el("p", {}, "The code that you have now goes on working until the new one is on paper."), next);
  }

  /** @param {() => Promise<void>} made */
  function printed(made) {
    step("Print your recovery code", ...toPrint(code, () => typed(made)));
  }

  /** @param {() => Promise<void>} made */
  function typed(made) {
    const take = async () => {
      // From here on the old code may be gone: there is only going on.
      begun = aside.hidden = true;
      await finished(made, () => {});
      onEnd("The recovery code is replaced. Destroy the old paper.");
    };
    step("Type the code once", ...toType(code, take, () => printed(made)));
  }

  passphrase();
}
