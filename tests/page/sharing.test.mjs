// Cover: confirmations, what is shared, the order of it, and what is believed of what others share.

import assert from "node:assert/strict";
import { test } from "node:test";

import { openerAt, serve, stepsAt } from "../../server/page/queue/port.js";
import { byClient, chosen } from "../../server/page/queue/model.js";
import { openQueue } from "../../server/page/queue/opening.js";
import { again, BATCH, colleaguesOf, confirmColleague, endSharing, share } from "../../server/page/sharing.js";
import { makeSharer, STEPS } from "../../server/page/sharing_maker.js";
import { keepConfirmation, keptConfirmations, newestSeen, sawColleague, sawEpoch } from "../../server/page/sharing_memory.js";
import { b64url, fromB64url } from "../../server/page/wire/bytes.js";
import { spokenFingerprint } from "../../server/page/wire/colleagues.js";
import { confirmedBy, signConfirmation, verifyConfirmation } from "../../server/page/wire/confirmation.js";
import { FrameError, SealError } from "../../server/page/wire/errors.js";
import { openShared, parseShare, verifyShare } from "../../server/page/wire/sharing.js";
import { fingerprint, signStatement } from "../../server/page/wire/statement.js";
import { NOW, person, practice, Store } from "./cover_rig.mjs";
import { caseload, Clinic, flip, kinds, noticing, seed, vectors } from "./rig.mjs";

/** @typedef {import("../../server/page/sharing.js").Api} Api */
/** @typedef {import("../../server/page/wire/bytes.js").Bytes} Bytes */

const EVERYTHING = { devices: null, since: null, until: null };

/**
 * @param {Awaited<ReturnType<typeof practice>>} at
 * @param {Partial<Parameters<typeof share>[0]>} [more]
 */
function sharing(at, more = {}) {
  const { api, okafor, colleague } = at;
  const how = { api, keys: okafor.keys, sharer: makeSharer(), colleague, wanted: EVERYTHING };
  return share({ ...how, signal: new AbortController().signal, told: () => {}, ...more });
}

test("confirmations", async (t) => {
  for (const vector of vectors("confirmation.json")) {
    await t.test(vector.name, async () => {
      const [data, raw, clinician] = [vector.confirmation, vector.identity, vector.clinician].map((text) => fromB64url(text));
      const { clinic } = await caseload();
      const key = { ...clinic.identity.public, raw, key: await crypto.subtle.importKey("raw", raw, "Ed25519", true, ["verify"]) };
      let step = "holds";
      try {
        const found = await verifyConfirmation(data, key, clinician);
        assert.deepEqual(found.colleagueId, fromB64url(vector.colleague));
        assert.deepEqual(found.fingerprint, fromB64url(vector.fingerprint));
      } catch (error) {
        step = error instanceof FrameError ? "parse" : error instanceof SealError ? "verify" : "fault";
      }
      assert.equal(step, vector.expect);
    });
  }
});

test("a confirmation is kept, and only this clinician's own counts", async () => {
  const [me, other] = [await Clinic.make("Dr Okafor"), await Clinic.make("Dr Lee")];
  const [{ keys, id }, lee] = [await person(me, "Dr Okafor"), await person(other, "Dr Lee")];
  const compared = { clinicianId: keys.clinicianId, colleagueId: lee.keys.clinicianId, fingerprint: seed("print"), at: 5n };
  const [mine, forged] = [await signConfirmation(me.identity, compared), await signConfirmation(other.identity, compared)];
  const newer = await signConfirmation(me.identity, { ...compared, fingerprint: seed("newer"), at: 6n });
  const storage = new Store();
  for (const one of [newer, forged, mine, flip(mine, 50)]) assert.ok(keepConfirmation(storage, id, one));
  storage.kept.set(`onebreath.confirmed.${id}`, `${storage.getItem(`onebreath.confirmed.${id}`)} damaged !! `);
  const found = await confirmedBy(keptConfirmations(storage, id), me.identity.public, keys.clinicianId);
  assert.deepEqual([...found], [[lee.id, seed("newer")]]);
  assert.equal((await confirmedBy(keptConfirmations(storage, lee.id), me.identity.public, keys.clinicianId)).size, 0);
  storage.full = true;
  assert.equal(keepConfirmation(storage, id, mine), false);
  await assert.rejects(signConfirmation(me.identity, { ...compared, colleagueId: keys.clinicianId }), RangeError);
});

