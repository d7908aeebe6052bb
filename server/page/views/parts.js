// Parts: one client's parts, set up together with the client; how their recording goes; the settings of the device.
//
// A card is sealed to the device, so that what was sent is read back from the clinician's own sealed notes. What was
// opened goes with the view.

import { sentence } from "../api.js";
import { confirm } from "../dialogs.js";
import { button, el, heading } from "../elements.js";
import { AdviceError } from "../forms.js";
import { atRest, nextSettings } from "../parts/model.js";
import { newCardId, openParts, sendPart } from "../parts/sending.js";
import { hex } from "../wire/bytes.js";
import { safe } from "../wire/text.js";
import { choice, foreign } from "./dom.js";
import { elsewhereCard, elsewhereName, idOf, partCard, REST } from "./part_card.js";
import { clientsOf } from "./part_clients.js";
import { follow, UNREACHED } from "./part_following.js";
import { partForm } from "./part_form.js";
import { settingsForm, settingsList } from "./part_settings.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../parts/listing.js").CardEntry} CardEntry */
/** @typedef {import("../parts/model.js").Part} Part */
/** @typedef {import("../parts/model.js").Parts} Parts */
/** @typedef {import("../parts/model.js").Values} Values */
/** @typedef {import("../wire/bytes.js").Bytes} Bytes */
/** @typedef {import("../wire/part_notes.js").PartNote} PartNote */

/** @typedef {import("./part_clients.js").Client} Client */

const NO_CLIENT = "No client’s device is ready for a part. It has to be paired, approved and in use.";
const NO_PARTS = "No part yet. Set the first one up together with the client.";

/**
 * @param {HTMLElement} root
 * @param {Context} context
 * @returns {() => void}
 */
