// Following how the recordings on one device go: the server is asked again and again while the view is open.

import { OfflineError, sentence } from "../api.js";
import { listed, Reports } from "../parts/sending.js";
import { partProgress } from "./part_progress.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../context.js").Keys} Keys */
/** @typedef {import("../parts/listing.js").CardEntry} CardEntry */
/** @typedef {import("../parts/model.js").Parts} Parts */
/** @typedef {import("../wire/card_reports.js").Stage} Stage */
/** @typedef {import("../wire/listing.js").DeviceEntry} DeviceEntry */

const LIVE_MS = 3000;
const CALM_MS = 15_000;
const ENDED = ["done", "refused", "stopped"];
export const UNREACHED = "The server cannot be reached. How the recording goes is asked for again by itself.";

/**
 * `onOther`: other cards are there than those that are shown. `onProblem`: why nothing was heard; "" when it is again.
 * @param {Context} context
 * @param {{ onOther: () => void, onProblem: (text: string) => void }} told
 */
export function follow(context, { onOther, onProblem }) {
  const reports = new Reports();
  /** How each goes that does not rest, by card. @type {Map<string, ReturnType<typeof partProgress>>} */
  const live = new Map();
  /** @type {Map<string, Stage>} */
  const stages = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let turn = 0;

  /**
   * Show what is there, and ask again in a while.
   * @param {DeviceEntry} device
   * @param {Keys} keys
   * @param {Parts} parts
   * @param {readonly CardEntry[]} entries
   * @param {{ mine: number, aloud: boolean }} how `aloud`: whether what is new is read out
   */
  async function show(device, keys, parts, entries, { mine, aloud }) {
    const news = [];
    let waiting = false;
    for (const entry of entries) {
      const progress = live.get(entry.card);
      if (progress === undefined) {
        waiting ||= entry.fetchedAt === null;
        continue;
      }
      const found = await reports.of(entry, device, keys);
      if (mine !== turn) return;
      if (found.report !== null) stages.set(placeOf(entry), found.report.stage);
      const part = parts.parts.find((one) => one.entry.card === entry.card && one.entry.version === entry.version);
      if (part !== undefined) part.entry = entry;
      const fresh = progress.show(entry, found);
      if (fresh !== "") news.push(fresh);
      waiting ||= !ENDED.includes(found.report?.stage ?? "");
    }
    if (aloud && news.length > 0) context.announce(news.join(" "));
    timer = setTimeout(() => poll(device, keys, parts, mine), waiting ? LIVE_MS : CALM_MS);
  }

  /**
   * @param {DeviceEntry} device
   * @param {Keys} keys
   * @param {Parts} parts
   * @param {number} mine
   */
  async function poll(device, keys, parts, mine) {
    try {
      const { entries } = await listed(context.api, device);
      if (mine !== turn) return;
      onProblem("");
      const known = [...parts.parts.map(({ entry }) => entry), ...parts.unread];
      if (state(entries) !== state(known)) onOther();
      if (mine === turn) await show(device, keys, parts, entries, { mine, aloud: true });
    } catch (error) {
      if (mine !== turn) return;
      onProblem(error instanceof OfflineError ? UNREACHED : sentence(error));
      timer = setTimeout(() => poll(device, keys, parts, mine), CALM_MS);
    }
  }

  /**
   * What is there, and of what rests whether the device knows.
   * @param {readonly CardEntry[]} entries
   */
  function state(entries) {
    const each = entries.map(({ card, version, fetchedAt }) => [card, version, live.has(card) || fetchedAt !== null].join("/"));
    return each.sort().join();
  }

  /** Stop asking; what is under way becomes harmless. */
  function pause() {
    turn++;
    clearTimeout(timer);
    live.clear();
  }

  return {
    pause,
    /**
     * Where the progress of a card is shown from now on.
     * @param {CardEntry} entry
     * @param {string} name
     */
    watch(entry, name) {
      const progress = partProgress(name);
      live.set(entry.card, progress);
      return progress.root;
    },
    /**
     * Follow what is watched.
     * @param {DeviceEntry} device
     * @param {Keys} keys
     * @param {Parts} parts
     */
    begin(device, keys, parts) {
      const entries = [...parts.parts.map(({ entry }) => entry), ...parts.unread];
      return show(device, keys, parts, entries, { mine: turn, aloud: false });
    },
    /**
     * What the device last said of this version of a card, as far as this view heard of it.
     * @param {CardEntry} entry
     */
    stageOf(entry) {
      return stages.get(placeOf(entry)) ?? null;
    },
    /** Nothing that was opened outlives the view. */
    end() {
      pause();
      reports.forget();
      stages.clear();
    },
  };
}

/** @param {CardEntry} entry */
function placeOf({ card, version }) {
  return `${card}/${version}`;
}
