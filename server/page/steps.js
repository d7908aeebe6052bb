// Calls that must all be made, in an order in which none of them may be the last: taken up again where they were cut.

import { RefusedError } from "./api.js";

/**
 * A function that makes the steps one after the other. When one throws, so does it; called again, it begins with that
 * step. A step must be one that can be made twice: a lost answer does not say whether the server heard.
 * @param {(() => Promise<unknown>)[]} steps
 */
export function steps(...steps) {
  let next = 0;
  return async () => {
    while (next < steps.length) {
      await steps[next]();
      next++;
    }
  };
}

/**
 * Remove key slots; one that is gone already is as good.
 * @param {(method: string, path: string) => Promise<any>} api
 * @param {readonly string[]} slots ids in hex
 */
export async function removeSlots(api, slots) {
  for (const slot of slots) {
    try {
      await api("DELETE", `/v1/key-slots/${slot}`);
    } catch (error) {
      if (!(error instanceof RefusedError && error.code === "slot")) throw error;
    }
  }
}
