// Opening the queue for a view: in the worker where there is one, with how far it is, and what went wrong.

import { sentence } from "../api.js";
import { button, el } from "../elements.js";
import { openQueue } from "../queue/opening.js";
import { makeOpener } from "../queue/opener.js";
import { openerAt } from "../queue/port.js";
import { recall, remember, stillNew } from "../queue/remembered.js";
import { number, progress } from "../queue/sentences.js";
import { keptConfirmations } from "../sharing_memory.js";
import { hex } from "../wire/bytes.js";
import { flag } from "../wire/sequence.js";
import { startWorker } from "../workers.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../context.js").Keys} Keys */
/** @typedef {import("../queue/opening.js").Queue} Queue */

const LOCKED = "The records are locked. Unlock them to read.";
const NOT_KEPT =
  "This browser could not keep its notes of what you read. Next time everything is new, and nothing can be compared.";

/** Places of records that were new since unlocking; no content. They go with the keys.
 * @type {WeakMap<Keys, Set<string>>} */
const freshOf = new WeakMap();

/**
 * Begin to open the queue. `root` shows how far it is; its height stays the same. `onQueue` is given the newest records
 * first, then those with their marks, then everything (`whole`). `stop` ends it, the worker with its keys too.
 * @param {Context} context
 * @param {(queue: Queue) => void} onQueue
 */
export function opening(context, onQueue) {
  // Not a live region: it changes too often to be read out. Views announce the end.
  const words = el("p", { class: "far" }, "Opening");
  const bar = el("progress", { "aria-label": "Records opened" });
  const more = el("div", { class: "row" });
  const root = el("div", { class: "queue-status" }, words, bar, more);
  let stop = () => {};

  function begin() {
    const keys = context.keys();
    if (keys === null) {
      say(LOCKED);
      return;
    }
    const ending = new AbortController();
    const { opener, end } = openerOf();
    stop = () => {
      ending.abort(new Error("the view was taken down"));
      end();
    };
    say("Opening", null);
    void run(keys, opener, ending.signal).finally(end);
  }

  /**
   * @param {Keys} keys
   * @param {import("../queue/opener.js").Opener} opener
   * @param {AbortSignal} signal
   */
  async function run(keys, opener, signal) {
    const { reader, clinicianId } = keys;
    const clinician = hex(clinicianId);
    const fresh = freshOf.get(keys) ?? new Set();
    freshOf.set(keys, fresh);
    /** @param {Queue} queue */
    const give = (queue) => onQueue({ ...queue, records: stillNew(queue.records, fresh) });
    /**
     * @param {number} done
     * @param {number | null} of
     */
    const far = (done, of) => say(progress(done, of), done, of);
    try {
      const confirmations = keptConfirmations(localStorage, clinician);
      const told = { begun: give, progress: far };
      const how = { api: context.api, reader, clinicianId, opener, confirmations, told, signal };
      const { remembered, ...queue } = await openQueue({ ...how, remembered: recall(localStorage, clinician) });
      const kept = remember(localStorage, clinician, remembered);
      if (!kept) queue.flags.push(flag("list", NOT_KEPT));
      const given = queue.shared?.records.length ?? 0;
      say(`Opened: ${number(queue.records.length)}.${given > 0 ? ` Shared with you: ${number(given)}.` : ""}`);
      give(queue);
    } catch (error) {
      if (signal.aborted) return;
      say(sentence(error));
      context.announce(sentence(error));
      more.replaceChildren(button("Try again", begin));
    }
  }

  /**
   * @param {string} text
   * @param {number | null} [done] left out: nothing goes on
   * @param {number | null} [of]
   */
  function say(text, done, of = null) {
    words.textContent = text;
    more.replaceChildren();
    // Not hidden: what is below stays where it is.
    bar.classList.toggle("idle", done === undefined);
    if (of === null || done === undefined || done === null) bar.removeAttribute("value");
    else [bar.max, bar.value] = [Math.max(of, done), done];
  }

  begin();
  return { root, more, stop: () => stop() };
}

/** An opener in a worker; on this thread where none can be made. */
function openerOf() {
  let worker;
  try {
    worker = startWorker("queue");
  } catch {
    return { opener: makeOpener(), end: () => {} };
  }
  const made = worker;
  return { opener: openerAt(made), end: () => made.terminate() };
}
