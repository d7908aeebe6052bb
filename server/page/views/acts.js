// What the audit chain's acts are called to a person; server/audit.py lists them.

/** @type {ReadonlyMap<string, string>} */
export const ACTS = new Map([
  ["account.added", "invited somebody"],
  ["account.set_up", "set up an account"],
  ["account.changed", "changed an account"],
  ["account.closed", "closed an account"],
  ["account.signed_in", "signed in"],
  ["account.sign_in_failed", "a sign-in failed"],
  ["account.signed_out", "signed out"],
  ["account.locked", "sign-in was locked for a while"],
  ["account.factor_changed", "changed the second factor"],
  ["account.factor_reset_asked", "asked to replace a lost authenticator"],
  ["account.passphrase_changed", "changed the passphrase"],
  ["account.recovered", "used the recovery code"],
  ["practice.added", "added a practice"],
  ["practice.changed", "changed the practice’s policies"],
  ["clinician.added", "added a clinician"],
  ["key.added", "added a key"],
  ["key.rotated", "made a new reading key"],
  ["key.shredded", "destroyed a reading key"],
  ["key.slot_added", "added a way to unlock"],
  ["key.slot_removed", "removed a way to unlock"],
  ["key.fetched", "fetched the wrapped keys"],
  ["key.recovery_set", "changed the practice’s recovery key"],
  ["device.invited", "made a pairing link"],
  ["device.paired", "paired"],
  ["device.approved", "approved a device"],
  ["device.state", "changed a device’s state"],
  ["device.renamed", "named a client"],
  ["device.consent_kept", "wrote down what was agreed"],
  ["card.sent", "sent a part"],
  ["card.removed", "removed a part’s card"],
  ["records.fetched", "read records"],
  ["records.exported", "exported records"],
  ["records.shared", "shared records"],
  ["records.share_removed", "ended a cover"],
  ["records.shared_fetched", "read shared records"],
  ["records.deleted", "deleted records"],
  ["client.erased", "erased a client"],
  ["audit.fetched", "read this log"],
  ["audit.pruned", "removed the oldest entries of this log"],
  ["notice.sent", "sent a notice by mail"],
  ["backup.restored", "restored a backup"],
]);

/**
 * An act in words; one that this page does not know, as it is.
 * @param {string} act
 */
export function inWords(act) {
  return ACTS.get(act) ?? act;
}
