// A new passphrase, by the one before or by the printed code. The new slot first, then the account, the old slots last:
// cut short anywhere, one passphrase still does both, and pressing again goes on where it was cut.

import { RefusedError, sentence } from "../api.js";
import { el } from "../elements.js";
import { AdviceError, field, form, newPassphrase, progress, STRETCHING } from "../forms.js";
import { byCode, byPassphrase } from "../held.js";
import { newParameters, newSlotId, passphraseSlots } from "../keyring.js";
import { removeSlots, steps } from "../steps.js";
import { stretch } from "../stretching.js";
import { b64url } from "../wire/bytes.js";
import { formatParameters } from "../wire/secrets.js";
import { passphraseSlot } from "../wire/slots.js";
import { recently } from "./again.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../held.js").Held} Held */

export const GO_ON = "Nothing is lost. Press the button again to finish.";

/**
 * @param {HTMLElement} root of the view
 * @param {Context} context
 * @param {AbortSignal} gone
 */
export function changePassphrase(root, context, gone) {
  const done = el("p", { class: "done", role: "status" });
  const current = field("Current passphrase", { type: "password", autocomplete: "current-password", required: true });
  const printed = field("Recovery code", { type: "text", autocomplete: "off", class: "code", required: true });
  const byOld = changing("Change the passphrase", current, async (account, working) => {
    const held = await byPassphrase(context.api, account, current.input.value, working.begin(STRETCHING));
    return { held, path: "/v1/account/passphrase", proof: { secret: b64url(held.secret) } };
  });
  const byPaper = changing("Take the new passphrase", printed, async (account) => {
    const held = await byCode(context.api, account, printed.input.value);
    return { held, path: "/v1/account/passphrase/recovered", proof: { recovery: b64url(held.secret) } };
  });

  /**
   * @param {string} label
   * @param {ReturnType<typeof field>} shown
   * @param {(account: import("../context.js").Account, working: ReturnType<typeof progress>) =>
   *   Promise<{ held: Held, path: string, proof: Record<string, string> }>} prove
   */
  function changing(label, shown, prove) {
    const fresh = newPassphrase();
    const working = progress();
    /** @type {(() => Promise<void>) | null} */
    let begun = null;
    return form(label, [shown.root, ...fresh.roots, working.root], async () => {
      done.textContent = "";
      const account = context.account();
      if (account === null) throw new AdviceError("Sign in again, then repeat it.");
      try {
        if (begun === null) {
          if (shown.input.value === "") throw new AdviceError(`${label}: type what you have now, and the new one twice.`);
          const words = fresh.chosen();
          const proven = await prove(account, working);
          begun = await replacing(root, context, gone, { ...proven, name: account.name, words, working });
        }
        await finished(begun, () => (begun = null));
      } finally {
        working.end();
      }
      begun = null;
      shown.input.value = "";
      fresh.clear();
      done.textContent = "The passphrase is changed. Other sessions have ended.";
    });
  }

  return el(
    "section",
    {},
    el("h2", {}, "Passphrase"),
    el(
      "details",
      {},
      el("summary", {}, "Change it"),
      byOld,
      el("details", {}, el("summary", {}, "I do not have it: use the recovery code"), byPaper),
    ),
    done,
  );
}

/**
 * Take the steps; what cut them short is said with what to do about it. `anew` is called when what was shown is refused,
 * so that the fields are read again.
 * @param {() => Promise<void>} begun
 * @param {() => void} anew
 */
export async function finished(begun, anew) {
  try {
    await begun();
  } catch (error) {
    if (error instanceof AdviceError) throw error;
    if (error instanceof RefusedError && error.code === "sign_in") {
      anew();
      throw error;
    }
    throw new AdviceError(`${sentence(error)} ${GO_ON}`, { cause: error });
  }
}

/**
 * The steps from one passphrase to the next.
 * @param {HTMLElement} root
 * @param {Context} context
 * @param {AbortSignal} gone
 * @param {{ held: Held, path: string, proof: Record<string, string>, name: string, words: string,
 *   working: ReturnType<typeof progress> }} from
 */
async function replacing(root, context, gone, { held, path, proof, name, words, working }) {
  const { api } = context;
  try {
    const parameters = newParameters();
    const renewed = await stretch(words, parameters, working.begin("And on the new one."));
    const kdf = formatParameters(parameters);
    const change = { ...proof, kdf, new_secret: b64url(renewed.signIn) };
    const { slotKey, served } = held;
    const slot = slotKey === null ? null : await passphraseSlot(slotKey, renewed.wrapping, parameters);
    const [id, old] = [newSlotId(), served === null ? [] : passphraseSlots(served).map((one) => one.slot)];
    renewed.wrapping.fill(0);
    return steps(
      async () => slot && api("PUT", `/v1/key-slots/${id}`, slot),
      async () => {
        // After a lost answer the account may have the new one already, and the old one proves nothing any more.
        if ((await api("POST", "/v1/sign-in/start", { name })).kdf === kdf) return;
        await recently(root, context, gone, () => api("PUT", path, change));
      },
      () => removeSlots(api, old),
    );
  } finally {
    held.slotKey?.fill(0);
  }
}