test("the newest reading key that was seen only grows", () => {
  const storage = new Store();
  assert.equal(newestSeen(storage, "a"), 0);
  assert.deepEqual([sawEpoch(storage, "a", 3), sawEpoch(storage, "a", 2), newestSeen(storage, "a")], [3, 3, 3]);
  assert.deepEqual([sawColleague(storage, "a", "b", 2), sawColleague(storage, "a", "b", 1), sawColleague(storage, "a", "c", 1)], [2, 2, 1]);
  assert.equal(newestSeen(storage, "a"), 3);
  storage.setItem("onebreath.epoch.a", "7; DROP");
  assert.equal(newestSeen(storage, "a"), 0);
});

test("a colleague is confirmed by what was compared, and by nothing else", async () => {
  const { okafor, lee, other, server, colleague } = await practice();
  const [api, storage] = [server.as(okafor.id), new Store()];
  const [found] = (await colleaguesOf(api, okafor.keys, storage)).colleagues;
  assert.deepEqual([found.confirmed, colleague.confirmed, found.shared], [false, true, 0]);
  const spoken = await spokenFingerprint(other.identity.public);
  assert.equal(found.spoken, spoken);
  const own = await spokenFingerprint(okafor.keys.identity.public);
  for (const typed of ["", spoken.slice(0, 30), own, `${spoken}0`.replace(/.$/, spoken.endsWith("0") ? "1" : "0")]) {
    if (typed.replaceAll(" ", "") === spoken.replaceAll(" ", "")) continue;
    await assert.rejects(confirmColleague(okafor.keys, found, typed, { storage, now: NOW }), /not the fingerprint/);
  }
  await assert.rejects(sharing(await practice(), { colleague: { ...colleague, confirmed: false } }), /Compare the fingerprint/);
  const typed = ` ${spoken.toUpperCase().replaceAll(" ", "-")}\n`;
  await confirmColleague(okafor.keys, found, typed, { storage, now: NOW });
  assert.equal((await colleaguesOf(api, okafor.keys, storage)).colleagues[0].confirmed, true);
  storage.full = true;
  await assert.rejects(confirmColleague(okafor.keys, found, typed, { storage, now: NOW }), /could not keep it/);

  // Another identity under the same id: left out, and said.
  const rogue = await Clinic.make("Dr Nobody");
  const what = { clinicianId: lee.keys.clinicianId, name: "Dr Lee", epoch: 3, reading: rogue.keys[0].public, issuedAt: 9n };
  server.people[1] = { ...lee, signed: await signStatement(rogue.identity, what) };
  assert.deepEqual(await colleaguesOf(api, okafor.keys, storage), { colleagues: [], exchanged: 1 });
  await assert.rejects(again(api, okafor.keys, storage, found), /no longer among your colleagues/);
});

test("records are shared, read by the colleague alone, and the end of it", async () => {
  const at = await practice();
  const { server, lee, okafor, other, records, storage } = at;
  assert.deepEqual(await sharing(at), { shared: 5, added: 5 });
  const lists = await server.given(lee.id);
  assert.equal(lists.length, 5);
  for (const { share: text, frame: framed } of lists) {
    const [data, frame] = [fromB64url(text), fromB64url(framed)];
    assert.ok(await openShared(data, frame, okafor.keys.identity.public, other.keys));
    await assert.rejects(openShared(data, frame, okafor.keys.identity.public, at.clinic.keys), SealError);
    await assert.rejects(verifyShare(data, other.identity.public), SealError);
  }
  assert.equal((await colleaguesOf(at.api, okafor.keys, storage)).colleagues[0].shared, 5);
  assert.equal(await endSharing(at.api, at.colleague), 5);
  assert.deepEqual(await server.given(lee.id), []);
  assert.equal(records.length, 5);
});

