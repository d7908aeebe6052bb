// The shell: what is shown when, the keys while they are unlocked, and their end. Views are in views/.
//
// Locking drops the keys and clears the document: by the button, after 15 idle minutes, when the session ends, and when
// the page is left. Nothing decrypted goes into storage, the address or the title.

import { createApi, OfflineError, sentence } from "./api.js";
import { button, el, heading } from "./elements.js";
import { requireSupport } from "./wire/support.js";
import { safe } from "./wire/text.js";
import * as accountView from "./views/account.js";
import * as devicesView from "./views/devices.js";
import * as queueView from "./views/queue.js";
import * as recoverView from "./views/recover.js";
import * as setUpView from "./views/set_up.js";
import * as signInView from "./views/sign_in.js";
import * as unlockView from "./views/unlock.js";
import * as weekView from "./views/week.js";

/** @typedef {import("./context.js").Account} Account */
/** @typedef {import("./context.js").Context} Context */
/** @typedef {import("./context.js").Keys} Keys */
/** @typedef {import("./context.js").View} View */
/** @typedef {import("./context.js").ViewName} ViewName */

const IDLE_MS = 15 * 60 * 1000;
const CHECK_MS = 5 * 1000;
const IDLE = "Locked after 15 minutes without use. Your passphrase opens the records again.";
const ENDED = "You were signed out. Sign in again to go on.";
const OFFLINE = "The server cannot be reached. What you see may not be the newest.";
const FAULT = "The page made a mistake. Reload it; if it happens again, tell whoever runs the server.";

/** In the order of the navigation; the first that the person may see is where they begin.
 * @type {Record<string, { label: string, view: View, forReaders: boolean }>} */
const VIEWS = {
  queue: { label: "Queue", view: queueView, forReaders: true },
  week: { label: "Week", view: weekView, forReaders: true },
  devices: { label: "Clients and devices", view: devicesView, forReaders: true },
  account: { label: "Account", view: accountView, forReaders: false },
};

const [head, notice, main, announcer] = ["head", "notice", "main", "announcer"].map(byId);

/** @type {Account | null} */
let account = null;
/** @type {Keys | null} */
let keys = null;
/** @type {() => void} */
let unmount = () => {};
let lastUsed = Date.now();

const api = createApi({ onEnded: ended, onReached: (reached) => tell(reached ? "" : OFFLINE) });

/** @type {Context} */
const context = Object.freeze({
  api,
  keys: () => keys,
  account: () => account,
  announce,
  navigate,
  now: () => Date.now(),
  lock: () => lock(),
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
  show("Sign in", (root) => signInView.mount(root, { api, ...(said ? { said } : {}), onSignedIn: signedIn, onLost: recover }));
}

function recover() {
  show("A new passphrase", (root) => recoverView.mount(root, { api, onSignedIn: signedIn, onBack: () => signIn() }));
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
 */
function signedIn(who, opened) {
  account = who;
  if (location.pathname !== "/") history.replaceState(null, "", "/");
  if (opened === null) unlock();
  else enter(opened);
}

/** @param {string} [said] */
function unlock(said) {
  if (account?.role === "administrator") {
    enter(null);
    return;
  }
  const onSignOut = () => signOut(false);
  show("Locked", (root) => unlockView.mount(root, { api, ...(said ? { said } : {}), onUnlocked: enter, onSignOut }));
}

/** @param {Keys | null} opened null: an administrator, who reads nothing */
function enter(opened) {
  keys = opened;
  lastUsed = Date.now();
  showView();
}

/** Forget the keys and everything on the screen. */
function forget() {
  keys = null;
  const taken = unmount;
  unmount = () => {};
  taken();
  main.replaceChildren();
  head.replaceChildren();
  announcer.textContent = "";
  document.title = "Onebreath";
}

/** @param {string} [said] */
function lock(said) {
  forget();
  if (account === null) signIn();
  else unlock(said);
}

function ended() {
  if (account === null) return;
  account = null;
  forget();
  signIn(ENDED);
}

/** @param {boolean} everywhere */
async function signOut(everywhere) {
  let said = "You are signed out.";
  forget();
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

function showView() {
  const allowed = Object.keys(VIEWS).filter((name) => keys !== null || !VIEWS[name].forReaders);
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
  const taken = unmount;
  unmount = () => {};
  taken();
  main.replaceChildren();
  announcer.textContent = "";
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
    .filter(([, { forReaders }]) => keys !== null || !forReaders)
    .map(([one, { label }]) => {
      const here = one === current ? "page" : null;
      return el("li", {}, el("a", { href: `#${one}`, "aria-current": here }, label));
    });
  const nav = el("nav", { "aria-label": "Main" }, el("ul", {}, ...links));
  const out = keys === null ? button("Sign out", () => signOut(false)) : button("Lock", () => lock());
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
}

function checkIdle() {
  if (keys !== null && Date.now() - lastUsed >= IDLE_MS) lock(IDLE);
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
