// Setting up from an invitation's link: a passphrase, keys made in this browser, a printed code typed once, an
// authenticator. Only the last step sends anything that lasts.

import { button, el, heading } from "../elements.js";
import { AdviceError, codeField, field, form, newPassphrase, progress, STRETCHING } from "../forms.js";
import { makeKeys, newCode, newParameters, provenBy } from "../keyring.js";
import { stretch } from "../stretching.js";
import { b64url, equal, fromB64url, utf8 } from "../wire/bytes.js";
import { plain } from "../wire/listing.js";
import { formatCode, parseCode } from "../wire/recovery_code.js";
import { nameProblem, safe } from "../wire/text.js";

/** @typedef {import("../context.js").Account} Account */
/** @typedef {import("../context.js").Keys} Keys */
/** @typedef {import("../keyring.js").Made} Made */
/** @typedef {import("../stretching.js").Stretched} Stretched */
/** @typedef {import("../wire/bytes.js").Bytes} Bytes */
/** @typedef {import("../wire/secrets.js").Parameters} Parameters */

const MOST_NAME_BYTES = 200;

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
  /** @type {Account | null} */
  let account = null;

  /**
   * @param {string} title
   * @param {...import("../elements.js").Child} children
   */
  function step(title, ...children) {
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
    step(
      "Print your recovery code",
      el("p", {}, "If you lose your passphrase, this code is the only way to your records. Nobody else has it."),
      el("p", { class: "code shown", "data-recovery": true }, formatCode(chosen.code)),
      el("p", {}, "Print it or write it down, and keep it where you keep what must not be lost. Not on this computer."),
      el("p", { class: "row" }, button("Print", () => window.print()), button("I have it on paper", typed, { class: "primary" })),
    );
  }

  function typed() {
    const code = field("Recovery code, from the paper", { type: "text", autocomplete: "off", class: "code" });
    const next = form("Continue", [code.root], async () => {
      if (chosen === null || !equal(read(code.input.value), chosen.code)) {
        throw new AdviceError("That is not the code. Look at the paper again, or go back to see it once more.");
      }
      authenticator();
    });
    step(
      "Type the code once",
      el("p", {}, "So that you know that the paper holds."),
      next,
      el("p", { class: "aside" }, button("Show the code again", printed, { class: "link" })),
    );
  }

  function authenticator() {
    const address = invited.otpauth.startsWith("otpauth://totp/") ? invited.otpauth : "";
    const secret = new URLSearchParams(address.split("?")[1] ?? "").get("secret") ?? "";
    const code = codeField();
    const finish = form("Finish", [code.root], async () => {
      await send(code.value());
      if (account !== null) onSignedIn(account, made?.keys ?? null);
    });
    step(
      "Add your authenticator",
      el("p", {}, "In the authenticator app, add an account by typing this key:"),
      el("p", { class: "code shown", "data-secret": true }, (plain(secret).match(/.{1,4}/g) ?? []).join(" ")),
      el("p", {}, "On the phone itself: ", el("a", { href: address }, "open it in the app"), "."),
      finish,
    );
  }

  /**
   * Everything that lasts. What has been sent is not sent again when a later call failed and Finish is pressed anew.
   * @param {string} code of the authenticator
   */
  async function send(code) {
    if (chosen === null) return;
    if (account === null) {
      const proof = { token, ...(await provenBy(chosen)), code };
      if (invited.role === "administrator") {
        account = await api("POST", "/v1/set-up/finish", proof);
        return;
      }
      made ??= await makeKeys(spoken, { ...chosen, token: fromB64url(token), now: now() });
      const stated = { statement: b64url(made.statement), proof: b64url(made.proof) };
      account = await api("POST", "/v1/set-up/finish", { ...proof, ...stated });
    }
    if (made === null) return;
    for (const [id, slot] of made.slots) await api("PUT", `/v1/key-slots/${id}`, slot);
    for (const [epoch, wrapped] of made.wrapped) {
      const stated = epoch === 0 ? {} : { statement: b64url(made.statement) };
      await api("PUT", `/v1/keys/${epoch}`, { ...stated, wrapped: b64url(wrapped) });
    }
  }

  welcome();
  return () => {
    chosen?.stretched.wrapping.fill(0);
    chosen?.code.fill(0);
    chosen = made = null;
  };
}

/** @param {string} text */
function read(text) {
  try {
    return parseCode(text);
  } catch {
    throw new AdviceError("The code has 26 letters and digits. Some are missing, or there are too many.");
  }
}
