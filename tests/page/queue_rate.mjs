// How soon the first lines of a long queue can be read, and how long all of it takes: `node tests/page/queue_rate.mjs
// [10000]`. From the moment at which the keys are unlocked, with paging, through a worker thread as in the page; the
// network is not in it.

import { isMainThread, parentPort, Worker } from "node:worker_threads";

import { openQueue } from "../../server/page/queue/opening.js";
import { openerAt, serve } from "../../server/page/queue/port.js";
import { makeMark } from "../../server/page/wire/notes.js";
import { listingServer } from "./listing_server.mjs";
import { Clinic, noticing, seed } from "./rig.mjs";

/** @typedef {import("../../server/page/queue/port.js").Port} Port */

if (isMainThread) await measure(Number(process.argv[2] ?? 10_000));
else serve(/** @type {Port} */ (/** @type {unknown} */ (parentPort)));

/** @param {number} count */
async function measure(count) {
  const clinic = await Clinic.make();
  const clinicianId = seed("okafor").slice(0, 16);
  const clinician = { identity: clinic.identity, reading: clinic.keys[1].public, clinicianId };
  const devices = await Promise.all(Array.from({ length: 20 }, (_, at) => clinic.device(`device ${at}`)));
  const records = [];
  for (let at = 0; at < count; at++) {
    const sequence = BigInt(Math.floor(at / devices.length) + 1);
    const entry = await clinic.record(devices[at % devices.length], sequence, noticing(Math.floor(at / 40)));
    records.push({ ...entry, cursor: at + 1 });
  }
  /** @type {import("../../server/page/wire/listing.js").MarkEntry[]} */
  const marks = [];
  const server = listingServer({ devices: devices.map(({ entry }) => entry), records, marks });
  /** @type {string | null} */
  let remembered = null;
  for (const name of ["never read", "read before"]) {
    const began = performance.now();
    const worker = new Worker(new URL(import.meta.url));
    const opener = openerAt(portOf(worker));
    /** @type {number[]} */
    const firsts = [];
    const begun = (/** @type {{ records: unknown[] }} */ { records: some }) =>
      firsts.push(some.length, performance.now() - began);
    const { api } = server;
    const queue = await openQueue({ api, reader: clinic.reader, clinicianId, opener, remembered, told: { begun } });
    const took = performance.now() - began;
    await worker.terminate();
    remembered = queue.remembered;
    const [many, first, , marked] = firsts;
    console.log(`${name}: the first ${many} lines after ${first.toFixed(0)} ms, their marks ${marked.toFixed(0)} ms`);
    console.log(`  all ${queue.records.length} after ${(took / 1000).toFixed(1)} s; flags: ${queue.flags.length}`);
    console.log(`  remembered: ${(queue.remembered.length / 1024).toFixed(0)} KiB`);
  }
  const began = performance.now();
  const queue = { marks: new Map(), versions: new Map() };
  for (const entry of records.slice(0, 50)) {
    const record = { device: entry.device, record: Buffer.from(entry.frame.slice(24, 40)).toString("hex") };
    marks.push(await makeMark(clinician, record, { said: "discussed", at: 5 }, { ...queue, flags: [] }));
  }
  console.log(`a mark: ${((performance.now() - began) / marks.length).toFixed(1)} ms`);
}

/**
 * A worker thread as the page sees its worker.
 * @param {Worker} worker
 * @returns {Port}
 */
function portOf(worker) {
  return {
    postMessage: (data) => worker.postMessage(data),
    addEventListener: (type, listener) =>
      worker.on(type, (/** @type {unknown} */ given) => listener(type === "message" ? { data: given } : given)),
  };
}
