// Since the last session: everything across the caseload in one list, the newest client first.

import { sentence } from "../api.js";
import { button, el, heading } from "../elements.js";
import { mark } from "../queue/marking.js";
import { byClient, byDay, chosen, isDiscussed, NEWEST } from "../queue/model.js";
import { date, flagged, LEGEND, noticings, number } from "../queue/sentences.js";
import { severalZones, titleOf } from "../queue/text.js";
import { safe } from "../wire/text.js";
import { choice, flagList, foreign, freshId, unseen } from "./dom.js";
import { headOf, saidOf } from "./entry.js";
import { opening } from "./opening.js";
import * as exportView from "./export.js";
import * as session from "./session.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../queue/model.js").Choice} Choice */
/** @typedef {import("../queue/model.js").Client} Client */
/** @typedef {import("../queue/model.js").Entry} Entry */
/** @typedef {import("../queue/opening.js").Queue} Queue */

/** @type {readonly (readonly [Choice, string])[]} */
const CHOICES = [
  ["unread", `Unread, and the newest ${NEWEST}`],
  ["open", "Not discussed"],
  ["all", "Everything"],
];
const KEYS =
  "With the keyboard: arrow up and down go from entry to entry, d marks one as discussed or takes that back.";
const EMPTY = "No records yet. What your clients notice comes here, sealed, and is opened in this browser.";
const NONE_HERE = "No records in this choice";
const THEIRS = "Only whose record it is can mark it as discussed.";
const LATER = "Marks can be set once everything was opened.";
/** Entries of one client that are shown at once. */
const STEP = 20;
/** A queue that is whole this soon after its first records is shown once, so that nothing moves afterwards. */
const PATIENCE_MS = 250;

/**
 * @param {HTMLElement} root
 * @param {Context} context
 * @returns {() => void}
 */
