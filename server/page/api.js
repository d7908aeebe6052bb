// The server's calls (voice/wire/FORMAT.md section 7, docs/account_calls.md), from this page's own origin.

import { plain } from "./wire/listing.js";

/** The server refused a call. `code` is the contract; `message` and `remedy` are sentences for a person. */
export class RefusedError extends Error {
  name = "RefusedError";

  /**
   * @param {number} status
   * @param {string} code
   * @param {string} message
   * @param {string} remedy
   */
  constructor(status, code, message, remedy) {
    super(remedy === "" ? message : `${message} ${remedy}`);
    this.status = status;
    this.code = code;
    this.remedy = remedy;
  }
}

/** The server could not be reached, or what answered was not it. */
export class OfflineError extends Error {
  name = "OfflineError";
}

const UNREACHED = "The server cannot be reached. Check the connection and try again.";

/**
 * A function for the server's calls. `onEnded` is told when a call finds the session ended, `onReached` after each call
 * whether the server answered.
 * @param {{ onEnded: () => void, onReached: (reached: boolean) => void }} told
 * @returns {(method: string, path: string, body?: unknown) => Promise<any>}
 */
export function createApi({ onEnded, onReached }) {
  return async (method, path, body) => {
    if (!path.startsWith("/v1/")) throw new RangeError("not one of the server's calls");
    let answer, said;
    try {
      answer = await fetch(path, request(method, body));
      said = await answer.json();
    } catch (error) {
      onReached(false);
      throw new OfflineError(UNREACHED, { cause: error });
    }
    onReached(true);
    if (answer.ok) return said;
    const refused = new RefusedError(answer.status, plain(said.error), plain(said.message), plain(said.remedy ?? ""));
    // Without any cookie the server looks for a signature, which this page never gives.
    if (answer.status === 401 && ["session", "signature"].includes(refused.code)) onEnded();
    throw refused;
  };
}

/**
 * @param {string} method
 * @param {unknown} body
 * @returns {RequestInit}
 */
function request(method, body) {
  /** @type {Record<string, string>} */
  const headers = { "Onebreath-Request": "1" };
  /** @type {RequestInit} */
  const how = { method, headers, cache: "no-store", credentials: "same-origin", redirect: "error" };
  if (body === undefined) return how;
  const bytes = body instanceof Uint8Array;
  headers["Content-Type"] = bytes ? "application/octet-stream" : "application/json";
  return { ...how, body: bytes ? /** @type {BodyInit} */ (body) : JSON.stringify(body) };
}

/**
 * What a person is told about an error: our own sentences as they are, anything else as a fault of the page.
 * @param {unknown} error
 */
export function sentence(error) {
  if (error instanceof Error) {
    if (["RefusedError", "OfflineError", "UnsupportedError", "RangeError", "AdviceError"].includes(error.name)) {
      return capital(error.message);
    }
    if (error.name === "WrongSecretError") return "That is not the right one, or it was typed differently.";
    if (error.name === "SealError" || error.name === "FrameError") {
      return `What the server gave does not hold: ${error.message}. Nothing was done.`;
    }
  }
  return "The page made a mistake. Reload it and try again.";
}

/** @param {string} text */
function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
