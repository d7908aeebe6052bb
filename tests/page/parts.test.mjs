// Parts: notes on them by the vectors, what the next card says, settings and progress in words, sending and reports.

import assert from "node:assert/strict";
import { test } from "node:test";

import { cardEntry } from "../../server/page/parts/listing.js";
import { cardOf, carrier, deviceSettings, nextSettings, OF_THE_DEVICE, partsOf } from "../../server/page/parts/model.js";
import { forecastWords, often, progressOf } from "../../server/page/parts/progress.js";
import { newCardId, openParts, Reports, sendPart } from "../../server/page/parts/sending.js";
import { BY_ITSELF, changes, daysInWords, daysOf, inWords, LABELS, PACES, problemOf } from "../../server/page/parts/settings.js";
import { openBox, PART, parseBox, verifyBox } from "../../server/page/wire/boxes.js";
import { hex, utf8 } from "../../server/page/wire/bytes.js";
import { decodeCard } from "../../server/page/wire/card_content.js";
import { REASONS } from "../../server/page/wire/card_reports.js";
import { openCard, parseCard } from "../../server/page/wire/cards.js";
import { ContentError, FrameError, SealError } from "../../server/page/wire/errors.js";
import { decodePartNote, encodePartNote, makePartNote, readPartNote } from "../../server/page/wire/part_notes.js";
import { agreementKey, signingKey, verifyKey } from "../../server/page/wire/primitives.js";
import { b64url, flip, fromB64url, seed, vectors } from "./rig.mjs";

/** @typedef {import("../../server/page/wire/bytes.js").Bytes} Bytes */
/** @typedef {import("../../server/page/wire/part_notes.js").PartNote} PartNote */
/** @typedef {import("../../server/page/wire/card_reports.js").Report} Report */

/** @type {PartNote} */
const NOTE = {
  name: "the foreman",
  alias: null,
  tell: "jaw set",
  settings: {},
  age: "about nine",
  role: "keeps it all going",
  image: "",
  whom: "the little one",
  removed: false,
};

test("notes on parts: boxes", async (t) => {
  for (const vector of vectors("part_note.json").boxes) {
    await t.test(vector.name, async () => {
      let reached = "parse";
      try {
        const box = parseBox(fromB64url(vector.box));
        reached = "verify";
        await verifyBox(box, await verifyKey(fromB64url(vector.identity)));
        reached = "open";
        const plaintext = await openBox(box, [await agreementKey(fromB64url(vector.private))]);
        reached = "holds";
        assert.deepEqual(plaintext, utf8(vector.content));
        assert.deepEqual([box.purpose, box.version], [PART, vector.number]);
      } catch (error) {
        assert.ok(error instanceof FrameError || error instanceof SealError, `${error}`);
      }
      assert.equal(reached, vector.expect);
    });
  }
});

test("notes on parts: contents", async (t) => {
  for (const { name, expect, text } of vectors("part_note.json").contents) {
    await t.test(name, () => {
      const data = utf8(text);
      if (expect === "holds") assert.deepEqual(encodePartNote(decodePartNote(data)), data);
      else assert.throws(() => decodePartNote(data), ContentError);
    });
  }
});

/**
 * @param {string} card
 * @param {number} version
 * @param {Record<string, unknown>} [more]
 */
function entry(card, version, more = {}) {
  const fields = { card: card.repeat(32), version, created_at: "2026-11-22T22:00:00Z", fetched_at: null, ...more };
  return cardEntry({ report: null, reported_at: null, ...fields });
}

/**
 * @param {Partial<PartNote>} said
 * @param {number} version
 */
const noted = (said, version) => ({ note: { ...NOTE, ...said }, version });

test("a listed card is believed in shape alone", () => {
  assert.equal(entry("a", 5).card, "a".repeat(32));
  assert.equal(entry("a", 5, { created_at: "\u202e now" }).createdAt, "\ufffd now");
  for (const wrong of [{ card: "A".repeat(32) }, { version: 0 }, { version: 2 ** 53 }, { version: "5" }, { report: "=" }]) {
    assert.throws(() => entry("a", 5, wrong), FrameError);
  }
});

