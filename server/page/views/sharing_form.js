// Which records a colleague may read: clients, days, in plain words what that means, and the work of sharing them.

import { button, el } from "../elements.js";
import { AdviceError, field, form } from "../forms.js";
import { stepsAt } from "../queue/port.js";
import { number } from "../queue/sentences.js";
import { again, share } from "../sharing.js";
import { makeSharer, STEPS } from "../sharing_maker.js";
import { safe } from "../wire/text.js";
import { startWorker } from "../workers.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../context.js").Keys} Keys */
/** @typedef {import("../sharing.js").Colleague} Colleague */
/** @typedef {import("../sharing.js").Outcome} Outcome */
/** @typedef {import("../sharing.js").Progress} Progress */
/** @typedef {import("../sharing_maker.js").Sharer} Sharer */
/** @typedef {import("../sharing_maker.js").Wanted} Wanted */
/** A client as one calls them; `device` in hex.
 * @typedef {{ device: string, name: string }} Client */

const STOPPED = "Stopped. What was shared by then is shared; begin again to go on, or end it.";

/**
 * The form. `onDone` is told when something was shared. `stop` ends the work, the worker with its keys too; when its
 * promise is kept, no call of the work is under way any more.
 * @param {Context} context
 * @param {Colleague} colleague
 * @param {readonly Client[]} clients
 * @param {(said: string) => Promise<void>} onDone
 */
export function sharingForm(context, colleague, clients, onDone) {
  const name = safe(colleague.stated.name);
  let ending = new AbortController();
  /** @type {Promise<unknown>} */
  let running = Promise.resolve();
  const everyone = tick("All clients");
  const each = clients.map(({ device, name: called }) => ({ device, called, ...tick(called) }));
  const since = field("From this day on", { type: "date" }, "By the client’s calendar. Empty: from the first record.");
  const until = field("To this day", { type: "date" }, "Empty: to the newest record there is.");
  const meaning = el("p", { class: "meaning", role: "status" });
  const words = el("p", {});
  const bar = el("progress", { "aria-label": "Records shared" });
  const halt = button("Stop", () => ending.abort(new AdviceError(STOPPED)));
  const working = el("div", { class: "progress", hidden: true }, words, bar, halt);

  function wanted() {
    const days = [since.input.value, until.input.value].map((day) => (/^\d{4}-\d\d-\d\d$/.test(day) ? day : null));
    const chosen = each.filter(({ input }) => input.checked).map(({ device }) => device);
    return /** @type {Wanted} */ ({ devices: everyone.input.checked ? null : chosen, since: days[0], until: days[1] });
  }

  function explain() {
    const asked = wanted();
    for (const { input } of each) input.disabled = asked.devices === null;
    meaning.textContent = meaningOf(name, asked, each);
  }

  /** @param {Progress} far */
  function told({ seen, of, shared }) {
    const looked = of === null || of < seen ? number(seen) : `${number(seen)} of ${number(of)}`;
    words.textContent = `Looked through ${looked} records. ${number(shared)} can be read by ${name}.`;
    if (of === null) bar.removeAttribute("value");
    else [bar.max, bar.value] = [Math.max(of, seen, 1), seen];
  }

  const boxes = el("fieldset", { class: "ticks" }, el("legend", {}, "Whose records"), everyone.root, ...each.map(({ root }) => root));
  const root = form(`Let ${name} read them`, [boxes, since.root, until.root, meaning, working], async () => {
    const asked = wanted();
    if (asked.devices?.length === 0) throw new AdviceError("Choose whose records.");
    if (asked.since !== null && asked.until !== null && asked.since > asked.until) {
      throw new AdviceError("The first day is after the last one.");
    }
    ending = new AbortController();
    told({ seen: 0, of: null, shared: 0 });
    working.hidden = false;
    try {
      const work = run(context, colleague, asked, ending.signal, told);
      running = work.catch(() => {});
      const outcome = await work;
      await onDone(saidOf(name, outcome, asked, each));
    } finally {
      working.hidden = true;
    }
  }, { name: `What ${name} may read` });
  root.addEventListener("input", explain);
  explain();
  return {
    root,
    async stop() {
      ending.abort(new AdviceError(STOPPED));
      await running;
    },
  };
}

/**
 * Share in the worker; once more when the colleague has made a newer reading key meanwhile.
 * @param {Context} context
 * @param {Colleague} colleague
 * @param {Wanted} wanted
 * @param {AbortSignal} signal
 * @param {(progress: Progress) => void} told
 */
async function run({ api, keys: unlocked }, colleague, wanted, signal, told) {
  const keys = unlocked();
  if (keys === null) throw new AdviceError("The page is locked.");
  for (let tries = 0; ; tries++) {
    const { sharer, end } = sharerOf();
    signal.addEventListener("abort", end);
    try {
      const now = await again(api, keys, localStorage, colleague);
      return await share({ api, keys, sharer, colleague: now, wanted, signal, told });
    } catch (error) {
      const stale = error instanceof Error && "code" in error && error.code === "stale_key";
      if (!stale || tries > 0) throw error;
    } finally {
      end();
    }
  }
}

/** In a worker; on this thread where none can be made. */
function sharerOf() {
  let worker;
  try {
    worker = startWorker("sharing");
  } catch {
    return { sharer: makeSharer(), end: () => {} };
  }
  const made = worker;
  return { sharer: /** @type {Sharer} */ (stepsAt(made, STEPS, makeSharer)), end: () => made.terminate() };
}

/** @param {string} text */
function tick(text) {
  const input = el("input", { type: "checkbox" });
  return { root: el("label", { class: "tick" }, input, " ", text), input };
}

/**
 * What the colleague will be able to read, and until when.
 * @param {string} name
 * @param {Wanted} wanted
 * @param {readonly { device: string, called: string }[]} each
 */
function meaningOf(name, { devices, since, until }, each) {
  const called = each.filter(({ device }) => devices?.includes(device)).map((one) => one.called);
  if (devices !== null && called.length === 0) return "Choose whose records first.";
  const whose = devices === null ? "all your clients" : called.join(", ");
  const from = since === null ? "" : ` from ${dayOf(since)}${until === null ? " on" : ""}`;
  const to = until === null ? "" : `${since === null ? " up" : ""} to ${dayOf(until)}`;
  return (
    `${name} will be able to read the records of ${whose}${from}${to} that are here now: part, time and line, as you ` +
    "see them. Not clients’ names, not your marks, and nothing that comes in later unless you share again. " +
    "It lasts until you end it here. What was read by then was read."
  );
}

/**
 * @param {string} name
 * @param {Outcome} outcome
 * @param {Wanted} wanted
 * @param {readonly { device: string, called: string }[]} each
 */
function saidOf(name, { shared, added }, { devices }, each) {
  if (shared === 0) return "There are no such records. Nothing was shared.";
  const records = shared === 1 ? "1 record" : `${number(shared)} records`;
  const which = each
    .filter(({ device }) => devices === null || devices.includes(device))
    .map(({ device, called }) => `${called} is device ${device.slice(0, 8)}`)
    .join(", ");
  return `${name} can read ${records} of these. New for them: ${number(added)}. Tell ${name} who is who: ${which}.`;
}

/** @param {string} day */
function dayOf(day) {
  const at = new Date(`${day}T00:00:00Z`);
  return at.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
}
