// One entry of the queue as elements: part, times, and what was said, verbatim.

import { DOUBT, NOT_MADE_OUT, ROUGH, WHEN, clock, withoutLine, zone } from "../queue/sentences.js";
import { el } from "../elements.js";
import { safe } from "../wire/text.js";
import { foreign, unseen } from "./dom.js";

/** @typedef {import("../queue/model.js").Entry} Entry */
/** @typedef {import("../wire/content.js").Line} Line */

/**
 * Part and times, and what is to be noted beside them.
 * @param {Entry} entry
 * @param {{ zones: boolean, notes: readonly string[] }} how `zones`: say the zone of the time
 */
export function headOf({ records }, { zones, notes }) {
  const times = records.flatMap(({ at }, place) => [
    place === 0 ? "" : ", ",
    el("time", { datetime: at.text }, clock(at)),
  ]);
  const said = notes.map((note) => el("span", { class: "note" }, note));
  const where = zones ? ` (${zone(records[0].at)})` : "";
  const { when } = records[0];
  if (when) said.unshift(el("span", { class: "note" }, `“${WHEN[when]}”`));
  const parts = said.flatMap((note) => [" ", note]);
  return el("p", { class: "entry-head" }, foreign(records[0].part, "part"), " ", ...times, where, ...parts);
}

/**
 * What was said: the line, or the count of noticings without one.
 * @param {Entry} entry
 */
export function saidOf({ records }) {
  const { line } = records[0];
  if (line === null) return el("p", { class: "line" }, withoutLine(records.length));
  if (line.words.length === 0) return el("p", { class: "line" }, NOT_MADE_OUT);
  const said = el("p", { class: "line", dir: "auto" }, ...wordsOf(line));
  if (!line.rough) return said;
  return el("div", {}, said, el("p", { class: "rough" }, ROUGH, unseen(" a line of the starter transcriber")));
}

/**
 * The words; a doubtful one is slanted, underlined, and followed by (?), which is read out as "unsure".
 * @param {Line} line
 * @returns {(Node | string)[]}
 */
function wordsOf({ words }) {
  /** @type {(Node | string)[]} */
  const nodes = [];
  let plain = "";
  for (const { text, doubt } of words) {
    if (!doubt) {
      plain += `${safe(text)} `;
      continue;
    }
    const marked = el("span", { class: "unsure", "aria-hidden": "true" }, ` ${DOUBT}`);
    if (plain !== "") nodes.push(plain);
    nodes.push(el("bdi", { class: "doubt" }, el("em", {}, safe(text)), marked, unseen(" (unsure)")), " ");
    plain = "";
  }
  return plain === "" ? nodes : [...nodes, plain.trimEnd()];
}