test("parts are those whose note is of the very card that is there", () => {
  const entries = [entry("a", 7), entry("b", 5), entry("c", 6), entry("d", 4)];
  const parts = partsOf(
    entries,
    new Map([
      ["a".repeat(32), noted({ name: "me, at rest", removed: true }, 8)],
      ["b".repeat(32), noted({ name: "the wren" }, 5)],
      ["c".repeat(32), noted({ name: "the foreman" }, 5)],
      ["e".repeat(32), noted({ settings: { pace: "slow" } }, 99)],
    ]),
  );
  assert.deepEqual(parts.parts.map(({ note }) => note?.name), ["the wren", "me, at rest"]);
  assert.deepEqual(parts.unread.map(({ card }) => card[0]), ["c", "d"]);
  assert.deepEqual(parts.settings, {}, "a note without a card sets nothing");
});

test("the device's settings are as the newest note that names each says", () => {
  const all = [
    noted({ settings: { pace: "slow", quiet: true, talk_number: "988" } }, 3),
    noted({ settings: { pace: "usual", talk_number: null } }, 9),
    noted({ settings: { reads_on: "monday" } }, 5),
  ];
  assert.deepEqual(deviceSettings(all), { pace: "usual", talk_number: null, reads_on: "monday" });
  assert.ok(!OF_THE_DEVICE.includes("quiet"));
});

test("sending one part's card never brings back what another's changed", () => {
  const before = { pace: "slow", quiet: true };
  const next = nextSettings(before, { pace: "usual", talk_number: "988" }, { reads_on: "monday" });
  assert.deepEqual(next, { pace: "usual", quiet: true, reads_on: "monday" });
  assert.deepEqual(nextSettings(before, {}, { quiet: null }), { pace: null, quiet: null });
});

test("settings travel with a part that is there, rather one without a report", () => {
  const place = (/** @type {string} */ card, /** @type {Record<string, unknown>} */ more, /** @type {Partial<PartNote>} */ said) => ({
    entry: entry(card, 5, more),
    note: { ...NOTE, ...said },
  });
  const report = { report: b64url(Uint8Array.of(1)) };
  const [rests, told, fresh] = [place("a", {}, { removed: true }), place("b", report, {}), place("c", {}, {})];
  const rest = { unread: [], settings: {} };
  assert.equal(carrier({ parts: [rests], ...rest }), null);
  assert.equal(carrier({ parts: [rests, told], ...rest }), told);
  assert.equal(carrier({ parts: [rests, told, fresh], ...rest }), fresh);
  assert.deepEqual(cardOf(rests.note), { name: "the foreman", removed: true });
  assert.deepEqual(Object.keys(cardOf(told.note)).sort(), ["alias", "name", "settings", "tell"], "nothing told goes to the device");
});

const EMPTY = {
  quiet_from: "",
  quiet_until: "",
  pace: "",
  language: "",
  hears: "",
  danger_number: "",
  talk_number: "",
  reads_on: "",
  asks_when: "",
};

test("only what is another value is sent, and what was cleared is put back", () => {
  assert.deepEqual(changes(EMPTY, {}), {});
  assert.deepEqual(changes({ ...EMPTY, pace: "slow" }, { pace: "slow" }), {});
  assert.deepEqual(changes({ ...EMPTY, pace: "slow" }, { pace: null, talk_number: "988" }), { pace: "slow", talk_number: null });
  const hours = { quiet_from: "22:30", quiet_until: "07:00" };
  assert.deepEqual(changes({ ...EMPTY, ...hours }, { ...hours, quiet_from: "21:00" }), hours, "both or neither");
  assert.deepEqual(changes({ ...EMPTY, asks_when: "true" }, {}), { asks_when: true });
  assert.deepEqual(changes(EMPTY, { asks_when: true }), { asks_when: null });
  assert.deepEqual(changes(EMPTY, { asks_when: false }), {}, "off is off");
  assert.deepEqual(changes(EMPTY, hours), { quiet_from: null, quiet_until: null });
});

