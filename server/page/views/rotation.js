// Reading keys: how old the one in use is, making the next one, and destroying old ones.

import { sentence } from "../api.js";
import { button, el, heading } from "../elements.js";
import { AdviceError, field, form, progress, STRETCHING } from "../forms.js";
import { keyByPassphrase, passphraseSlots } from "../keyring.js";
import { called, number } from "../queue/sentences.js";
import { ageInDays, rotate } from "../rotating.js";
import { newestSeen, sawEpoch } from "../sharing_memory.js";
import { epochsOf, lossesOf, shred, without } from "../shredding.js";
import { stretch } from "../stretching.js";
import { equal, hex } from "../wire/bytes.js";
import { WrongSecretError } from "../wire/errors.js";
import { deviceEntry, plain, shaped } from "../wire/listing.js";
import { readLabel } from "../wire/notes.js";
import { blank } from "./blank.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../context.js").Keys} Keys */
/** @typedef {import("../keyring.js").Served} Served */
/** @typedef {import("../shredding.js").Epoch} Epoch */
/** @typedef {import("../shredding.js").Losses} Losses */

const ABOUT =
  "Records are sealed to your reading key. A new one now and then means that a key that is lost one day opens only " +
  "what was sealed in its time. Devices take the new key when they next call. What is here stays readable: old keys " +
  "are kept until you destroy them.";
const MAKING =
  "Your passphrase wraps the new key for the server to keep, as it does the others. Your printed code and your " +
  "passkeys open it too; nothing new has to be printed.";
const COPIES =
  "Who has a copy of the key keeps it: backups of the server until they expire, and key files of the command line. " +
  "What a colleague was given, and what a recovery key opens, stays readable to them. What devices told of parts that " +
  "were set up in that time goes too. A pairing link of that time that was not used yet has to be made anew.";

/**
 * @param {HTMLElement} root
 * @param {Context} context
 * @returns {() => void}
 */
