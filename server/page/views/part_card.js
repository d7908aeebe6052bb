// One part as a card of the list: its name, how its recording goes, what was told of it, what can be done.

import { button, el } from "../elements.js";
import { atRest } from "../parts/model.js";
import { safe } from "../wire/text.js";
import { foreign } from "./dom.js";

/** @typedef {import("../parts/listing.js").CardEntry} CardEntry */
/** @typedef {import("../parts/model.js").Part} Part */
/** @typedef {import("../wire/part_notes.js").PartNote} PartNote */

export const REST =
  "The device no longer hears this name. What the client recorded stays on it, until the client agrees there to its deletion.";
const NOT_YET = "The device has not fetched this yet.";
const ELSEWHERE =
  "This card was sent from elsewhere, such as a command line, and this page cannot read back what it says. " +
  "What it set of the device’s settings is not shown here either.";

/**
 * @param {Part} part
 * @param {HTMLElement | null} progress null for a part at rest
 * @param {readonly (readonly [text: string, act: () => unknown])[]} actions
 */
export function partCard(part, progress, actions) {
  const { entry, note } = part;
  const name = safe(note.name);
  const rests = atRest(part) ? el("p", {}, `At rest. ${entry.fetchedAt === null ? NOT_YET : REST}`) : null;
  return el(
    "li",
    { class: "card part-card" },
    el("h3", { id: idOf(entry), tabindex: -1 }, foreign(note.name)),
    progress ?? rests,
    el("dl", {}, ...factsOf(note)),
    el("p", { class: "row" }, ...actions.map(([text, act]) => button(text, act, { "aria-label": `${text}: ${name}` }))),
  );
}

/**
 * A card of which no note tells what it says.
 * @param {CardEntry} entry
 * @param {HTMLElement} progress
 */
export function elsewhereCard(entry, progress) {
  const title = el("h3", { id: idOf(entry), tabindex: -1 }, elsewhereName(entry));
  return el("li", { class: "card part-card" }, title, el("p", { class: "hint" }, ELSEWHERE), progress);
}

/** @param {CardEntry} entry */
export function elsewhereName({ card }) {
  return `A card sent from elsewhere (${card.slice(0, 8)})`;
}

/** @param {Pick<CardEntry, "card">} entry */
export function idOf({ card }) {
  return `part-${card}`;
}

/** @param {PartNote} note */
function factsOf({ alias, tell, age, role, image, whom, settings }) {
  const quiet =
    settings.quiet === true ? "with the tone alone" : settings.quiet === false ? "with the tone, then the phrase" : "";
  return [
    ["Said as", alias ?? ""],
    ["Just before", tell],
    ["Age", age],
    ["Role", role],
    ["Image", image],
    ["Who it is for", whom],
    ["Answered", quiet],
  ].flatMap(([term, text]) => (text === "" ? [] : [el("dt", {}, term), el("dd", {}, foreign(text))]));
}
