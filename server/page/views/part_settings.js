// The fields of a device's settings, and the form that sends them with the card of a part that is there.

import { el } from "../elements.js";
import { AdviceError, form } from "../forms.js";
import { carrier } from "../parts/model.js";
import {
  ASKS_WORDS, changes, daysOf, HEARS_WORDS, HINTS, inWords, LABELS, own, PACE_WORDS, problemOf, typedText,
} from "../parts/settings.js";
import { foreign } from "./dom.js";
import { days, hours, line, pick } from "./part_fields.js";

/** @typedef {import("../parts/model.js").Part} Part */
/** @typedef {import("../parts/model.js").Parts} Parts */
/** @typedef {import("../parts/model.js").Values} Values */

/**
 * The fields, and what was changed in them. `changed` throws AdviceError.
 * @param {Values} standing
 */
export function settingFields(standing) {
  const now = (/** @type {string} */ key) => {
    const value = standing[key] ?? null;
    return value === null ? "" : String(value);
  };
  const label = (/** @type {string} */ key) => LABELS.get(key) ?? key;
  const hint = (/** @type {string} */ key) => `${HINTS[key]} Empty: ${own(key)}.`;
  const quiet = hours(label("quiet"), { from: now("quiet_from"), until: now("quiet_until") }, hint("quiet"));
  const pace = pick(label("pace"), PACE_WORDS, { value: now("pace"), none: sentence(own("pace")) }, HINTS.pace);
  const language = line(label("language"), { value: now("language"), most: 20 }, hint("language"));
  const hears = pick(label("hears"), HEARS_WORDS, { value: now("hears"), none: sentence(own("hears")) }, HINTS.hears);
  const danger = line(label("danger_number"), { value: now("danger_number"), most: 32 }, hint("danger_number"));
  const talk = line(label("talk_number"), { value: now("talk_number"), most: 32 }, hint("talk_number"));
  const read = days(label("reads_on"), now("reads_on"), HINTS.reads_on);
  const asks = pick(label("asks_when"), ASKS_WORDS, { value: now("asks_when") === "true" ? "true" : "", none: sentence(own("asks_when")) }, HINTS.asks_when);
  const fields = [quiet, pace, language, hears, danger, talk, read, asks];
  return {
    roots: fields.map(({ root }) => root),
    first: quiet.from,
    changed() {
      const typed = {
        quiet_from: quiet.from.value,
        quiet_until: quiet.until.value,
        pace: pace.input.value,
        language: typedText(language.input.value),
        hears: hears.input.value,
        danger_number: typedText(danger.input.value),
        talk_number: typedText(talk.input.value),
        reads_on: daysOf(read.ticked()),
        asks_when: asks.input.value,
      };
      const problem = problemOf(typed);
      if (problem !== "") throw new AdviceError(problem);
      return changes(typed, standing);
    },
  };
}

/**
 * The form for the settings alone.
 * @param {Parts} parts
 * @param {(part: Part, changed: Values) => Promise<void>} send
 */
export function settingsForm(parts, send) {
  const by = carrier(parts);
  if (by === null) {
    const why = "Settings go to the device with the card of a part, and no part is here yet. Set up a part first; its form has them too.";
    return { root: el("p", {}, why), first: null };
  }
  const { name } = by.note;
  const fields = settingFields(parts.settings);
  const how = el(
    "p",
    {},
    "Sent sealed, with the card of ",
    foreign(name),
    ". Recordings stay as they are. The settings count from the device’s next start.",
  );
  const lost = by.entry.report === null ? null : el("p", { class: "hint" }, "Its forecast is shown here again once the device has fetched the card.");
  const root = form("Send the settings", [...fields.roots, how, lost], async () => {
    const changed = fields.changed();
    if (Object.keys(changed).length === 0) throw new AdviceError("Nothing is changed.");
    await send(by, changed);
  }, { name: "Settings of the device" });
  root.classList.add("part-form");
  return { root, first: fields.first };
}

/**
 * What is set, and what is not, as a list of terms.
 * @param {Values} settings
 */
export function settingsList(settings) {
  return el("dl", {}, ...inWords(settings).flatMap(([label, said]) => [el("dt", {}, label), el("dd", {}, foreign(said))]));
}

/** @param {string} text */
function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
