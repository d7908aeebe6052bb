// The shell: what is shown when, the keys while they are unlocked, and their end. Views are in views/.
//
// Locking drops the keys and clears the document: by the button, after 15 idle minutes, when the session ends, and when
// the page is left; in every tab of this page at once (tabs.js), but for the last. Nothing decrypted goes into storage,
// the address or the title.

import { createApi, OfflineError, sentence } from "./api.js";
import { button, el, heading } from "./elements.js";
import { sawEpoch } from "./sharing_memory.js";
import { joinTabs } from "./tabs.js";
import { hex } from "./wire/bytes.js";
import { requireSupport } from "./wire/support.js";
import { safe } from "./wire/text.js";
import * as accountView from "./views/account.js";
import * as devicesView from "./views/devices.js";
import * as lostFactorView from "./views/lost_factor.js";
import * as partsView from "./views/parts.js";
import * as practiceView from "./views/practice.js";
import * as queueView from "./views/queue.js";
import * as recoverView from "./views/recover.js";
import * as rotationView from "./views/rotation.js";
import * as setUpView from "./views/set_up.js";
import * as sharingView from "./views/sharing.js";
import * as signInView from "./views/sign_in.js";
import * as unlockView from "./views/unlock.js";
import * as weekView from "./views/week.js";

/** @typedef {import("./context.js").Account} Account */
/** @typedef {import("./context.js").Context} Context */
/** @typedef {import("./context.js").Keys} Keys */
/** @typedef {import("./context.js").View} View */
/** @typedef {import("./context.js").ViewName} ViewName */
/** @typedef {import("./tabs.js").Word} Word */

const IDLE_MS = 15 * 60 * 1000;
const CHECK_MS = 5 * 1000;
const IDLE = "Locked after 15 minutes without use. Your passphrase opens the records again.";
const ELSEWHERE = "Locked in another tab. Your passphrase opens the records again.";
const NEW_KEYS = "Your keys changed in another tab. Unlock to go on with the new ones.";
const ENDED = "You were signed out. Sign in again to go on.";
const OFFLINE = "The server cannot be reached. What you see may not be the newest.";
const FAULT = "The page made a mistake. Reload it; if it happens again, tell whoever runs the server.";

/** In the order of the navigation; the first that the person may see is where they begin.
 * `of`: whose view it is; `aside`: reached from another view, not by the navigation.
 * @type {Record<string, { label: string, view: View, of: "readers" | "administrators" | "all", aside?: boolean }>} */
const VIEWS = {
  queue: { label: "Queue", view: queueView, of: "readers" },
  week: { label: "Week", view: weekView, of: "readers" },
  parts: { label: "Parts", view: partsView, of: "readers" },
  devices: { label: "Clients and devices", view: devicesView, of: "readers" },
  practice: { label: "Practice", view: practiceView, of: "administrators" },
  account: { label: "Account", view: accountView, of: "all" },
  colleagues: { label: "Colleagues and cover", view: sharingView, of: "readers", aside: true },
  keys: { label: "Reading keys", view: rotationView, of: "readers", aside: true },
};

const [head, notice, main, announcer] = ["head", "notice", "main", "announcer"].map(byId);

/** @type {Account | null} */
let account = null;
/** @type {Keys | null} */
let keys = null;
/** @type {() => void} */
let unmount = () => {};
let lastUsed = Date.now();

const tabs = joinTabs({ heard, now: () => Date.now() });

const api = createApi({ onEnded: ended, onReached: (reached) => tell(reached ? "" : OFFLINE) });

/** @type {Context} */
const context = Object.freeze({
  api,
  keys: () => keys,
  account: () => account,
  announce,
  navigate,
  now: () => Date.now(),
  renew,
  signOut,
});

async function start() {
  forget();
  show("Loading", (root) => {
    root.append(heading("Onebreath"), el("p", {}, "Loading …"));
    return () => {};
  });
  try {
    await requireSupport();
  } catch (error) {
    stopped("This browser cannot be used", sentence(error));
    return;
  }
  const token = location.hash.slice(1);
  if (location.pathname === "/set-up" && token !== "") {
    // Taken out of the address at once: history and a look over the shoulder keep what is there.
    history.replaceState(null, "", "/set-up");
    setUp(token);
    return;
  }
  try {
    account = await api("GET", "/v1/account");
    unlock();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "session") signIn();
    else if (error instanceof OfflineError) stopped("Offline", "The server cannot be reached.", true);
    else stopped("Something is wrong", sentence(error), true);
  }
}

