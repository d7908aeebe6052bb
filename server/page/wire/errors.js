// The ways in which bytes from the other side can fail; the same names and messages as voice/wire/errors.py.

/** The peer's bytes are malformed: wrong magic, version, size or field. Nothing was verified yet. */
export class FrameError extends Error {
  name = "FrameError";
}

/** The bytes are well formed and do not verify or do not open: forged, altered, or for another key. */
export class SealError extends Error {
  name = "SealError";
}

/** What was inside is not the canonical content of this version. */
export class ContentError extends FrameError {
  name = "ContentError";
}

/** The secret does not open the slot, or the slot was altered: they cannot be told apart. */
export class WrongSecretError extends Error {
  name = "WrongSecretError";
}

/** This browser cannot do what is needed; the message is a sentence for the person in front of it. */
export class UnsupportedError extends Error {
  name = "UnsupportedError";
}

/**
 * What `check` gives; null when the bytes do not hold.
 * @template T
 * @param {() => Promise<T>} check
 */
export async function held(check) {
  try {
    return await check();
  } catch (error) {
    if (error instanceof FrameError || error instanceof SealError) return null;
    throw error;
  }
}
