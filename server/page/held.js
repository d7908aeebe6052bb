// What a passphrase or a printed code gives to who changes what they sign in with: a secret for the server, and the slot
// key, which a new slot is made from. The page's own keys cannot be read out, so that these are asked for anew.

import { AdviceError } from "./forms.js";
import { keyByCode, keyByPassphrase, openKeys, passphraseSlots } from "./keyring.js";
import { stretch } from "./stretching.js";
import { equal } from "./wire/bytes.js";
import { WrongSecretError } from "./wire/errors.js";
import { parseCode } from "./wire/recovery_code.js";
import { parseParameters, recoverySignIn } from "./wire/secrets.js";

/** @typedef {import("./context.js").Account} Account */
/** @typedef {import("./keyring.js").Served} Served */
/** @typedef {import("./stretching.js").Stretched} Stretched */
/** @typedef {import("./wire/bytes.js").Bytes} Bytes */
/** @typedef {import("./wire/secrets.js").Parameters} Parameters */
/** `secret`: the half for the server; `slotKey`, to be zeroed by who asked, and `served` are null for an
 * administrator, who has no keys.
 * @typedef {{ secret: Bytes, slotKey: Bytes | null, served: Served | null }} Held */
/** @typedef {(method: string, path: string, body?: unknown) => Promise<any>} Api */

const NOT_YOURS = "That is not your current passphrase.";
const NOT_CODE = "That is not the recovery code of these keys.";

/**
 * By the passphrase. Some seconds. Throws AdviceError for one that opens none of the slots.
 * @param {Api} api
 * @param {Account} account
 * @param {string} words
 * @param {(done: number) => void} [onProgress]
 * @returns {Promise<Held>}
 */
export async function byPassphrase(api, account, words, onProgress) {
  if (words === "") throw new AdviceError("Type the passphrase that you have now.");
  const parameters = parseParameters(String((await api("POST", "/v1/sign-in/start", { name: account.name })).kdf));
  const stretched = await stretch(words, parameters, onProgress);
  if (account.role === "administrator") return { secret: stretched.signIn, slotKey: null, served: null };
  const served = await api("GET", "/v1/keys");
  try {
    return { secret: stretched.signIn, slotKey: await keyByWords(served, words, { stretched, parameters }, onProgress), served };
  } catch (error) {
    if (error instanceof WrongSecretError) throw new AdviceError(NOT_YOURS, { cause: error });
    throw error;
  }
}

/**
 * By the recovery code, as it was typed. Throws AdviceError.
 * @param {Api} api
 * @param {Account} account
 * @param {string} typed
 * @returns {Promise<Held>}
 */
export async function byCode(api, account, typed) {
  try {
    const secret = await recoverySignIn(parseCode(typed));
    if (account.role === "administrator") return { secret, slotKey: null, served: null };
    const served = await api("GET", "/v1/keys");
    return { secret, slotKey: await keyByCode(served, typed), served };
  } catch (error) {
    if (error instanceof WrongSecretError) throw new AdviceError(NOT_CODE, { cause: error });
    throw error;
  }
}

/**
 * The slot key by the first passphrase slot that the words open; more than one is there while a passphrase is being
 * changed. Throws WrongSecretError.
 * @param {Served} served
 * @param {string} words
 * @param {{ stretched: Stretched, parameters: Parameters } | null} known what was derived already
 * @param {(done: number) => void} [onProgress]
 */
export async function keyByWords(served, words, known, onProgress) {
  for (const { fields, parameters } of passphraseSlots(served, known?.parameters.salt)) {
    const same = known !== null && equal(parameters.salt, known.parameters.salt);
    try {
      return await keyByPassphrase(fields, same ? known.stretched : await stretch(words, parameters, onProgress));
    } catch (error) {
      if (!(error instanceof WrongSecretError)) throw error;
    }
  }
  throw new WrongSecretError("no passphrase slot opens");
}

/**
 * The keys, where a slot is under this very derivation; null where they need unlocking by themselves.
 * @param {Api} api
 * @param {Stretched} stretched
 * @param {Parameters} parameters
 */
export async function keysOfSignIn(api, stretched, parameters) {
  const served = await api("GET", "/v1/keys");
  for (const { fields, parameters: own } of passphraseSlots(served, parameters.salt)) {
    if (!equal(own.salt, parameters.salt)) break;
    try {
      return await openKeys(served, await keyByPassphrase(fields, stretched));
    } catch (error) {
      if (!(error instanceof WrongSecretError)) throw error;
    }
  }
  return null;
}
