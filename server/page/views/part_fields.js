// Fields that the forms about parts need besides forms.js: longer texts, choices, days of the week.

import { el } from "../elements.js";
import { field } from "../forms.js";
import { DAYS } from "../wire/card_content.js";
import { daysInWords } from "../parts/settings.js";
import { freshId } from "./dom.js";

/**
 * A labelled field of several lines.
 * @param {string} label
 * @param {{ value: string, most: number, rows?: number }} how `most` characters
 * @param {string} [hint]
 */
export function area(label, { value, most, rows = 2 }, hint) {
  const id = freshId();
  const note = hint === undefined ? null : el("p", { id: `${id}-hint`, class: "hint" }, hint);
  const described = note === null ? {} : { "aria-describedby": note.id };
  const input = el("textarea", { id, rows, maxlength: most, autocomplete: "off", ...described });
  input.value = value;
  return { root: el("div", { class: "field" }, el("label", { for: id }, label), note, input), input };
}

/**
 * A labelled field of one line that the browser does not fill in by itself.
 * @param {string} label
 * @param {{ value: string, most: number, readonly?: boolean }} how
 * @param {string} [hint]
 */
export function line(label, { value, most, readonly = false }, hint) {
  return field(label, { type: "text", autocomplete: "off", maxlength: most, value, readonly }, hint);
}

/**
 * A list to choose one from, with what is meant when nothing is chosen as the first.
 * @param {string} label
 * @param {readonly (readonly [value: string, text: string])[]} options
 * @param {{ value: string, none: string }} how
 * @param {string} [hint]
 */
export function pick(label, options, { value, none }, hint) {
  const id = freshId();
  const note = hint === undefined ? null : el("p", { id: `${id}-hint`, class: "hint" }, hint);
  const described = note === null ? {} : { "aria-describedby": note.id };
  const all = /** @type {(readonly [string, string])[]} */ ([["", none], ...options]);
  const input = el("select", { id, ...described }, ...all.map(([one, text]) => el("option", { value: one }, text)));
  input.value = value;
  return { root: el("div", { class: "field" }, el("label", { for: id }, label), note, input), input };
}

/**
 * The days of the week, each to be ticked.
 * @param {string} legend
 * @param {string} value as a card spells days
 * @param {string} hint
 */
export function days(legend, value, hint) {
  const named = value.split(",");
  const boxes = DAYS.map((day) => {
    const id = freshId();
    const box = el("input", { type: "checkbox", id, value: day, checked: named.includes(day) });
    return { box, root: el("span", { class: "weekday" }, box, el("label", { for: id }, daysInWords(day))) };
  });
  const note = el("p", { class: "hint", id: freshId() }, hint);
  const row = el("div", { class: "weekdays" }, ...boxes.map(({ root }) => root));
  const root = el("fieldset", { class: "field", "aria-describedby": note.id }, el("legend", {}, legend), note, row);
  return { root, ticked: () => boxes.filter(({ box }) => box.checked).map(({ box }) => box.value) };
}

/**
 * Two times of day.
 * @param {string} legend
 * @param {{ from: string, until: string }} value "" where none is set
 * @param {string} hint
 */
export function hours(legend, { from, until }, hint) {
  const note = el("p", { class: "hint", id: freshId() }, hint);
  const begin = field("From", { type: "time", value: from });
  const end = field("Until", { type: "time", value: until });
  const row = el("div", { class: "hours" }, begin.root, end.root);
  const root = el("fieldset", { class: "field", "aria-describedby": note.id }, el("legend", {}, legend), note, row);
  return { root, from: begin.input, until: end.input };
}
