// How fast the page's code opens records, and what Argon2id costs: `node tests/page/rate.mjs [10000]`.

import { argon2id } from "../../server/page/wire/argon2.js";
import { NOTHING } from "../../server/page/wire/memory.js";
import { read } from "../../server/page/wire/reader.js";
import { LEAST } from "../../server/page/wire/secrets.js";
import { Clinic, noticing, seed } from "./rig.mjs";

const count = Number(process.argv[2] ?? 10_000);
const clinic = await Clinic.make();
const device = await clinic.device("one");
const listed = [];
for (let sequence = 1n; sequence <= count; sequence++) {
  listed.push(await clinic.record(device, sequence, noticing(Number(sequence) % 300)));
}
const started = performance.now();
const busy = process.cpuUsage();
let first = 0;
const reading = await read(clinic.reader, [device.entry], listed, NOTHING, {
  batch: 100,
  onBatch: (opened) => (first ||= opened.length && performance.now() - started),
});
const took = performance.now() - started;
const { user, system } = process.cpuUsage(busy);
console.log(
  `${reading.records.length} records opened in ${took.toFixed(0)} ms: ${((1000 * count) / took).toFixed(0)} a second`,
);
console.log(`processor time ${((user + system) / 1000).toFixed(0)} ms; flags: ${reading.flags.length}`);
console.log(`the first 100 after ${first.toFixed(0)} ms`);
for (let time = 0; time < 3; time++) {
  const began = performance.now();
  await argon2id(seed("passphrase"), seed("salt").slice(0, 16), LEAST);
  console.log(`Argon2id at t=3, m=64 MiB, p=4: ${(performance.now() - began).toFixed(0)} ms`);
}
