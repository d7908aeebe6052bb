// Elements made from plain data: text by textContent alone, no markup from strings, no inline style or handler.

/** @typedef {Node | string | null | undefined} Child */

/**
 * An element with its attributes and children; strings become text. `true` sets an empty attribute, `false` and null
 * set none. A name that begins with "on" is refused: listeners are added with addEventListener.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string | number | boolean | null>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (/^(on|style$)/i.test(name)) throw new RangeError(`${name} is no attribute for el`);
    if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null) made.setAttribute(name, String(value));
  }
  for (const child of children) if (child !== null && child !== undefined) made.append(child);
  return made;
}

/**
 * A view's heading, which takes the focus when the view is shown.
 * @param {string} text
 */
export function heading(text) {
  return el("h1", { tabindex: -1 }, text);
}

/**
 * A button that does something, and cannot be pressed again until that is done.
 * @param {string} text
 * @param {() => unknown} act may give a promise
 * @param {Record<string, string | number | boolean | null>} [attributes]
 */
export function button(text, act, attributes = {}) {
  const made = el("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", async () => {
    if (made.getAttribute("aria-disabled") === "true") return;
    // aria-disabled, not disabled: the focus stays where it is while the work goes on.
    made.setAttribute("aria-disabled", "true");
    try {
      await act();
    } finally {
      made.removeAttribute("aria-disabled");
    }
  });
  return made;
}
