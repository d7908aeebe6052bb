// The whole way from the server's pages to an opened queue: through a real port, with real keys cloned into it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { mark } from "../../server/page/queue/marking.js";
import { isDiscussed } from "../../server/page/queue/model.js";
import { makeOpener } from "../../server/page/queue/opener.js";
import { openQueue } from "../../server/page/queue/opening.js";
import { openerAt, serve } from "../../server/page/queue/port.js";
import { makeLabel } from "../../server/page/wire/notes.js";
import { listingServer } from "./listing_server.mjs";
import { caseload, flip, kinds, noticing, seed } from "./rig.mjs";

/** @typedef {import("../../server/page/queue/opening.js").Queue} Queue */
/** @typedef {import("./listing_server.mjs").Kept} Kept */

const { clinic, one, two, listed, stranger } = await caseload();
const clinicianId = seed("okafor").slice(0, 16);
const clinician = { identity: clinic.identity, reading: clinic.keys[1].public, clinicianId };
const label = await makeLabel(clinician, one.entry.deviceId, "Ana", 1);
const devices = [{ ...one.entry, label }, two.entry];
const numbered = listed.map((entry, at) => ({ ...entry, cursor: at + 1 }));

/** @param {{ after: (close: () => void) => void }} t */
function overPort(t) {
  const { port1, port2 } = new MessageChannel();
  serve(port2);
  port1.start();
  port2.start();
  t.after(() => port1.close());
  return openerAt(port1);
}

/**
 * @param {import("../../server/page/queue/opener.js").Opener} opener
 * @param {{ api: (method: string, path: string) => Promise<any> }} server
 * @param {Partial<Parameters<typeof openQueue>[0]>} [more]
 */
function open(opener, server, more = {}) {
  return openQueue({ api: server.api, reader: clinic.reader, clinicianId, opener, remembered: null, ...more });
}

/** @param {Queue} queue */
const lines = (queue) => queue.records.map(({ device, sequence }) => `${device.slice(0, 4)} ${sequence}`);

/** Over 1,000 records of one device, the last first in each list of the server's. */
async function many() {
  const records = [];
  for (let sequence = 1n; sequence <= 1060n; sequence++) {
    records.push(await clinic.record(one, sequence, noticing(Number(sequence) % 200)));
  }
  return records;
}

test("opened at the other end of a port, newest first; names, marks and notes of what was read", async (t) => {
  const server = listingServer({ devices, records: numbered });
  /** @type {Queue[]} */
  const told = [];
  const queue = await open(overPort(t), server, { told: { begun: (some) => told.push(some) } });
  assert.deepEqual(queue.flags, []);
  assert.deepEqual(queue.named, [{ device: one.hex, name: "Ana" }, { device: two.hex, name: null }]);
  const theirs = [4, 3, 2, 1].map((sequence) => `${one.hex.slice(0, 4)} ${sequence}`);
  assert.deepEqual(lines(queue), [`${two.hex.slice(0, 4)} 1`, ...theirs]);
  assert.ok(queue.records.every(({ isNew }) => isNew));
  assert.deepEqual(told.map(({ whole, marks, records }) => [whole, marks?.size ?? null, records.length]), [
    [false, null, 5],
    [false, 0, 5],
  ]);
  assert.doesNotMatch(queue.remembered, /foreman|yelled|Ana/, "ids, numbers and hashes alone");

  const how = { api: server.api, now: 9_000, clinician };
  assert.equal(await mark(how, queue, queue.records.slice(0, 2), "discussed"), 2);
  assert.equal(await mark(how, queue, queue.records.slice(0, 3), "discussed"), 1);
  assert.equal(await mark({ ...how, now: 9_900 }, queue, queue.records.slice(0, 1), "none"), 1);
  const again = await open(overPort(t), server, { remembered: queue.remembered });
  assert.deepEqual(again.records.map((record) => isDiscussed(record, again.marks)), [false, true, true, false, false]);
  assert.ok(again.records.every(({ isNew }) => !isNew));
  assert.deepEqual(again.flags, []);

  const fewer = listingServer({ devices, records: numbered.slice(0, 3), marks: [...server.marks.values()] });
  const gone = await open(overPort(t), fewer, { remembered: again.remembered });
  assert.deepEqual(kinds(gone), ["vanished", "vanished"]);
});

test("more than a page: each record once, progress with the whole number, marks before the end", async () => {
  const records = await many();
  const server = listingServer({ devices, records });
  /** @type {string[]} */
  const told = [];
  const queue = await open(makeOpener(), server, {
    told: {
      begun: ({ records: some, marks }) => told.push(`${some.length} ${marks === null ? "without" : "with"} marks`),
      progress: (done, of) => told.push(`${done} of ${of}`),
    },
  });
  assert.deepEqual(queue.flags, []);
  assert.equal(queue.records.length, 1060);
  assert.deepEqual(
    told.toSorted(),
    [
      "1050 of 1060", "1060 of 1060", "50 of 1060", "50 of null", "50 with marks", "50 without marks", "550 of 1060",
    ],
  );
  const paged = server.asked.filter((call) => call.includes("/v1/records?"));
  assert.deepEqual(paged.map((call) => call.split("?")[1]), [
    "before=9223372036854775807&limit=50",
    "before=1011&limit=500",
    "before=511&limit=500",
    "before=11&limit=500",
  ]);
});

