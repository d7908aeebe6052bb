// What the views of the queue are built of, besides elements.js.

import { flagText, isWrong } from "../queue/sentences.js";
import { el } from "../elements.js";
import { safe } from "../wire/text.js";

/** @typedef {import("../wire/sequence.js").Flag} Flag */

let made = 0;

/** An id that nothing else on the page has. */
export function freshId() {
  return `queue-${++made}`;
}

/**
 * Words from outside, that cannot reorder what stands around them.
 * @param {string} text
 * @param {string} [kind] a class
 */
export function foreign(text, kind) {
  return el("bdi", kind === undefined ? {} : { class: kind }, safe(text));
}

/**
 * Words for a screen reader alone.
 * @param {string} text
 */
export function unseen(text) {
  return el("span", { class: "unseen" }, text);
}

/**
 * A list to choose one from, with its label.
 * @param {string} label
 * @param {readonly (readonly [value: string, text: string])[]} options
 * @param {string} value
 * @param {(value: string) => void} choose
 */
export function choice(label, options, value, choose) {
  const id = freshId();
  const select = el("select", { id }, ...options.map(([one, text]) => el("option", { value: one }, text)));
  select.value = value;
  select.addEventListener("change", () => choose(select.value));
  return el("div", { class: "choice" }, el("label", { for: id }, label), select);
}

function bang() {
  return el("span", { "aria-hidden": "true" }, "! ");
}

/**
 * Flags as a list; null for none. "!" stands before those that say that something is wrong, in words for a screen
 * reader.
 * @param {readonly Flag[]} flags
 */
export function flagList(flags) {
  if (flags.length === 0) return null;
  const items = flags.map((flag) =>
    isWrong(flag)
      ? el("li", { class: "wrong" }, unseen("Flag: "), bang(), foreign(flag.message))
      : el("li", {}, foreign(flagText(flag))),
  );
  return el("ul", { class: "flags" }, ...items);
}
