// Passkeys in this browser (W3C WebAuthn Level 3), with the PRF extension, whose output unwraps keys.
//
// What goes to the server is `sent`, made here field by field. The output is never a part of it, nor is anything else
// of the extension's results.

import { RefusedError } from "./api.js";
import { AdviceError } from "./forms.js";
import { b64url, fromB64url, KEY_BYTES } from "./wire/bytes.js";
import { random } from "./wire/primitives.js";
import { prfSalt } from "./wire/slots.js";

/** @typedef {import("./wire/bytes.js").Bytes} Bytes */
/** `prf`: the 32 bytes of the PRF extension, null where there are none; `mayUnlock`: it said that it has a PRF.
 * @typedef {{ sent: { credential: string, client_data: string, attestation: string }, credential: Bytes,
 *   prf: Bytes | null, mayUnlock: boolean }} Created */
/** @typedef {{ sent: { credential: string, client_data: string, authenticator_data: string, signature: string,
 *   user_handle: string }, credential: Bytes, prf: Bytes | null }} Used */
/** A passkey as the server lists it.
 * @typedef {{ credential: string, label: string, created_at: string, used_at: string | null, unlocks: boolean }} Passkey */
/** What the server's options hold that is read here; bytes are b64url.
 * @typedef {{ challenge: string, rpId?: string, timeout?: number }} Asked */

const WAIT_MS = 2 * 60 * 1000;
const CLOSED = "No passkey was used: the question was closed, or took too long. Try again.";
const HELD = "There is a passkey of yours on this device already. Use that one, or remove it first.";
const ELSEWHERE = "Passkeys work at the server’s public name alone. Open the page there.";
const UNABLE = "This device cannot make a passkey that asks who you are. Use another device, or a security key.";

/** Whether passkeys can be used on this page: not in every browser, and never at a bare address. */
export function passkeysHere() {
  const host = location.hostname;
  const address = /^[0-9.]+$/.test(host) || host.startsWith("[");
  return typeof PublicKeyCredential === "function" && navigator.credentials !== undefined && !address;
}

/**
 * Make a passkey. Throws AdviceError.
 * @param {Record<string, any>} options as `POST /v1/account/passkeys/start` gives them
 * @param {AbortSignal} signal ends the question
 * @returns {Promise<Created>}
 */
export async function createPasskey(options, signal) {
  const known = options.excludeCredentials ?? [];
  const publicKey = /** @type {PublicKeyCredentialCreationOptions} */ ({
    rp: options.rp,
    user: { ...options.user, id: fromB64url(options.user.id) },
    challenge: fromB64url(options.challenge),
    pubKeyCredParams: options.pubKeyCredParams,
    excludeCredentials: known.map((/** @type {{ id: string }} */ { id }) => described(id)),
    // Not as the server has it: a passkey stands for both factors, and its PRF is another without verification.
    authenticatorSelection: { residentKey: "required", requireResidentKey: true, userVerification: "required" },
    attestation: options.attestation,
    timeout: WAIT_MS,
    extensions: { prf: { eval: { first: await prfSalt() } } },
  });
  const made = await asked(() => navigator.credentials.create({ publicKey, signal }));
  const response = /** @type {AuthenticatorAttestationResponse} */ (made.response);
  const { prf } = made.getClientExtensionResults();
  return {
    sent: {
      credential: text(made.rawId),
      client_data: text(response.clientDataJSON),
      attestation: text(response.attestationObject),
    },
    credential: new Uint8Array(made.rawId),
    prf: output(prf),
    mayUnlock: prf?.enabled === true || output(prf) !== null,
  };
}

/**
 * Sign in with whichever passkey the person chooses, and have its PRF evaluated by the same touch. Throws AdviceError.
 * @param {Record<string, any>} options as `POST /v1/sign-in/passkey/start` gives them
 * @param {AbortSignal} signal
 * @param {string[]} [only] credential ids, to choose among these
 * @returns {Promise<Used>}
 */
export async function usePasskey(options, signal, only = []) {
  const { challenge, rpId } = /** @type {Asked} */ (options);
  return use(
    {
      challenge: fromB64url(challenge),
      allowCredentials: only.map(described),
      ...(rpId === undefined ? {} : { rpId }),
      extensions: { prf: { eval: { first: await prfSalt() } } },
    },
    signal,
  );
}