export function mount(root, context) {
  let gone = false;
  const age = el("p", { class: "age" });
  const stale = el("p", { class: "warning", role: "alert", hidden: true });
  const said = el("p", { class: "said", role: "status" });
  const passphrase = field("Passphrase", { type: "password", autocomplete: "current-password", required: true });
  const working = progress();
  const list = el("div", {});
  const make = form("Make a new key", [passphrase.root, working.root], async () => {
    const keys = held(context);
    const words = passphrase.input.value;
    if (words === "") throw new AdviceError("Type your passphrase.");
    said.textContent = "";
    try {
      const slotKey = (/** @type {Served} */ served) => slotKeyBy(served, words, working.begin(STRETCHING));
      const done = await rotate({ api: context.api, keys, slotKey, holding: context.renew, now: context.now() });
      // Also when one went to another view meanwhile; not when somebody else signed in.
      const now = context.keys();
      if (now !== null && equal(now.clinicianId, done.keys.clinicianId)) context.renew(done.keys);
      if (gone) return;
      passphrase.input.value = "";
      const { epoch } = done.keys.statement;
      said.textContent = done.made
        ? `Key ${epoch} is in use. Other tabs of this page are locked.`
        : `Key ${epoch} had been made already, and is in use here now.`;
      tell();
      list.replaceChildren();
    } finally {
      working.end();
    }
  });

  function tell() {
    const keys = context.keys();
    if (keys === null) return;
    const { epoch } = keys.statement;
    age.textContent = ageText(keys, context.now());
    const newest = newestSeen(localStorage, hex(keys.clinicianId));
    stale.hidden = newest <= epoch;
    stale.textContent = olderText(epoch, newest);
    sawEpoch(localStorage, hex(keys.clinicianId), epoch);
  }

  async function show() {
    try {
      const keys = held(context);
      const epochs = await epochsOf(keys, await context.api("GET", "/v1/keys"));
      if (!gone) list.replaceChildren(table(epochs), ...epochs.filter(({ state }) => state === "kept").map(destroying));
    } catch (error) {
      if (!gone) list.replaceChildren(el("p", { class: "problem", role: "alert" }, sentence(error)));
    }
  }

  /** @param {Epoch} one */
  function destroying(one) {
    const lost = el("div", {});
    const look = button("See what would be lost", async () => {
      const far = el("p", { class: "said" }, "Looking through the records …");
      lost.replaceChildren(far);
      try {
        const keys = held(context);
        const losses = await lossesOf(context.api, keys, one, (seen) => (far.textContent = `Looked through ${number(seen)} records …`));
        const names = await namesOf(context, keys);
        if (!gone) lost.replaceChildren(...lossList(losses, names), el("p", {}, COPIES), destroyForm(one));
      } catch (error) {
        if (!gone) lost.replaceChildren(el("p", { class: "problem", role: "alert" }, sentence(error)));
      }
    });
    return el("details", {}, el("summary", {}, `Destroy key ${one.epoch}`), el("p", {}, "There is no way back."), look, lost);
  }

  /** @param {Epoch} one */
  function destroyForm({ epoch, keyId }) {
    const typed = field(`Type ${epoch} to destroy key ${epoch}`, { type: "text", inputmode: "numeric", autocomplete: "off", maxlength: 12 });
    return form("Destroy it for good", [typed.root], async () => {
      if (typed.input.value.trim() !== String(epoch)) throw new AdviceError(`Type ${epoch}, the number of the key that goes.`);
      const done = await shred(context.api, held(context), epoch, context.now());
      const now = context.keys();
      if (now !== null) context.renew(without(now, keyId, context.now()));
      if (gone) return;
      said.textContent = `Key ${epoch} is destroyed. Names, marks and notes sealed to the key in use before that: ${number(done.moved)}.`;
      await show();
      root.querySelector("h1")?.focus();
    }, { name: `Destroy key ${epoch}`, danger: true });
  }

  root.append(
    heading("Reading keys"),
    stale,
    age,
    el("p", {}, ABOUT),
    said,
    el("section", {}, el("h2", {}, "Make a new one"), el("p", {}, MAKING), make),
    el("section", {}, el("h2", {}, "All your reading keys"), el("p", {}, button("Show them", show)), list),
  );
  tell();
  return () => {
    gone = true;
    blank(root);
    root.replaceChildren();
  };
}

/**
 * For the account: how old the key is, whether the practice wants a new one, and the ways to keys and colleagues; null
 * for an administrator.
 * @param {Context} context
 */
export function keySection(context) {
  const keys = context.keys();
  if (keys === null) return null;
  const age = el("p", {}, ageText(keys, context.now()), " ", el("a", { href: "#keys" }, "Make a new one, or look at all of them"));
  const due = el("p", { class: "warning", hidden: true });
  void context.api("GET", "/v1/practice").then(
    ({ rotation_days: days }) => {
      due.hidden = !(Number.isSafeInteger(days) && ageInDays(keys, context.now()) >= days);
      due.textContent = `Your practice asks for a new one every ${days} days.`;
    },
    () => {},
  );
  const cover = el("p", {}, el("a", { href: "#colleagues" }, "Colleagues and cover"), ": let a colleague read chosen records while you are away.");
  return el("section", {}, el("h2", {}, "Reading key and colleagues"), age, due, cover);
}

/**
 * The slot key by a passphrase: of the first slot that it opens.
 * @param {Served} served
 * @param {string} passphrase
 * @param {(done: number) => void} onProgress
 */
async function slotKeyBy(served, passphrase, onProgress) {
  for (const { fields, parameters } of passphraseSlots(served)) {
    try {
      return await keyByPassphrase(fields, await stretch(passphrase, parameters, onProgress));
    } catch (error) {
      if (!(error instanceof WrongSecretError)) throw error;
    }
  }
  throw new AdviceError("That is not the passphrase of these keys.");
}

/**
 * @param {Keys} keys
 * @param {number} now
 */
