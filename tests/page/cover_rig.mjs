// Two clinicians of one practice, and a server between them that keeps shares as FORMAT.md section 7 has them.

import assert from "node:assert/strict";

import { colleaguesOf, confirmColleague } from "../../server/page/sharing.js";
import { b64url, equal, fromB64url, hex } from "../../server/page/wire/bytes.js";
import { keyId, sha256 } from "../../server/page/wire/primitives.js";
import { parseShare } from "../../server/page/wire/sharing.js";
import { parseStatement, signStatement } from "../../server/page/wire/statement.js";
import { listingServer } from "./listing_server.mjs";
import { caseload, Clinic, seed } from "./rig.mjs";

/** @typedef {import("../../server/page/context.js").Keys} Keys */
/** @typedef {import("../../server/page/sharing.js").Api} Api */
/** @typedef {import("../../server/page/wire/bytes.js").Bytes} Bytes */

export const NOW = Date.UTC(2026, 2, 9);

/** What of localStorage is used. */
export class Store {
  /** @type {Map<string, string>} */
  kept = new Map();
  full = false;

  /** @param {string} key */
  getItem(key) {
    return this.kept.get(key) ?? null;
  }

  /**
   * @param {string} key
   * @param {string} text
   */
  setItem(key, text) {
    if (this.full) throw new Error("QuotaExceededError");
    this.kept.set(key, text);
  }
}

/**
 * A clinician's keys as the page holds them, and their statement.
 * @param {Clinic} clinic
 * @param {string} name
 * @param {number} [epoch]
 */
export async function person(clinic, name, epoch = 2) {
  const clinicianId = seed(`${name} id`).slice(0, 16);
  const reading = clinic.keys[epoch - 1].public;
  const signed = await signStatement(clinic.identity, { clinicianId, name, epoch, reading, issuedAt: 1_780_000_000n });
  const statement = await parseStatement(signed);
  /** @type {Keys} */
  const keys = { reader: clinic.reader, identity: clinic.identity, reading, clinicianId, statement };
  return { keys, signed, id: hex(clinicianId) };
}

/** Shares as the server keeps them, and its calls about them (FORMAT.md section 7); the lists are listing_server's. */
export class Server {
  /** @type {Map<string, { from: string, to: string, share: Bytes }>} */
  shares = new Map();
  /** @type {string[]} */
  asked = [];
  /** @type {(method: string, path: string) => void} thrown before anything is done */
  before = () => {};
  /** @type {(method: string, path: string) => void} thrown after it was done: the answer is lost */
  after = () => {};

  /**
   * @param {{ records: any[], devices: any[] }} kept
   * @param {{ id: string, signed: Bytes }[]} people
   */
  constructor(kept, people) {
    this.kept = kept;
    this.people = people;
  }

  /**
   * The calls as one person makes them.
   * @param {string} me
   * @returns {Api}
   */
  as(me) {
    const lists = listingServer(this.kept).api;
    return async (method, path, body) => {
      this.asked.push(`${method} ${path}`);
      this.before(method, path);
      const answer = await this.answer(me, method, path, body, lists);
      this.after(method, path);
      return answer;
    };
  }

  /**
   * @param {string} me
   * @param {string} method
   * @param {string} path
   * @param {any} body
   * @param {Api} lists
   */
  async answer(me, method, path, body, lists) {
    const url = new URL(path, "https://clinic.example");
    const to = url.pathname.split("/")[3];
    if (url.pathname === "/v1/colleagues") {
      const others = this.people.filter(({ id }) => id !== me);
      return { colleagues: others.map(({ id, signed }) => ({ clinician: id, statement: b64url(signed) })) };
    }
    if (method === "POST" && url.pathname === "/v1/shares") return this.take(me, body);
    if (method === "DELETE") {
      const mine = [...this.shares].filter(([, one]) => one.from === me && one.to === to);
      for (const [place] of mine) this.shares.delete(place);
      return { removed: mine.length };
    }
    if (url.pathname === "/v1/shares") return { shares: await this.given(me), next: "", more: false };
    if (url.pathname.startsWith("/v1/shares/")) {
      const after = url.searchParams.get("after") ?? "";
      const limit = Number(url.searchParams.get("limit"));
      const mine = [...this.shares.values()].filter((one) => one.from === me && one.to === to);
      const all = await Promise.all(mine.map(({ share: data }) => this.listed(data)));
      const rest = all.filter(({ place }) => place > after).sort((a, b) => (a.place < b.place ? -1 : 1));
      const page = rest.slice(0, limit);
      return { shares: page, next: page.at(-1)?.place ?? after, more: rest.length > limit, count: mine.length };
    }
    return lists(method, path, body);
  }

  /**
   * @param {string} me
   * @param {{ to: string, shares: string[] }} body
   */
  async take(me, { to, shares }) {
    assert.ok(shares.length >= 1 && shares.length <= 100);
    const colleague = this.people.find(({ id }) => id === to);
    const newest = await keyId((await parseStatement(/** @type {Bytes} */ (colleague?.signed))).reading);
    let added = 0;
    for (const text of shares) {
      const data = fromB64url(text);
      const { deviceId, recordId, recipient } = await parseShare(data);
      if (!equal(recipient, newest)) throw Object.assign(new Error("newer"), { name: "RefusedError", code: "stale_key" });
      const place = `${hex(deviceId)}/${hex(recordId)} ${to}`;
      added += Number(!this.shares.has(place));
      this.shares.set(place, { from: me, to, share: data });
    }
    return { shared: shares.length, added };
  }

  /** @param {Bytes} data */
  async listed(data) {
    const { deviceId, recordId, sequence, recipient } = await parseShare(data);
    const place = hex(deviceId) + sequence.toString(16).padStart(16, "0");
    return { device: hex(deviceId), record: hex(recordId), sequence: Number(sequence), recipient: hex(recipient), place };
  }

  /** @param {string} me */
  async given(me) {
    const found = [];
    for (const { from, to, share: data } of this.shares.values()) {
      if (to !== me) continue;
      const { sha256: digest } = await parseShare(data);
      for (const { frame, receivedAt } of this.kept.records) {
        if (!equal(await sha256(frame), digest)) continue;
        found.push({ from, share: b64url(data), frame: b64url(frame), received_at: receivedAt, shared_at: receivedAt });
      }
    }
    return found;
  }
}

/** Dr Okafor with two devices, Dr Lee beside her, and a server between them. */
export async function practice() {
  const { clinic, one, two, listed, entries } = await caseload();
  const other = await Clinic.make("Dr Lee");
  const [okafor, lee] = [await person(clinic, "Dr Okafor"), await person(other, "Dr Lee")];
  const records = listed.map((entry, at) => ({ ...entry, cursor: at + 1 }));
  const server = new Server({ records, devices: entries }, [okafor, lee]);
  const storage = new Store();
  const api = server.as(okafor.id);
  const [found] = (await colleaguesOf(api, okafor.keys, storage)).colleagues;
  await confirmColleague(okafor.keys, found, found.spoken, { storage, now: NOW });
  const [colleague] = (await colleaguesOf(api, okafor.keys, storage)).colleagues;
  server.asked.length = 0;
  return { clinic, other, one, two, okafor, lee, server, storage, api, colleague, records };
}
