// The account: who is signed in, what they sign in with, signing out, and the access log.

import { button, el, heading } from "../elements.js";
import { safe } from "../wire/text.js";
import { accessLog } from "./access_log.js";
import { replaceAuthenticator } from "./authenticator.js";
import { blank } from "./blank.js";
import { newRecoveryCode } from "./new_code.js";
import { passkeys } from "./passkeys.js";
import { changePassphrase } from "./passphrase.js";
import { resetNotice } from "./reset_notice.js";
import { keySection } from "./rotation.js";

/** @typedef {import("../context.js").Context} Context */

/**
 * @param {HTMLElement} root
 * @param {Context} context
 * @returns {() => void}
 */
export function mount(root, context) {
  const gone = new AbortController();
  /** @type {{ stop: () => void } | null} */
  let log = null;

  /** @param {string} [said] what was just done */
  function show(said) {
    log?.stop();
    const account = context.account();
    const who = account === null ? "" : `${safe(account.name)}, ${account.role}, ${safe(account.practice.name)}`;
    const notice = el("div", {});
    const shown = accessLog(context);
    log = shown;
    const title = heading("Account");
    blank(root);
    root.replaceChildren(
      title,
      notice,
      el("p", {}, who),
      el(
        "p",
        { class: "row" },
        button("Sign out", () => context.signOut(false)),
        button("Sign out everywhere", () => context.signOut(true)),
      ),
      keySection(context) ?? "",
      changePassphrase(root, context, gone.signal),
      passkeys(root, context, gone.signal),
      replaceAuthenticator(root, context, gone.signal),
      recovery(said),
      shown.root,
    );
    void noticed(notice);
    if (said !== undefined) title.focus();
  }

  /** @param {string} [said] */
  function recovery(said) {
    const words = "If the paper is lost, or somebody may have seen it. The old code goes on working until the new one is on paper.";
    const make = button("Make a new one", () =>
      newRecoveryCode(root, context, gone.signal, (done) => {
        if (!gone.signal.aborted) show(done);
      }),
    );
    const done = el("p", { class: "done", role: "status" }, said ?? "");
    return el("section", {}, el("h2", {}, "Recovery code"), el("p", {}, words), done, el("p", {}, make));
  }

  /**
   * What was known at the sign-in may be old: a reset is asked for while a session is open.
   * @param {HTMLElement} notice
   */
  async function noticed(notice) {
    const known = context.account()?.factor_reset_at ?? null;
    const at = await context.api("GET", "/v1/account").then((found) => found.factor_reset_at, () => known);
    if (at !== null && !gone.signal.aborted) notice.replaceChildren(resetNotice(context.api, at));
  }

  show();
  return () => {
    gone.abort();
    log?.stop();
    blank(root);
  };
}
