// How the enrolment of one part goes, shown as steps; rendered anew only when something changed.

import { el } from "../elements.js";
import { forecastWords, progressOf } from "../parts/progress.js";
import { foreign, unseen } from "./dom.js";

/** @typedef {import("../parts/listing.js").CardEntry} CardEntry */
/** @typedef {import("../parts/sending.js").Reported} Reported */

const OLDER = "The server shows an older report than before. The newer one stays here.";
const FOREIGN = "What the server gives as the device’s report is not the device’s own, or is sealed to a key that is not here. It is not shown.";
const PLACES = { past: "done: ", now: "now: ", ahead: "to come: " };

/**
 * @param {string} name the part's, for a screen reader
 */
export function partProgress(name) {
  const steps = el("ol", { class: "steps", "aria-label": `Steps of ${name}` });
  const now = el("p", { class: "now" });
  const advice = el("p", { class: "advice" });
  const forecast = el("ul", { class: "forecast" });
  const when = el("p", { class: "hint" });
  const problem = el("p", { class: "problem" });
  const root = el("div", { class: "progress-of" }, steps, now, advice, forecast, problem, when);
  let shown = "";
  return {
    root,
    /**
     * Show it; gives a sentence where there is something new to hear, "" otherwise.
     * @param {CardEntry} entry
     * @param {Reported} reported
     */
    show(entry, { report, older, foreign: strange }) {
      const progress = progressOf(entry, report);
      const words = forecastWords(report?.forecast ?? null);
      const wrong = strange ? FOREIGN : older ? OLDER : "";
      const at = entry.reportedAt ?? entry.fetchedAt ?? entry.createdAt;
      const state = JSON.stringify([progress, words, wrong, at]);
      if (state === shown) return "";
      shown = state;
      steps.replaceChildren(
        ...progress.steps.map(({ text, place }) =>
          el("li", { class: place, "aria-current": place === "now" ? "step" : null }, unseen(PLACES[place]), text),
        ),
      );
      now.textContent = progress.now;
      advice.textContent = progress.advice;
      forecast.replaceChildren(...words.map((one) => el("li", {}, one)));
      forecast.hidden = words.length === 0;
      problem.textContent = wrong;
      when.replaceChildren("As of ", foreign(timeOf(at)));
      return [progress.now, progress.advice, ...words, wrong].filter((one) => one !== "").join(" ");
    },
  };
}

/** @param {string} text a time as the server writes it */
function timeOf(text) {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? text : at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
