// Chosen lines of one client out of the page: as text or as FHIR, to a file or to the clipboard. What goes out is shown
// first, and the server's audit log has it before it goes.

import { sentence } from "../api.js";
import { button, el, heading } from "../elements.js";
import { field } from "../forms.js";
import { byClient, byDay, isDiscussed } from "../queue/model.js";
import * as exporting from "../queue/exporting.js";
import { date, number } from "../queue/sentences.js";
import { asText, severalZones, titleOf, wrongWith } from "../queue/text.js";
import { placeOf } from "../wire/notes.js";
import { choice, flagList, foreign, freshId } from "./dom.js";
import { headOf, saidOf } from "./entry.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../queue/exporting.js").Span} Span */
/** @typedef {import("../queue/model.js").OpenedRecord} OpenedRecord */
/** @typedef {import("../queue/opening.js").Queue} Queue */

const UNSEALED = "What is saved or copied is no longer sealed: whoever has the file can read it.";
const KEYS = "With the keyboard: arrow up and down go from line to line, the space bar chooses.";
const NONE_HERE = "No records in this choice.";
const NONE_CHOSEN = "Choose at least one line first.";
const PATIENT_HINT =
  "Such as Patient/123. Left empty, the device is named as the author. It goes into the FHIR file alone.";
const WRONG_PATIENT = "Give the client on the FHIR server such as Patient/123, or leave the field empty.";
const IN_NO_DOCUMENT =
  "Each line is a document with its own flags. These concern none of them, and are in the text alone:";
const COPIED = "Copied. What is on the clipboard can be read by other programs until something else is copied.";
const BY_BUTTON = "Nothing was copied. Use the buttons below: the server’s log has what goes out before it goes.";
const NOT_COPIED = "The browser did not allow copying. The text is below, to be copied by hand.";
/** Records that are listed at once. */
const STEP = 50;
/** Documents of a file that is shown before it is saved. */
const MOST_SHOWN = 200;
/** How long a browser may take to begin with a file that was saved. */
const SAVING_MS = 30_000;

/**
 * Have an export accounted for in the server's audit log, before anything goes out; the server's time of it.
 * Throws what `api` throws, and FrameError.
 * @param {Context} context
 * @param {string} device
 * @param {number} count
 */
export async function accountFor(context, device, count) {
  const { exported_at: at } = await context.api("POST", "/v1/exports", { device, count });
  return exporting.instant(at);
}

/**
 * @param {HTMLElement} root
 * @param {Context} context
 * @param {{ queue: Queue, device: string, back: () => void }} from what is open already, whose lines, and the way back
 * @returns {() => void}
 */
