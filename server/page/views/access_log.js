// The access log: what the server's audit chain says of this account, its devices and records (GET /v1/audit).

import { sentence } from "../api.js";
import { button, el } from "../elements.js";
import { plain } from "../wire/listing.js";
import { inWords } from "./acts.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {{ sequence: number, at: string, actor: string, act: string, subject: string }} Entry */

const PAGE = 500;
/** How far before the chain's newest link the first look begins: the chain is the whole server's. */
const BACK = 2000;
const SHOWN = 100;

const ABOUT = "Every sign-in, fetch, export and change that concerns you. It holds no content.";

/**
 * @param {Context} context
 * @param {string} [about] whose log it is
 * @param {ReadonlyMap<string, string>} [names] of accounts and clinicians, by id in hex, as they are known by then
 */
export function accessLog(context, about = ABOUT, names = new Map()) {
  let stopped = false;
  const body = el("tbody");
  const said = el("p", { class: "said", role: "status" });
  const heads = ["When (UTC)", "Who", "Did", "What"].map((text) => el("th", { scope: "col" }, text));
  const table = el("table", { hidden: true }, el("caption", {}, "Newest first"), el("thead", {}, el("tr", {}, ...heads)), body);
  const scroller = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Access log" }, table);

  /** @param {boolean} whole */
  async function load(whole) {
    said.textContent = "Loading …";
    try {
      const entries = await newest(context, whole, () => stopped);
      if (stopped) return;
      body.replaceChildren(...entries.map((entry) => row(entry, names)));
      table.hidden = entries.length === 0;
      const last = entries.length === SHOWN ? `The last ${SHOWN} entries.` : `Entries: ${entries.length}.`;
      said.textContent = whole ? last : `${last} Only the newest part of the log was looked at.`;
    } catch (error) {
      if (!stopped) said.textContent = sentence(error);
    }
  }

  const root = el(
    "section",
    {},
    el("h2", {}, "Access log"),
    el("p", {}, about),
    el("p", { class: "row" }, button("Show the newest", () => load(false)), button("Look through all of it", () => load(true))),
    said,
    scroller,
  );
  return {
    root,
    stop() {
      stopped = true;
    },
  };
}

/**
 * The newest entries, newest first.
 * @param {Context} context
 * @param {boolean} whole
 * @param {() => boolean} stopped
 */
async function newest({ api }, whole, stopped) {
  const { head } = await api("GET", "/v1/audit?limit=1");
  let after = whole ? 0 : Math.max(0, Number(head.sequence) - BACK);
  /** @type {Entry[]} */
  let kept = [];
  for (;;) {
    const page = await api("GET", `/v1/audit?after=${after}&limit=${PAGE}`);
    kept = [...kept, ...page.entries].slice(-SHOWN);
    if (!page.more || stopped() || !(page.next > after)) return kept.reverse();
    after = page.next;
  }
}

/**
 * @param {Entry} entry
 * @param {ReadonlyMap<string, string>} names
 */
function row({ at, actor, act, subject }, names) {
  const cells = [plain(at).replace("T", " ").replace("Z", ""), short(actor, names), inWords(plain(act)), short(subject, names)];
  return el("tr", {}, ...cells.map((text) => el("td", {}, text)));
}

/**
 * People by their names where they are known. Ids are long and random; their beginning tells them apart.
 * @param {string} text
 * @param {ReadonlyMap<string, string>} names
 */
function short(text, names) {
  const named = plain(text).replace(/(?:account|clinician):([0-9a-f]{32})/g, (all, id) => names.get(id) ?? all);
  return named.replace(/([0-9a-f]{8})[0-9a-f]{24,}/g, "$1…");
}
