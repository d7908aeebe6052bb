// What was agreed with one client and when, sealed for the clinician alone; every version, to be read and printed.

import { sentence } from "../api.js";
import { button, el, heading } from "../elements.js";
import { AdviceError, field, form } from "../forms.js";
import { b64url, hex } from "../wire/bytes.js";
import { makeConsent, MOST_POINT, MOST_POINTS, readConsents } from "../wire/consents.js";
import { ContentError } from "../wire/errors.js";
import { characters, spelled } from "../wire/text.js";
import { foreign } from "./dom.js";
import { area } from "./part_fields.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../wire/consents.js").Consents} Consents */
/** @typedef {import("../wire/listing.js").DeviceEntry} DeviceEntry */

/** Where a first version begins: what most people agree, to be changed. */
const USUAL = [
  "The device hears the name. Until then it keeps nothing of what it hears.",
  "One line is kept, as text. The sound is not kept.",
  "I alone read it. Nobody else does.",
  "I read before our next session. Nobody watches in between.",
  "It is not for emergencies. In danger, the local emergency number.",
  "It can be paused or ended at any time, and everything can be deleted.",
];

/**
 * @param {HTMLElement} root
 * @param {Context} context
 * @param {{ entry: DeviceEntry, name: string, back: () => void }} client `name` as it is shown
 * @returns {() => void}
 */
export function mount(root, context, { entry, name, back }) {
  const path = `/v1/devices/${hex(entry.deviceId)}/consents`;
  const said = el("p", { class: "said", role: "status" }, "Loading …");
  const problem = el("p", { class: "problem", role: "alert" });
  const versions = el("div", {});
  const writing = el("section", { class: "no-print" });
  const print = button("Print", () => window.print(), { hidden: true });
  let gone = false;

  async function load() {
    const keys = context.keys();
    if (keys === null) return;
    try {
      const { consents } = await context.api("GET", path);
      const listed = Array.isArray(consents) ? consents : [];
      const read = await readConsents(listed, entry.deviceId, keys.reader, keys.clinicianId);
      if (!gone) show(read);
    } catch (error) {
      said.textContent = "";
      problem.textContent = sentence(error);
    }
  }

  /** @param {Consents} read */
  function show(read) {
    const { consents, newest } = read;
    said.textContent = consents.length === 0 ? "Nothing is written down yet." : "";
    problem.textContent = wrong(read);
    print.hidden = consents.length === 0;
    const shown = [...consents].reverse().map(({ on, agreed, keptAt }) =>
      el(
        "section",
        { class: "card" },
        el("h2", {}, `Agreed on ${day(on)}`),
        el("ul", {}, ...agreed.map((point) => el("li", {}, foreign(point)))),
        el("p", { class: "hint" }, `Written down ${when(keptAt)}.`),
      ),
    );
    versions.replaceChildren(...shown);
    const last = consents.at(-1);
    writing.replaceChildren(
      el("h2", {}, last === undefined ? "Write it down" : "Agree it anew"),
      el("p", {}, "Together with the client, in words that you both use."),
      writeForm(last?.agreed ?? USUAL, newest),
    );
  }

  /**
   * @param {readonly string[]} points
   * @param {number} newest
   */
  function writeForm(points, newest) {
    const on = field("Agreed on", { type: "date", value: today(context.now()), required: true });
    const most = MOST_POINTS * (MOST_POINT + 1);
    const agreed = area("What was agreed", { value: points.join("\n"), most, rows: 8 }, "One point on each line.");
    const hint = "Sealed here: the server keeps it and cannot read it. What was written down before stays as it is.";
    return form("Keep it", [on.root, agreed.root, el("p", { class: "hint" }, hint)], async () => {
      const keys = context.keys();
      if (keys === null) throw new AdviceError("The page is locked.");
      const consent = { on: on.input.value, agreed: pointsOf(agreed.input.value) };
      if (consent.on === "") throw new AdviceError("Give the day on which it was agreed.");
      let sealed;
      try {
        sealed = await makeConsent(keys, entry.deviceId, consent, newest + 1);
      } catch (error) {
        if (error instanceof ContentError) throw new AdviceError("That day is not in the calendar.");
        throw error;
      }
      await context.api("PUT", `${path}/${newest + 1}`, { sealed: b64url(sealed) });
      await load();
      // Locked or left meanwhile: nothing of the client's may come back.
      if (gone) return;
      context.announce("It is kept.");
      root.querySelector("h1")?.focus();
    }, { name: `What was agreed with ${name}` });
  }

  root.append(
    heading("What was agreed"),
    el("p", { class: "sentence" }, foreign(name)),
    el("div", { class: "row no-print" }, button("Back to the list", back), print),
    problem,
    said,
    versions,
    writing,
  );
  void load();
  return () => {
    gone = true;
    root.replaceChildren();
  };
}

/**
 * The points of a text, one on each line.
 * @param {string} text
 */
function pointsOf(text) {
  const points = text.split("\n").map(spelled).filter((point) => point !== "");
  if (points.length === 0) throw new AdviceError("Write at least one point.");
  if (points.length > MOST_POINTS) throw new AdviceError(`There are at most ${MOST_POINTS} points.`);
  const long = points.find((point) => characters(point) > MOST_POINT);
  if (long !== undefined) {
    throw new AdviceError(`A point has at most ${MOST_POINT} characters. Make two of “${long.slice(0, 40)}…”.`);
  }
  return points;
}

/** @param {Consents} read */
function wrong({ missing, closed, forged }) {
  const said = [
    [missing, "Versions are missing from the server's list"],
    [closed, "Versions that were sealed to a key that is not here cannot be opened"],
    [forged, "Versions that are not yours, or were altered, are left out"],
  ];
  return said.flatMap(([count, text]) => (Number(count) > 0 ? [`${text}: ${count}.`] : [])).join(" ");
}

/** @param {string} on a day, "2026-03-02" */
function day(on) {
  return new Date(`${on}T00:00:00Z`).toLocaleDateString(undefined, { dateStyle: "long", timeZone: "UTC" });
}

/** @param {string} text a time as the server writes it */
function when(text) {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? "" : at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/**
 * Today by this computer's calendar, as a date field takes it.
 * @param {number} now Unix milliseconds
 */
function today(now) {
  const at = new Date(now);
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}
