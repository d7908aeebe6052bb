// The one-time pairing link (FORMAT.md section 5). Its fragment never goes to the server.

import { b64url, concat, fromB64url, ID_BYTES, need } from "./bytes.js";
import { FrameError } from "./errors.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */

/**
 * `server` is an origin without a trailing slash. `secret` and `fingerprint` are the fragment.
 * @typedef {{ server: string, pairingId: Bytes, secret: Bytes, fingerprint: Bytes }} Link
 */

const FINGERPRINT_BYTES = 32;
// White space as Python counts it, soft hyphens, zero-width characters: what copying leaves behind.
const DEBRIS = /[\t-\r\x1c-\x20\x85\xa0\xad\u1680\u2000-\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff]+/gu;
const SHAPE = /^(https?):\/\/(\[[0-9a-f:.]+\]|[^/?#@:[\]]+)(?::([0-9]{0,5}))?(\/[^?#]*)(?:#(.*))?$/iu;
const IPV6_LOOPBACK = /^\[(?:::1|::0{1,3}1|(?:0{1,4}:){7}0{0,3}1)\]$/;
const IPV4_LOOPBACK = /^127(?:\.(?:0|[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5])){3}$/;

/** @param {Link} link */
export function formatLink({ server, pairingId, secret, fingerprint }) {
  need(pairingId, ID_BYTES, "a pairing id");
  need(secret, ID_BYTES, "a pairing secret");
  need(fingerprint, FINGERPRINT_BYTES, "a fingerprint");
  return `${server}/pair/${b64url(pairingId)}#${b64url(concat(secret, fingerprint))}`;
}

/**
 * The link in `text`, with the white space and brackets of copying removed.
 * Throws FrameError with a message for the person who gave it.
 * @param {string} text
 * @returns {Link}
 */
export function parseLink(text) {
  const link = text.replace(DEBRIS, "").replace(/^[<>"']+|[<>"']+$/g, "");
  const found = SHAPE.exec(link);
  if (found === null || !/^[\x00-\x7f]*$/.test(found[2])) {
    throw new FrameError("A pairing link begins with https:// and a server's name in plain letters.");
  }
  const [scheme, host] = [found[1].toLowerCase(), found[2].toLowerCase()];
  const port = found[3] ? Number(found[3]) : null;
  if (!found[4].startsWith("/pair/") || (port !== null && port > 65535)) {
    throw new FrameError("This is not a pairing link.");
  }
  if (scheme === "http" && !isLoopback(host)) {
    throw new FrameError("A pairing link to another machine must begin with https://.");
  }
  if (!found[5]) throw new FrameError("The pairing link is cut off: the part after # is missing.");
  let pairingId, hidden;
  try {
    pairingId = fromB64url(found[4].slice("/pair/".length), ID_BYTES);
    hidden = fromB64url(found[5], ID_BYTES + FINGERPRINT_BYTES);
  } catch (error) {
    if (!(error instanceof FrameError)) throw error;
    throw new FrameError("The pairing link is incomplete or was changed. Copy it again, whole.", { cause: error });
  }
  const server = `${scheme}://${host}${port === null ? "" : `:${port}`}`;
  return { server, pairingId, secret: hidden.slice(0, ID_BYTES), fingerprint: hidden.slice(ID_BYTES) };
}

/**
 * Whether `host` is this machine: the only place that plain http may go to.
 * @param {string} host
 */
function isLoopback(host) {
  return host === "localhost" || IPV4_LOOPBACK.test(host) || IPV6_LOOPBACK.test(host);
}
