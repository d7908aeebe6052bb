// Whether the server's log holds: every entry follows the one before it, and what this browser noted is still in it.

import { sentence } from "../api.js";
import { button, el } from "../elements.js";
import { number } from "../queue/sentences.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {{ entries: number, first: number, last: number, digest: string, broken_at: number | null,
 *   noted: boolean | null, problems: number }} State */

const PREFIX = "onebreath.audit.";
const ABOUT =
  "Each entry is chained to the one before. The server follows the chain and compares what it says of deletions; this " +
  "browser remembers the newest link and asks for it the next time. Whoever can change the server itself could still " +
  "answer falsely: note the link somewhere else now and then.";
const KEEP = "Keep the server as it is, and tell whoever runs it.";

/**
 * @param {Context} context
 * @param {AbortSignal} gone
 */
export function logState({ api, account }, gone) {
  const found = el("div", { role: "status" });
  const check = button("Check the whole log", async () => {
    const key = PREFIX + (account()?.practice.practice ?? "");
    try {
      const noted = localStorage.getItem(key) ?? "";
      const state = await api("GET", `/v1/practice/audit${/^[0-9a-f]{64}$/.test(noted) ? `?head=${noted}` : ""}`);
      if (gone.aborted) return;
      const wrong = wrongWith(state);
      if (wrong.length === 0) localStorage.setItem(key, String(state.digest));
      found.replaceChildren(...(wrong.length > 0 ? wrong : rightWith(state)), linkOf(state));
    } catch (error) {
      if (!gone.aborted) found.replaceChildren(el("p", { class: "problem" }, sentence(error)));
    }
  });
  return el("section", {}, el("h2", {}, "Is the log whole?"), el("p", {}, ABOUT), el("p", {}, check), found);
}

/** @param {State} state */
function wrongWith({ broken_at: broken, noted, problems }) {
  const said = [];
  if (broken !== null) said.push(`Entry ${number(broken)} does not follow the one before it: the log was altered there.`);
  if (noted === false) said.push("The link that this browser noted is no longer in the log: it was shortened or written anew.");
  if (problems > 0) said.push(`Deletions that do not agree with what is left of them: ${number(problems)}. See them on the server: onebreath audit verify`);
  return said.map((text) => el("p", { class: "problem" }, `${text} ${KEEP}`));
}

/** @param {State} state */
function rightWith({ entries, first, last, noted }) {
  const whole = `The log is whole: ${number(entries)} entries, ${number(first)} to ${number(last)}, follow one another.`;
  const before = noted === true ? "The link that this browser noted before is still in it." : "This browser has noted its newest link for the next time.";
  return [el("p", {}, `${whole} ${before}`)];
}

/** @param {State} state */
function linkOf({ digest }) {
  return el("p", {}, "Newest link: ", el("code", {}, String(digest)));
}