function ageText(keys, now) {
  const days = ageInDays(keys, now);
  const old = days === 0 ? "was made today" : days === 1 ? "is 1 day old" : `is ${number(days)} days old`;
  return `Your reading key, number ${keys.statement.epoch}, ${old}.`;
}

/**
 * @param {number} epoch
 * @param {number} newest
 */
function olderText(epoch, newest) {
  return (
    `This browser has seen your reading key ${newest}, and the server shows ${epoch}. It may have been restored from a ` +
    "backup; tell whoever runs it. What was sealed to the newer key cannot be opened here. Devices refuse older keys: " +
    `make new ones until the number is above ${newest}.`
  );
}

/** @param {readonly Epoch[]} epochs */
function table(epochs) {
  const head = ["Number", "Made on", "State"].map((text) => el("th", { scope: "col" }, text));
  const rows = epochs.map(({ epoch, stated, state, shreddedAt }) => {
    const made = new Date(1000 * Number(stated.issuedAt)).toISOString().slice(0, 10);
    const states = { "in use": "in use", kept: "kept, for older records", destroyed: `destroyed on ${plain(shreddedAt ?? "").slice(0, 10)}` };
    return el("tr", {}, el("th", { scope: "row" }, String(epoch)), el("td", {}, made), el("td", {}, states[state]));
  });
  return el("table", {}, el("caption", {}, "The newest first"), el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows));
}

/**
 * @param {Losses} losses
 * @param {ReadonlyMap<string, string>} names
 */
function lossList({ devices, shared, waiting }, names) {
  const theirs = Array.from(devices, ([device, { count, from, to }]) => {
    const records = count === 1 ? "1 record" : `${number(count)} records`;
    const days = from === to ? `on ${from}` : `from ${from} to ${to}`;
    return `${names.get(device) ?? called({ device, name: null })}: ${records} that came ${days}`;
  });
  const given = shared === 0 ? [] : [`From colleagues: ${number(shared)} shared. They can share them again.`];
  const all = [...theirs, ...given];
  const nothing = `No record here is sealed to this key alone.${waiting.length === 0 ? " Nothing would be lost." : ""}`;
  const lost =
    all.length === 0
      ? [el("p", {}, nothing)]
      : [el("p", {}, "Nobody could ever open these again:"), el("ul", { class: "losses" }, ...all.map((one) => el("li", {}, one)))];
  if (waiting.length === 0) return lost;
  const late = waiting.map((one) => el("li", {}, waitingText(one, names.get(one.device))));
  return [...lost, el("p", {}, "What did not come in yet would be lost too:"), el("ul", { class: "still-waiting" }, ...late)];
}

/**
 * The words of `onebreath keys shred` (server/commands/keys.py).
 * @param {Losses["waiting"][number]} waiting
 * @param {string} [name]
 */
function waitingText({ device, lastSeenAt }, name) {
  const start = called({ device, name: null });
  const who = name === undefined || name === start ? start : `${start} (${name})`;
  if (lastSeenAt === null) return `${who} never called; what it holds may be sealed to this key.`;
  return `${who} last called on ${lastSeenAt.slice(0, 10)}; what it still holds may be sealed to this key.`;
}

/**
 * @param {Context} context
 * @param {Keys} keys
 * @returns {Promise<Map<string, string>>}
 */
async function namesOf({ api }, { reader, clinicianId }) {
  const { devices } = await api("GET", "/v1/devices");
  const found = await Promise.all(
    shaped(devices, deviceEntry).entries.map(async (entry) => {
      const label = await readLabel(entry, reader, clinicianId);
      const device = hex(entry.deviceId);
      return /** @type {const} */ ([device, called({ device, name: label?.name ?? null })]);
    }),
  );
  return new Map(found);
}

/** @param {Context} context */
function held(context) {
  const keys = context.keys();
  if (keys === null) throw new AdviceError("The page is locked.");
  return keys;
}