export function mount(root, context, { queue, device, back }) {
  let gone = false;
  /** @type {Span} */
  let span = "open";
  /** @type {OpenedRecord[]} */
  let shown = [];
  /** Places.
   * @type {Set<string>} */
  const wanted = new Set();
  /** @type {Set<() => void>} */
  const saving = new Set();
  /** Counts what was chosen; a preview that is late is not shown. */
  let turn = 0;
  /** Whether the text as it is shown was accounted for, and may be copied by hand. */
  let byHand = false;

  const client = byClient(queue.records, queue.named, queue.flags).clients.find((one) => one.device === device);
  const list = el("div", { class: "picking" });
  const count = el("p", {});
  const text = preview("The text that goes out");
  const fhir = preview("The FHIR file that goes out");
  const beside = el("div", {});
  const folded = el("details", {}, el("summary", {}, "As FHIR"), beside, fhir);
  const typed = { type: "text", autocomplete: "off" };
  const patient = field("The client on the FHIR server (optional)", typed, PATIENT_HINT);
  const problem = el("p", { class: "problem", role: "alert" });
  const said = el("p", { class: "said" });
  const actions = el(
    "div",
    { class: "row" },
    button("Copy as text", copy),
    button("Save as text", saveText),
    button("Save as FHIR", saveFhir),
  );

  folded.addEventListener("toggle", () => void tell());
  patient.input.addEventListener("input", () => void tell());
  list.addEventListener("change", ({ target }) => {
    if (!(target instanceof HTMLInputElement)) return;
    if (target.checked) wanted.add(target.value);
    else wanted.delete(target.value);
    void tell();
  });
  list.addEventListener("keydown", onKey);
  for (const way of ["copy", "cut", "dragstart"]) {
    text.addEventListener(way, (event) => byHand || refuse(event));
    fhir.addEventListener(way, refuse);
  }

  root.append(
    el("div", { class: "row" }, button("Back", back)),
    heading("Export lines"),
    el("p", { class: "warning" }, UNSEALED),
    client === undefined ? el("p", {}, NONE_HERE) : el("h2", {}, foreign(titleOf(client))),
    choice("Show", exporting.SPANS, span, (value) => {
      span = /** @type {Span} */ (value);
      render();
    }),
    el("p", { class: "hint" }, KEYS),
    el("div", { class: "row" }, button("Choose all", all), button("Choose none", none)),
    list,
    el("h2", {}, "What goes out"),
    count,
    text,
    patient.root,
    folded,
    problem,
    actions,
    said,
  );
  render();

  function render() {
    shown = exporting.within(queue, device, span, context.now());
    // What is not shown is not exported either.
    const places = new Set(shown.map(placeOf));
    for (const place of wanted) if (!places.has(place)) wanted.delete(place);
    const zones = severalZones(shown);
    const left = byDay(shown, queue.marks).flatMap(({ entries }) => entries.flatMap(({ records }) => records));
    let day = "";
    /** @type {HTMLElement | null} */
    let items = null;
    const more = button("", () => add()?.focus());
    function add() {
      /** @type {HTMLElement | null} */
      let first = null;
      for (const record of left.splice(0, STEP)) {
        if (items === null || date(record.at) !== day) {
          day = date(record.at);
          items = el("ol", {});
          more.before(el("div", { class: "day" }, el("h3", {}, day), items));
        }
        const { item, box } = itemOf(record, zones);
        items.append(item);
        first ??= box;
      }
      more.hidden = left.length === 0;
      more.textContent = `Show ${number(Math.min(STEP, left.length))} more of ${number(left.length)}`;
      return first;
    }
    list.replaceChildren(shown.length === 0 ? el("p", {}, NONE_HERE) : "", more);
    add();
    void tell();
  }

  /**
   * @param {OpenedRecord} record
   * @param {boolean} zones
   */
  function itemOf(record, zones) {
    const id = freshId();
    const notes = isDiscussed(record, queue.marks) ? ["discussed"] : [];
    const entry = { records: [record] };
    const head = headOf(entry, { zones, notes });
    head.id = `${id}-head`;
    const label = el("label", { for: id, id: `${id}-label`, class: "discuss" }, "Export ");
    const named = `${label.id} ${head.id}`;
    const box = el("input", { type: "checkbox", id, value: placeOf(record), "aria-labelledby": named });
    box.checked = wanted.has(box.value);
    label.append(box);
    const flags = flagList(wrongWith(record, queue.flags));
    return { item: el("li", { class: "entry" }, head, saidOf(entry), flags, label), box };
  }

  function chosen() {
    return shown.filter((record) => wanted.has(placeOf(record)));
  }

  function all() {
    for (const record of shown) wanted.add(placeOf(record));
    check();
  }

  function none() {
    wanted.clear();
    check();
  }

  function check() {
    for (const box of boxes()) box.checked = wanted.has(box.value);
    context.announce(exporting.counted(chosen()));
    void tell();
  }

  /** @returns {HTMLInputElement[]} */
  function boxes() {
    return [...list.querySelectorAll("input")];
  }

  /** @param {readonly OpenedRecord[]} records */
  function textOf(records) {
    if (client === undefined || records.length === 0) return "";
    const legend = exporting.legend(records);
    return asText({ ...client, records: [...records] }, queue.marks) + (legend === "" ? "" : `\n${legend}\n`);
  }

  /**
   * @param {readonly OpenedRecord[]} records
   * @param {string} exportedAt
   */
  async function fhirOf(records, exportedAt) {
    const given = patient.input.value.trim();
    if (given !== "" && !exporting.PATIENT.test(given)) throw new RangeError(WRONG_PATIENT);
    const how = { exportedAt, patient: given === "" ? null : given };
    return exporting.spell(await exporting.bundle(records, queue.flags, how));
  }

  /** Show what would go out now. */
  async function tell() {
    const now = ++turn;
    const records = chosen();
    count.textContent = exporting.counted(records);
    text.value = textOf(records);
    byHand = false;
    problem.textContent = said.textContent = "";
    fhir.value = "";
    const own = new Set(records.flatMap((record) => wrongWith(record, queue.flags)));
    const rest = (client?.flags ?? []).filter((flag) => !own.has(flag));
    beside.replaceChildren(rest.length === 0 ? "" : el("p", {}, IN_NO_DOCUMENT), flagList(rest) ?? "");
    if (!folded.open || records.length === 0) return;
    if (records.length > MOST_SHOWN) {
      fhir.value = `The file is too long to be shown: ${number(records.length)} documents.`;
      return;
    }
    let document;
    try {
      const at = `${new Date(context.now()).toISOString().slice(0, 19)}Z`;
      document = new TextDecoder().decode(await fhirOf(records, at));
    } catch (error) {
      document = sentence(error);
    }
    if (!gone && now === turn) fhir.value = document;
  }

  /**
   * Account for the chosen records, then let them out; nothing goes out where the one fails.
   * @param {(records: OpenedRecord[], exportedAt: string) => Promise<string>} out gives what is said of it
   * @param {(records: OpenedRecord[]) => Promise<unknown>} [first] throws for what cannot be made, which is then not
   *   accounted for
   */
  async function letOut(out, first = async () => {}) {
    problem.textContent = said.textContent = "";
    const records = chosen();
    try {
      if (records.length === 0) throw new RangeError(NONE_CHOSEN);
      await first(records);
      const at = await accountFor(context, device, records.length);
      const told = gone ? "" : await out(records, at);
      if (gone) return;
      said.textContent = told;
      context.announce(told);
    } catch (error) {
      if (!gone) problem.textContent = sentence(error);
    }
  }

  async function copy() {
    await letOut(async (records) => {
      try {
        await navigator.clipboard.writeText(textOf(records));
        return COPIED;
      } catch {
        byHand = !gone;
        text.select();
        return NOT_COPIED;
      }
    });
  }

  async function saveText() {
    await letOut(async (records, at) => handOver(textOf(records), "text/plain;charset=utf-8", at, "txt"));
  }

  async function saveFhir() {
    await letOut(
      async (records, at) => handOver(await fhirOf(records, at), exporting.MEDIA_TYPE, at, "fhir.json"),
      (records) => fhirOf(records, "2000-01-01T00:00:00Z"),
    );
  }

  /**
   * Give a file to the browser's downloads; what is said of it. Its bytes are in memory until the browser has begun, or
   * the view goes.
   * @param {string | import("../wire/bytes.js").Bytes} data
   * @param {string} type
   * @param {string} at
   * @param {string} ending
   */
  function handOver(data, type, at, ending) {
    if (gone) return "";
    const name = exporting.fileName(device, at, ending);
    const url = URL.createObjectURL(new Blob([data], { type }));
    const link = el("a", { href: url, download: name, hidden: true });
    root.append(link);
    link.click();
    link.remove();
    const timer = setTimeout(forget, SAVING_MS);
    saving.add(forget);
    return `Saved as ${name}, where your browser keeps downloads.`;
    function forget() {
      clearTimeout(timer);
      saving.delete(forget);
      URL.revokeObjectURL(url);
    }
  }

  /** @param {Event} event */
  function refuse(event) {
    event.preventDefault();
    said.textContent = "";
    problem.textContent = BY_BUTTON;
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    const all = boxes();
    const at = all.findIndex((box) => box === event.target);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (at < 0 || to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    all[to]?.focus();
  }

  return () => {
    gone = true;
    for (const forget of [...saving]) forget();
    wanted.clear();
    shown = [];
    text.value = fhir.value = "";
    root.replaceChildren();
  };
}

/** @param {string} label */
function preview(label) {
  return el("textarea", { readonly: true, rows: 10, "aria-label": label, spellcheck: "false" });
}