/** @param {string} [said] */
function signIn(said) {
  const lost = { onLost: recover, onLostFactor: lostFactor };
  show("Sign in", (root) => signInView.mount(root, { api, ...(said ? { said } : {}), onSignedIn: signedIn, ...lost }));
}

function recover() {
  show("A new passphrase", (root) => recoverView.mount(root, { api, onSignedIn: signedIn, onBack: () => signIn() }));
}

function lostFactor() {
  show("A lost authenticator", (root) => lostFactorView.mount(root, { api, onSignedIn: signedIn, onBack: () => signIn() }));
}

/** @param {string} token */
function setUp(token) {
  const stepped = (/** @type {HTMLElement} */ first) => first.focus();
  show("Set up", (root) =>
    setUpView.mount(root, { api, token, now: context.now, show: stepped, onSignedIn: signedIn }),
  );
}

/**
 * @param {Account} who
 * @param {Keys | null} opened
 * @param {string} [said] why they are not opened
 */
function signedIn(who, opened, said) {
  account = who;
  tabs.tell("account");
  if (location.pathname !== "/") history.replaceState(null, "", "/");
  if (opened === null) unlock(said);
  else enter(opened);
}

/** @param {string} [said] */
function unlock(said) {
  if (account?.role === "administrator") {
    enter(null);
    return;
  }
  const to = { onUnlocked: enter, onSignOut: () => signOut(false), resetAt: account?.factor_reset_at ?? null };
  show("Locked", (root) => unlockView.mount(root, { api, ...(said ? { said } : {}), ...to }));
}

/** @param {Keys | null} opened null: an administrator, who reads nothing */
function enter(opened) {
  keys = opened;
  lastUsed = Date.now();
  if (opened !== null) sawEpoch(localStorage, hex(opened.clinicianId), opened.statement.epoch);
  showView();
}

/**
 * Go on with other keys of the same clinician, unless it was locked meanwhile. Tabs that hold the old ones lock.
 * @param {Keys} next
 */
function renew(next) {
  if (keys === null || hex(keys.clinicianId) !== hex(next.clinicianId)) return;
  const old = next.statement.epoch !== keys.statement.epoch || next.reader.keys.length < keys.reader.keys.length;
  keys = next;
  if (old) tabs.tell("keys");
}

function takeDown() {
  const taken = unmount;
  unmount = () => {};
  taken();
  main.replaceChildren();
  announcer.textContent = "";
}

/** Forget the keys and everything on the screen. */
function forget() {
  keys = null;
  takeDown();
  head.replaceChildren();
  document.title = "Onebreath";
}

/** @param {string} [said] */
function lock(said) {
  forget();
  if (account === null) signIn();
  else unlock(said);
}

function lockAll() {
  tabs.tell("lock");
  lock();
}

function ended() {
  if (account === null) return;
  tabs.tell("ended");
  leave();
}

function leave() {
  account = null;
  forget();
  signIn(ENDED);
}

/**
 * What another tab of this page said.
 * @param {Word} word
 */
function heard(word) {
  if (word === "used") {
    checkIdle();
    lastUsed = Date.now();
  } else if (word === "ended" && account !== null) leave();
  else if (word === "account" && account !== null) {
    account = null;
    void start();
  } else if (keys !== null && word === "lock") lock(ELSEWHERE);
  else if (keys !== null && word === "idle") lock(IDLE);
  else if (keys !== null && word === "keys") lock(NEW_KEYS);
}

/** @param {boolean} everywhere */
async function signOut(everywhere) {
  let said = "You are signed out.";
  forget();
  tabs.tell("ended");
  try {
    await api("POST", everywhere ? "/v1/sign-out/everywhere" : "/v1/sign-out", {});
  } catch (error) {
    // The keys go in any case: who wants to leave must be able to.
    said = `The keys are gone from this browser, but the session may live on. ${sentence(error)}`;
  }
  account = null;
  forget();
  signIn(said);
}

