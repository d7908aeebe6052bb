// Setting up a part together: what the client says, typed in the client's words, and what the device will do with it.

import { el } from "../elements.js";
import { AdviceError, form } from "../forms.js";
import { nextSettings } from "../parts/model.js";
import { typedText } from "../parts/settings.js";
import { MOST_NAME, MOST_TELL, MOST_TOLD } from "../wire/part_notes.js";
import { area, line, pick } from "./part_fields.js";
import { settingFields } from "./part_settings.js";

/** @typedef {import("../parts/model.js").Part} Part */
/** @typedef {import("../parts/model.js").Parts} Parts */
/** @typedef {import("../parts/model.js").Values} Values */
/** @typedef {import("../wire/part_notes.js").PartNote} PartNote */

const FIXED = "Fixed once it was sent. For another name, let this part rest and set up a new one.";
const EXACT = "Exactly as the client says it, in any language: it is heard, shown and exported so.";
const OWN = "The device finds one itself";

/** What the device does with a card, in its order. */
const WILL = [
  "The device fetches the card: within a quarter of an hour, or at once when “onebreath enrol” is run on it.",
  "When the client says they are ready, run “onebreath enrol” there. The device then leads the recording by voice: the name three times or more, and the phrase.",
  "Then it tries the name, listens to a minute of ordinary talk, and tells here what to expect.",
  "What the client records stays on the device.",
];
const WILL_AGAIN = "What was recorded for this part stays as it is.";

/**
 * The form for a new part, or for a newer version of one. `send` is given what to keep and send.
 * @param {Parts} parts
 * @param {Part | null} before
 * @param {{ renamed: boolean }} how `renamed`: the device has not kept the name, so that it may be another
 * @param {(note: PartNote) => Promise<void>} send
 */
export function partForm(parts, before, { renamed }, send) {
  const known = before?.note ?? null;
  const fixed = known !== null && !renamed;
  const name = line(
    "The client’s own name for the part",
    { value: known?.name ?? "", most: MOST_NAME, readonly: fixed },
    fixed ? FIXED : EXACT,
  );
  const alias = line(
    "How it is said, if it is no ordinary word",
    { value: known?.alias ?? "", most: MOST_NAME },
    `In words that a dictionary has: “grumble tron”. Empty: ${OWN.toLowerCase()}.`,
  );
  const tell = area(
    "What happens just before",
    { value: known?.tell ?? "", most: MOST_TELL },
    "The tell, as the client says it: a cue, and nothing that they have to do. The device never speaks of it.",
  );
  const spoken = known?.settings.quiet ?? null;
  const quiet = pick(
    "How the device answers this name",
    [
      ["spoken", "With the tone, then the client’s phrase"],
      ["tone", "With the tone alone"],
    ],
    { value: spoken === null ? "" : spoken ? "tone" : "spoken", none: "As is chosen on the device when it is recorded" },
  );
  const told = [
    area("Age, as the client tells it", { value: known?.age ?? "", most: MOST_TOLD, rows: 1 }),
    area("Role, as the client tells it", { value: known?.role ?? "", most: MOST_TOLD }),
    area("Image, as the client tells it", { value: known?.image ?? "", most: MOST_TOLD }),
    area("Who it is for", { value: known?.whom ?? "", most: MOST_TOLD }, "Whom it looks after, as the client tells it."),
  ];
  const settings = settingFields(parts.settings);
  const will = before === null || renamed ? WILL : [WILL[0], WILL_AGAIN];

  async function submit() {
    const typed = { name: typedText(name.input.value), alias: typedText(alias.input.value), tell: typedText(tell.input.value) };
    if (typed.name === "") {
      name.input.focus();
      throw new AdviceError("Type the client’s name for the part.");
    }
    const same = parts.parts.find(({ note, entry }) => note.name === typed.name && entry.card !== before?.entry.card);
    if (same !== undefined) {
      const rests = same.note.removed;
      throw new AdviceError(`There is a part of this name already. ${rests ? "Take it up again" : "Change that one"} instead.`);
    }
    const changed = settings.changed();
    const answers = quiet.input.value === "" ? null : quiet.input.value === "tone";
    if (answers !== spoken) changed.quiet = answers;
    const [age, role, image, whom] = told.map(({ input }) => typedText(input.value));
    await send({
      name: typed.name,
      alias: typed.alias === "" ? null : typed.alias,
      tell: typed.tell,
      settings: nextSettings(known?.settings ?? {}, parts.settings, changed),
      age,
      role,
      image,
      whom,
      removed: false,
    });
  }

  const sent = el("fieldset", {}, el("legend", {}, "For the device"), name.root, alias.root, tell.root, quiet.root);
  const kept = el(
    "fieldset",
    {},
    el("legend", {}, "For you alone"),
    el("p", { class: "hint" }, "Sealed to you. The device does not get it, and the server cannot read it."),
    ...told.map(({ root }) => root),
  );
  const more = el("details", {}, el("summary", {}, "Settings of the device"), ...settings.roots);
  const what = el("section", {}, el("h3", {}, "What happens when you send it"), el("ol", {}, ...will.map((one) => el("li", {}, one))));
  const label = before === null ? "Send the part to the device" : "Send the newer version";
  const root = form(label, [sent, kept, more, what], submit, { name: before === null ? "A new part" : "Change the part" });
  root.classList.add("part-form");
  return { root, first: fixed ? alias.input : name.input };
}