test("only what is wanted: devices, and days by the client's calendar", async () => {
  const at = await practice();
  const { one, two } = at;
  const shared = async (/** @type {any} */ wanted) => {
    at.server.shares.clear();
    const { shared: count } = await sharing(at, { wanted: { ...EVERYTHING, ...wanted } });
    return count;
  };
  assert.equal(await shared({ devices: [one.hex] }), 4);
  assert.ok(at.server.asked.some((call) => call.includes(`&device=${one.hex}`)), "and no other records are fetched");
  assert.equal(await shared({ devices: [two.hex] }), 1);
  assert.equal(await shared({ devices: [] }), 0);
  assert.equal(await shared({ devices: [one.hex, two.hex] }), 5);
  assert.equal(await shared({ since: "2026-03-03" }), 4);
  assert.equal(await shared({ until: "2026-03-03" }), 2);
  assert.equal(await shared({ since: "2026-03-03", until: "2026-03-04" }), 2);
  assert.equal(await shared({ since: "2026-03-09" }), 0);
});

/**
 * @param {Awaited<ReturnType<typeof practice>>} at
 * @param {number} count
 */
async function many(at, count) {
  for (let sequence = 5n; sequence <= BigInt(count); sequence++) {
    at.records.push({ ...(await at.clinic.record(at.one, sequence, noticing(Number(sequence) % 90))), cursor: Number(sequence) + 1 });
  }
}

test("at most a hundred in a call; cut short at any call it is run again, and goes on", async () => {
  const at = await practice();
  await many(at, 104);
  /** @type {import("../../server/page/sharing.js").Progress[]} */
  const told = [];
  const all = at.records.length;
  const given = () => at.server.asked.filter((call) => call === "POST /v1/shares").length;
  assert.deepEqual(await sharing(at, { told: (far) => told.push(far) }), { shared: all, added: all });
  assert.equal(given(), Math.ceil(all / BATCH));
  assert.deepEqual(told.at(-1), { seen: all, of: all, shared: all });
  assert.deepEqual(told.map(({ shared }) => shared), [0, 100, all]);

  at.server.shares.clear();
  at.server.asked.length = 0;
  await sharing(at);
  const calls = at.server.asked.length;
  for (const side of /** @type {const} */ (["before", "after"])) {
    for (let cut = 0; cut < calls; cut++) {
      at.server.shares.clear();
      let left = cut;
      at.server[side] = (method) => {
        // An answer that is lost matters where something was done.
        if ((side === "before" || method === "POST") && left-- === 0) throw Object.assign(new Error("offline"), { name: "OfflineError" });
      };
      if (side === "after" && cut >= Math.ceil(all / BATCH)) break;
      await assert.rejects(sharing(at), /offline/);
      const before = at.server.shares.size;
      at.server[side] = () => {};
      at.server.asked.length = 0;
      assert.deepEqual(await sharing(at), { shared: all, added: all - before });
      assert.equal(given(), Math.ceil((all - before) / BATCH), "what was shared is not sealed again");
      assert.equal(at.server.shares.size, all);
    }
  }
});

test("a newer reading key of the colleague's: refused, shared again with the newest, and the old shares replaced", async () => {
  const at = await practice();
  await sharing(at);
  const { lee, other, api, okafor, storage } = at;
  const what = { clinicianId: lee.keys.clinicianId, name: "Dr Lee", epoch: 3, reading: other.keys[0].public, issuedAt: 9n };
  at.server.people[1] = { ...lee, signed: await signStatement(other.identity, what) };
  at.server.shares.clear();
  await assert.rejects(sharing(at), { code: "stale_key" });
  const now = await again(api, okafor.keys, storage, at.colleague);
  assert.equal(now.stated.epoch, 3);
  assert.deepEqual(await sharing(at, { colleague: now }), { shared: 5, added: 5 });
  assert.deepEqual(await sharing(at, { colleague: now }), { shared: 5, added: 0 });
});

