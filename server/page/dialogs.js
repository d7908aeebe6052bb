// A question before what cannot easily be undone.

import { button, el } from "./elements.js";

/**
 * Whether the person said yes. The focus is on "No" at first, and goes back where it was.
 * @param {HTMLElement} root what the dialog stands in, so that it goes when the view goes
 * @param {string} question
 * @param {string} text
 * @param {string} yes
 * @returns {Promise<boolean>}
 */
export function confirm(root, question, text, yes) {
  return new Promise((resolve) => {
    const title = el("h2", { id: "question" }, question);
    const no = button("No", () => dialog.close(""), { autofocus: true });
    const agree = button(yes, () => dialog.close("yes"), { class: "danger" });
    const dialog = el("dialog", { "aria-labelledby": "question" }, title, el("p", {}, text), el("p", { class: "row" }, no, agree));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    root.append(dialog);
    dialog.showModal();
  });
}