export function mount(root, context) {
  const problem = el("p", { class: "problem", role: "alert" });
  const said = el("p", { class: "said", role: "status" }, "Loading …");
  const chooser = el("div", { class: "choices" });
  const body = el("div", {});
  const panel = el("div", {});
  /** @type {Client | null} */
  let client = null;
  /** @type {Parts | null} */
  let parts = null;
  let gone = false;
  let turn = 0;
  const following = follow(context, {
    // While a form is open, what was sent from another place can wait.
    onOther: () => panel.childElementCount === 0 && void refresh(),
    onProblem(text) {
      if (text !== "" || problem.textContent === UNREACHED) problem.textContent = text;
    },
  });

  root.append(heading("Parts"), problem, said, chooser, panel, body);
  void load();

  async function load() {
    const keys = context.keys();
    if (keys === null) return;
    try {
      const clients = await clientsOf(context.api, keys);
      if (gone) return;
      said.textContent = "";
      if (clients.length === 0) {
        const there = button("Go to Clients and devices", () => context.navigate("devices"));
        body.replaceChildren(el("p", {}, NO_CLIENT), el("p", { class: "row" }, there));
        return;
      }
      const names = clients.map((one) => /** @type {const} */ ([hex(one.entry.deviceId), one.name]));
      const pick = (/** @type {string} */ device) => {
        void choose(clients.find(({ entry }) => hex(entry.deviceId) === device) ?? clients[0]);
      };
      if (clients.length > 1) chooser.replaceChildren(choice("Client", names, names[0][0], pick));
      await choose(clients[0]);
    } catch (error) {
      if (gone) return;
      said.textContent = "";
      problem.textContent = sentence(error);
      body.replaceChildren(el("p", { class: "row" }, button("Try again", again)));
    }
  }

  function again() {
    problem.textContent = "";
    body.replaceChildren();
    said.textContent = "Loading …";
    return load();
  }

  /** @param {Client} chosen */
  async function choose(chosen) {
    client = chosen;
    parts = null;
    close();
    body.replaceChildren();
    problem.textContent = "";
    said.textContent = `Opening the parts of ${chosen.name} …`;
    await refresh();
  }

  /** Open what is there now, and show it; a later choice makes this one harmless. */
  async function refresh() {
    const keys = context.keys();
    const chosen = client;
    if (keys === null || chosen === null) return;
    const mine = ++turn;
    following.pause();
    try {
      const found = await openParts(context.api, chosen.entry, keys);
      if (gone || mine !== turn) return;
      parts = found.parts;
      said.textContent = "";
      const flags = [
        [found.broken, "cards in the server’s list cannot be read at all."],
        [found.foreign, "of your own notes on parts are not yours, were altered, or are sealed to a key that is not here. They are left out."],
      ];
      problem.textContent = flags.flatMap(([count, text]) => (Number(count) > 0 ? [`${count} ${text}`] : [])).join(" ");
      const held = focusIn(body);
      render(chosen, found.parts);
      held();
      await following.begin(chosen.entry, keys, found.parts);
    } catch (error) {
      if (gone || mine !== turn) return;
      said.textContent = "";
      problem.textContent = sentence(error);
      body.replaceChildren(el("p", { class: "row" }, button("Try again", () => choose(chosen))));
    }
  }

  /**
   * @param {Client} chosen
   * @param {Parts} now
   */
  function render(chosen, now) {
    following.pause();
    const parted = now.parts.map((part) => item(part));
    const unread = now.unread.map((entry) => elsewhere(entry));
    const none = parted.length + unread.length === 0 ? el("p", {}, NO_PARTS) : null;
    body.replaceChildren(
      el("h2", { id: "client", tabindex: -1 }, foreign(chosen.name)),
      el("p", { class: "row" }, button("Set up a part", () => openForm(null), { class: "primary" })),
      none ?? el("ul", { class: "cards" }, ...parted, ...unread),
      el(
        "section",
        {},
        el("h2", { id: "settings", tabindex: -1 }, "Settings of the device"),
        settingsList(now.settings),
        el("p", { class: "row" }, button("Change the settings", () => openSettings())),
      ),
    );
  }

  /** @param {Part} part */
  function item(part) {
    const rests = atRest(part);
    const progress = rests ? null : following.watch(part.entry, safe(part.note.name));
    return rests
      ? partCard(part, null, [["Take up again", () => takeUp(part)]])
      : partCard(part, progress, [["Change", () => openForm(part)], ["Let it rest", () => rest(part)]]);
  }

  /** @param {CardEntry} entry */
  function elsewhere(entry) {
    return elsewhereCard(entry, following.watch(entry, elsewhereName(entry)));
  }

  /** @param {Part | null} part */
  function openForm(part) {
    if (parts === null) return;
    const renamed = part !== null && following.stageOf(part.entry) === "refused";
    // One id, however often the sending is tried.
    const cardId = part?.entry.cardId ?? newCardId();
    const made = partForm(parts, part, { renamed }, (note) => sent(note, cardId, `${safe(note.name)} is sent.`));
    open(part === null ? "Set up a part" : "Change the part", made, part === null ? "client" : idOf(part.entry));
  }

  function openSettings() {
    if (parts === null) return;
    const standing = parts.settings;
    const made = settingsForm(parts, (by, changed) => {
      const note = { ...by.note, settings: nextSettings(by.note.settings, standing, changed) };
      return sent(note, by.entry.cardId, "The settings are sent.", "settings");
    });
    open("Settings of the device", made, "settings");
  }

  /**
   * Show a form in place of the list.
   * @param {string} title
   * @param {{ root: HTMLElement, first: HTMLElement | null }} made
   * @param {string} back the id of what gets the focus when it is closed
   */
  function open(title, made, back) {
    const leave = button("Back without sending", () => {
      close();
      document.getElementById(back)?.focus();
    });
    const name = el("p", { class: "hint" }, "For ", foreign(client?.name ?? ""));
    panel.replaceChildren(el("h2", { tabindex: -1 }, title), name, made.root, el("p", { class: "row" }, leave));
    body.hidden = chooser.hidden = true;
    window.scrollTo(0, 0);
    (made.first ?? panel.querySelector("h2"))?.focus({ preventScroll: true });
  }

  function close() {
    panel.replaceChildren();
    body.hidden = chooser.hidden = false;
  }

  /**
   * @param {PartNote} note
   * @param {Bytes} cardId
   * @param {string} done
   * @param {string} [focus]
   */
  async function sent(note, cardId, done, focus = `part-${hex(cardId)}`) {
    const keys = context.keys();
    const chosen = client;
    if (keys === null || chosen === null) throw new AdviceError("The page is locked.");
    await sendPart(context, keys, chosen.entry, note, cardId);
    if (gone || client !== chosen) return;
    close();
    await refresh();
    if (gone) return;
    context.announce(done);
    document.getElementById(focus)?.focus();
  }

  /** @param {Part} part */
  async function rest(part) {
    const { note, entry } = part;
    if (parts === null) return;
    const settings = nextSettings(note.settings, parts.settings, {});
    if (!(await confirm(root, "Let this part rest?", `${safe(note.name)}: ${lower(REST)} It can be taken up again.`, "Let it rest"))) return;
    await trying(() => sent({ ...note, settings, removed: true }, entry.cardId, `${safe(note.name)} is at rest.`));
  }

  /** @param {Part} part */
  async function takeUp(part) {
    const { note, entry } = part;
    if (parts === null) return;
    const settings = nextSettings(note.settings, parts.settings, {});
    await trying(() => sent({ ...note, settings, removed: false }, entry.cardId, `${safe(note.name)} is taken up again.`));
  }

  /** @param {() => Promise<void>} act */
  async function trying(act) {
    problem.textContent = "";
    try {
      await act();
    } catch (error) {
      if (!gone) problem.textContent = sentence(error);
    }
  }

  return () => {
    gone = true;
    turn++;
    following.end();
    parts = client = null;
    root.replaceChildren();
  };
}

/**
 * What gives the focus back to the same heading or button after the list was made anew.
 * @param {HTMLElement} list
 */
function focusIn(list) {
  const at = document.activeElement;
  if (at === null || !list.contains(at)) return () => {};
  const sameAs = (/** @type {Element} */ one) =>
    one.id === at.id && one.getAttribute("aria-label") === at.getAttribute("aria-label") && one.textContent === at.textContent;
  return () => {
    const found = [...list.querySelectorAll(at.tagName)].find(sameAs);
    if (found instanceof HTMLElement) found.focus({ preventScroll: true });
  };
}

/** @param {string} text */
function lower(text) {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
