// A real Chromium as a process to talk to: one JSON object a line in, one out (browser.py).

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { readFile } from "node:fs/promises";
import jsqr from "jsqr";
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
const messages = [];
const answers = [];
const others = [];
let context, page, debug, authenticator;

const ops = {
  async fresh({ without }) {
    await context?.close();
    others.splice(0);
    debug = authenticator = undefined;
    context = await browser.newContext({
      viewport: { width: 1000, height: 800 },
      reducedMotion: "reduce",
      locale: "en-GB",
      permissions: ["clipboard-read", "clipboard-write"],
    });
    context.setDefaultTimeout(60 * SECONDS);
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
    page.on("console", (message) => messages.push(`${message.type()}: ${message.text()}`));
    page.on("response", (response) => answers.push({ url: response.url(), status: response.status() }));
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on("request", (request) => requests.push({ method: request.method(), url: request.url(), body: request.postData() }));
  },
  open: async ({ url }) => void (await page.goto(url)),
  reload: async () => void (await page.reload()),
  fill: async ({ label, text }) => void (await visible(page.getByLabel(label, { exact: true })).fill(text)),
  choose: async ({ label, option }) =>
    void (await visible(page.getByLabel(label, { exact: true })).selectOption({ label: option })),
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
  // Another tab of the same person, which is the one that is asked from now on; `turn` goes to the one before it.
  async another({ url }) {
    others.push(page);
    page = await context.newPage();
    await page.goto(url);
  },
  turn: async () => void ([page] = [others.pop(), others.push(page)]),
  cookies: async () => context.cookies(),
  requests: async () => requests.splice(0),
  errors: async () => errors.splice(0),
  // The next file that is saved after pressing this button: its name, and its bytes in base64.
  async saved({ name }) {
    const [file] = await Promise.all([page.waitForEvent("download"), ops.click({ name })]);
    const bytes = await readFile(await file.path());
    await file.delete();
    return { name: file.suggestedFilename(), bytes: bytes.toString("base64") };
  },
  // A passkey's device in software, in place of the one before; `prf`: whether it has that extension.
  async authenticator({ prf }) {
    const session = await debugging();
    if (authenticator === undefined) await session.send("WebAuthn.enable");
    else await session.send("WebAuthn.removeVirtualAuthenticator", { authenticatorId: authenticator });
    const abilities = { hasResidentKey: true, hasUserVerification: true, isUserVerified: true, hasPrf: prf };
    const kind = { protocol: "ctap2", ctap2Version: "ctap2_1", transport: "internal", automaticPresenceSimulation: true };
    const made = await session.send("WebAuthn.addVirtualAuthenticator", { options: { ...kind, ...abilities } });
    authenticator = made.authenticatorId;
  },
  // The next call of this kind is cut off: before the server hears it, or before its answer is heard.
  async cut({ method, path, heard }) {
    const session = await debugging();
    session.removeAllListeners("Fetch.requestPaused");
    session.on("Fetch.requestPaused", async ({ requestId, request }) => {
      if (request.method !== method) {
        // What waits when the cut is over goes on by itself.
        await session.send("Fetch.continueRequest", { requestId }).catch(() => {});
        return;
      }
      await session.send("Fetch.failRequest", { requestId, errorReason: "ConnectionReset" });
      await session.send("Fetch.disable");
    });
    const requestStage = heard ? "Response" : "Request";
    await session.send("Fetch.enable", { patterns: [{ urlPattern: `*${path}`, requestStage }] });
  },
  focused: async () => page.evaluate(() => document.activeElement?.textContent?.trim() ?? ""),
  type: async ({ text }) => void (await page.keyboard.type(text)),
  messages: async () => messages.splice(0),
  answers: async () => answers.splice(0),
  // What a camera would read of a QR code as it is painted; null for none.
  async qr({ selector }) {
    const picture = await visible(page.locator(selector)).screenshot();
    const { pixels, width, height } = await page.evaluate(async (base64) => {
      const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(base64), (one) => one.charCodeAt(0))]));
      const { width, height } = bitmap;
      const canvas = new OffscreenCanvas(width, height).getContext("2d");
      canvas.drawImage(bitmap, 0, 0);
      return { pixels: [...canvas.getImageData(0, 0, width, height).data], width, height };
    }, picture.toString("base64"));
    const read = jsqr.default(Uint8ClampedArray.from(pixels), width, height, { inversionAttempts: "dontInvert" });
    return read?.data ?? null;
  },
  async axe() {
    // The page's own policy lets no script in; axe comes by the debugger, as an evaluation.
    await page.evaluate(await readFile(AXE, "utf8"));
    const found = await page.evaluate(() =>
      globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
    );
    return found.violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(" | ")}`);
  },
};

/** One session for all: when any ends, Chromium takes the virtual authenticator away. */
async function debugging() {
  return (debug ??= await context.newCDPSession(page));
}

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