test("an older statement that a colleague truly signed: nothing is shared to the key that they left", async () => {
  const at = await practice();
  const { lee, other, api, okafor, storage } = at;
  const what = { clinicianId: lee.keys.clinicianId, name: "Dr Lee", issuedAt: 9n };
  /** @param {number} epoch @param {Bytes} reading */
  const shown = async (epoch, reading) => {
    at.server.people[1] = { ...lee, signed: await signStatement(other.identity, { ...what, epoch, reading }) };
    return again(api, okafor.keys, storage, at.colleague);
  };
  const newest = await shown(3, other.keys[0].public);
  assert.deepEqual([newest.newest, at.colleague.newest], [3, 2]);
  const older = await shown(2, other.keys[1].public);
  const refused = /shows reading key 2 of Dr Lee, and this browser has seen their key 3\. Nothing is shared/;
  at.server.asked.length = 0;
  await assert.rejects(sharing(at, { colleague: older }), refused);
  assert.deepEqual([at.server.asked.length, at.server.shares.size], [0, 0]);
  // Seen at the comparison itself, before any list was loaded again.
  const elsewhere = new Store();
  const first = (await colleaguesOf(api, okafor.keys, elsewhere)).colleagues[0];
  assert.equal(first.newest, 0);
  await confirmColleague(okafor.keys, { ...first, stated: newest.stated }, first.spoken, { storage: elsewhere, now: NOW });
  const back = await again(api, okafor.keys, elsewhere, first);
  await assert.rejects(sharing(at, { colleague: back }), refused);
  assert.deepEqual(await sharing(at, { colleague: await shown(4, other.keys[0].public) }), { shared: 5, added: 5 });
});

test("stopped, it has ended when the call that was under way has: then taking back takes all of it", async () => {
  const at = await practice();
  const ending = new AbortController();
  /** @type {() => void} */
  let answer = () => {};
  const held = new Promise((done) => (answer = () => done(null)));
  /** @type {() => void} */
  let reached = () => {};
  const posting = new Promise((done) => (reached = () => done(null)));
  const api = /** @type {Api} */ (async (method, path, body) => {
    if (method === "POST") {
      reached();
      await held;
    }
    return at.api(method, path, body);
  });
  let ended = false;
  const work = sharing(at, { api, signal: ending.signal }).finally(() => (ended = true));
  const failed = assert.rejects(work, /enough/);
  await posting;
  ending.abort(new Error("enough"));
  await new Promise((done) => setImmediate(done));
  assert.equal(ended, false);
  answer();
  await failed;
  assert.equal(at.server.shares.size, 5);
  assert.equal(await endSharing(at.api, at.colleague), 5);
  assert.equal(at.server.shares.size, 0);
});

test("stopped while a worker that was ended never answers", async () => {
  const at = await practice();
  for (const step of /** @type {const} */ (["begin", "take"])) {
    const ending = new AbortController();
    const never = () => {
      setImmediate(() => ending.abort(new Error("enough")));
      return new Promise(() => {});
    };
    const sharer = /** @type {any} */ ({ ...makeSharer(), [step]: never });
    await assert.rejects(sharing(at, { sharer, signal: ending.signal }), /enough/);
  }
  assert.equal(at.server.shares.size, 0);
});

test("what does not hold is in no share: forged, of a stranger's device, or of another clinician", async () => {
  const at = await practice();
  const { clinic, one, records } = at;
  records[0] = { ...records[0], frame: flip(records[0].frame, 900) };
  const stranger = await Clinic.make("Dr Nobody");
  records.push({ ...(await stranger.record(await stranger.device("theirs"), 1n)), cursor: 20 });
  records.push({ ...(await clinic.record(one, 9n)), cursor: 21, frame: new Uint8Array(5) });
  assert.deepEqual(await sharing(at), { shared: 4, added: 4 });
  for (const { share: data } of at.server.shares.values()) assert.notDeepEqual((await parseShare(data)).recordId, records[0].frame.slice(24, 40));
});

test("in a worker's place: over a port, with real keys; a view that was taken down shares nothing more", async (t) => {
  const at = await practice();
  await many(at, 120);
  const { port1, port2 } = new MessageChannel();
  serve(port2, makeSharer());
  port1.start();
  port2.start();
  t.after(() => port1.close());
  const sharer = /** @type {import("../../server/page/sharing_maker.js").Sharer} */ (stepsAt(port1, STEPS, makeSharer));
  const ending = new AbortController();
  const told = ({ shared = 0 }) => shared > 0 && ending.abort(new Error("taken down"));
  await assert.rejects(sharing(at, { sharer, signal: ending.signal, told }), /taken down/);
  assert.equal(at.server.shares.size, BATCH);
  assert.deepEqual(await sharing(at, { sharer }), { shared: 121, added: 21 });
});

