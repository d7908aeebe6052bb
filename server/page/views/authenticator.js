// An authenticator app: how it takes its secret, and how another one takes its place.

import { el } from "../elements.js";
import { AdviceError, codeField, field, form, progress, STRETCHING } from "../forms.js";
import { byPassphrase } from "../held.js";
import { qrSvg } from "../qr.js";
import { b64url } from "../wire/bytes.js";
import { plain } from "../wire/listing.js";
import { recently } from "./again.js";

/** @typedef {import("../context.js").Context} Context */

/**
 * The secret of an authenticator as a QR code, and in letters for who cannot scan it.
 * @param {string} otpauth as the server gives it
 */
export function authenticatorSecret(otpauth) {
  const address = otpauth.startsWith("otpauth://totp/") ? otpauth : "";
  const secret = new URLSearchParams(address.split("?")[1] ?? "").get("secret") ?? "";
  const letters = (plain(secret).match(/.{1,4}/g) ?? []).join(" ");
  return el(
    "div",
    {},
    el("p", {}, "In the authenticator app, add an account by scanning this:"),
    address === "" ? null : qrSvg(address, "QR code for your authenticator app. The same key stands below in letters."),
    el("p", {}, "Or type this key into the app:"),
    el("p", { class: "code shown", "data-secret": true }, letters),
    el("p", {}, "On the phone itself: ", el("a", { href: address }, "open it in the app"), "."),
  );
}

/**
 * Replacing the authenticator. The old one serves until the new one's first code was taken.
 * @param {HTMLElement} root of the view
 * @param {Context} context
 * @param {AbortSignal} gone
 */
export function replaceAuthenticator(root, context, gone) {
  const { api } = context;
  const place = el("div", {});
  const done = el("p", { class: "done", role: "status" });
  const begin = form("Begin", [], async () => {
    done.textContent = "";
    const begun = await recently(root, context, gone, () => api("POST", "/v1/account/factor/start", {}));
    if (!gone.aborted) show(begun);
  }, { name: "Replace the authenticator" });
  const words = "For a new phone, or when somebody may have seen the old key. The old authenticator serves until the new one is taken.";
  const details = el("details", {}, el("summary", {}, "Replace it"), el("p", {}, words), begin, place);

  /** @param {{ token: string, otpauth: string }} begun */
  function show({ token, otpauth }) {
    const title = el("h3", { tabindex: -1 }, "The new authenticator");
    const passphrase = field("Current passphrase", { type: "password", autocomplete: "current-password", required: true });
    const code = codeField();
    const working = progress();
    const finish = form("Take the new authenticator", [passphrase.root, code.root, working.root], async () => {
      const account = context.account();
      if (account === null) throw new AdviceError("Sign in again, then repeat it.");
      const digits = code.value();
      try {
        const held = await byPassphrase(api, account, passphrase.input.value, working.begin(STRETCHING));
        held.slotKey?.fill(0);
        const proof = { token, secret: b64url(held.secret), code: digits };
        await recently(root, context, gone, () => api("POST", "/v1/account/factor/finish", proof));
      } finally {
        working.end();
      }
      passphrase.input.value = code.input.value = "";
      place.replaceChildren();
      details.open = false;
      done.textContent = "The authenticator is replaced. Remove the old entry from your app. Other sessions have ended.";
      details.querySelector("summary")?.focus();
    });
    place.replaceChildren(title, authenticatorSecret(otpauth), finish);
    title.focus();
  }

  return el("section", {}, el("h2", {}, "Authenticator"), details, done);
}