/**
 * Have a passkey's PRF evaluated, for unlocking alone: nothing of it goes to the server. Throws AdviceError.
 * @param {Map<string, string>} salts what each credential's PRF is evaluated on, in b64url
 * @param {AbortSignal} signal
 */
export async function askPrf(salts, signal) {
  const evalByCredential = Object.fromEntries(Array.from(salts, ([id, salt]) => [id, { first: fromB64url(salt) }]));
  const allowCredentials = Array.from(salts.keys(), described);
  const { credential, prf } = await use(
    { challenge: random(KEY_BYTES), allowCredentials, extensions: { prf: { evalByCredential } } },
    signal,
  );
  return { credential, prf };
}

/**
 * Tell the device that a passkey is of no use here any more, where the browser can; nothing depends on it.
 * @param {string} credentialId b64url
 */
export async function signalGone(credentialId) {
  const signal = /** @type {any} */ (PublicKeyCredential).signalUnknownCredential;
  if (typeof signal !== "function") return;
  await signal.call(PublicKeyCredential, { rpId: location.hostname, credentialId }).catch(() => {});
}

/**
 * Have the server keep a passkey that was made. Throws what `api` throws.
 * @param {(method: string, path: string, body?: unknown) => Promise<any>} api
 * @param {Created["sent"] & { label: string }} made
 * @param {() => Promise<Passkey[] | null>} list what the server has; null where it cannot be asked
 * @param {(credential: string) => Promise<void>} [signal]
 * @returns {Promise<Passkey>}
 */
export async function keepPasskey(api, made, list, signal = signalGone) {
  try {
    return await api("POST", "/v1/account/passkeys", made);
  } catch (error) {
    // Refused, it signs nobody in. Unanswered, or after a fault, the server may have it, or get it yet: the list says.
    if (error instanceof RefusedError && error.status < 500) {
      await signal(made.credential);
      throw error;
    }
    const heard = (await list())?.find(({ credential }) => credential === made.credential);
    if (heard !== undefined) return heard;
    throw error;
  }
}

/**
 * @param {PublicKeyCredentialRequestOptions} how
 * @param {AbortSignal} signal
 * @returns {Promise<Used>}
 */
async function use(how, signal) {
  // Required, not preferred: with and without the person's verification an authenticator's PRF is another function.
  const publicKey = { ...how, userVerification: /** @type {const} */ ("required"), timeout: WAIT_MS };
  const used = await asked(() => navigator.credentials.get({ publicKey, signal }));
  const response = /** @type {AuthenticatorAssertionResponse} */ (used.response);
  return {
    sent: {
      credential: text(used.rawId),
      client_data: text(response.clientDataJSON),
      authenticator_data: text(response.authenticatorData),
      signature: text(response.signature),
      user_handle: response.userHandle === null ? "" : text(response.userHandle),
    },
    credential: new Uint8Array(used.rawId),
    prf: output(used.getClientExtensionResults().prf),
  };
}

/**
 * @param {() => Promise<Credential | null>} ask
 * @returns {Promise<PublicKeyCredential>}
 */
async function asked(ask) {
  try {
    const found = await ask();
    if (found === null) throw new AdviceError(CLOSED);
    return /** @type {PublicKeyCredential} */ (found);
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    if (name === "InvalidStateError") throw new AdviceError(HELD, { cause: error });
    if (name === "SecurityError") throw new AdviceError(ELSEWHERE, { cause: error });
    if (name === "NotSupportedError" || name === "ConstraintError") throw new AdviceError(UNABLE, { cause: error });
    if (name !== "") throw new AdviceError(CLOSED, { cause: error });
    throw error;
  }
}

/**
 * @param {string} id
 * @returns {PublicKeyCredentialDescriptor}
 */
function described(id) {
  return { type: "public-key", id: fromB64url(id) };
}

/**
 * @param {AuthenticationExtensionsPRFOutputs | undefined} prf
 * @returns {Bytes | null}
 */
function output(prf) {
  const first = prf?.results?.first;
  if (first === undefined) return null;
  const bytes = ArrayBuffer.isView(first)
    ? new Uint8Array(/** @type {ArrayBuffer} */ (first.buffer), first.byteOffset, first.byteLength)
    : new Uint8Array(first);
  return bytes.length === KEY_BYTES ? bytes : null;
}

/** @param {ArrayBuffer} buffer */
function text(buffer) {
  return b64url(new Uint8Array(buffer));
}
