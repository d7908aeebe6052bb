// Clients and devices: whose device is which, how it is, and what the clinician decides about it.
//
// A client's name is a sealed label: opened here, shown, and never sent otherwise than sealed.

import { sentence } from "../api.js";
import { button, el, heading } from "../elements.js";
import { confirm } from "../dialogs.js";
import { AdviceError, field, form } from "../forms.js";
import { b64url, hex } from "../wire/bytes.js";
import { judge } from "../wire/devices.js";
import { deviceEntry, shaped } from "../wire/listing.js";
import { makeLabel, readLabel } from "../wire/notes.js";
import { signApproval } from "../wire/pairing.js";
import { safe } from "../wire/text.js";
import * as consentView from "./consent.js";
import { pairingLink } from "./pairing_link.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../context.js").Keys} Keys */
/** @typedef {import("../wire/devices.js").Trust} Trust */
/** @typedef {import("../wire/listing.js").DeviceEntry} DeviceEntry */

/** `name` null: no label that holds. `version` is of the label that is there.
 * @typedef {{ entry: DeviceEntry, trust: Trust, name: string | null, version: number }} Shown */

/** What each state means, for a person. @type {Record<string, string>} */
const STATES = {
  active: "in use",
  paused: "paused: it rests, and sends nothing",
  discharged: "discharged: it rests for good",
  revoked: "revoked: the server takes nothing from it",
};

/**
 * @param {HTMLElement} root
 * @param {Context} context
 * @returns {() => void}
 */
export function mount(root, context) {
  const list = el("ul", { class: "cards" });
  const said = el("p", { class: "said", role: "status" }, "Loading …");
  const problem = el("p", { class: "problem", role: "alert" });
  const [all, page] = [el("div", {}), el("div", {})];
  let gone = false;
  let closePage = () => {};

  async function load() {
    const keys = context.keys();
    if (keys === null) return;
    try {
      const { devices } = await context.api("GET", "/v1/devices");
      const { entries, broken } = shaped(devices, deviceEntry);
      const shown = await Promise.all(entries.map((entry) => opened(entry, keys)));
      if (gone) return;
      list.replaceChildren(...shown.sort(byName).map((one) => item(one)));
      said.textContent = shown.length === 0 ? "No device is paired yet. Make a link for the first one." : "";
      problem.textContent = broken > 0 ? `${broken} in the server's list cannot be read at all.` : "";
    } catch (error) {
      said.textContent = "";
      problem.textContent = sentence(error);
    }
  }

  /**
   * Do it, say it, and show the list anew; the focus goes back to the device's heading.
   * @param {Shown} one
   * @param {() => Promise<unknown>} act
   * @param {string} done
   */
  async function then(one, act, done) {
    problem.textContent = "";
    try {
      await act();
      await load();
      // Locked meanwhile: a client's name must not come back.
      if (gone) return;
      context.announce(done);
      document.getElementById(idOf(one))?.focus();
    } catch (error) {
      problem.textContent = sentence(error);
    }
  }

  /** @param {Shown} one */
  function item(one) {
    const { entry, trust } = one;
    const title = el("h2", { id: idOf(one), tabindex: -1 }, nameOf(one));
    const facts = el(
      "dl",
      {},
      ...pair("State", STATES[entry.state] ?? entry.state),
      ...pair("Last seen", entry.lastSeenAt === null ? "never" : when(entry.lastSeenAt)),
      ...pair("Waiting on the device", entry.outboxDepth === null ? "not told" : waiting(entry.outboxDepth)),
    );
    return el("li", { class: "card" }, title, trustLine(one), facts, actions(one), trust === null ? null : label(one));
  }

  /** @param {Shown} one */
  function actions(one) {
    const { entry, trust } = one;
    const name = nameOf(one);
    const to = (/** @type {string} */ state, /** @type {string} */ done) => () =>
      then(one, () => context.api("PUT", `${pathOf(one)}/state`, { state }), done);
    /** @type {(text: string, act: () => Promise<void>) => HTMLButtonElement} */
    const act = (text, doing) => button(text, doing, { "aria-label": `${text}: ${name}` });
    const made = [];
    if (trust !== null) made.push(act("What was agreed", async () => agreed(one)));
    if (trust === "proof") made.push(act("Approve", () => then(one, () => approve(one), `${name} is approved.`)));
    if (entry.state === "active" && trust !== null) made.push(act("Pause", to("paused", `${name} is paused.`)));
    if (entry.state === "paused") made.push(act("Resume", to("active", `${name} is in use again.`)));
    if (entry.state === "discharged") made.push(act("Take back", to("active", `${name} is in use again.`)));
    if (entry.state === "active" || entry.state === "paused") {
      const ask = `${name}: the device rests for good, and tells the client so. What it sent stays here.`;
      made.push(act("Discharge", () => asking("Discharge this client?", ask, "Discharge", to("discharged", `${name} is discharged.`))));
    }
    if (entry.state !== "revoked") {
      const ask = `${name}: the server takes nothing from this device any more. It cannot be undone; the device must be paired anew.`;
      made.push(act("Revoke", () => asking("Revoke this device?", ask, "Revoke", to("revoked", `${name} is revoked.`))));
    }
    return el("p", { class: "row" }, ...made);
  }

  /** One client's page in the list's place. @param {Shown} one */
  function agreed(one) {
    const back = () => {
      closePage();
      closePage = () => {};
      all.hidden = false;
      document.getElementById(idOf(one))?.focus();
    };
    all.hidden = true;
    closePage = consentView.mount(page, context, { entry: one.entry, name: nameOf(one), back });
    page.querySelector("h1")?.focus();
  }

  /**
   * @param {string} question
   * @param {string} text
   * @param {string} yes
   * @param {() => Promise<void>} act
   */
  async function asking(question, text, yes, act) {
    if (await confirm(root, question, text, yes)) await act();
  }

  /** @param {Shown} one */
  async function approve({ entry }) {
    const keys = held(context);
    const approvedAt = BigInt(Math.floor(context.now() / 1000));
    const approval = await signApproval(keys.identity, { signing: entry.signing, encryption: entry.encryption, approvedAt });
    await context.api("PUT", `/v1/devices/${hex(entry.deviceId)}/approval`, { approval: b64url(approval) });
  }

  /** @param {Shown} one */
  function label(one) {
    const name = field("Client’s name", { type: "text", autocomplete: "off", maxlength: 100, value: one.name ?? "" });
    const save = form("Keep the name", [name.root], async () => {
      const typed = name.input.value.trim();
      if (typed === "") throw new AdviceError("Type a name.");
      const sealed = await makeLabel(held(context), one.entry.deviceId, typed, one.version + 1);
      await then(one, () => context.api("PUT", `${pathOf(one)}/label`, { label: b64url(sealed) }), "The name is kept.");
    }, { name: `Name of ${nameOf(one)}` });
    const hint = el("p", { class: "hint" }, "Sealed here: the server keeps it and cannot read it.");
    return el("details", {}, el("summary", {}, one.name === null ? "Give it a client’s name" : "Change the name"), hint, save);
  }

  all.append(heading("Clients and devices"), problem, said, list, pairingLink(context));
  root.append(all, page);
  void load();
  return () => {
    gone = true;
    closePage();
    list.replaceChildren();
  };
}

