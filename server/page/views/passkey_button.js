// The button for passkeys beside a passphrase: the second of two ways, and looks like it.

import { form } from "../forms.js";
import { passkeysHere } from "../webauthn.js";

/**
 * Null where no passkeys can be used. What `act` throws is shown above the button.
 * @param {string} label
 * @param {() => Promise<void>} act
 */
export function passkeyButton(label, act) {
  if (!passkeysHere()) return null;
  const made = form(label, [], act);
  made.querySelector("button")?.classList.remove("primary");
  return made;
}