test("a list that runs in a circle ends", async () => {
  const at = await practice();
  const api = /** @type {Api} */ (async (method, path, body) => {
    const answer = await at.api(method, path, body);
    return path.startsWith("/v1/records") ? { ...answer, more: true, next: 3 } : answer;
  });
  await assert.rejects(sharing(at, { api }), /runs in a circle/);
});

test("in the queue: under the sharer's name, apart from one's own, believed only from whom was compared", async () => {
  const at = await practice();
  const { lee, okafor, other, server, clinic } = at;
  await sharing(at);
  const own = await other.device("lee's");
  const records = [{ ...(await other.record(own, 1n)), cursor: 1 }];
  server.kept = { records, devices: [own.entry] };
  const mine = server.as(lee.id);
  const shares = await (async () => {
    server.kept = { records: at.records, devices: [] };
    const found = await server.given(lee.id);
    server.kept = { records, devices: [own.entry] };
    return found;
  })();
  const given = { shares };
  const api = /** @type {Api} */ (
    async (method, path, body) =>
      path.startsWith("/v1/shares?") ? { shares: given.shares, next: "", more: false } : mine(method, path, body)
  );
  /** @param {Bytes[]} confirmations */
  const open = async (confirmations) => {
    const { port1, port2 } = new MessageChannel();
    serve(port2);
    port1.start();
    port2.start();
    const { reader, clinicianId } = lee.keys;
    const queue = await openQueue({ api, reader, clinicianId, opener: openerAt(port1), remembered: null, confirmations });
    port1.close();
    return queue;
  };
  const nobody = await open([]);
  assert.deepEqual([nobody.records.length, nobody.shared?.records.length], [1, 0]);
  assert.match(nobody.shared?.flags[0].message ?? "", /^Shared by Dr Okafor: 5\. Not shown until you confirm/);

  const compared = await signConfirmation(other.identity, {
    clinicianId: lee.keys.clinicianId,
    colleagueId: okafor.keys.clinicianId,
    fingerprint: await fingerprint(clinic.identity.public),
    at: 1n,
  });
  const queue = await open([compared]);
  assert.deepEqual(queue.flags, []);
  assert.deepEqual(queue.shared?.flags, []);
  assert.deepEqual(queue.records.map(({ sharedBy }) => sharedBy), [null]);
  assert.ok(queue.shared?.records.every(({ sharedBy, isNew }) => sharedBy === "Dr Okafor" && !isNew));
  const { clients, rest } = byClient(chosen(queue, "unread"), queue.named, queue.flags, queue.shared?.flags);
  assert.deepEqual(rest, []);
  assert.deepEqual(clients.map(({ sharedBy, records: { length } }) => [sharedBy, length]), [
    ["Dr Okafor", 1],
    ["Dr Okafor", 4],
    [null, 1],
  ]);

  // A server that exchanges, alters, repeats or invents.
  const [first, second] = shares;
  const forged = { ...second, share: b64url(flip(fromB64url(second.share), 200)) };
  const shapeless = { ...first, frame: "!" };
  given.shares = [first, first, { ...first, frame: second.frame }, forged, shapeless, { ...first, from: "00".repeat(16) }];
  const attacked = await open([compared]);
  assert.deepEqual(kinds({ flags: attacked.shared?.flags ?? [] }), ["frame", "duplicate", "forged", "forged", "unapproved"]);
  assert.equal(attacked.shared?.records.length, 1);
  const shown = byClient(chosen(attacked, "all"), attacked.named, attacked.flags, attacked.shared?.flags);
  assert.ok(shown.clients.some(({ sharedBy, flags }) => sharedBy === "Dr Okafor" && flags.length > 0));
  assert.ok(shown.rest.length > 0);
});
