// One client on one page for the session: in the order in which it happened, to be printed or copied as text.

import { sentence } from "../api.js";
import { button, el, heading } from "../elements.js";
import { SPANS, within } from "../queue/exporting.js";
import { byClient, byDay, isDiscussed } from "../queue/model.js";
import { date, LEGEND, noticings } from "../queue/sentences.js";
import { asText, severalZones, titleOf } from "../queue/text.js";
import { choice, flagList, foreign } from "./dom.js";
import { headOf, saidOf } from "./entry.js";
import * as exportView from "./export.js";
import { opening } from "./opening.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../queue/model.js").Client} Client */
/** @typedef {import("../queue/opening.js").Queue} Queue */
/** @typedef {import("../queue/exporting.js").Span} Span */

const NONE_HERE = "No records in this choice.";
const COPIED = "Copied. What is on the clipboard can be read by other programs until something else is copied.";
const NOT_COPIED = "The browser did not allow copying. The text is selected below.";

/**
 * @param {HTMLElement} root
 * @param {Context} context
 * @param {{ queue: Queue, device: string, back: () => void }} [from] what is open already, whose page, and the way back
 * @returns {() => void}
 */
export function mount(root, context, from) {
  /** @type {Queue | null} */
  let queue = from?.queue ?? null;
  let device = from?.device ?? null;
  /** @type {Span} */
  let span = "open";
  const choices = el("div", { class: "choices" });
  const sheet = el("div", { class: "sheet" });
  const aside = el("div", { class: "no-print" });
  /** @type {Client | null} */
  let client = null;
  const opened = from === undefined ? opening(context, (now) => now.whole && begin(now)) : null;
  const actions = el(
    "div",
    { class: "row" },
    from === undefined ? null : button("Back to the list", from.back),
    button("Print", () => window.print(), { class: "primary" }),
    button("Copy as text", copy),
    button("Export lines", toExport),
  );
  const controls = el("div", { class: "no-print" }, choices, actions);
  const page = el("div", {}, heading("Page for the session"), opened?.root ?? "", controls, aside, sheet);
  let leave = () => {};
  root.append(page);
  if (queue !== null) begin(queue);

  /** @param {Queue} now */
  function begin(now) {
    queue = now;
    const { clients } = byClient(now.records, now.named, now.flags);
    device ??= clients[0]?.device ?? null;
    if (device === null) {
      sheet.replaceChildren(el("p", {}, "No records yet."));
      return;
    }
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
    );
    render();
  }

  function render() {
    aside.replaceChildren();
    if (queue === null || device === null) return;
    const { records, marks, named, flags } = queue;
    const all = byClient(records, named, flags).clients.find((one) => one.device === device);
    if (all === undefined) return;
    client = { ...all, records: within({ records: all.records, marks }, all.device, span, context.now()) };
    const zones = severalZones(client.records);
    const days = byDay(client.records, marks).map(({ entries }) => {
      const articles = entries.map((entry) => {
        const notes = isDiscussed(entry.records[0], marks) ? ["discussed"] : [];
        return el("li", { class: "entry" }, headOf(entry, { zones, notes }), saidOf(entry));
      });
      return el("section", { class: "day" }, el("h3", {}, date(entries[0].records[0].at)), el("ol", {}, ...articles));
    });
    const count = `${noticings(client.records.length)}, in the client's own time.`;
    context.announce(client.records.length === 0 ? NONE_HERE : count);
    sheet.replaceChildren(
      el("h2", {}, foreign(titleOf(client))),
      el("p", {}, client.records.length === 0 ? NONE_HERE : count),
      ...days,
      flagList(client.flags) ?? "",
      el("p", { class: "hint" }, LEGEND),
    );
  }

  async function copy() {
    if (client === null) return;
    const text = asText(client, queue?.marks ?? null);
    aside.replaceChildren();
    try {
      await exportView.accountFor(context, client.device, client.records.length);
    } catch (error) {
      if (client !== null) aside.replaceChildren(el("p", { class: "problem", role: "alert" }, sentence(error)));
      return;
    }
    if (client === null) return;
    try {
      await navigator.clipboard.writeText(text);
      aside.replaceChildren(el("p", {}, COPIED));
      context.announce("Copied.");
    } catch {
      const area = el("textarea", { readonly: true, rows: 12, "aria-label": "The page as text" });
      area.value = text;
      aside.replaceChildren(el("p", {}, NOT_COPIED), area);
      area.select();
      context.announce(NOT_COPIED);
    }
  }

  function toExport() {
    if (queue === null || device === null) return;
    leave();
    page.hidden = true;
    const holder = el("div", {});
    root.append(holder);
    const down = exportView.mount(holder, context, { queue, device, back });
    holder.querySelector("h1")?.focus();
    leave = () => {
      down();
      holder.remove();
      leave = () => {};
    };
    function back() {
      leave();
      page.hidden = false;
      page.querySelector("h1")?.focus();
    }
  }

  return () => {
    leave();
    opened?.stop();
    queue = null;
    client = null;
    root.replaceChildren();
  };
}
