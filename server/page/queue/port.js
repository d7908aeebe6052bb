// An opener, or another object of steps, at the other end of a port: what the page asks of its worker, and how the
// worker answers.

import { makeOpener } from "./opener.js";

/** @typedef {import("./opener.js").Opener} Opener */
/** What can be asked at a port: each step takes what can be cloned and gives a promise of it.
 * @typedef {Record<string, (...given: any[]) => Promise<unknown>>} Steps */
/** @typedef {{ number: number, step: string, given: unknown[] }} Asked */
/** @typedef {{ number: number, gave: unknown } | { number: number, failed: Failure }} Answered */
/** An error's own class does not come through a port; its name and message do.
 * @typedef {{ name: string, message: string }} Failure */
/** What of a Worker or a MessagePort is used.
 * @typedef {{ postMessage(data: unknown): void, addEventListener(type: "message" | "error" | "messageerror",
 *   listener: (event: any) => void): void }} Port */

const STEPS = Object.freeze(["begin", "take", "marks", "finish", "shared"]);

/**
 * Answer what is asked at a port, each after the one before it.
 * @param {Port} port
 * @param {Steps} [steps]
 */
export function serve(port, steps = makeOpener()) {
  let last = Promise.resolve();
  port.addEventListener("message", ({ data }) => {
    const { number, step, given } = /** @type {Asked} */ (data);
    last = last.then(async () => {
      try {
        if (!Object.hasOwn(steps, step)) throw new RangeError("no such step");
        port.postMessage({ number, gave: await steps[step](...given) });
      } catch (error) {
        const { name, message } = error instanceof Error ? error : new Error(String(error));
        port.postMessage({ number, failed: { name, message } });
      }
    });
  });
}

/**
 * The opener at the other end of a port.
 * @param {Port} port
 * @param {() => Opener} [here]
 * @returns {Opener}
 */
export function openerAt(port, here = makeOpener) {
  return /** @type {Opener} */ (stepsAt(port, STEPS, here));
}

/**
 * The object with these steps at the other end of a port. When the port breaks before its first answer (a worker that
 * does not load), everything is done here instead; later, what was asked fails.
 * @param {Port} port
 * @param {readonly string[]} names
 * @param {() => Steps} here
 * @returns {Steps}
 */
export function stepsAt(port, names, here) {
  /** @type {Map<number, { asked: Asked, resolve: (gave: any) => void, reject: (error: unknown) => void }>} */
  const waiting = new Map();
  let answered = false;
  /** @type {Steps | null} */
  let instead = null;
  let count = 0;

  function broke() {
    if (instead !== null) return;
    const calls = [...waiting.values()];
    waiting.clear();
    if (answered) {
      for (const { reject } of calls) reject(new Error("The part of the page that works on records stopped."));
      return;
    }
    const steps = here();
    instead = steps;
    for (const { asked, resolve, reject } of calls) steps[asked.step](...asked.given).then(resolve, reject);
  }

  port.addEventListener("error", broke);
  port.addEventListener("messageerror", broke);
  port.addEventListener("message", ({ data }) => {
    answered = true;
    const reply = /** @type {Answered} */ (data);
    const call = waiting.get(reply.number);
    waiting.delete(reply.number);
    if ("failed" in reply) call?.reject(Object.assign(new Error(reply.failed.message), { name: reply.failed.name }));
    else call?.resolve(reply.gave);
  });

  /** @param {string} step */
  const asking = (step) => (/** @type {any[]} */ ...given) => {
    if (instead !== null) return instead[step](...given);
    return new Promise((resolve, reject) => {
      const asked = { number: count++, step, given };
      waiting.set(asked.number, { asked, resolve, reject });
      port.postMessage(asked);
    });
  };
  return Object.fromEntries(names.map((step) => [step, asking(step)]));
}
