// What was typed into a view is gone with the view, not when the browser next collects what nobody holds.

/**
 * Empty every field below `root`.
 * @param {HTMLElement} root
 */
export function blank(root) {
  for (const input of root.querySelectorAll("input")) input.value = "";
}