test("what cannot be set is told in words", () => {
  assert.equal(problemOf(EMPTY), "");
  assert.equal(problemOf({ ...EMPTY, quiet_from: "22:30", quiet_until: "07:00", language: "es-MX", danger_number: "+44 20" }), "");
  assert.match(problemOf({ ...EMPTY, quiet_from: "22:30" }), /both a beginning and an end/);
  assert.match(problemOf({ ...EMPTY, danger_number: "HELP" }), /digits/);
  assert.match(problemOf({ ...EMPTY, language: "English" }), /such as en/);
});

test("days have one spelling", () => {
  assert.equal(daysOf(["thursday", "monday", "thursday", "someday"]), "monday,thursday");
  assert.equal(daysOf([]), "");
  assert.equal(daysInWords("monday"), "Monday");
  assert.equal(daysInWords("monday,wednesday,friday"), "Monday, Wednesday and Friday");
});

test("every setting is said, and what is not set is the device's own", () => {
  const words = new Map(inWords({}));
  assert.deepEqual([...words.keys()], [...LABELS.values()]);
  const told = new Set([...LABELS.keys(), "quiet_from", "quiet_until"]);
  assert.deepEqual(OF_THE_DEVICE.filter((key) => !told.has(key)), [], "a setting that no form has");
  for (const [label, said] of words) assert.match(said, /as the device does by itself/, label);
  const set = new Map(
    inWords({ pace: "slow", quiet_from: "22:30", quiet_until: "07:00", reads_on: "monday,thursday", hears: "client" }),
  );
  assert.equal(set.get("Quiet hours"), "from 22:30 until 07:00");
  assert.equal(set.get("Days on which you read"), "Monday and Thursday");
  assert.equal(set.get("How long the device waits for a line"), "Slow: 15 seconds to begin; 5 seconds of silence end it");
  assert.equal(set.get("Who is heard"), "Rather the client’s own voice");
  assert.equal(new Map(inWords({ pace: null })).get("How long the device waits for a line")?.startsWith("as the device"), true);
  assert.ok(Object.hasOwn(PACES, BY_ITSELF.pace));
});

/** @param {Partial<Report>} said */
function report(said) {
  /** @type {Report} */
  const whole = { stage: "waiting", takes: 0, of: 3, tries: 0, triesOf: 0, forecast: null, reason: null, ...said };
  return whole;
}

test("the steps are told one after the other", () => {
  const at = (/** @type {Report | null} */ one, fetchedAt = "2026-11-22T22:00:00Z") => {
    const { steps, ended } = progressOf({ fetchedAt }, one);
    return [steps.find(({ place }) => place === "now")?.text ?? null, steps.filter(({ place }) => place === "past").length, ended];
  };
  assert.deepEqual(progressOf({ fetchedAt: null }, null).steps[0], { text: "Sent", place: "now" });
  assert.deepEqual(at(null), ["Fetched by the device", 1, false]);
  assert.deepEqual(at(report({ stage: "recording", takes: 2 })), ["Recording the name: 2 of 3", 2, false]);
  assert.deepEqual(at(report({ stage: "phrase" })), ["Recording the phrase", 3, false]);
  assert.deepEqual(at(report({ stage: "trying", tries: 3, triesOf: 5 })), ["Trying the name: 3 of 5", 4, false]);
  assert.deepEqual(at(report({ stage: "talking" })), ["A minute of ordinary talk", 5, false]);
  assert.deepEqual(at(report({ stage: "done", triesOf: 5 })), [null, 7, true]);
  assert.deepEqual(at(report({ stage: "done" })), [null, 5, true], "without tries there was no trying");
  assert.deepEqual(at(report({ stage: "refused", reason: "too_common", triesOf: 5 })), ["Not kept", 6, true]);
  assert.deepEqual(at(report({ stage: "refused", reason: "name_too_short" })), ["Not kept", 4, true]);
  assert.deepEqual(at(report({ stage: "stopped", reason: "microphone" })), ["Stopped", 2, true]);
});

test("a name that will not work comes with what to do", () => {
  const refused = progressOf({ fetchedAt: "x" }, report({ stage: "refused", reason: "name_too_short" }));
  assert.match(refused.advice, /Add one more word/);
  const soft = progressOf({ fetchedAt: "x" }, report({ stage: "recording", takes: 1, reason: "too_quiet" }));
  assert.match(soft.advice, /very soft.*asks for it again/);
  for (const [stage, reasons] of REASONS) {
    for (const reason of reasons) {
      const { advice } = progressOf({ fetchedAt: "x" }, report({ stage, reason }));
      assert.match(advice, /\.$/, `${stage} ${reason}`);
      assert.doesNotMatch(advice, /\b(wrong|fail|error|invalid|must|should)/i, "nobody failed");
    }
  }
});

