// Colleagues and cover: whose fingerprint was compared, who may read which of one's records, and the end of that.

import { sentence } from "../api.js";
import { confirm } from "../dialogs.js";
import { button, el, heading } from "../elements.js";
import { AdviceError, field, form } from "../forms.js";
import { called, number } from "../queue/sentences.js";
import { colleaguesOf, confirmColleague, endSharing, olderKey } from "../sharing.js";
import { hex } from "../wire/bytes.js";
import { spokenFingerprint } from "../wire/colleagues.js";
import { judge } from "../wire/devices.js";
import { deviceEntry, shaped } from "../wire/listing.js";
import { readLabel } from "../wire/notes.js";
import { safe } from "../wire/text.js";
import { foreign } from "./dom.js";
import { sharingForm } from "./sharing_form.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../context.js").Keys} Keys */
/** @typedef {import("../sharing.js").Colleague} Colleague */
/** @typedef {import("./sharing_form.js").Client} Client */

const ABOUT =
  "While you are away, a colleague of your practice can read records that you choose. Each one is sealed anew for them, " +
  "here in your browser; the server passes it on and cannot read it. What colleagues share with you is in your queue, " +
  "under their name.";
const OWN = "Tell it to your colleague by voice or on paper, never by a message through this server. They type it on this page of theirs.";
const EXCHANGED =
  "The server shows a colleague with another identity than you confirmed. They are left out. Share nothing through this " +
  "server until you have spoken with your colleague and whoever runs it.";

/**
 * @param {HTMLElement} root
 * @param {Context} context
 * @returns {() => void}
 */
export function mount(root, context) {
  let gone = false;
  const own = el("p", { class: "code shown" });
  const said = el("p", { class: "said", role: "status" }, "Loading …");
  const problem = el("p", { class: "problem", role: "alert" });
  const list = el("ul", { class: "cards" });
  /** @type {(() => Promise<void>)[]} */
  let stops = [];
  let turn = 0;

  /** Whether what is shown is of this call: not when a later one is under way. */
  async function load() {
    const now = ++turn;
    const keys = context.keys();
    if (keys === null) return false;
    try {
      const [{ colleagues, exchanged }, clients] = await Promise.all([
        colleaguesOf(context.api, keys, localStorage),
        clientsOf(context, keys),
      ]);
      const spoken = await spokenFingerprint(keys.identity.public);
      // The new cards know nothing of work that is still going on.
      await Promise.all(stops.map((stop) => stop()));
      if (gone || now !== turn) return false;
      stops = [];
      own.textContent = spoken;
      list.replaceChildren(...colleagues.map((one) => card(one, clients)));
      said.textContent = colleagues.length === 0 ? "You are the only one of your practice who reads." : "";
      problem.textContent = exchanged > 0 ? EXCHANGED : "";
    } catch (error) {
      if (gone || now !== turn) return false;
      said.textContent = "";
      problem.textContent = sentence(error);
    }
    return true;
  }

  /**
   * Show the list anew, say what was done, and go back to the colleague's heading.
   * @param {Colleague} one
   * @param {string} done
   */
  async function after(one, done) {
    if (!(await load())) return;
    said.textContent = done;
    document.getElementById(idOf(one))?.focus();
  }

  /**
   * @param {Colleague} one
   * @param {readonly Client[]} clients
   */
  function card(one, clients) {
    const title = el("h2", { id: idOf(one), tabindex: -1 }, foreign(one.stated.name));
    const reads = one.shared === 0 ? "none of your records" : one.shared === 1 ? "1 record of yours" : `${number(one.shared)} records of yours`;
    const compared = one.confirmed ? el("code", {}, one.spoken) : "not compared yet";
    const facts = el("dl", {}, el("dt", {}, "Fingerprint"), el("dd", {}, compared), el("dt", {}, "Can read"), el("dd", {}, reads));
    const { root: next, stop } = one.confirmed ? choosing(one, clients) : { root: comparing(one), stop: async () => {} };
    return el("li", { class: "card" }, title, facts, next, one.shared > 0 ? end(one, stop) : null);
  }

  /** @param {Colleague} one */
  function comparing(one) {
    const name = safe(one.stated.name);
    const hint = `Ask ${name} for the fingerprint that this page shows to them, by voice or on paper. 32 letters and digits.`;
    const typed = field("Their fingerprint", { type: "text", autocomplete: "off", class: "code", maxlength: 120 }, hint);
    const compare = form("Confirm", [typed.root], async () => {
      await confirmColleague(held(context), one, typed.input.value, { storage: localStorage, now: context.now() });
      await after(one, `${name} is confirmed in this browser.`);
    }, { name: `Fingerprint of ${name}` });
    return el("details", {}, el("summary", {}, "Compare the fingerprint"), compare);
  }

  /**
   * @param {Colleague} one
   * @param {readonly Client[]} clients
   */
  function choosing(one, clients) {
    const stop = async () => {};
    const older = olderKey(one);
    if (older !== null) return { root: el("p", { class: "warning" }, older), stop };
    if (clients.length === 0) return { root: el("p", { class: "hint" }, "You have no clients whose records could be shared."), stop };
    const chosen = sharingForm(context, one, clients, (done) => after(one, done));
    stops.push(chosen.stop);
    return { root: el("details", {}, el("summary", {}, "Let them read records of yours"), chosen.root), stop: chosen.stop };
  }

  /**
   * @param {Colleague} one
   * @param {() => Promise<void>} stop
   */
  function end(one, stop) {
    const name = safe(one.stated.name);
    const ask = `The server gives ${name} no record of yours any more. What they have read by now, they have read.`;
    return button("End the cover", async () => {
      if (!(await confirm(root, `End the cover by ${name}?`, ask, "End it"))) return;
      try {
        // What is on its way is on the server before it is taken back there.
        await stop();
        const removed = await endSharing(context.api, one);
        await after(one, `${name} can read no record of yours any more. Taken back: ${number(removed)}.`);
      } catch (error) {
        problem.textContent = sentence(error);
      }
    }, { "aria-label": `End the cover: ${name}` });
  }

  root.append(
    heading("Colleagues and cover"),
    el("p", {}, ABOUT),
    problem,
    said,
    list,
    el("section", {}, el("h2", {}, "Your fingerprint"), el("p", {}, OWN), own),
  );
  void load();
  return () => {
    gone = true;
    for (const stop of stops) void stop();
    root.replaceChildren();
  };
}

/**
 * The clients whose devices are believed, by name.
 * @param {Context} context
 * @param {Keys} keys
 * @returns {Promise<Client[]>}
 */
async function clientsOf({ api }, { reader, clinicianId }) {
  const { devices } = await api("GET", "/v1/devices");
  const found = await Promise.all(
    shaped(devices, deviceEntry).entries.map(async (entry) => {
      const { trust } = await judge(entry, reader);
      const label = await readLabel(entry, reader, clinicianId);
      const device = hex(entry.deviceId);
      return trust === null ? [] : [{ device, name: called({ device, name: label?.name ?? null }) }];
    }),
  );
  return found.flat().sort((a, b) => a.name.localeCompare(b.name));
}

/** @param {Context} context */
function held(context) {
  const keys = context.keys();
  if (keys === null) throw new AdviceError("The page is locked.");
  return keys;
}

/** @param {Colleague} one */
function idOf({ id }) {
  return `colleague-${id}`;
}
