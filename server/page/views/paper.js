// A new recovery code: shown to be printed, then typed once from the paper.

import { button, el } from "../elements.js";
import { AdviceError, field, form } from "../forms.js";
import { equal } from "../wire/bytes.js";
import { formatCode, parseCode } from "../wire/recovery_code.js";

/** @typedef {import("../wire/bytes.js").Bytes} Bytes */

/**
 * What stands below "Print your recovery code".
 * @param {Bytes} code
 * @param {() => void} onPaper
 */
export function toPrint(code, onPaper) {
  return [
    el("p", {}, "If you lose your passphrase, this code is the only way to your records. Nobody else has it."),
    el("p", { class: "code shown", "data-recovery": true }, formatCode(code)),
    el("p", {}, "Print it or write it down, and keep it where you keep what must not be lost. Not on this computer."),
    el("p", { class: "row" }, button("Print", () => window.print()), button("I have it on paper", onPaper, { class: "primary" })),
  ];
}

/**
 * What stands below "Type the code once".
 * @param {Bytes} code
 * @param {() => Promise<void> | void} onTyped
 * @param {() => void} onAgain to see the code once more
 * @param {import("../elements.js").Child[]} [more] what else the form holds
 */
export function toType(code, onTyped, onAgain, more = []) {
  const typed = field("Recovery code, from the paper", { type: "text", autocomplete: "off", class: "code" });
  const next = form("Continue", [typed.root, ...more], async () => {
    if (!equal(read(typed.input.value), code)) {
      throw new AdviceError("That is not the code. Look at the paper again, or go back to see it once more.");
    }
    await onTyped();
  });
  return [
    el("p", {}, "So that you know that the paper holds."),
    next,
    el("p", { class: "aside" }, button("Show the code again", onAgain, { class: "link" })),
  ];
}

/** @param {string} text */
function read(text) {
  try {
    return parseCode(text);
  } catch {
    throw new AdviceError("The code has 26 letters and digits. Some are missing, or there are too many.");
  }
}