test("the forecast is in the words of the command line", () => {
  const tries = { ofTen: /** @type {[number, number]} */ ([7, 10]), from: /** @type {const} */ ("tries"), tries: 5, found: 5, falseAWeek: 0.9 };
  assert.deepEqual(forecastWords(tries), ["5 of 5 tries were heard, so probably at least 7 of 10.", "False tones: about one a week."]);
  assert.match(forecastWords({ ...tries, ofTen: [4, 8] })[0], /probably 4 to 8 of 10/);
  const takes = { ...tries, from: /** @type {const} */ ("takes"), ofTen: /** @type {[number, number]} */ ([9, 9]), tries: 0, found: 0 };
  assert.match(forecastWords(takes)[0], /^About 9 of 10 tries/);
  assert.match(forecastWords({ ...takes, ofTen: null })[0], /not known/);
  assert.deepEqual(forecastWords(null), []);
  assert.deepEqual([0.1, 1, 3, 28].map(often), ["less than one in three weeks", "about one a week", "about 3 a week", "about 4 a day"]);
});

/** A clinician, a device, and a server that keeps what it is sent. */
async function clinic() {
  const [identity, reading] = [await signingKey(seed("identity")), await agreementKey(seed("reading"))];
  const [signing, box] = [await signingKey(seed("device")), await agreementKey(seed("device box"))];
  const keys = /** @type {any} */ ({
    reader: { identity: identity.public, keys: [reading] },
    identity,
    reading: reading.public,
    clinicianId: seed("clinician").slice(0, 16),
  });
  const device = /** @type {any} */ ({ deviceId: signing.public.id, signing: signing.public.raw, encryption: box.public });
  /** @type {Map<string, { version: number, sealed: Bytes, note: string | null }>} */
  const cards = new Map();
  const server = { cards, lost: 0, asked: /** @type {string[]} */ ([]) };
  const base = `/v1/devices/${hex(device.deviceId)}`;
  const context = /** @type {any} */ ({
    now: () => 1_790_000_000_000,
    /** @param {string} method @param {string} path @param {any} [body] */
    async api(method, path, body) {
      server.asked.push(`${method} ${path.replaceAll(/[0-9a-f]{32}/g, "*")}`);
      const list = [...cards].map(([card, one]) => ({ card, version: one.version, created_at: "x", fetched_at: null, report: null }));
      if (path === `${base}/cards`) return { cards: list };
      if (path === `${base}/notes`) {
        return { notes: [...cards].flatMap(([card, { version, note }]) => (note === null ? [] : [{ card, version, sealed: note }])) };
      }
      const card = path.split("/")[5];
      const known = cards.get(card);
      if (!path.endsWith("/note")) {
        cards.set(card, { note: null, ...known, version: Number(parseCard(body).version), sealed: body });
        return {};
      }
      if (server.lost-- > 0) throw new RangeError("Gone.");
      if (known !== undefined) known.note = body.sealed;
      return {};
    },
  });
  return { context, keys, device, server, box, identity };
}

test("a part is sent to the device, and read back by its clinician alone", async () => {
  const { context, keys, device, server, box, identity } = await clinic();
  const cardId = newCardId();
  await sendPart(context, keys, device, { ...NOTE, settings: { pace: "slow" } }, cardId);
  const { sealed } = /** @type {any} */ (server.cards.get(hex(cardId)));
  const card = decodeCard(await openCard(parseCard(sealed), box, identity.public));
  assert.deepEqual(card, { name: "the foreman", alias: null, tell: "jaw set", settings: { pace: "slow" } });
  const { parts, foreign } = await openParts(context.api, device, keys);
  assert.equal(foreign, 0);
  assert.deepEqual(parts.parts.map(({ note }) => note), [{ ...NOTE, settings: { pace: "slow" } }]);
  assert.deepEqual(parts.settings, { pace: "slow" });
  await sendPart(context, keys, device, { ...NOTE, removed: true }, cardId);
  const again = /** @type {any} */ (server.cards.get(hex(cardId)));
  assert.equal(again.version, 1_790_000_001, "versions only grow");
  assert.deepEqual(decodeCard(await openCard(parseCard(again.sealed), box, identity.public)), { name: "the foreman", removed: true });
  const order = server.asked.filter((one) => one.startsWith("PUT"));
  assert.deepEqual(order.slice(0, 2), ["PUT /v1/devices/*/cards/*", "PUT /v1/devices/*/cards/*/note"]);
});

