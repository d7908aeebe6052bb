// Fetching and opening the whole queue: newest first, the next page coming while one is opened.

import { newestFirst } from "../wire/reader.js";
import { FrameError } from "../wire/errors.js";

/** @typedef {import("../wire/examine.js").OpenedRecord} OpenedRecord */
/** @typedef {import("../wire/notes.js").Mark} Mark */
/** @typedef {import("../wire/sequence.js").Flag} Flag */
/** @typedef {import("./opener.js").Named} Named */
/** @typedef {import("./opener.js").Opener} Opener */
/** @typedef {import("./opener.js").Shared} Shared */

/** The queue, or as much of it as is open yet: `whole` once everything was taken and compared. Until then `flags` and
 * `versions` are empty. `marks` is null until those of the records are known. `shared` is apart from one's own: what
 * colleagues shared, null until it is known.
 * @typedef {{ named: Named[], records: OpenedRecord[], flags: Flag[], marks: Map<string, Mark> | null,
 *   versions: Map<string, number>, shared?: Shared | null, whole: boolean }} Queue */
/** @typedef {(method: string, path: string) => Promise<any>} Get */
/** What is told on the way: the newest records as soon as they are open, their marks a little later, and how far it is;
 * `of` is null until it is known.
 * @typedef {{ begun?: (queue: Queue) => void, progress?: (done: number, of: number | null) => void }} Told */

/** How many records are fetched and opened first, and at a time after them (the server gives at most 500). */
export const FIRST = 50;
const PAGE = 500;
/** Shares come with their frames; the server gives at most 200. */
const SHARES = 200;
/** The greatest cursor there is (FORMAT.md section 7): text, since it is no safe number. */
const LAST_CURSOR = "9223372036854775807";
const COUNTS_AT_ONCE = 4;

/** @typedef {{ api: Get, reader: import("../wire/devices.js").Reader, clinicianId: import("../wire/bytes.js").Bytes,
 *   opener: Opener, remembered: string | null, confirmations?: readonly import("../wire/bytes.js").Bytes[],
 *   told?: Told, signal?: AbortSignal }} How `confirmations`: of colleagues' fingerprints, as this browser keeps them */

/**
 * Open everything. Throws what `api` throws, FrameError for answers of another version, and the signal's reason.
 * Nothing is told after the end, whichever it was.
 * @param {How} how
 * @returns {Promise<Queue & { remembered: string }>} `remembered`: what to give next time
 */
export async function openQueue(how) {
  let over = false;
  const silent = () => over || how.signal?.aborted;
  /** @type {Required<Told>} */
  const told = {
    begun: (queue) => void (silent() || how.told?.begun?.(queue)),
    progress: (done, of) => void (silent() || how.told?.progress?.(done, of)),
  };
  try {
    return await run({ ...how, told });
  } finally {
    over = true;
  }
}

/**
 * @param {How & { told: Required<Told> }} how
 * @returns {Promise<Queue & { remembered: string }>}
 */
