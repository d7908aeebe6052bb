// Making the next reading key and destroying old ones, with calls that fail before they arrive and answers that are
// lost: whatever is cut short, the account opens, and running it again ends it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { keyByCode, keyByPassphrase, makeKeys, newCode, newParameters, openKeys, passphraseSlots } from "../../server/page/keyring.js";
import { ageInDays, rotate } from "../../server/page/rotating.js";
import { epochsOf, lossesOf, shred } from "../../server/page/shredding.js";
import { CONSENT, NO_RECORD, openBox, parseBox, PART, sealBox } from "../../server/page/wire/boxes.js";
import { b64url, concat, domain, equal, fromB64url, fromHex, hex } from "../../server/page/wire/bytes.js";
import { SealError, WrongSecretError } from "../../server/page/wire/errors.js";
import { makeLabel, makeMark, readLabel, readMarks } from "../../server/page/wire/notes.js";
import { random, sign } from "../../server/page/wire/primitives.js";
import { judge } from "../../server/page/wire/devices.js";
import { formatCode } from "../../server/page/wire/recovery_code.js";
import { passkeySlot, openPasskeySlot } from "../../server/page/wire/slots.js";
import { listingServer } from "./listing_server.mjs";
import { Clinic, noticing, sealRecord } from "./rig.mjs";

/** @typedef {import("../../server/page/context.js").Keys} Keys */
/** @typedef {import("../../server/page/keyring.js").Served} Served */
/** @typedef {import("../../server/page/rotating.js").Api} Api */

const NOW = Date.UTC(2026, 2, 2);
const DAY = 86_400_000;

/** @param {string} name @param {Record<string, unknown>} [more] */
const thrown = (name, more = {}) => Object.assign(new Error(name), { name, ...more });

/** The server's calls about keys, as keys_store.py has them; the others are listing_server's. */
class Server {
  /** @type {Served["epochs"]} */
  epochs = [];
  /** @type {Served["slots"]} */
  slots = [];
  /** @type {string[]} */
  asked = [];
  /** @type {(call: string) => void} */
  before = () => {};
  /** @type {(call: string) => void} */
  after = () => {};
  /** @type {any} */
  kept = { devices: [], records: [], shares: [] };
  /** Notes on parts, and consents, which have no card.
   * @type {{ device: string, card: string | null, version: number, sealed: string }[]} */
  notes = [];
  /** @type {ReturnType<typeof listingServer> | null} */
  lists = null;

  /** @type {Api} */
  api = async (method, path, body) => {
    const call = `${method} ${path.split("?")[0]}`;
    this.asked.push(call);
    this.before(call);
    const answer = await this.answer(method, path, body);
    this.after(call);
    return structuredClone(answer);
  };

