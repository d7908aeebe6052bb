// Who signs in at this practice: inviting, another role, a new link, closing.

import { sentence } from "../api.js";
import { confirm } from "../dialogs.js";
import { button, el } from "../elements.js";
import { AdviceError, field, form } from "../forms.js";
import { plain } from "../wire/listing.js";
import { choice } from "./dom.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {{ account: string, name: string, role: string, state: string, email: string | null, created_at: string,
 *   set_up_expires_at: string | null }} Member */

/** @type {readonly (readonly [string, string])[]} */
const ROLES = [
  ["clinician", "Clinician: reads their own clients’ records"],
  ["cover", "Cover: reads what colleagues share, and may have clients too"],
  ["administrator", "Administrator: runs the practice, reads nothing"],
];
/** @type {Record<string, string>} */
const SHORT = { clinician: "clinician", cover: "cover", administrator: "administrator" };
const ONCE =
  "It works once and is shown only now. Give it to them yourself; whoever has it can set the account up in their place.";

/**
 * @param {HTMLElement} root what a question stands in
 * @param {Context} context
 * @param {AbortSignal} gone
 * @param {Map<string, string>} names is told who has which id, in hex
 */
export function accounts(root, context, gone, names) {
  const { api } = context;
  const body = el("tbody");
  const said = el("p", { class: "said", role: "status" }, "Loading …");
  const problem = el("p", { class: "problem", role: "alert" });
  const title = el("h2", { tabindex: -1 }, "Accounts");
  const link = el("div", {});
  const heads = ["Name", "Role", "State", "Change"].map((text) => el("th", { scope: "col" }, text));
  const table = el("table", { hidden: true }, el("caption", {}, "Open accounts first"), el("thead", {}, el("tr", {}, ...heads)), body);
  const scroller = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Accounts" }, table);

  async function load() {
    try {
      const { accounts: found } = await api("GET", "/v1/practice/accounts");
      if (gone.aborted) return;
      const open = (/** @type {Member} */ one) => Number(one.state === "closed");
      for (const { account, clinician, name: known } of found) {
        names.set(account, plain(known));
        if (clinician !== null) names.set(clinician, plain(known));
      }
      body.replaceChildren(...[...found].sort((a, b) => open(a) - open(b)).map(row));
      table.hidden = false;
      said.textContent = "";
    } catch (error) {
      if (gone.aborted) return;
      said.textContent = "";
      problem.textContent = sentence(error);
    }
  }

  /**
   * Do it, show the list anew, say it; the focus goes to the section's heading, since the row may be gone.
   * @param {() => Promise<string>} act
   */
  async function then(act) {
    problem.textContent = "";
    try {
      const done = await act();
      await load();
      if (gone.aborted) return;
      said.textContent = done;
      title.focus();
    } catch (error) {
      if (!gone.aborted) problem.textContent = sentence(error);
    }
  }

  /** @param {Member} one */
  function row(one) {
    const name = plain(one.name);
    const mail = one.email === null ? [] : [el("br"), plain(one.email)];
    const state = one.state === "invited" ? `invited, until ${plain(one.set_up_expires_at ?? "").slice(0, 10)}` : plain(one.state);
    const cells = [el("td", {}, SHORT[one.role] ?? plain(one.role)), el("td", {}, state), el("td", {}, actions(one))];
    return el("tr", {}, el("th", { scope: "row" }, name, ...mail), ...cells);
  }

  /** @param {Member} one */
  function actions(one) {
    const name = plain(one.name);
    const path = `/v1/practice/accounts/${plain(one.account)}`;
    const made = [];
    const invited = one.state === "invited";
    if (invited) made.push(button("New link", () => then(() => again(path, name)), { "aria-label": `New link: ${name}` }));
    if (one.state !== "closed") {
      for (const [role] of ROLES) {
        if (role === one.role || !(invited || (role !== "administrator" && one.role !== "administrator"))) continue;
        const change = async () => {
          await api("PUT", `${path}/role`, { role });
          return `${name} is ${SHORT[role]} now.`;
        };
        made.push(button(`Make ${SHORT[role]}`, () => then(change), { "aria-label": `Make ${SHORT[role]}: ${name}` }));
      }
      made.push(button("Close", () => close(path, one), { class: "danger", "aria-label": `Close: ${name}` }));
    }
    return el("div", { class: "row" }, ...made);
  }

  /**
   * @param {string} path
   * @param {string} name
   */
  async function again(path, name) {
    const { set_up: address } = await api("POST", `${path}/invitation`, {});
    showLink(name, String(address));
    return `${name} has a new link. The old one is void.`;
  }

  /**
   * @param {string} path
   * @param {Member} one
   */
  async function close(path, one) {
    const name = plain(one.name);
    const reads =
      one.role === "administrator"
        ? ""
        : " Their records stay sealed to their keys: nobody else can read them, and only they, invited anew with the same keys, " +
          "can be linked to them again. Let them share with a colleague first what will be needed.";
    const ask = `${name} is signed out at once and cannot sign in again.${reads}`;
    if (!(await confirm(root, `Close the account of ${name}?`, ask, "Close it"))) return;
    await then(async () => {
      await api("DELETE", path);
      return `The account of ${name} is closed.`;
    });
  }

  /**
   * @param {string} name
   * @param {string} address
   */
  function showLink(name, address) {
    const told = el("p", { class: "said", role: "status" });
    const copy = button("Copy", async () => {
      try {
        await navigator.clipboard.writeText(address);
        told.textContent = "Copied.";
      } catch {
        told.textContent = "The browser did not allow it. Select the link and copy it.";
      }
    });
    const hide = button("Hide it", () => (link.replaceChildren(), title.focus()));
    const shown = field(`Link for ${name}`, { type: "text", readonly: true, class: "code", value: address }, ONCE);
    link.replaceChildren(el("div", { class: "card" }, shown.root, el("p", { class: "row" }, copy, hide), told));
  }

  const name = field("Name to sign in with", { type: "text", autocomplete: "off", maxlength: 100 }, "Letters, digits and . _ @ + -");
  let role = "clinician";
  const roles = choice("Role", ROLES, role, (value) => (role = value));
  const email = field("E-mail address", { type: "email", autocomplete: "off", maxlength: 254 }, "For notices without content. It may be left empty.");
  const invite = form("Invite", [name.root, roles, email.root], async () => {
    const wanted = name.input.value.trim();
    if (wanted === "") throw new AdviceError("Type a name to sign in with.");
    const address = email.input.value.trim();
    const made = await api("POST", "/v1/practice/accounts", { name: wanted, role, email: address === "" ? null : address });
    if (gone.aborted) return;
    name.input.value = email.input.value = "";
    showLink(plain(made.name), String(made.set_up));
    await load();
    said.textContent = `${plain(made.name)} is invited. The link is below.`;
    link.querySelector("input")?.focus();
  }, { name: "Invite somebody" });

  void load();
  gone.addEventListener("abort", () => {
    link.replaceChildren();
    body.replaceChildren();
  });
  const inviting = el("details", {}, el("summary", {}, "Invite somebody"), invite);
  return el("section", {}, title, problem, said, link, inviting, scroller);
}
