// Somebody asked to replace the authenticator: said wherever it can be stopped.

import { el } from "../elements.js";
import { form } from "../forms.js";
import { plain } from "../wire/listing.js";

/**
 * @param {(method: string, path: string) => Promise<any>} api
 * @param {string} at when it can be replaced
 */
export function resetNotice(api, at) {
  const root = el("div", { class: "warning" });
  const said =
    `Somebody with your passphrase and your recovery code asked to replace your authenticator. From ${moment(at)} on it ` +
    "can be done. If it was not you, stop it, and change passphrase and recovery code.";
  const stop = form("Stop it", [], async () => {
    await api("DELETE", "/v1/account/factor-reset");
    const words = el("p", { tabindex: -1 }, "It is stopped. If it was not you, change passphrase and recovery code.");
    root.replaceChildren(words);
    words.focus();
  });
  root.append(el("p", { role: "alert" }, said), stop);
  return root;
}

/**
 * A time of the server's, in the zone of who reads it.
 * @param {string} at
 */
export function moment(at) {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? plain(at) : time.toLocaleString(undefined, { dateStyle: "full", timeStyle: "short" });
}
