// Which characters texts of the wire may hold. The categories are Unicode's, the white space Python's.

const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const SPACES = new RegExp(`[${SPACE}]+`, "gu");
const AROUND = new RegExp(`^[${SPACE}]|[${SPACE}]$`, "u");
const UNSEEN = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u;
const REORDERS = /[\u202a-\u202e\u2066-\u2069]/u;
// All of category C but white space, which becomes a space, and two joiners that some scripts need.
const DROPPED = new RegExp(`(?![${SPACE}\\u200c\\u200d])\\p{C}`, "gu");
const OBEYED = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;

/**
 * Whether there is white space at either end.
 * @param {string} text
 */
export function spaced(text) {
  return AROUND.test(text);
}

/**
 * Whether it holds a control character, half a character, or a separator of lines.
 * @param {string} text
 */
export function holdsControls(text) {
  return UNSEEN.test(text);
}

/**
 * Whether it holds a character that reorders those around it.
 * @param {string} text
 */
export function reorders(text) {
  return REORDERS.test(text);
}

/**
 * `text` as a card spells it: NFC, single spaces, no control characters; otherwise exactly as given.
 * @param {string} text
 */
export function spelled(text) {
  return text.replace(DROPPED, "").replace(SPACES, " ").replace(/^ | $/gu, "").normalize("NFC");
}

/**
 * The text with every character that would be obeyed rather than seen, or that reorders others, made visible.
 * For what is shown: `textContent` keeps markup from being markup, but not words from being turned around.
 * @param {string} text
 */
export function safe(text) {
  return text.replace(OBEYED, "\ufffd");
}

/**
 * How many characters (code points) there are.
 * @param {string} text
 */
export function characters(text) {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/**
 * Why a name cannot be stated and spoken; empty when it can (voice/wire/keys.py, name_problem).
 * @param {string} name
 * @param {number} size its bytes in UTF-8
 * @param {number} most
 */
export function nameProblem(name, size, most) {
  if (name === "" || spaced(name)) return "a clinician's name is text without spaces around it";
  if (holdsControls(name) || reorders(name)) return "a clinician's name holds a control character";
  return size > most ? `a clinician's name is at most ${most} bytes` : "";
}