/** @param {ViewName} name */
function navigate(name) {
  if (location.hash === `#${name}`) showView();
  else location.hash = name;
}

/** @param {string} name */
function allows(name) {
  return VIEWS[name].of === "all" || (VIEWS[name].of === "readers") === (keys !== null);
}

function showView() {
  const allowed = Object.keys(VIEWS).filter(allows);
  const asked = location.hash.slice(1);
  const name = allowed.includes(asked) ? asked : allowed[0];
  show(VIEWS[name].label, (root) => VIEWS[name].view.mount(root, context), name);
}

/**
 * Take down what is shown, and show this; the focus goes to its heading.
 * @param {string} label
 * @param {(root: HTMLElement) => () => void} mount
 * @param {string | null} [current] the view, if it is one
 */
function show(label, mount, current = null) {
  takeDown();
  header(current);
  document.title = label === "Loading" ? "Onebreath" : `${label} · Onebreath`;
  const root = el("div", { class: current === null ? "alone" : "view" });
  main.append(root);
  unmount = mount(root);
  window.scrollTo(0, 0);
  root.querySelector("h1")?.focus({ preventScroll: true });
}

/** @param {string | null} current */
function header(current) {
  const name = el("p", { class: "practice" }, account === null ? "Onebreath" : safe(account.practice.name));
  if (current === null) {
    head.replaceChildren(name);
    return;
  }
  const links = Object.entries(VIEWS)
    .filter(([one, { aside }]) => allows(one) && !aside)
    .map(([one, { label }]) => {
      const here = one === current ? "page" : null;
      return el("li", {}, el("a", { href: `#${one}`, "aria-current": here }, label));
    });
  const nav = el("nav", { "aria-label": "Main" }, el("ul", {}, ...links));
  const out = keys === null ? button("Sign out", () => signOut(false)) : button("Lock", lockAll);
  head.replaceChildren(name, nav, out);
}

/**
 * A state that nothing can be done from but to try again.
 * @param {string} title
 * @param {string} said
 * @param {boolean} [again]
 */
function stopped(title, said, again = false) {
  show(title, (root) => {
    const retry = again ? el("p", {}, button("Try again", start, { class: "primary" })) : null;
    root.append(el("div", { class: "narrow" }, heading(title), el("p", {}, said), retry));
    return () => {};
  });
}

/** @param {string} text */
function announce(text) {
  announcer.textContent = text;
}

/** @param {string} text */
function tell(text) {
  if (notice.textContent !== text) notice.textContent = text;
}

/** @param {string} id */
function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`index.html has no ${id}`);
  return found;
}

function used() {
  lastUsed = Date.now();
  if (keys !== null) tabs.used();
}

function checkIdle() {
  if (keys === null || Date.now() - lastUsed < IDLE_MS) return;
  tabs.tell("idle");
  lock(IDLE);
}

for (const kind of ["pointerdown", "keydown", "wheel", "touchstart"]) {
  // The idle check comes first: who comes back after an hour finds the page locked, however the timer was throttled.
  addEventListener(kind, () => (checkIdle(), used()), { passive: true, capture: true });
}
setInterval(checkIdle, CHECK_MS);
document.addEventListener("visibilitychange", checkIdle);
addEventListener("pagehide", forget);
addEventListener("pageshow", (event) => {
  if (event.persisted) void start();
});
addEventListener("hashchange", () => {
  if (location.pathname === "/set-up" && !Object.hasOwn(VIEWS, location.hash.slice(1))) void start();
  else if (keys !== null || account?.role === "administrator") showView();
});
document.querySelector("a.skip")?.addEventListener("click", (event) => {
  // The fragment says which view is shown; the skip link must not change it.
  event.preventDefault();
  main.focus();
});
addEventListener("online", () => tell(""));
addEventListener("offline", () => tell(OFFLINE));
addEventListener("error", () => tell(FAULT));
addEventListener("unhandledrejection", () => tell(FAULT));

void start();
