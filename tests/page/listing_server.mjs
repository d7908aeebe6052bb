// The server's lists as FORMAT.md section 7 has them, from what a test keeps in memory: the same pages, limits and
// cursors. The server itself is tested by tests/server; the page against the running server by tests/end_to_end.

import { b64url, hex } from "../../server/page/wire/bytes.js";

/** @typedef {import("../../server/page/wire/listing.js").DeviceEntry} DeviceEntry */
/** @typedef {import("../../server/page/wire/listing.js").MarkEntry} MarkEntry */
/** @typedef {import("../../server/page/wire/listing.js").RecordEntry} RecordEntry */
/** @typedef {{ devices: DeviceEntry[], records: RecordEntry[], marks?: MarkEntry[], stones?: unknown[],
 *   retentionDays?: number | null, shares?: unknown[], colleagues?: unknown[] }} Kept `records` in the order of their
 *   cursors; `shares` and `colleagues` as the server says them */

/** @param {DeviceEntry} entry */
function deviceFields(entry) {
  return {
    device: hex(entry.deviceId),
    signing: b64url(entry.signing),
    encryption: b64url(entry.encryption),
    proof: b64url(entry.proof),
    pairing: b64url(entry.pairingId),
    invitation: b64url(entry.invitation),
    approval: entry.approval && b64url(entry.approval),
    state: entry.state,
    label: entry.label && b64url(entry.label),
  };
}

/** @param {RecordEntry} entry */
function recordFields({ cursor, device, receivedAt, frame }) {
  return { cursor, device, received_at: receivedAt, frame: b64url(frame) };
}

/**
 * An `api` for `openQueue` and `mark`; `asked` lists the calls.
 * @param {Kept} kept
 */
export function listingServer(kept) {
  /** @type {string[]} */
  const asked = [];
  const marks = new Map((kept.marks ?? []).map((one) => [one.device + one.record, one]));
  /**
   * @param {string} method
   * @param {string} path
   * @param {any} [body]
   * @returns {Promise<any>}
   */
  async function api(method, path, body) {
    asked.push(`${method} ${path}`);
    const url = new URL(path, "https://clinic.example");
    const limit = Number(url.searchParams.get("limit") ?? 100);
    if (limit > 500) throw new RangeError("more than the server gives");
    if (method === "PUT") {
      const [device, record] = url.pathname.split("/").slice(3);
      const one = { device, record, version: body.version, sealed: fromText(body.sealed) };
      if (one.version <= (marks.get(device + record)?.version ?? 0)) throw new RangeError("409 version");
      marks.set(device + record, one);
      return { ...one, sealed: body.sealed };
    }
    if (url.pathname === "/v1/devices") return { devices: kept.devices.map(deviceFields) };
    if (url.pathname.startsWith("/v1/devices/")) {
      const device = url.pathname.split("/")[3];
      return { device, records: kept.records.filter((one) => one.device === device).length };
    }
    if (url.pathname === "/v1/records") {
      const before = BigInt(url.searchParams.get("before") ?? 0);
      const older = kept.records.filter(({ cursor }) => BigInt(cursor) < before).reverse();
      const page = older.slice(0, limit);
      return { records: page.map(recordFields), next: page.at(-1)?.cursor ?? null, more: older.length > limit };
    }
    if (url.pathname === "/v1/marks") {
      const after = url.searchParams.get("after") ?? "";
      const rest = [...marks].filter(([place]) => place > after).sort(([a], [b]) => (a < b ? -1 : 1));
      const page = rest.slice(0, limit).map(([, one]) => ({ ...one, sealed: b64url(one.sealed) }));
      return { marks: page, next: rest[page.length - 1]?.[0] ?? null, more: rest.length > limit };
    }
    if (url.pathname === "/v1/shares") return { shares: kept.shares ?? [], next: "", more: false };
    if (url.pathname === "/v1/colleagues") return { colleagues: kept.colleagues ?? [] };
    const found = { tombstones: kept.stones ?? [], retention_days: kept.retentionDays ?? null };
    return { ...found, next: 0, more: false };
  }
  return { api, asked, marks };
}

/** @param {string} text */
function fromText(text) {
  return new Uint8Array(Buffer.from(text, "base64url"));
}