  get served() {
    return structuredClone({ epochs: this.epochs, slots: this.slots });
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {any} body
   */
  async answer(method, path, body) {
    const epoch = Number(/^\/v1\/keys\/(\d+)$/.exec(path)?.[1]);
    if (method === "GET" && path === "/v1/keys") return this.served;
    const newest = Math.max(...this.epochs.map((one) => one.epoch));
    const here = this.epochs.find((one) => one.epoch === epoch);
    if (method === "PUT" && path.startsWith("/v1/keys/")) {
      if (epoch !== newest + 1 && here?.statement !== body.statement) throw thrown("RefusedError", { code: "epoch" });
      if (here !== undefined) here.wrapped = body.wrapped;
      else this.epochs.push({ epoch, statement: body.statement, wrapped: body.wrapped, shredded_at: null });
      return { epoch };
    }
    if (method === "DELETE" && path.startsWith("/v1/keys/")) {
      if (here === undefined) throw thrown("RefusedError", { code: "epoch" });
      if (epoch === 0 || epoch === newest) throw thrown("RefusedError", { code: "current" });
      [here.wrapped, here.shredded_at] = [null, "2026-04-01T00:00:00Z"];
      return here;
    }
    const device = /^\/v1\/devices\/([0-9a-f]{32})\/(approval|label)$/.exec(path);
    if (method === "PUT" && device !== null) {
      const entry = this.kept.devices.find((/** @type {any} */ one) => hex(one.deviceId) === device[1]);
      entry[device[2]] = fromB64url(body[device[2]]);
      return {};
    }
    const kept = /^\/v1\/devices\/([0-9a-f]{32})\/(notes|consents)$/.exec(path);
    const noted = /^\/v1\/devices\/([0-9a-f]{32})\/(?:cards\/([0-9a-f]{32})\/note|consents\/(\d+))$/.exec(path);
    if (noted !== null) {
      const one = this.notes.find(({ device, card, version }) => device === noted[1] && (noted[2] ? card === noted[2] : version === Number(noted[3])));
      const { version } = parseBox(fromB64url(body.sealed));
      if (version !== one?.version) throw thrown("RefusedError", { code: "version" });
      one.sealed = body.sealed;
      return one;
    }
    if (kept !== null) {
      const theirs = this.notes.filter(({ device, card }) => device === kept[1] && (kept[2] === "notes") === (card !== null));
      return { [kept[2]]: theirs };
    }
    this.lists ??= listingServer(this.kept);
    return this.lists.api(method, path, body);
  }
}

/** Someone new, and the server that keeps their keys under a passphrase, a printed code and a passkey. */
async function someone() {
  const [parameters, stretched, code] = [newParameters(), { signIn: random(32), wrapping: random(32) }, newCode()];
  const made = await makeKeys("Dr Okafor", { token: random(32), code, stretched, parameters, now: NOW });
  const server = new Server();
  server.epochs = Array.from(made.wrapped, ([epoch, wrapped]) => ({
    epoch,
    statement: epoch === 0 ? null : b64url(made.statement),
    wrapped: b64url(wrapped),
    shredded_at: null,
  }));
  server.slots = Array.from(made.slots, ([slot, fields]) => ({ slot, fields }));
  /** @param {Served} served */
  const byPassphrase = async (served) => keyByPassphrase(passphraseSlots(served)[0].fields, stretched);
  const prf = random(32);
  const passkey = await passkeySlot(await byPassphrase(server.served), prf, { credential: random(20), salt: random(32) });
  server.slots.push({ slot: "99".repeat(16), fields: passkey });
  const ways = [
    byPassphrase,
    (/** @type {Served} */ served) => keyByCode(served, formatCode(code)),
    () => openPasskeySlot(passkey, prf),
  ];
  /** Everything that every secret opens: always the same. */
  const open = async () => {
    const all = [];
    for (const way of ways) all.push(await openKeys(server.served, await way(server.served)));
    for (const one of all) assert.deepEqual(one.reading, all[0].reading);
    return all[0];
  };
  return { server, open, byPassphrase, keys: await open() };
}

/**
 * @param {Awaited<ReturnType<typeof someone>>} who
 * @param {Keys} keys
 * @param {Partial<Parameters<typeof rotate>[0]>} [more]
 */
function rotating({ server, byPassphrase }, keys, more = {}) {
  return rotate({ api: server.api, keys, slotKey: byPassphrase, holding: () => {}, now: NOW + 34 * DAY, ...more });
}

test("the next key: stated, signed, wrapped for every slot, and the old one kept", async () => {
  const who = await someone();
  assert.equal(ageInDays(who.keys, NOW + 34 * DAY), 34);
  assert.equal(ageInDays(who.keys, NOW - DAY), 0);
  /** @type {Keys[]} */
  const held = [];
  const { keys, made } = await rotating(who, who.keys, { holding: (one) => held.push(one) });
  assert.deepEqual([made, keys.statement.epoch, keys.reader.keys.length], [true, 2, 2]);
  assert.deepEqual((await who.open()).reading, keys.reading);
  assert.equal(keys.statement.issuedAt, BigInt((NOW + 34 * DAY) / 1000));
  assert.deepEqual(who.server.asked, ["GET /v1/keys", "PUT /v1/keys/2", "GET /v1/keys"]);
  assert.ok(equal(held[0].reader.keys[0].public, keys.reading), "held before the server was told");
  assert.equal(keys.reader.keys.some(({ key }) => key.extractable), false);
  const third = await rotating(who, keys, { now: NOW - 90 * DAY });
  assert.equal(third.keys.statement.issuedAt, keys.statement.issuedAt, "a clock set back makes no older statement");
  assert.deepEqual([third.keys.statement.epoch, third.keys.reader.keys.length], [3, 3]);
});

test("cut short at any call, on either side of it: everything opens, and running it again ends it", async () => {
  for (const side of /** @type {const} */ (["before", "after"])) {
    for (let cut = 0; cut < 3; cut++) {
      const who = await someone();
      let left = cut;
      who.server[side] = () => {
        if (left-- === 0) throw thrown("OfflineError");
      };
      /** @type {Keys} */
      let held = who.keys;
      const failed = await rotating(who, who.keys, { holding: (one) => (held = one) }).then(() => null, (error) => error);
      who.server[side] = () => {};
      const opened = await who.open();
      const there = opened.statement.epoch;
      assert.ok(there === 1 || there === 2);
      const kept = held.reader.keys.map(({ id }) => hex(id));
      assert.ok(opened.reader.keys.every(({ id }) => kept.includes(hex(id))), "this page opens whatever devices may seal to");
      // A lost answer is asked after: nothing has to be run again.
      if (failed === null) assert.equal(there, 2);
      else assert.ok(["OfflineError", "AdviceError"].includes(failed.name), failed.name);
      const done = await rotating(who, failed === null ? opened : who.keys);
      assert.equal(done.keys.statement.epoch, failed === null ? 3 : 2, `${side} call ${cut}`);
      assert.equal(done.made, failed === null || there === 1);
      await who.open();
    }
  }
});

test("made twice at once: one of them is taken, and both go on with it", async () => {
  const who = await someone();
  const [one, two] = await Promise.all([rotating(who, who.keys), rotating(who, who.keys)]);
  assert.deepEqual([one.made, two.made].toSorted(), [false, true]);
  assert.deepEqual(one.keys.reading, two.keys.reading);
  assert.equal((await who.open()).statement.epoch, 2);
});

test("a wrong secret, another's keys, an older server: nothing is changed", async () => {
  const [who, other] = [await someone(), await someone()];
  const wrong = async () => Promise.reject(new WrongSecretError("no"));
  await assert.rejects(rotating(who, who.keys, { slotKey: wrong }), WrongSecretError);
  await assert.rejects(rotating(who, other.keys), SealError);
  const { keys } = await rotating(who, who.keys);
  who.server.epochs.pop();
  await assert.rejects(rotating(who, keys), /older reading key/);
  assert.equal((await who.open()).statement.epoch, 1);
  const elsewhere = await someone();
  elsewhere.server.before = (call) => {
    if (call.startsWith("PUT")) throw thrown("RefusedError", { code: "statement" });
  };
  await assert.rejects(rotating(elsewhere, elsewhere.keys), { code: "statement" });
  assert.equal((await elsewhere.open()).statement.epoch, 1);
});

test("a server that says yes and keeps nothing is found out", async () => {
  const who = await someone();
  const api = /** @type {Api} */ (async (method, path, body) => (method === "PUT" ? { epoch: 2 } : who.server.api(method, path, body)));
  await assert.rejects(rotating(who, who.keys, { api }), /did not take the new key/);
  const half = /** @type {Api} */ (
    async (method, path, body) => who.server.api(method, path, method === "PUT" ? { statement: /** @type {any} */ (body).statement, wrapped: null } : body)
  );
  await assert.rejects(rotating(who, who.keys, { api: half }), /does not keep your newest reading key/);
});

/** Someone with two keys, two devices, a label and marks under the first key, and records under both. */
async function after() {
  const who = await someone();
  const first = who.keys.reader.keys[0];
  const clinic = new Clinic(who.keys.identity, [first, first]);
  const [one, two] = [await clinic.device("one"), await clinic.device("two")];
  one.entry.label = await makeLabel(who.keys, one.entry.deviceId, "Ana", 3);
  const { keys } = await rotating(who, who.keys);
  const content = noticing(1);
  const seal = async (/** @type {any} */ device, /** @type {bigint} */ sequence, /** @type {any[]} */ readers) => ({
    cursor: Number(sequence),
    device: device.hex,
    receivedAt: `2026-03-0${sequence}T08:00:00Z`,
    frame: await sealRecord(device.signing, content, { sequence, readers }),
  });
  const records = [
    await seal(one, 1n, [first.public]),
    await seal(one, 2n, [first.public]),
    await seal(one, 3n, [keys.reading]),
    await seal(two, 4n, [first.public, keys.reading]),
  ];
  const places = records.map(({ device, frame }) => ({ device, record: hex(frame.slice(24, 40)) }));
  const noted = { marks: new Map(), versions: new Map(), flags: [] };
  const marks = [
    await makeMark(who.keys, places[0], { said: "discussed", at: 5 }, noted),
    await makeMark(keys, places[2], { said: "discussed", at: 6 }, noted),
  ];
  who.server.kept = { devices: [one.entry, two.entry], records, marks, shares: [] };
  for (const [purpose, card, version] of /** @type {const} */ ([[PART, "ab".repeat(16), 9], [CONSENT, null, 1], [CONSENT, null, 2]])) {
    const recordId = card === null ? NO_RECORD : fromHex(card, 16);
    const how = { ...who.keys, purpose, deviceId: one.entry.deviceId, recordId, version };
    const sealed = await sealBox(new TextEncoder().encode(`note ${purpose} ${version}`), how);
    who.server.notes.push({ device: one.hex, card, version, sealed: b64url(sealed) });
  }
  who.server.asked.length = 0;
  return { who, keys, first, one, two, places };
}

/** @param {Awaited<ReturnType<typeof after>>} at @param {number} epoch */
async function epochOf({ who, keys }, epoch) {
  const found = (await epochsOf(keys, who.server.served)).find((one) => one.epoch === epoch);
  assert.ok(found);
  return found;
}

/** The devices' list with what the server says of each. @param {Api} api @param {any[]} said @returns {Api} */
function saying(api, said) {
  return async (method, path, body) => {
    const answer = await api(method, path, body);
    if (path !== "/v1/devices") return answer;
    return { devices: answer.devices.map((/** @type {any} */ one, /** @type {number} */ at) => ({ ...one, ...said[at] })) };
  };
}

/** Seconds from the moment at which the second key was stated. @param {number} seconds */
const stated = (seconds) => `${new Date(NOW + 34 * DAY + 1000 * seconds).toISOString().slice(0, 19)}Z`;

test("what would be lost is counted: by device, with the days, and nothing that another key opens", async () => {
  const at = await after();
  const { who, keys, one } = at;
  const losses = await lossesOf(who.server.api, keys, await epochOf(at, 1));
  assert.deepEqual([...losses.devices], [[one.hex, { count: 2, from: "2026-03-01", to: "2026-03-02" }]]);
  assert.equal(losses.shared, 0);
  assert.equal((await lossesOf(who.server.api, keys, await epochOf(at, 2))).devices.get(one.hex)?.count, 1);
});

test("a device that may hold lines under the key is named: unknown or some waiting, not heard since, never heard", async () => {
  const at = await after();
  const { who, keys, one, two } = at;
  const epoch = await epochOf(at, 1);
  assert.equal(epoch.nextAt, keys.statement.issuedAt);
  assert.equal((await epochOf(at, 2)).nextAt, null);
  const since = { outbox_depth: 0, last_seen_at: stated(1) };
  /** @param {any} first @param {any} [second] */
  const waiting = async (first, second = since) => (await lossesOf(saying(who.server.api, [first, second]), keys, epoch)).waiting;
  assert.deepEqual(await waiting(since), []);
  for (const more of [{ outbox_depth: 3 }, { outbox_depth: null }, { outbox_depth: "0" }, { last_seen_at: null }]) {
    const told = { ...since, ...more };
    assert.deepEqual(await waiting(told), [{ device: one.hex, lastSeenAt: told.last_seen_at }]);
    for (const state of ["paused", "discharged"]) assert.equal((await waiting({ ...told, state })).length, 1);
    assert.deepEqual(await waiting({ ...told, state: "revoked" }), []);
  }
  for (const seen of [stated(0), stated(-1), "some day"]) {
    assert.deepEqual(await waiting(since, { ...since, last_seen_at: seen }), [{ device: two.hex, lastSeenAt: seen }]);
  }
  await assert.rejects(waiting({ signing: "!" }), /list of devices is not whole/);
});

/** @param {Awaited<ReturnType<typeof after>>} at @param {Keys} keys */
async function noted({ who }, keys) {
  const lists = /** @type {any} */ (who.server.lists);
  const entries = [...lists.marks.values()];
  const { marks, flags } = await readMarks(keys.reader, keys.clinicianId, entries, new Map());
  const names = await Promise.all(
    who.server.kept.devices.map((/** @type {any} */ entry) => readLabel(entry, keys.reader, keys.clinicianId)),
  );
  const notes = await Promise.all(
    who.server.notes.map(async ({ sealed }) => new TextDecoder().decode(await openBox(parseBox(fromB64url(sealed)), keys.reader.keys))),
  );
  return { marks: marks.size, flags: flags.length, names: names.map((one) => one?.name ?? null), notes };
}

const ALL = { marks: 2, flags: 0, names: ["Ana", null], notes: ["note 3 9", "note 4 1", "note 4 2"] };

test("destroyed: devices approved and notes carried over first, the key last; names and marks are still there", async () => {
  const at = await after();
  const { who, keys, first } = at;
  const done = await shred(who.server.api, keys, 1, NOW + 40 * DAY);
  assert.deepEqual([done.moved, done.approved], [5, 2]);
  assert.equal(who.server.asked.at(-1), "DELETE /v1/keys/1");
  assert.deepEqual(await noted(at, done.keys), ALL);
  const lasting = await who.open();
  assert.deepEqual(lasting.reader.keys.length, 1);
  assert.deepEqual([...done.keys.reader.destroyed?.keys() ?? []], [hex(first.id)]);
  assert.deepEqual([...lasting.reader.destroyed?.keys() ?? []], [hex(first.id)]);
  for (const entry of who.server.kept.devices) assert.equal((await judge(entry, lasting.reader)).trust, "approval");
  const again = await shred(who.server.api, keys, 1, NOW + 41 * DAY);
  assert.deepEqual([again.moved, again.approved], [0, 0], "where the answer was lost");
  await assert.rejects(shred(who.server.api, done.keys, 1, NOW), /Key 1 was destroyed before/);
});

test("cut short before the end, nothing is lost and the key is there; after it, all was carried over", async () => {
  const whole = await after();
  await shred(whole.who.server.api, whole.keys, 1, NOW);
  const calls = whole.who.server.asked.length;
  assert.ok(calls >= 13);
  for (const side of /** @type {const} */ (["before", "after"])) {
    for (let cut = 0; cut < calls; cut++) {
      const at = await after();
      let left = cut;
      at.who.server[side] = () => {
        if (left-- === 0) throw thrown("OfflineError");
      };
      await assert.rejects(shred(at.who.server.api, at.keys, 1, NOW), { name: "OfflineError" });
      at.who.server[side] = () => {};
      const opened = await at.who.open();
      const last = side === "after" && cut === calls - 1;
      assert.equal(opened.reader.keys.length, last ? 1 : 2);
      if (at.who.server.lists !== null) assert.deepEqual(await noted(at, opened), ALL);
      if (!last) await shred(at.who.server.api, opened, 1, NOW);
      assert.deepEqual(await noted(at, await at.who.open()), ALL);
    }
  }
});

test("only what may go: not the key in use, not one that is not there, and nothing on a list that is not whole", async () => {
  const { who, keys } = await after();
  await assert.rejects(shred(who.server.api, keys, 2, NOW), /is in use/);
  await assert.rejects(shred(who.server.api, keys, 7, NOW), /There is no key 7/);
  await assert.rejects(shred(who.server.api, keys, 0, NOW), /There is no key 0/);
  const circle = /** @type {Api} */ (async (method, path, body) => {
    const answer = await who.server.api(method, path, body);
    return path.startsWith("/v1/marks?") ? { ...answer, more: true, next: "ab" } : answer;
  });
  await assert.rejects(shred(circle, keys, 1, NOW), /runs in a circle/);
  assert.equal(who.server.asked.some((call) => call.startsWith("DELETE")), false);
  const states = (await epochsOf(keys, who.server.served)).map(({ epoch, state }) => [epoch, state]);
  assert.deepEqual(states, [[2, "in use"], [1, "kept"]]);
  const other = await someone();
  await assert.rejects(epochsOf(keys, other.server.served), SealError);
});

test("a key that is not on this page stays: what is sealed to it cannot be carried over here", async () => {
  const at = await after();
  const { who } = at;
  who.server.epochs = who.server.epochs.map((one) => (one.epoch === 1 ? { ...one, wrapped: null } : one));
  const opened = await who.open();
  const needed = /This page does not have key 1; destroy it where the key file is/;
  await assert.rejects(shred(who.server.api, opened, 1, NOW), needed);
  await assert.rejects(lossesOf(who.server.api, opened, await epochOf(at, 1)), needed);
  assert.ok(who.server.asked.every((call) => call.startsWith("GET")));
});

/** A note of theirs that verifies and names its key, and whose sealing was spoilt before it was signed.
 * @param {Keys} keys @param {import("../../server/page/wire/bytes.js").Bytes} data */
async function spoilt(keys, data) {
  const body = data.slice(0, -64);
  body[body.length - 1] ^= 1;
  return concat(body, await sign(keys.identity, concat(domain("onebreath box signature v1"), body)));
}

test("a note under the key that does not open, or that cannot be read: the key stays, whatever kind it is", async () => {
  /** @type {((at: Awaited<ReturnType<typeof after>>) => Promise<unknown>)[]} */
  const spoiling = [
    async ({ keys, one }) => (one.entry.label = await spoilt(keys, one.entry.label ?? new Uint8Array())),
    async ({ keys, who }) => (who.server.kept.marks[0].sealed = await spoilt(keys, who.server.kept.marks[0].sealed)),
    ...[0, 1].map((place) => async (/** @type {Awaited<ReturnType<typeof after>>} */ { keys, who }) => {
      const note = who.server.notes[place];
      note.sealed = b64url(await spoilt(keys, fromB64url(note.sealed)));
    }),
  ];
  for (const spoil of spoiling) {
    const at = await after();
    await spoil(at);
    await assert.rejects(shred(at.who.server.api, at.keys, 1, NOW), /Key 1 was not destroyed\. .* do not open here: 1\./);
    assert.equal(at.who.server.asked.some((call) => call.startsWith("DELETE")), false);
    assert.equal((await at.who.open()).reader.keys.length, 2);
  }
  for (const name of ["notes", "consents", "marks"]) {
    const { who, keys } = await after();
    const api = /** @type {Api} */ (async (method, path, body) => {
      const answer = await who.server.api(method, path, body);
      return method === "GET" && name in answer ? { ...answer, [name]: [...answer[name], { sealed: "!" }] } : answer;
    });
    await assert.rejects(shred(api, keys, 1, NOW), new RegExp(`list of ${name} is not whole`));
    assert.equal(who.server.asked.some((call) => call.startsWith("DELETE")), false);
  }
});
