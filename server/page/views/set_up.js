// Setting up from an invitation's link: a passphrase, keys made in this browser, a printed code typed once, an
// authenticator. Only the last step sends anything that lasts.

import { OfflineError, RefusedError } from "../api.js";
import { el, heading } from "../elements.js";
import { AdviceError, codeField, field, form, newPassphrase, progress, STRETCHING } from "../forms.js";
import { firstKeys, makeKeys, newCode, newParameters, provenBy } from "../keyring.js";
import { stretch } from "../stretching.js";
import { b64url, fromB64url, utf8 } from "../wire/bytes.js";
import { nameProblem, safe } from "../wire/text.js";
import { authenticatorSecret } from "./authenticator.js";
import { blank } from "./blank.js";
import { toPrint, toType } from "./paper.js";

/** @typedef {import("../context.js").Account} Account */
/** @typedef {import("../context.js").Keys} Keys */
/** @typedef {import("../keyring.js").Made} Made */
/** @typedef {import("../stretching.js").Stretched} Stretched */
/** @typedef {import("../wire/bytes.js").Bytes} Bytes */
/** @typedef {import("../wire/secrets.js").Parameters} Parameters */

const MOST_NAME_BYTES = 200;
const READY =
  "The link was used: the try before did reach the server, and your account is ready. " +
  "Open the server’s address and go on with the passphrase that you have just chosen.";

/**
 * @param {HTMLElement} root
 * @param {{ api: (method: string, path: string, body?: unknown) => Promise<any>, token: string, now: () => number,
 *   show: (focus: HTMLElement) => void, onSignedIn: (account: Account, keys: Keys | null) => void }} to `token`: what
 *   followed # in the link; `show` moves the focus to a step's heading
 */
export function mount(root, { api, token, now, show, onSignedIn }) {
  /** @type {{ name: string, role: string, practice: string, otpauth: string }} */
  let invited;
  let spoken = "";
  /** @type {{ stretched: Stretched, parameters: Parameters, code: Bytes } | null} */
  let chosen = null;
  /** @type {Made | null} */
  let made = null;
  let unanswered = false;
  let gone = false;

  /**
   * @param {string} title
   * @param {...import("../elements.js").Child} children
   */
  function step(title, ...children) {
    if (gone) return;
    blank(root);
    const head = heading(title);
    root.replaceChildren(el("div", { class: "narrow" }, head, ...children));
    show(head);
  }

  function welcome() {
    const start = form("Begin", [], async () => {
      fromB64url(token);
      invited = await api("POST", "/v1/set-up/start", { token });
      passphrase();
    });
    step(
      "Set up your account",
      el("p", {}, "You need ten minutes, a printer or pen and paper, and an authenticator app on your phone."),
      start,
    );
  }

  function passphrase() {
    const reader = invited.role !== "administrator";
    const hint = "As devices say it to clients: “One line for Dr Okafor, if you like.”";
    const name = field("What devices call you", { type: "text", autocomplete: "off", maxlength: 100 }, hint);
    const fields = newPassphrase();
    const working = progress();
    const children = [reader ? name.root : null, ...fields.roots, working.root];
    const next = form("Continue", children, async () => {
      spoken = name.input.value.trim().normalize("NFC");
      const problem = reader ? nameProblem(spoken, utf8(spoken).length, MOST_NAME_BYTES) : "";
      if (problem) throw new AdviceError("Type the name that devices shall say, in plain words.");
      const words = fields.chosen();
      const parameters = newParameters();
      try {
        const stretched = await stretch(words, parameters, working.begin(STRETCHING));
        chosen = { stretched, parameters, code: newCode() };
      } finally {
        working.end();
      }
      fields.clear();
      printed();
    });
    step(
      "Choose a passphrase",
      el("p", {}, `Your name for signing in is `, el("strong", {}, safe(invited.name)), `, at ${safe(invited.practice)}.`),
      el("p", {}, "The passphrase opens your clients' records in this browser. It is never sent to the server."),
      next,
    );
  }

  function printed() {
    if (chosen === null) return;
    step("Print your recovery code", ...toPrint(chosen.code, typed));
  }

  function typed() {
    if (chosen === null) return;
    step("Type the code once", ...toType(chosen.code, authenticator, printed));
  }

  function authenticator() {
    const code = codeField();
    const finish = form("Finish", [code.root], async () => {
      const account = await send(code.value());
      if (account !== null && !gone) onSignedIn(account, made?.keys ?? null);
    });
    step("Add your authenticator", authenticatorSecret(invited.otpauth), finish);
  }

  /**
   * Everything that lasts, in one call: the account and its keys are there together, or neither is.
   * @param {string} code of the authenticator
   * @returns {Promise<Account | null>}
   */
  async function send(code) {
    if (chosen === null) return null;
    const proof = { token, ...(await provenBy(chosen)), code };
    let stated = {};
    if (invited.role !== "administrator") {
      made ??= await makeKeys(spoken, { ...chosen, token: fromB64url(token), now: now() });
      stated = { statement: b64url(made.statement), proof: b64url(made.proof), keys: firstKeys(made) };
    }
    try {
      return await api("POST", "/v1/set-up/finish", { ...proof, ...stated });
    } catch (error) {
      if (unanswered && error instanceof RefusedError && error.code === "setup") throw new AdviceError(READY, { cause: error });
      if (error instanceof OfflineError) unanswered = true;
      throw error;
    }
  }

  welcome();
  return () => {
    gone = true;
    chosen?.stretched.wrapping.fill(0);
    chosen?.stretched.signIn.fill(0);
    chosen?.code.fill(0);
    chosen = made = null;
    blank(root);
  };
}
