// The practice, for its administrators: who signs in, the policies, and the log. None of it opens a record.

import { el, heading } from "../elements.js";
import { safe } from "../wire/text.js";
import { accessLog } from "./access_log.js";
import { accounts } from "./practice_accounts.js";
import { logState } from "./practice_log.js";
import { policy } from "./practice_policy.js";

/** @typedef {import("../context.js").Context} Context */

const ABOUT =
  "You say who works here and how long records are kept. You read none of them: the keys are the clinicians’ own, and " +
  "the server has none.";

/**
 * @param {HTMLElement} root
 * @param {Context} context
 * @returns {() => void}
 */
export function mount(root, context) {
  const gone = new AbortController();
  const title = heading("Practice");
  const name = context.account()?.practice.name ?? "";
  const called = el("p", {}, safe(name));
  /** @type {Map<string, string>} */
  const names = new Map();
  const log = accessLog(context, "Every sign-in, fetch, export and change in the practice. It holds no content.", names);
  root.append(
    title,
    called,
    el("p", {}, ABOUT),
    accounts(root, context, gone.signal, names),
    policy(root, context, gone.signal, (changed) => (called.textContent = safe(changed))),
    logState(context, gone.signal),
    log.root,
  );
  return () => {
    gone.abort();
    log.stop();
    root.replaceChildren();
  };
}
