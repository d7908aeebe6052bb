// The tabs of this page in one browser: what one of them tells the others. A message is one word of this list and
// nothing else.
//
// They share a session, and so an idle time: use in one keeps the others from locking, and locking one locks all.

/** "lock": by the button. "idle": 15 minutes without use. "keys": the keys changed, and those that others hold are old.
 * "ended": the session ended. "account": somebody signed in, perhaps another person. "used": somebody is here.
 * @typedef {"lock" | "idle" | "keys" | "ended" | "account" | "used"} Word */
/** What of a BroadcastChannel is used.
 * @typedef {{ postMessage(data: unknown): void, addEventListener(type: "message", listener: (event: any) => void): void }} Channel */

const CHANNEL = "onebreath.tabs";
/** @type {readonly string[]} */
const WORDS = ["lock", "idle", "keys", "ended", "account", "used"];
/** Use is told once in so long. */
const EVERY_MS = 5000;

/**
 * Join them. `heard` is told what another tab said; a tab never hears itself. Without BroadcastChannel a tab is alone.
 * @param {{ heard: (word: Word) => void, now: () => number, channel?: Channel | null }} how `now` in milliseconds
 */
export function joinTabs({ heard, now, channel = open() }) {
  let told = -Infinity;
  channel?.addEventListener("message", ({ data }) => {
    if (WORDS.includes(data)) heard(data);
  });
  return {
    /** @param {Exclude<Word, "used">} word */
    tell(word) {
      channel?.postMessage(word);
    },
    /** Somebody is here; told to the others now and then. */
    used() {
      const at = now();
      if (at - told < EVERY_MS && at >= told) return;
      told = at;
      channel?.postMessage("used");
    },
  };
}

/** @returns {Channel | null} */
function open() {
  return "BroadcastChannel" in globalThis ? new BroadcastChannel(CHANNEL) : null;
}