export function mount(root, context) {
  /** @type {Queue | null} */
  let queue = null;
  /** @type {Choice} */
  let choosing = "unread";
  let shown = false;
  let leave = () => {};
  /** @type {Map<Element, Entry>} */
  const entries = new Map();
  /** Entries whose mark is on its way.
   * @type {Set<Element>} */
  const marking = new Set();
  const list = el("div", { class: "queue" });
  list.addEventListener("keydown", onKey);
  // The tab key comes back to the entry that was left.
  list.addEventListener("focusin", ({ target }) => {
    const here = target instanceof Element ? target.closest("article") : null;
    if (here === null) return;
    for (const one of list.querySelectorAll('article[tabindex="0"]')) one.setAttribute("tabindex", "-1");
    here.tabIndex = 0;
  });
  list.addEventListener("click", (event) => {
    const pressed = event.target instanceof Element ? event.target.closest("button.discuss") : null;
    const article = pressed?.closest("article");
    if (article) void toggle(article);
  });
  const opened = opening(context, onQueue);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const page = el(
    "div",
    {},
    heading("Since the last session"),
    el("p", {}, "Newest first, in each client's own time."),
    el("p", { class: "hint" }, LEGEND),
    el("p", { class: "hint" }, KEYS),
    choice("Show", CHOICES, choosing, (value) => {
      choosing = /** @type {Choice} */ (value);
      if (queue !== null) render();
    }),
    opened.root,
    list,
  );
  root.append(page);

  /** @param {Queue} now */
  function onQueue(now) {
    const before = queue;
    queue = now;
    // After a failure everything is begun anew, and so is what is shown.
    if (before?.whole) shown = false;
    if (!shown) {
      if (now.whole) {
        render();
        tell(now);
      } else timer ??= setTimeout(() => !shown && render(), PATIENCE_MS);
      return;
    }
    for (const [article, entry] of entries) press(article, entry);
    if (!now.whole) return;
    tell(now);
    const alike = now.flags.length === 0 && before?.records.length === now.records.length;
    const same = alike && !now.shared?.records.length && !now.shared?.flags.length;
    if (same && !list.contains(document.activeElement)) {
      render();
      return;
    }
    // What is being read stays where it is; the rest comes when it is asked for.
    const all = button("Show everything that was opened", () => {
      render();
      list.querySelector("article")?.focus();
    });
    opened.more.replaceChildren(el("p", {}, `${flagged(allFlags(now))}.`), all);
  }

  /** @param {Queue} whole */
  function tell(whole) {
    context.announce(`Everything was opened. ${flagged(allFlags(whole))}.`);
  }

  function render() {
    if (queue === null) return;
    shown = true;
    entries.clear();
    opened.more.replaceChildren();
    const { clients, rest } = byClient(chosen(queue, choosing), queue.named, queue.flags, queue.shared?.flags);
    const parts = clients.map(clientOf);
    const none = queue.records.length === 0 && !queue.shared?.records.length ? EMPTY : `${NONE_HERE}.`;
    const empty = queue.whole && clients.every(({ records }) => records.length === 0) ? el("p", {}, none) : "";
    list.replaceChildren(flagList(rest) ?? "", empty, ...parts);
    const [first] = entries.keys();
    first?.setAttribute("tabindex", "0");
  }

  /** @param {Client} client */
  function clientOf(client) {
    const id = freshId();
    const body = el("div", {});
    const fresh = client.fresh > 0 ? `, ${number(client.fresh)} new` : "";
    const flags = flagList(client.flags);
    const count = client.records.length > 0 ? `${noticings(client.records.length)}${fresh}` : NONE_HERE;
    const page = button("Page for the session", () => toPage(session, client.device), { class: "page-for" });
    const lines = button("Export lines", () => toPage(exportView, client.device), { class: "lines-of" });
    const known = queue?.whole && client.records.length > 0 && client.sharedBy === null;
    const by = client.sharedBy === null ? [] : [", shared by ", foreign(client.sharedBy)];
    const head = [
      el("h2", { id }, foreign(titleOf(client)), ...by),
      el("p", { class: "hint" }, client.flags.length > 0 ? `${count}. ${flagged(client.flags)}.` : `${count}.`),
    ];
    const days = byDay(client.records, queue?.marks ?? null);
    const zones = severalZones(client.records);
    const left = days.flatMap(({ entries: ones }) => ones.map((entry) => ({ entry, at: ones[0].records[0].at })));
    /** @type {HTMLElement | null} */
    let day = null;
    let said = "";
    const more = button("", () => add()?.focus());
    function add() {
      /** @type {HTMLElement | null} */
      let first = null;
      for (const { entry, at } of left.splice(0, STEP)) {
        if (day === null || date(at) !== said) {
          said = date(at);
          day = el("div", { class: "day" }, el("h3", {}, said));
          body.append(day);
        }
        const article = articleOf(entry, zones);
        day.append(article);
        first ??= article;
      }
      more.hidden = left.length === 0;
      more.textContent = `Show ${number(Math.min(STEP, left.length))} more of ${number(left.length)}`;
      return first;
    }
    add();
    const ways = known ? el("div", { class: "row" }, page, lines) : null;
    return el("section", { class: "client", "aria-labelledby": id }, ...head, flags, ways, body, more);
  }

  /**
   * @param {Entry} entry
   * @param {boolean} zones
   */
  function articleOf(entry, zones) {
    const [{ isNew, sharedBy }] = entry.records;
    const notes = [...(isNew ? ["new"] : []), ...(sharedBy === null ? [] : [`shared by ${safe(sharedBy)}`])];
    const head = headOf(entry, { zones, notes });
    head.id = freshId();
    const discuss = sharedBy !== null ? null : el(
      "button",
      { type: "button", class: "discuss", "aria-pressed": "false", "aria-describedby": head.id },
      el("span", { class: "tick", "aria-hidden": "true" }, "✓"),
      " Discussed",
    );
    const named = { class: "entry", tabindex: -1, "aria-labelledby": head.id };
    const article = el("article", named, head, saidOf(entry), discuss);
    entries.set(article, entry);
    press(article, entry);
    return article;
  }

  /**
   * @param {Element} article
   * @param {Entry} entry
   */
  function press(article, entry) {
    const pressed = entry.records.every((record) => isDiscussed(record, queue?.marks ?? null));
    article.querySelector("button.discuss")?.setAttribute("aria-pressed", String(pressed));
  }

  /** @param {Element} article */
  async function toggle(article) {
    const entry = entries.get(article);
    const keys = context.keys();
    if (entry === undefined || queue === null || keys === null || marking.has(article)) return;
    if (!queue.whole) {
      context.announce(LATER);
      return;
    }
    if (entry.records[0].sharedBy !== null) {
      context.announce(THEIRS);
      return;
    }
    marking.add(article);
    const now = queue;
    const done = entry.records.every((record) => isDiscussed(record, now.marks));
    const how = { api: context.api, now: context.now(), clinician: keys };
    try {
      await mark(how, now, entry.records, done ? "none" : "discussed");
      context.announce(done ? "No longer marked as discussed." : "Marked as discussed.");
      article.querySelector(".problem")?.remove();
    } catch (error) {
      article.querySelector(".problem")?.remove();
      article.append(el("p", { class: "problem", role: "alert" }, unseen("Not marked: "), sentence(error)));
    }
    marking.delete(article);
    press(article, entry);
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    const article = event.target instanceof Element ? event.target.closest("article") : null;
    if (article === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = [...list.querySelectorAll("article")];
    const at = all.indexOf(article);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      const next = all[to];
      if (next === undefined) return;
      next.focus();
    } else if (event.key === "d" && !event.repeat) {
      event.preventDefault();
      void toggle(article);
    }
  }

  /**
   * @param {typeof session | typeof exportView} view
   * @param {string} device
   */
  function toPage(view, device) {
    if (queue === null) return;
    leave();
    page.hidden = true;
    const holder = el("div", {});
    root.append(holder);
    const down = view.mount(holder, context, { queue, device, back });
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
    clearTimeout(timer);
    opened.stop();
    leave();
    entries.clear();
    queue = null;
    root.replaceChildren();
  };
}

/** @param {Queue} queue */
function allFlags({ flags, shared }) {
  return [...flags, ...(shared?.flags ?? [])];
}