test("a note that was not kept is said, and the same card is sent again", async () => {
  const { context, keys, device, server } = await clinic();
  const cardId = newCardId();
  server.lost = 1;
  await assert.rejects(sendPart(context, keys, device, NOTE, cardId), /Send it again\. Gone\./);
  assert.equal((await openParts(context.api, device, keys)).parts.unread.length, 1);
  await sendPart(context, keys, device, NOTE, cardId);
  const { parts } = await openParts(context.api, device, keys);
  assert.deepEqual([parts.parts.length, parts.unread.length], [1, 0]);
});

test("what no card can say is refused in words, before anything is sent", async () => {
  const { context, keys, device, server } = await clinic();
  for (const wrong of [{ name: "" }, { name: "n".repeat(81) }, { role: "n".repeat(801) }, { settings: { pace: "fast" } }]) {
    await assert.rejects(sendPart(context, keys, device, { ...NOTE, ...wrong }, newCardId()), RangeError);
  }
  assert.ok(!server.asked.some((one) => one.startsWith("PUT")));
});

test("a note of another card, device, clinician or hand is left out", async () => {
  const { keys, device } = await clinic();
  const [cardId, other] = [newCardId(), newCardId()];
  const { deviceId } = device;
  const place = { deviceId, cardId, version: 5 };
  const sealed = await makePartNote(keys, place, NOTE);
  const read = (/** @type {Bytes} */ data, /** @type {Bytes} */ card) =>
    readPartNote(data, { deviceId, cardId: card }, keys.reader, keys.clinicianId);
  assert.deepEqual((await read(sealed, cardId)).note, NOTE);
  await assert.rejects(read(sealed, other), SealError);
  await assert.rejects(read(flip(sealed, 300), cardId), SealError);
  const stranger = { ...keys, identity: await signingKey(seed("stranger")) };
  await assert.rejects(read(await makePartNote(stranger, place, NOTE), cardId), SealError);
  await assert.rejects(read(await makePartNote({ ...keys, clinicianId: seed("x").slice(0, 16) }, place, NOTE), cardId), SealError);
});

test("a report that is not the device's own is not shown, nor an older one", async () => {
  const { card, device: raw, private: secret, version, reports: all } = vectors("card_report.json");
  const frame = (/** @type {string} */ name) => all.find((/** @type {any} */ one) => one.name === name).report;
  const device = /** @type {any} */ ({ signing: fromB64url(raw) });
  const keys = /** @type {any} */ ({ reader: { keys: [await agreementKey(fromB64url(secret))] } });
  const reports = new Reports();
  const at = (/** @type {string | null} */ report, more = {}) =>
    reports.of({ ...entry("a", Number(version), { report }), cardId: fromB64url(card), ...more }, device, keys);
  assert.deepEqual(await at(null), { report: null, older: false, foreign: false });
  const first = await at(frame("the first number"));
  assert.equal(first.report?.number, 1);
  const last = await at(frame("the last number"));
  assert.deepEqual([last.report?.number, last.older], [Number.MAX_SAFE_INTEGER, false]);
  assert.deepEqual(await at(frame("the first number")), { ...last, older: true });
  assert.deepEqual(await at(null), { ...last, older: true }, "a report that was there is kept back");
  assert.deepEqual(await at(b64url(new Uint8Array(700))), { ...last, foreign: true });
  assert.equal((await at(frame("a report"), { version: Number(version) + 1 })).foreign, true, "of another version");
  reports.forget();
  assert.equal((await at(null)).report, null);
});
