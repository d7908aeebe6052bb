// The clients whose devices a part can be sent to, by their opened names.

import { hex } from "../wire/bytes.js";
import { judge } from "../wire/devices.js";
import { deviceEntry, shaped } from "../wire/listing.js";
import { readLabel } from "../wire/notes.js";
import { safe } from "../wire/text.js";

/** @typedef {import("../context.js").Context} Context */
/** @typedef {import("../context.js").Keys} Keys */
/** @typedef {import("../wire/listing.js").DeviceEntry} DeviceEntry */

/** A client's device that a part can be sent to; the name is safe to be shown. @typedef {{ entry: DeviceEntry, name: string }} Client */

/**
 * Those that are approved and in use, by name.
 * @param {Context["api"]} api
 * @param {Keys} keys
 * @returns {Promise<Client[]>}
 */
export async function clientsOf(api, keys) {
  const { devices } = await api("GET", "/v1/devices");
  const opened = await Promise.all(shaped(devices, deviceEntry).entries.map((entry) => ready(entry, keys)));
  return opened.filter((one) => one !== null).sort((a, b) => a.name.localeCompare(b.name));
}

/**
 * What is sealed to a key that the clinician did not approve could be read by whoever runs the server.
 * @param {DeviceEntry} entry
 * @param {Keys} keys
 * @returns {Promise<Client | null>}
 */
async function ready(entry, { reader, clinicianId }) {
  if (entry.state !== "active" || (await judge(entry, reader)).trust !== "approval") return null;
  const label = await readLabel(entry, reader, clinicianId);
  return { entry, name: label === null ? `Device ${hex(entry.deviceId).slice(0, 8)}` : safe(label.name) };
}
