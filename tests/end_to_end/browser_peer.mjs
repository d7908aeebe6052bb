// A real Chromium as a process to talk to: one JSON object a line in, one out (browser.py).

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { readFile } from "node:fs/promises";
import { chromium } from "playwright-core";

const [executablePath] = process.argv.slice(2);
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const SECONDS = 1000;

const browser = await chromium.launch({
  executablePath,
  headless: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});

const errors = [];
const requests = [];
let context, page;

const ops = {
  async fresh({ without }) {
    await context?.close();
    context = await browser.newContext({
      viewport: { width: 1000, height: 800 },
      reducedMotion: "reduce",
      locale: "en-GB",
      permissions: ["clipboard-read", "clipboard-write"],
    });
    context.setDefaultTimeout(20 * SECONDS);
    page = await context.newPage();
    await page.addInitScript((lacking) => {
      const generate = crypto.subtle.generateKey.bind(crypto.subtle);
      crypto.subtle.generateKey = (how, ...more) =>
        how.name === lacking ? Promise.reject(new DOMException("no", "NotSupportedError")) : generate(how, ...more);
    }, without);
    page.on("console", (message) => {
      // A refused call is part of some tests; the browser itself writes a line about each.
      if (["error", "warning"].includes(message.type()) && !/status of 4\d\d/.test(message.text())) errors.push(message.text());
    });
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on("request", (request) => requests.push({ method: request.method(), url: request.url(), body: request.postData() }));
  },
  open: async ({ url }) => void (await page.goto(url)),
  reload: async () => void (await page.reload()),
  fill: async ({ label, text }) => void (await visible(page.getByLabel(label, { exact: true })).fill(text)),
  click: async ({ role = "button", name }) => void (await visible(page.getByRole(role, { name, exact: true })).click()),
  unfold: async ({ text }) => void (await visible(page.locator("summary", { hasText: text })).click()),
  press: async ({ key }) => void (await page.keyboard.press(key)),
  wait: async ({ heading }) => void (await page.getByRole("heading", { name: heading, exact: true }).first().waitFor()),
  waitText: async ({ text }) => void (await page.getByText(text).locator("visible=true").first().waitFor()),
  text: async ({ selector }) => visible(page.locator(selector)).innerText(),
  value: async ({ selector }) => visible(page.locator(selector)).inputValue(),
  evaluate: async ({ code }) => page.evaluate(code),
  content: async () => page.content(),
  media: async ({ dark, print, width }) => {
    await page.emulateMedia({ colorScheme: dark ? "dark" : "light", media: print ? "print" : "screen" });
    await page.setViewportSize({ width: width ?? 1000, height: 800 });
  },
  screenshot: async ({ path }) => void (await page.screenshot({ path, fullPage: true })),
  offline: async ({ offline }) => void (await context.setOffline(offline)),
  forward: async ({ seconds }) => void (await page.clock.fastForward(seconds * SECONDS)),
  clock: async () => void (await page.clock.install()),
  cookies: async () => context.cookies(),
  requests: async () => requests.splice(0),
  errors: async () => errors.splice(0),
  async axe() {
    // The page's own policy lets no script in; axe comes by the debugger, as an evaluation.
    await page.evaluate(await readFile(AXE, "utf8"));
    const found = await page.evaluate(() =>
      globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
    );
    return found.violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(" | ")}`);
  },
};


/** @param {import("playwright-core").Locator} locator */
function visible(locator) {
  return locator.locator("visible=true").first();
}

for await (const line of createInterface({ input: process.stdin })) {
  const { op, ...fields } = JSON.parse(line);
  let answer;
  try {
    answer = { ok: (await ops[op](fields)) ?? null };
  } catch (error) {
    const shown = page === undefined ? "" : await page.locator("body").innerText().catch(() => "");
    answer = { error: `${error}`, shown };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
