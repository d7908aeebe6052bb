// The account: who is signed in, a new passphrase, passkeys, signing out, and the access log.

import { sentence } from "../api.js";
import { button, el, heading } from "../elements.js";
import { AdviceError, field, form, newPassphrase, progress, STRETCHING } from "../forms.js";
import { keyByPassphrase, newParameters, newSlotId, passphraseSlots } from "../keyring.js";
import { stretch } from "../stretching.js";
import { b64url, equal } from "../wire/bytes.js";
import { WrongSecretError } from "../wire/errors.js";
import { plain } from "../wire/listing.js";
import { formatParameters, parseParameters } from "../wire/secrets.js";
import { passphraseSlot } from "../wire/slots.js";
import { safe } from "../wire/text.js";
import { accessLog } from "./access_log.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../stretching.js").Stretched} Stretched */
/** @typedef {import("../wire/bytes.js").Bytes} Bytes */
/** @typedef {import("../wire/secrets.js").Parameters} Parameters */

/**
 * @param {HTMLElement} root
 * @param {Context} context
 * @returns {() => void}
 */
export function mount(root, context) {
  const account = context.account();
  const who = account === null ? "" : `${safe(account.name)}, ${account.role}, ${safe(account.practice.name)}`;
  const reset = account?.factor_reset_at ? resetNotice(context, account.factor_reset_at) : null;
  const log = accessLog(context);
  root.append(
    heading("Account"),
    ...(reset === null ? [] : [reset]),
    el("p", {}, who),
    el(
      "p",
      { class: "row" },
      button("Sign out", () => context.signOut(false)),
      button("Sign out everywhere", () => context.signOut(true)),
    ),
    changePassphrase(context),
    passkeys(context),
    log.root,
  );
  return () => log.stop();
}

/**
 * @param {Context} context
 * @param {string} at
 */
function resetNotice(context, at) {
  const said = `Somebody asked to replace your authenticator; it can be done from ${plain(at)}. If it was not you, cancel it.`;
  const root = el("div", { class: "warning", role: "alert" }, el("p", {}, said));
  const cancel = form("Cancel the replacement", [], async () => {
    await context.api("DELETE", "/v1/account/factor-reset");
    root.replaceChildren(el("p", {}, "The replacement is cancelled. Change your passphrase too."));
  });
  root.append(cancel);
  return root;
}

/** @param {Context} context */
function changePassphrase(context) {
  const current = field("Current passphrase", { type: "password", autocomplete: "current-password", required: true });
  const fresh = newPassphrase();
  const working = progress();
  const done = el("p", { class: "done", role: "status" });
  const change = form("Change the passphrase", [current.root, ...fresh.roots, working.root], async () => {
    done.textContent = "";
    if (current.input.value === "") throw new AdviceError("Type the passphrase that you have now.");
    const words = fresh.chosen();
    try {
      await replace(context, current.input.value, words, working);
    } finally {
      working.end();
    }
    current.input.value = "";
    fresh.clear();
    done.textContent = "The passphrase is changed. Other sessions have ended.";
  });
  return el("section", {}, el("h2", {}, "Passphrase"), el("details", {}, el("summary", {}, "Change it"), change), done);
}

/**
 * The new slot first, then the account, then the old slot: cut short anywhere, one passphrase still does both.
 * @param {Context} context
 * @param {string} current
 * @param {string} words
 * @param {ReturnType<typeof progress>} working
 */
async function replace(context, current, words, working) {
  const account = context.account();
  if (account === null) return;
  const { api } = context;
  const started = await api("POST", "/v1/sign-in/start", { name: account.name });
  const parameters = parseParameters(String(started.kdf));
  const stretched = await stretch(current, parameters, working.begin(STRETCHING));
  const next = newParameters();
  const renewed = await stretch(words, next, working.begin("And on the new one."));
  const old = account.role === "administrator" ? [] : await addSlot(context, current, stretched, parameters, renewed, next);
  await api("PUT", "/v1/account/passphrase", {
    secret: b64url(stretched.signIn),
    kdf: formatParameters(next),
    new_secret: b64url(renewed.signIn),
  });
  for (const slot of old) await api("DELETE", `/v1/key-slots/${slot}`);
}

/**
 * Add the new passphrase's slot; the ids of the old ones, to be removed once the account has changed.
 * @param {Context} context
 * @param {string} current
 * @param {Stretched} stretched
 * @param {Parameters} parameters
 * @param {Stretched} renewed
 * @param {Parameters} next
 */
async function addSlot({ api }, current, stretched, parameters, renewed, next) {
  const served = await api("GET", "/v1/keys");
  const slots = passphraseSlots(served, parameters.salt);
  for (const { fields, parameters: own } of slots) {
    try {
      const same = equal(own.salt, parameters.salt) ? stretched : await stretch(current, own);
      const slotKey = await keyByPassphrase(fields, same);
      const slot = await passphraseSlot(slotKey, renewed.wrapping, next);
      slotKey.fill(0);
      await api("PUT", `/v1/key-slots/${newSlotId()}`, slot);
      return slots.map((one) => one.slot);
    } catch (error) {
      if (!(error instanceof WrongSecretError)) throw error;
    }
  }
  throw new AdviceError("That is not your current passphrase.");
}

/** @param {Context} context */
function passkeys({ api }) {
  const list = el("ul", { class: "plain" }, el("li", {}, "Loading …"));
  const problem = el("p", { class: "problem", role: "alert" });

  async function load() {
    try {
      show((await api("GET", "/v1/account/passkeys")).passkeys);
    } catch (error) {
      list.replaceChildren();
      problem.textContent = sentence(error);
    }
  }

  /** @param {{ credential: string, label: string, created_at: string, used_at: string | null }[]} found */
  function show(found) {
    if (found.length === 0) list.replaceChildren(el("li", {}, "There are none."));
    else list.replaceChildren(...found.map(row));
  }

  /** @param {{ credential: string, label: string, created_at: string, used_at: string | null }} passkey */
  function row({ credential, label, created_at: made, used_at: used }) {
    const name = plain(label);
    const said = `${name}, made ${plain(made).slice(0, 10)}, ${used === null ? "not used" : `used ${plain(used).slice(0, 10)}`} `;
    const remove = button("Remove", async () => {
      problem.textContent = "";
      try {
        await api("DELETE", `/v1/account/passkeys/${encodeURIComponent(credential)}`);
        await load();
      } catch (error) {
        problem.textContent = sentence(error);
      }
    }, { "aria-label": `Remove the passkey ${name}` });
    return el("li", { class: "row" }, said, remove);
  }

  void load();
  return el("section", {}, el("h2", {}, "Passkeys"), list, problem);
}
