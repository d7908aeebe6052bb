// Which devices are believed, and why (server/reader.py, judge).

import { equal } from "./bytes.js";
import { held } from "./errors.js";
import { checkDeviceProof, openInvitation, verifyApproval } from "./pairing.js";
import { keyId } from "./primitives.js";

/** @typedef {import("./listing.js").DeviceEntry} DeviceEntry */
/** @typedef {import("./primitives.js").AgreementKey} AgreementKey */
/** @typedef {import("./primitives.js").VerifyKey} VerifyKey */

/**
 * What reading needs of a clinician: the identity that signed, the reading keys of every epoch that is kept, and the
 * key ids (in hex) of those that were destroyed, each with its time in Unix seconds.
 * @typedef {{ identity: VerifyKey, keys: readonly AgreementKey[], destroyed?: ReadonlyMap<string, number> }} Reader
 */

/** "approval": the clinician's identity key signed the device's keys. "proof": the device proved them under the
 * secret of the clinician's own link. null: nothing shows that it is the clinician's client's.
 * @typedef {"approval" | "proof" | null} Trust */

/** @typedef {{ entry: DeviceEntry, trust: Trust }} Device */

/**
 * Whether a listed device's keys are believed.
 * @param {DeviceEntry} entry
 * @param {Reader} reader
 * @returns {Promise<Device>}
 */
export async function judge(entry, { identity, keys }) {
  if (!equal(await keyId(entry.signing), entry.deviceId)) return { entry, trust: null };
  const { approval } = entry;
  if (approval !== null) {
    const signed = await held(() => verifyApproval(approval, identity));
    if (signed && equal(signed.signing, entry.signing) && equal(signed.encryption, entry.encryption)) {
      return { entry, trust: "approval" };
    }
  }
  const invitation = await held(() => openInvitation(entry.invitation, identity, keys));
  const proved =
    invitation !== null &&
    equal(invitation.pairingId, entry.pairingId) &&
    (await checkDeviceProof(entry.proof, invitation, entry.signing, entry.encryption));
  return { entry, trust: proved ? "proof" : null };
}
