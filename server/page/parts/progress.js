// How an enrolment goes, in words: the steps, what happens now, what is to be expected, and what to do about a name.

/** @typedef {import("../wire/card_reports.js").Report} Report */
/** @typedef {import("../wire/card_reports.js").Forecast} Forecast */
/** @typedef {import("../wire/card_reports.js").Reason} Reason */
/** @typedef {import("./listing.js").CardEntry} CardEntry */

/** @typedef {"past" | "now" | "ahead"} Place */
/** One step, in the order in which they come. @typedef {{ text: string, place: Place }} Step */
/** `ended`: nothing more is to be expected from this card by itself.
 * @typedef {{ steps: Step[], now: string, advice: string, ended: boolean }} Progress */

const STEPS = [
  "Sent",
  "Fetched by the device",
  "Recording the name",
  "Recording the phrase",
  "Trying the name",
  "A minute of ordinary talk",
  "Kept",
];
/** Which of STEPS a stage is at. @type {Readonly<Record<Report["stage"], number>>} */
const AT = { waiting: 2, recording: 2, phrase: 3, trying: 4, talking: 5, done: 6, refused: 6, stopped: 2 };

/** @type {Readonly<Record<Reason, string>>} */
const TAKES = {
  cut_off: "Only a piece of the last one came through.",
  different: "The last one sounded different from those before.",
  too_long: "The last one was longer than a name.",
  too_loud: "The last one was very loud for the microphone.",
  too_quiet: "The last one was very soft for the microphone.",
  too_short: "The last one was very short.",
  hard_to_hear: "The name is hard to hear in this room. Another word in it helps, or a sayable spelling.",
  too_common: "The name comes up in everyday talk. Add one more word.",
  alike: "The name sounds much like another part’s. One more word in either keeps them apart.",
  as_before: "The new recordings would have made it worse. The name is heard as before.",
  name_too_long: "The name is longer than one breath. A shorter one works.",
  name_too_short: "The name is too short to be told from other words. Add one more word.",
  microphone: "The microphone went away. See to its cable, then begin again on the device.",
  storage: "The device has no room to keep it. Make room on the device, then begin again there.",
};

/**
 * @param {Pick<CardEntry, "fetchedAt">} entry
 * @param {Report | null} report the newest that holds
 * @returns {Progress}
 */
export function progressOf({ fetchedAt }, report) {
  if (report === null) {
    return fetchedAt === null
      ? { steps: stepsAt(0), now: UNFETCHED, advice: "", ended: false }
      : { steps: stepsAt(1), now: FETCHED, advice: "", ended: false };
  }
  const { stage, reason, takes, of, tries, triesOf } = report;
  const at = AT[stage];
  const ended = stage === "done" || stage === "refused" || stage === "stopped";
  const steps = stage === "done" ? stepsAt(STEPS.length) : stepsAt(at);
  if (stage === "recording") steps[at].text += `: ${takes} of ${Math.max(of, takes)}`;
  if (stage === "trying" && triesOf > 0) steps[at].text += `: ${tries} of ${triesOf}`;
  if (stage === "refused") steps[at].text = "Not kept";
  if (stage === "stopped") steps[at].text = "Stopped";
  // From recordings, or without an audition: what did not happen is no step.
  if (ended && triesOf === 0) steps.splice(AT.trying, 2);
  const advice = reason === null ? "" : TAKES[reason];
  return { steps, now: NOW[stage], advice: stage === "recording" && advice !== "" ? `${advice} ${AGAIN}` : advice, ended };
}

const UNFETCHED =
  "The card waits for the device. It is fetched within a quarter of an hour, or at once when “onebreath enrol” is run there.";
const FETCHED = "The device has it. When the client is ready, run “onebreath enrol” there: it leads the recording by voice.";
const AGAIN = "The device asks for it again.";

/** @type {Readonly<Record<Report["stage"], string>>} */
const NOW = {
  waiting: "The device has begun to speak.",
  recording: "The client says the name, when the device asks for it.",
  phrase: "The name is recorded. Now the client says the phrase, in one breath.",
  trying: "The device hears whether it knows the name.",
  talking: "The client talks about the day for a minute, without the name. Nothing of the words is kept.",
  done: "The device knows the name now.",
  refused: "The device has not kept the name.",
  stopped: "The recording was stopped before its end. Nothing new was kept.",
};

/**
 * What is to be expected, in the words of `onebreath enrol`; [] when nothing is known.
 * @param {Forecast | null} forecast
 * @returns {string[]}
 */
export function forecastWords(forecast) {
  if (forecast === null) return [];
  return [`${foundWords(forecast)}.`, `False tones: ${often(forecast.falseAWeek)}.`];
}

/** @param {Forecast} forecast */
function foundWords({ ofTen, from, tries, found }) {
  if (ofTen === null) return "How often the name will be heard is not known from one take";
  const [low, high] = ofTen;
  if (from === "takes") return `About ${low} of 10 tries will be heard, judged by the takes, which is cautious`;
  const range = high === 10 ? `at least ${low}` : low === high ? `${low}` : `${low} to ${high}`;
  return `${found} of ${tries} tries were heard, so probably ${range} of 10`;
}

/**
 * A rate in words, as voice/commands/forecast.py says it.
 * @param {number} aWeek
 */
export function often(aWeek) {
  if (aWeek < 0.3) return "less than one in three weeks";
  if (aWeek < 1.5) return "about one a week";
  if (aWeek > 14) return `about ${Math.round(aWeek / 7)} a day`;
  return `about ${Math.round(aWeek)} a week`;
}

/**
 * @param {number} at
 * @returns {Step[]}
 */
function stepsAt(at) {
  return STEPS.map((text, step) => ({ text, place: step < at ? "past" : step === at ? "now" : "ahead" }));
}
