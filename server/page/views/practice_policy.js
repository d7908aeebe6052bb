// The practice's name and its policies: how long records are kept, and how often reading keys change.

import { sentence } from "../api.js";
import { confirm } from "../dialogs.js";
import { el } from "../elements.js";
import { AdviceError, field, form } from "../forms.js";
import { plain } from "../wire/listing.js";

/** @typedef {import("../context.js").Context} Context */

const KEPT = "After so many days records are deleted for good, at the clinicians’ too. Empty: they are kept without end.";

/**
 * @param {HTMLElement} root what a question stands in
 * @param {Context} context
 * @param {AbortSignal} gone
 * @param {(name: string) => void} onNamed
 */
export function policy(root, { api }, gone, onNamed) {
  const name = field("Name of the practice", { type: "text", autocomplete: "off", maxlength: 200 });
  const rotation = field("Days that a reading key serves", { type: "number", min: 1, max: 366 }, "Clinicians are told when theirs is older. 30 is usual.");
  const retention = field("Days that records are kept", { type: "number", min: 1, max: 36_500 }, KEPT);
  const done = el("p", { class: "done", role: "status" });
  /** @type {number | null} */
  let before = null;

  /** @param {{ name: string, retention_days: number | null, rotation_days: number }} found */
  function show(found) {
    before = found.retention_days;
    name.input.value = plain(found.name);
    rotation.input.value = String(found.rotation_days);
    retention.input.value = before === null ? "" : String(before);
  }

  const save = form("Save", [name.root, rotation.root, retention.root], async () => {
    done.textContent = "";
    const asked = { name: name.input.value, rotation_days: days(rotation.input, 366), retention_days: kept() };
    const fewer = asked.retention_days !== null && (before === null || asked.retention_days < before);
    const ask = `Records that are older than ${asked.retention_days} days are deleted for good, beginning with the next clean-up.`;
    if (fewer && !(await confirm(root, "Keep records for a shorter time?", ask, "Keep them shorter"))) return;
    const changed = await api("PUT", "/v1/practice", asked);
    if (gone.aborted) return;
    show(changed);
    onNamed(String(changed.name));
    done.textContent = "Saved.";
  }, { name: "Policies" });

  function kept() {
    // What is no number leaves the value empty, which must not be taken for "without end".
    if (retention.input.validity.badInput) throw new AdviceError("Days are a whole number, or empty.");
    return retention.input.value.trim() === "" ? null : days(retention.input, 36_500);
  }

  const problem = el("p", { class: "problem", role: "alert" });
  save.hidden = true;
  api("GET", "/v1/practice").then(
    (found) => {
      if (gone.aborted) return;
      show(found);
      save.hidden = false;
    },
    (error) => (problem.textContent = sentence(error)),
  );
  return el("section", {}, el("h2", {}, "Policies"), problem, save, done);
}

/**
 * @param {HTMLInputElement} input
 * @param {number} most
 */
function days(input, most) {
  const number = Number(input.value);
  if (!Number.isInteger(number) || number < 1 || number > most) throw new AdviceError(`Days are a whole number from 1 to ${most}.`);
  return number;
}