test("a hostile server: flags at the device they concern, and what holds is shown all the same", async (t) => {
  const forged = { ...numbered[1], frame: flip(numbered[1].frame, 400) };
  const records = [numbered[0], forged, numbered[3], numbered[3], numbered[4]];
  const stone = { device: one.hex, record: "0".repeat(32), sequence: 90, sha256: "0".repeat(64), reason: "erased" };
  const stones = [{ ...stone, received_at: "2026-03-03T00:00:00Z", deleted_at: "2026-03-04T00:00:00Z" }, 7];
  const strange = (await stranger.device("theirs")).entry;
  const kept = { devices: [...devices, strange], records, stones };
  const queue = await open(overPort(t), listingServer(kept), { remembered: "{" });
  assert.deepEqual(lines(queue).length, 3);
  assert.deepEqual(
    kinds(queue).toSorted(),
    ["doubtful", "doubtful", "duplicate", "forged", "list", "missing", "unapproved"],
  );
  assert.deepEqual(
    queue.flags.filter(({ kind }) => ["forged", "missing", "duplicate"].includes(kind)).map(({ device }) => device),
    [one.hex, one.hex, one.hex],
  );
  assert.match(queue.flags.at(-1)?.message ?? "", /notes of what you had read were damaged/);
});

test("pages that run in a circle end, and are told", async () => {
  const server = listingServer({ devices, records: numbered });
  /** @param {string} method @param {string} path */
  const api = async (method, path) => {
    const answer = await server.api(method, path);
    if (path.includes("/v1/records?")) return { ...answer, more: true, next: 3 };
    return path.includes("/v1/marks") ? { ...answer, more: true, next: "ab" } : answer;
  };
  const queue = await open(makeOpener(), { api });
  assert.equal(queue.records.length, 5);
  assert.deepEqual(queue.flags.filter(({ kind }) => kind === "list").map(({ message }) => message), [
    "The server's list runs in a circle; it may not be complete.",
    "The server's list of marks runs in a circle; it may not be whole.",
  ]);
});

test("answers of another version, refusals and a view that was taken down end the opening", async (t) => {
  const server = listingServer({ devices, records: numbered });
  /** @param {string} part @param {unknown} answer */
  const instead = (part, answer) => ({
    api: async (/** @type {string} */ method, /** @type {string} */ path) =>
      path.includes(part) ? answer : server.api(method, path),
  });
  for (const [part, answer] of /** @type {const} */ ([
    ["/v1/records?", { records: "none" }],
    ["/v1/devices", {}],
    ["/v1/marks", { marks: 3 }],
    ["/v1/tombstones", {}],
  ])) {
    const said = { name: "FrameError", message: /not of this version/ };
    await assert.rejects(open(overPort(t), instead(part, answer)), said);
  }
  const refused = async () => {
    throw new RangeError("refused");
  };
  await assert.rejects(open(makeOpener(), { api: refused }), /refused/);
  const taken = new AbortController();
  let begun = 0;
  const told = { begun: () => (begun++, taken.abort(new Error("taken down"))) };
  const opener = makeOpener();
  await assert.rejects(open(opener, server, { told, signal: taken.signal }), /taken down/);
  await opener.marks([], []);
  assert.equal(begun, 1, "nothing is told to a view that was taken down");
});

test("without a worker everything is opened here; one that stops later is told", async () => {
  const port = new BrokenPort();
  const queue = await open(openerAt(port), listingServer({ devices, records: numbered }));
  assert.equal(queue.records.length, 5);
  assert.ok(port.asked > 0);

  const late = new BrokenPort();
  const opener = openerAt(late);
  const asked = opener.take([]);
  late.tell("message", { data: { number: 0, gave: [] } });
  assert.deepEqual(await asked, []);
  const next = opener.take([]);
  late.tell("error", {});
  await assert.rejects(next, /stopped/);
});

test("a mark waits until everything was opened, and a refused one changes nothing", async () => {
  const server = listingServer({ devices, records: numbered });
  const queue = await open(makeOpener(), server);
  const how = { api: server.api, now: 9_000, clinician };
  await assert.rejects(mark(how, { ...queue, whole: false }, queue.records, "discussed"), RangeError);
  const refusing = { ...how, api: async () => Promise.reject(new Error("offline")) };
  await assert.rejects(mark(refusing, queue, queue.records, "discussed"), /offline/);
  assert.equal(queue.marks?.size, 0);
});

/** What a browser gives when a worker's script does not load: silence, then an error event. */
class BrokenPort {
  asked = 0;
  /** @type {Map<string, (event: any) => void>} */
  listeners = new Map();

  postMessage() {
    if (this.asked++ === 0) queueMicrotask(() => this.listeners.size && this.tell("error", {}, true));
  }

  /**
   * @param {string} type
   * @param {(event: any) => void} listener
   */
  addEventListener(type, listener) {
    this.listeners.set(type, listener);
  }

  /**
   * @param {string} type
   * @param {unknown} event
   * @param {boolean} [first]
   */
  tell(type, event, first = false) {
    if (first && this.told) return;
    this.told = true;
    this.listeners.get(type)?.(event);
  }

  told = false;
}