/**
 * @param {DeviceEntry} entry
 * @param {Keys} keys
 * @returns {Promise<Shown>}
 */
async function opened(entry, { reader, clinicianId }) {
  const { trust } = await judge(entry, reader);
  const label = await readLabel(entry, reader, clinicianId);
  return { entry, trust, name: label?.name ?? null, version: label?.version ?? 0 };
}

/** @param {Context} context */
function held(context) {
  const keys = context.keys();
  if (keys === null) throw new AdviceError("The page is locked.");
  return keys;
}

/** @param {Shown} one */
function trustLine({ trust }) {
  if (trust === "approval") return null;
  const said =
    trust === "proof"
      ? "Paired by your own link, and waiting for your approval."
      : "Not one that you approved, and it cannot prove your link. Its records are not shown. Revoke it.";
  return el("p", { class: trust === null ? "warning" : "said" }, said);
}

/** @param {Shown} one */
function nameOf({ entry, name }) {
  return name === null ? `Device ${hex(entry.deviceId).slice(0, 8)}` : safe(name);
}

/** @param {Shown} one */
function idOf({ entry }) {
  return `device-${hex(entry.deviceId)}`;
}

/** @param {Shown} one */
function pathOf({ entry }) {
  return `/v1/devices/${hex(entry.deviceId)}`;
}

/**
 * @param {Shown} a
 * @param {Shown} b
 */
function byName(a, b) {
  return nameOf(a).localeCompare(nameOf(b));
}

/**
 * @param {string} term
 * @param {string} text
 */
function pair(term, text) {
  return [el("dt", {}, term), el("dd", {}, text)];
}

/** @param {number} depth */
function waiting(depth) {
  return depth === 0 ? "nothing" : depth === 1 ? "1 record" : `${depth} records`;
}

/** @param {string} text a time as the server writes it */
function when(text) {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? text : at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
