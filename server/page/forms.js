// Forms as this page has them: a label above each field, one place for what went wrong, honest progress.

import { sentence } from "./api.js";
import { el } from "./elements.js";

/** What the person can mend themselves; the message is a sentence for them. */
export class AdviceError extends Error {
  name = "AdviceError";
}

let made = 0;

/**
 * A labelled field. `hint` stands between label and field and is read with it.
 * @param {string} label
 * @param {Record<string, string | number | boolean | null>} attributes
 * @param {string} [hint]
 */
export function field(label, attributes, hint) {
  const id = `field-${++made}`;
  const note = hint === undefined ? null : el("p", { id: `${id}-hint`, class: "hint" }, hint);
  const described = note === null ? {} : { "aria-describedby": note.id };
  const input = el("input", { id, autocapitalize: "off", spellcheck: "false", ...described, ...attributes });
  const root = el("div", { class: "field" }, el("label", { for: id }, label), note, input);
  return { root, input };
}

/** How far the work on a passphrase is; `hidden` until it begins. */
export function progress() {
  const bar = el("progress", { max: 1, value: 0, "aria-label": "Work on the passphrase" });
  const words = el("p", {}, "");
  const root = el("div", { class: "progress", hidden: true }, words, bar);
  return {
    root,
    /**
     * @param {string} text what is being done
     * @returns {(done: number) => void}
     */
    begin(text) {
      words.textContent = text;
      bar.value = 0;
      root.hidden = false;
      return (done) => {
        bar.value = done;
      };
    },
    end() {
      root.hidden = true;
    },
  };
}

/** What is said while Argon2id works. */
export const STRETCHING = "Working on your passphrase. This takes some seconds, on purpose: it slows down whoever guesses.";

/**
 * A form whose submission is this page's alone. While `act` works it cannot be sent again; what it throws is shown above
 * the button and read out; AdviceError and the server's own sentences as they are.
 * @param {string} label of its button
 * @param {Child[]} children
 * @param {() => Promise<void>} act
 * @param {{ name?: string, danger?: boolean }} [more] `name`: what a screen reader calls the form
 * @returns {HTMLFormElement}
 * @typedef {import("./elements.js").Child} Child
 */
export function form(label, children, act, { name, danger = false } = {}) {
  const problem = el("p", { class: "problem", role: "alert" });
  const send = el("button", { type: "submit", class: danger ? "danger" : "primary" }, label);
  const root = el("form", { novalidate: true, "aria-label": name ?? null }, ...children, problem, send);
  let busy = false;
  root.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    problem.textContent = "";
    send.setAttribute("aria-disabled", "true");
    try {
      await act();
    } catch (error) {
      problem.textContent = sentence(error);
      send.scrollIntoView({ block: "nearest" });
    } finally {
      busy = false;
      send.removeAttribute("aria-disabled");
    }
  });
  return root;
}

export const LEAST_CHARACTERS = 12;

/** Two fields for a new passphrase. `chosen` gives it, or throws AdviceError. */
export function newPassphrase() {
  const hint =
    `At least ${LEAST_CHARACTERS} characters. Length is what counts: five or six unrelated words are good. ` +
    "No signs or capitals are asked for. Nobody can look it up for you.";
  const first = field("New passphrase", { type: "password", autocomplete: "new-password", required: true }, hint);
  const again = field("The same again", { type: "password", autocomplete: "new-password", required: true });
  return {
    roots: [first.root, again.root],
    chosen() {
      const [one, other] = [first.input.value.normalize("NFKC"), again.input.value.normalize("NFKC")];
      if ([...one].length < LEAST_CHARACTERS) {
        throw new AdviceError(`A passphrase has at least ${LEAST_CHARACTERS} characters. Add a word or two.`);
      }
      if (one !== other) throw new AdviceError("The two are not the same. Type them again.");
      return one;
    },
    clear() {
      first.input.value = again.input.value = "";
    },
  };
}

/** The field for an authenticator's code, and its value without spaces. */
export function codeField() {
  const attributes = { type: "text", inputmode: "numeric", autocomplete: "one-time-code", required: true, maxlength: 12 };
  const { root, input } = field("Code of your authenticator", attributes, "Six digits; a new code every 30 seconds.");
  return {
    root,
    input,
    value() {
      const digits = input.value.replace(/\s/g, "");
      if (!/^[0-9]{6}$/.test(digits)) throw new AdviceError("The code of your authenticator has six digits.");
      return digits;
    },
  };
}