async function run({ api, reader, clinicianId, opener, remembered, confirmations = [], told, signal }) {
  /** @param {string} path */
  const get = async (path) => {
    signal?.throwIfAborted();
    const answer = await api("GET", path);
    signal?.throwIfAborted();
    return answer;
  };
  // Records before devices: one that is paired in between is then at least in the list of devices.
  let page = await get(`/v1/records?before=${LAST_CURSOR}&limit=${FIRST}`);
  const { devices } = await get("/v1/devices");
  const named = await opener.begin({ reader, clinicianId, devices, remembered });
  /** @type {OpenedRecord[]} */
  const records = [];
  /** @type {Promise<boolean> | null} */
  let marking = null;
  /** @type {ReturnType<typeof givenBy> | null} */
  let giving = null;
  /** @type {number | null} */
  let of = null;
  let done = 0;
  let whole = true;
  let before = Infinity;
  /** @param {number} count */
  const counted = (count) => {
    of = count;
    told.progress(done, of);
  };
  for (;;) {
    const more = page.more === true;
    const goesOn = more && Number.isSafeInteger(page.next) && page.next > 0 && page.next < before;
    if (more && !goesOn) whole = false;
    before = page.next;
    const coming = goesOn ? get(`/v1/records?before=${before}&limit=${PAGE}`) : null;
    // It is awaited below; until then a failure is nobody's.
    coming?.catch(() => {});
    records.push(...(await opener.take(page.records)));
    signal?.throwIfAborted();
    done += page.records.length;
    told.progress(done, of);
    if (marking === null) {
      const shown = [...records];
      const begun = { named, flags: [], versions: new Map(), shared: null, whole: false };
      told.begun({ ...begun, records: shown, marks: null });
      marking = markingOf(get, opener, shown, (marks) => told.begun({ ...begun, records: shown, marks }));
      marking.catch(() => {});
      giving = givenBy(get);
      giving.catch(() => {});
      if (goesOn) total(get, named).then(counted, () => {});
    }
    if (coming === null) break;
    page = await coming;
  }
  const marksWhole = await marking;
  const stones = await every(get, "/v1/tombstones", "tombstones");
  const { retention_days: days } = stones.last;
  const ended = await opener.finish({
    whole,
    marksWhole,
    stones: stones.entries,
    stonesWhole: stones.whole,
    retentionDays: Number.isSafeInteger(days) ? days : null,
  });
  const shared = await opener.shared({ ...(await /** @type {NonNullable<typeof giving>} */ (giving)), confirmations });
  signal?.throwIfAborted();
  return { named, records: records.sort(newestFirst), shared, whole: true, ...ended };
}

/**
 * Fetch every mark, and tell those of the records that are shown already. Whether the pages made a whole.
 * @param {(path: string) => Promise<any>} get
 * @param {Opener} opener
 * @param {readonly OpenedRecord[]} shown
 * @param {(marks: Map<string, Mark>) => void} tell
 */
async function markingOf(get, opener, shown, tell) {
  const { entries, whole } = await every(get, "/v1/marks", "marks");
  const wanted = shown.map(({ device, record }) => ({ device, record }));
  tell(await opener.marks(entries, wanted));
  return whole;
}

/**
 * What colleagues shared, and who they are; nobody is asked after where nothing was shared.
 * @param {(path: string) => Promise<any>} get
 */
async function givenBy(get) {
  const { entries: shares, whole } = await every(get, "/v1/shares", "shares", SHARES);
  const { colleagues } = shares.length > 0 ? await get("/v1/colleagues") : { colleagues: [] };
  return { shares, whole, colleagues };
}

/**
 * Every page of a list that begins with the oldest.
 * @param {(path: string) => Promise<any>} get
 * @param {string} path
 * @param {string} name
 * @param {number} [limit]
 */
async function every(get, path, name, limit = PAGE) {
  const entries = [];
  const seen = new Set();
  let after = "";
  for (;;) {
    const last = await get(`${path}?limit=${limit}${after}`);
    if (!Array.isArray(last[name])) throw new FrameError("the server's answer is not of this version");
    entries.push(...last[name]);
    if (last.more !== true) return { entries, last, whole: true };
    const next = String(last.next);
    if (seen.has(next) || !/^[0-9a-f]{1,64}$/.test(next)) return { entries, last, whole: false };
    seen.add(next);
    after = `&after=${next}`;
  }
}

/**
 * How many records the server says there are.
 * @param {(path: string) => Promise<any>} get
 * @param {readonly Named[]} named
 */
async function total(get, named) {
  let count = 0;
  for (let at = 0; at < named.length; at += COUNTS_AT_ONCE) {
    const some = named.slice(at, at + COUNTS_AT_ONCE);
    const found = await Promise.all(some.map(({ device }) => get(`/v1/devices/${device}/records`)));
    for (const { records } of found) count += Number.isSafeInteger(records) ? records : 0;
  }
  return count;
}
