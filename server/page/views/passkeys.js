// Passkeys: added, named, listed, removed; and let unlock, where the device's PRF gives a secret for it.

import { sentence } from "../api.js";
import { confirm } from "../dialogs.js";
import { button, el } from "../elements.js";
import { AdviceError, field, form, progress, STRETCHING } from "../forms.js";
import { byPassphrase } from "../held.js";
import { newSlotId } from "../keyring.js";
import { askPrf, createPasskey, keepPasskey, passkeysHere, signalGone } from "../webauthn.js";
import { b64url, equal, fromB64url } from "../wire/bytes.js";
import { plain } from "../wire/listing.js";
import { passkeySlot, prfSalt } from "../wire/slots.js";
import { safe } from "../wire/text.js";
import { recently } from "./again.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../wire/bytes.js").Bytes} Bytes */
/** @typedef {import("../webauthn.js").Passkey} Passkey */

const NO_PRF = "This device gives no key for unlocking: the passkey signs you in, and your passphrase still unlocks.";
const ABOUT =
  "A passkey signs you in by this device’s fingerprint, face or PIN, or by a security key, without passphrase and code. " +
  "Where the device can, the same touch unlocks your records.";
const NOT_HERE = "This browser, or this address, has no passkeys. Open the page by the server’s public name.";
const MOST_LABEL = 100;

/**
 * @param {HTMLElement} root of the view
 * @param {Context} context
 * @param {AbortSignal} gone
 */
export function passkeys(root, context, gone) {
  const { api } = context;
  const reader = context.account()?.role !== "administrator";
  const title = el("h2", { tabindex: -1 }, "Passkeys");
  const list = el("ul", { class: "plain" }, el("li", {}, "Loading …"));
  const problem = el("p", { class: "problem", role: "alert" });
  const done = el("p", { class: "done", role: "status" });
  const place = el("div", {});

  async function load() {
    try {
      const found = /** @type {Passkey[]} */ ((await api("GET", "/v1/account/passkeys")).passkeys);
      if (!gone.aborted) show(found);
      return found;
    } catch (error) {
      list.replaceChildren();
      problem.textContent = sentence(error);
      return null;
    }
  }

  /** @param {Passkey[]} found */
  function show(found) {
    if (found.length === 0) list.replaceChildren(el("li", {}, "There are none."));
    else list.replaceChildren(...found.map(row));
  }

  /** @param {Passkey} passkey */
  function row(passkey) {
    const { credential, label, created_at: made, used_at: used, unlocks } = passkey;
    const name = safe(label);
    const can = !reader ? "" : unlocks ? " Signs you in and unlocks." : " Signs you in; does not unlock.";
    const said = ` Made ${day(made)}, ${used === null ? "not used yet" : `used ${day(used)}`}.${can}`;
    const remove = button("Remove", () => removed(credential, name, unlocks), { "aria-label": `Remove: ${name}` });
    const open = button("Let it unlock", () => offer(credential, name, null), { "aria-label": `Let it unlock: ${name}` });
    const more = reader && !unlocks && passkeysHere() ? open : null;
    return el("li", { class: "row" }, el("span", {}, el("strong", {}, el("bdi", {}, name)), said), more, remove);
  }

  /**
   * @param {string} credential
   * @param {string} name
   * @param {boolean} unlocks
   */
  async function removed(credential, name, unlocks) {
    problem.textContent = done.textContent = "";
    const what = unlocks ? "It then neither signs you in nor unlocks." : "It then signs you in no more.";
    const question = `${what} Your passphrase does as before. Delete it on the device too.`;
    if (!(await confirm(root, `Remove the passkey ${name}?`, question, "Remove")) || gone.aborted) return;
    const path = `/v1/account/passkeys/${encodeURIComponent(credential)}`;
    try {
      await recently(root, context, gone, () => api("DELETE", path));
      if (passkeysHere()) await signalGone(credential);
      place.replaceChildren();
      await load();
      done.textContent = "The passkey is removed.";
    } catch (error) {
      problem.textContent = sentence(error);
    }
    title.focus();
  }

  /**
   * Let a passkey unlock: its PRF's answer makes a slot of the slot key, which the passphrase gives.
   * @param {string} credential
   * @param {string} name
   * @param {Bytes | null} known what its PRF answered already
   */
  function offer(credential, name, known) {
    problem.textContent = done.textContent = "";
    const head = el("h3", { tabindex: -1 }, "Let it unlock your records");
    const passphrase = field("Current passphrase", { type: "password", autocomplete: "current-password", required: true });
    const working = progress();
    let output = known;
    gone.addEventListener("abort", () => output?.fill(0));
    const id = newSlotId();
    const keep = form("Let it unlock", [passphrase.root, working.root], async () => {
      const account = context.account();
      if (account === null || passphrase.input.value === "") throw new AdviceError("Type your passphrase.");
      const salt = await prfSalt();
      if (output === null) {
        const asked = await askPrf(new Map([[credential, b64url(salt)]]), gone);
        if (!equal(asked.credential, fromB64url(credential))) throw new AdviceError("That was another passkey.");
        if (asked.prf === null) throw new AdviceError(NO_PRF);
        output = asked.prf;
      }
      try {
        const { slotKey } = await byPassphrase(api, account, passphrase.input.value, working.begin(STRETCHING));
        if (slotKey === null) return;
        const slot = await passkeySlot(slotKey, output, { credential: fromB64url(credential), salt });
        slotKey.fill(0);
        await api("PUT", `/v1/key-slots/${id}`, slot);
      } finally {
        working.end();
      }
      passphrase.input.value = "";
      output.fill(0);
      await ended("The passkey signs you in and unlocks.");
    });
    const not = button("Not now", () => {
      output?.fill(0);
      passphrase.input.value = "";
      return ended("The passkey signs you in; your passphrase unlocks.");
    }, { class: "link" });
    const who = el("p", {}, "For the passkey ", el("bdi", {}, name), ". It is asked once more, and your passphrase opens the keys for it.");
    place.replaceChildren(head, who, keep, el("p", {}, not));
    head.focus();
  }

  /** @param {string} said */
  async function ended(said) {
    place.replaceChildren();
    await load();
    if (gone.aborted) return;
    done.textContent = said;
    title.focus();
  }

  function adding() {
    if (!passkeysHere()) return el("p", { class: "hint" }, NOT_HERE);
    const hint = "So that you know later which one it is: “office laptop”.";
    const label = field("Name of the passkey", { type: "text", autocomplete: "off", maxlength: MOST_LABEL, required: true }, hint);
    const add = form("Add a passkey", [label.root], async () => {
      problem.textContent = done.textContent = "";
      const name = label.input.value.trim();
      if (name === "") throw new AdviceError("Give the passkey a name.");
      const begin = () => api("POST", "/v1/account/passkeys/start", {});
      const { options } = await recently(root, context, gone, begin);
      const { sent, prf, mayUnlock } = await createPasskey(options, gone);
      const kept = await keepPasskey(api, { ...sent, label: name }, load);
      label.input.value = "";
      details.open = false;
      await load();
      if (gone.aborted) return;
      if (reader && mayUnlock) return offer(kept.credential, safe(kept.label), prf);
      prf?.fill(0);
      await ended(reader ? `The passkey is added. ${NO_PRF}` : "The passkey is added.");
    });
    const details = el("details", {}, el("summary", {}, "Add one"), add);
    return details;
  }

  void load();
  return el("section", {}, title, el("p", {}, ABOUT), list, problem, done, place, adding());
}

/** @param {string} at */
function day(at) {
  return plain(at).slice(0, 10);
}
