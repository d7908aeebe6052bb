// The week of 167 hours: how many noticings in each hour of each day, as a table, and one plain sentence. Below it,
// where the client was asked and answered, their own words for when they noticed, week by week (S20).

import { button, el, heading } from "../elements.js";
import { byWeek, counted, isAnswered, weeksBefore } from "../queue/earlier.js";
import { byClient, ofDevice } from "../queue/model.js";
import { date, noticings, number, WHEN } from "../queue/sentences.js";
import { titleOf } from "../queue/text.js";
import { DAYS, grid, sentence } from "../queue/week.js";
import { WHENS } from "../wire/content.js";
import { choice, foreign, unseen } from "./dom.js";
import { opening } from "./opening.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../queue/model.js").OpenedRecord} OpenedRecord */
/** @typedef {import("../queue/opening.js").Queue} Queue */

/** @typedef {"week" | "month" | "all"} Span */

/** @type {readonly (readonly [Span, string])[]} */
const SPANS = [
  ["week", "The last 7 days"],
  ["month", "The last 4 weeks"],
  ["all", "Everything"],
];
const WEEKS_MS = { week: 7 * 86_400_000, month: 28 * 86_400_000, all: Infinity };

/**
 * @param {HTMLElement} root
 * @param {Context} context
 * @returns {() => void}
 */
export function mount(root, context) {
  /** @type {Queue | null} */
  let queue = null;
  /** @type {string | null} */
  let device = null;
  /** @type {Span} */
  let span = "month";
  const choices = el("div", { class: "choices" });
  const sheet = el("div", { class: "sheet" });
  const opened = opening(context, (now) => now.whole && begin(now));
  root.append(
    heading("The week of 167 hours"),
    el("p", {}, "When the parts were noticed, in the client's own time; the hour of the session is the 168th."),
    opened.root,
    el("div", { class: "no-print" }, choices),
    sheet,
  );

  /** @param {Queue} now */
  function begin(now) {
    queue = now;
    const { clients } = byClient(now.records, now.named, []);
    if (clients.length === 0) {
      sheet.replaceChildren(el("p", {}, "No records yet."));
      return;
    }
    device = clients[0].device;
    const names = clients.map((one) => /** @type {const} */ ([one.device, titleOf(one)]));
    choices.replaceChildren(
      choice("Client", names, device, (value) => {
        device = value;
        render();
      }),
      choice("Show", SPANS, span, (value) => {
        span = /** @type {Span} */ (value);
        render();
      }),
      el("div", { class: "row" }, button("Print", () => window.print())),
    );
    render();
  }

  function render() {
    if (queue === null || device === null) return;
    const client = byClient(queue.records, queue.named, []).clients.find((one) => one.device === device);
    if (client === undefined) return;
    const since = context.now() - WEEKS_MS[span];
    const records = ofDevice(client.records, client.device, since);
    const said = sentence(records.map(({ at }) => at));
    const when = counted(client.records, context.now());
    sheet.replaceChildren(
      el("h2", {}, foreign(titleOf(client))),
      el("p", { class: "sentence" }, said),
      tableOf(records),
      ...(isAnswered(client.records) ? earlier(client.records, context.now(), since) : []),
    );
    const all = said === "" ? `${noticings(records.length)}.` : said;
    context.announce(when === "" ? all : `${all} ${when}`);
  }

  return () => {
    opened.stop();
    queue = null;
    root.replaceChildren();
  };
}

/** @param {readonly OpenedRecord[]} records the oldest first */
function tableOf(records) {
  const counts = grid(records.map(({ at }) => at));
  const from = records.length === 0 ? "" : `, from ${date(records[0].at)} to ${date(records[records.length - 1].at)}`;
  const head = el(
    "tr",
    {},
    el("th", { scope: "col" }, "Hour"),
    ...DAYS.map((day) => el("th", { scope: "col" }, el("abbr", { title: day }, day.slice(0, 3)))),
    el("th", { scope: "col" }, "All"),
  );
  const rows = Array.from({ length: 24 }, (_, hour) => {
    const cells = counts.map((day) => cell(day[hour]));
    const hours = `${String(hour).padStart(2, "0")}:00`;
    return el("tr", {}, el("th", { scope: "row" }, hours), ...cells, cell(sum(counts.map((day) => day[hour]))));
  });
  const foot = el(
    "tr",
    {},
    el("th", { scope: "row" }, "All"),
    ...counts.map((day) => cell(sum(day))),
    cell(records.length),
  );
  const caption = el("caption", {}, `${noticings(records.length)} by day and hour${from}.`);
  const parts = [caption, el("thead", {}, head), el("tbody", {}, ...rows), el("tfoot", {}, foot)];
  return el("table", { class: "week" }, ...parts);
}

/**
 * "A little earlier each week": the client's own words, counted.
 * @param {readonly OpenedRecord[]} records the newest first
 * @param {number} now Unix milliseconds
 * @param {number} since Unix milliseconds
 */
function earlier(records, now, since) {
  const { offsetMinutes } = records[0].at;
  const head = ["Week", ...WHENS.map((when) => WHEN[when]), "all"];
  const rows = byWeek(records, now, since).map((week) => {
    const title = titleOfWeek(weeksBefore(week, now, offsetMinutes), date(week.monday));
    const counts = [...WHENS.map((when) => week.counts[when]), week.all];
    return el("tr", {}, el("th", { scope: "row" }, title), ...counts.map((count) => el("td", {}, number(count))));
  });
  const caption =
    "How often the client answered “Starting, in it, or after?” with each word, and all noticings of the week.";
  const titles = el("tr", {}, ...head.map((title) => el("th", { scope: "col" }, title)));
  return [
    el("h3", {}, "A little earlier each week"),
    el("p", {}, counted(records, now)),
    el("table", { class: "when" }, el("caption", {}, caption), el("thead", {}, titles), el("tbody", {}, ...rows)),
  ];
}

/**
 * @param {number} before how many weeks before the present one
 * @param {string} monday
 */
function titleOfWeek(before, monday) {
  if (before === 0) return `This week, from ${monday}`;
  return before === 1 ? `The week before, from ${monday}` : `From ${monday}`;
}

/** @param {number} count */
function cell(count) {
  // Nothing is shown for none, so that what is there can be seen; it is read out all the same.
  return count === 0 ? el("td", {}, unseen("0")) : el("td", { class: "some" }, number(count));
}

/** @param {readonly number[]} counts */
function sum(counts) {
  return counts.reduce((total, count) => total + count, 0);
}
