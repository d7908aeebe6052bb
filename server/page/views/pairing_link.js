// A one-time pairing link: made here, shown once, to be scanned, copied or carried as a small file. What follows # in it
// is never sent to the server.

import { button, el } from "../elements.js";
import { AdviceError, form } from "../forms.js";
import { qrSvg } from "../qr.js";
import { b64url, ID_BYTES } from "../wire/bytes.js";
import { formatLink } from "../wire/link.js";
import { makeInvitation } from "../wire/pairing.js";
import { random } from "../wire/primitives.js";
import { fingerprint } from "../wire/statement.js";

/** @typedef {import("../context.js").Context} Context */

const VALID_S = 60 * 60;
/** On the first partition of the device's SD card, which any computer can write. */
const FILE = "onebreath-pair.txt";
const PLACE = "/boot/firmware";
/** How long a browser may take to begin saving. */
const SAVING_MS = 10_000;

/** @param {Context} context */
export function pairingLink(context) {
  const shown = el("div", {});
  const make = form("Make a pairing link", [], async () => {
    const { link, until } = await invited(context);
    const input = el("input", { type: "text", readonly: true, value: link, class: "code", "aria-label": "Pairing link" });
    input.addEventListener("focus", () => input.select());
    const said = el("span", { role: "status" });
    const copy = button("Copy", async () => {
      try {
        await navigator.clipboard.writeText(link);
        said.textContent = "Copied.";
      } catch {
        input.select();
        said.textContent = "Copy it by hand: it is marked.";
      }
    });
    const saved = button("Save as a small file", () => save(FILE, `${link}\n`));
    const hide = button("Hide it", () => shown.replaceChildren());
    shown.replaceChildren(
      el("p", {}, "On the device, type ", el("code", {}, "onebreath pair -"), " and then this link. It works once, until ", until, "."),
      input,
      el("p", { class: "row" }, copy, saved, hide, said),
      el("p", {}, "Or scan it with the phone or computer that you reach the device from."),
      qrSvg(link, "The pairing link as a QR code"),
      el(
        "p",
        {},
        "Or put the small file on the boot partition of the device’s SD card. Then type on the device ",
        el("code", {}, `onebreath pair - < ${PLACE}/${FILE}`),
        ". Delete the file afterwards.",
      ),
    );
    input.focus();
  });
  const hint = "The link goes straight to the device, not by mail: who has it can pair a device in your client’s place.";
  return el("section", {}, el("h2", {}, "A new device"), el("p", {}, hint), make, shown);
}

/** @param {Context} context */
async function invited(context) {
  const keys = context.keys();
  if (keys === null) throw new AdviceError("The page is locked.");
  const [pairingId, secret] = [random(ID_BYTES), random(ID_BYTES)];
  const expiresAt = Math.floor(context.now() / 1000) + VALID_S;
  const opened = { pairingId, secret, expiresAt: BigInt(expiresAt) };
  const invitation = await makeInvitation(keys.identity, keys.reading, opened);
  await context.api("POST", "/v1/invitations", { invitation: b64url(invitation) });
  const pinned = await fingerprint(keys.identity.public);
  const link = formatLink({ server: location.origin, pairingId, secret, fingerprint: pinned });
  const until = new Date(expiresAt * 1000).toLocaleTimeString(undefined, { timeStyle: "short" });
  return { link, until };
}

/**
 * Hand a text to the browser to save. Nothing is sent.
 * @param {string} name
 * @param {string} text
 */
function save(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), SAVING_MS);
}
