// What tabs of one browser tell each other: one word of a list, never more.

import assert from "node:assert/strict";
import { test } from "node:test";

import { joinTabs } from "../../server/page/tabs.js";

/** @typedef {import("../../server/page/tabs.js").Word} Word */

/** A channel of two ends that tells at once, and keeps what was said. */
function pair() {
  /** @type {unknown[]} */
  const said = [];
  /** @type {((event: any) => void)[][]} */
  const ends = [[], []];
  const channel = (/** @type {number} */ at) => ({
    /** @param {unknown} data */
    postMessage(data) {
      said.push(data);
      for (const listener of ends[1 - at]) listener({ data });
    },
    /** @param {"message"} _ @param {(event: any) => void} listener */
    addEventListener(_, listener) {
      ends[at].push(listener);
    },
  });
  return { said, channels: [channel(0), channel(1)] };
}

test("a word comes to the others and not back; use is told once in five seconds", () => {
  const { said, channels } = pair();
  /** @type {Word[][]} */
  const heard = [[], []];
  let now = 1000;
  const [one] = channels.map((channel, at) => joinTabs({ heard: (word) => heard[at].push(word), now: () => now, channel }));
  one.tell("lock");
  for (const wait of [0, 1000, 3999, 1, 5000]) {
    now += wait;
    one.used();
  }
  now = 0;
  one.used();
  assert.deepEqual(heard, [[], ["lock", "used", "used", "used", "used"]]);
  assert.deepEqual(said, heard[1]);
});

test("nothing else is heard", () => {
  const { channels } = pair();
  /** @type {Word[]} */
  const heard = [];
  joinTabs({ heard: (word) => heard.push(word), now: () => 0, channel: channels[1] });
  for (const data of ["unlock", "", null, undefined, { word: "lock" }, ["lock"], 1]) channels[0].postMessage(data);
  assert.deepEqual(heard, []);
});

test("through the platform's own channel; without one a tab is alone", async (t) => {
  const other = new BroadcastChannel("onebreath.tabs");
  t.after(() => other.close());
  const told = new Promise((resolve) => {
    other.onmessage = ({ data }) => resolve(data);
  });
  const channel = new BroadcastChannel("onebreath.tabs");
  t.after(() => channel.close());
  joinTabs({ heard: () => {}, now: () => 0, channel }).tell("idle");
  assert.equal(await told, "idle");
  const alone = joinTabs({ heard: () => assert.fail("nobody is there"), now: () => 0, channel: null });
  alone.used();
  alone.tell("lock");
});
