// What the shell gives to each view, and what a view is. Views live in views/: each exports `mount`.
//
//   export function mount(root, context) -> a function that takes the view down (stops timers and workers, forgets).
//
// The shell clears `root`, mounts, and moves the focus to the view's first heading (give it tabindex -1). It takes the
// view down before the next one and on locking: nothing decrypted may outlive that call.

/** @typedef {import("./wire/bytes.js").Bytes} Bytes */
/** @typedef {import("./wire/devices.js").Reader} Reader */
/** @typedef {import("./wire/primitives.js").SigningKey} SigningKey */
/** @typedef {import("./wire/statement.js").Statement} Statement */

/**
 * A clinician's keys, unlocked. Every private half is a CryptoKey that cannot be read out; they can be posted to a
 * worker of this page. `reader` is what opening and verifying needs (every epoch that is kept); `identity`, `reading`
 * (the newest epoch's raw public key) and `clinicianId` are what sealing needs: a whole `Keys` serves as the
 * `clinician` of wire/notes.js, makeMark and makeLabel.
 * @typedef {{ reader: Reader, identity: SigningKey, reading: Bytes, clinicianId: Bytes, statement: Statement }} Keys
 */

/**
 * Who is signed in, as `GET /v1/account` says (docs/account_calls.md).
 * @typedef {{ account: string, name: string, role: "clinician" | "cover" | "administrator", clinician: string | null,
 *   practice: { practice: string, name: string }, factor: string, signed_in_at: string, ends_at: string, idle_s: number,
 *   factor_reset_at: string | null, server_time: string }} Account
 */

/** @typedef {"queue" | "week" | "parts" | "devices" | "practice" | "account" | "colleagues" | "keys"} ViewName */

/**
 * What a view may use.
 *
 * `api` sends a call of the server's and gives its answer's JSON (see api.js): `body` is sent as JSON, or as it is when
 * it is bytes. It throws RefusedError (with `status`, `code`, `message`, `remedy`) or OfflineError; a view shows
 * `message`, and need not handle the end of the session, which the shell does.
 * `keys` is null while locked. `announce` says a short sentence to a screen reader. `navigate` goes to a view.
 * `now` is Unix milliseconds, the page's only clock. `account` is null before signing in. `renew` goes on with other keys
 * of the same clinician; it does nothing when the page was locked meanwhile.
 * @typedef {object} Context
 * @property {(method: string, path: string, body?: unknown) => Promise<any>} api
 * @property {() => Keys | null} keys
 * @property {() => Account | null} account
 * @property {(text: string) => void} announce
 * @property {(view: ViewName) => void} navigate
 * @property {() => number} now
 * @property {(keys: Keys) => void} renew
 * @property {(everywhere: boolean) => Promise<void>} signOut
 */

/** @typedef {() => void} Unmount */
/** @typedef {{ mount: (root: HTMLElement, context: Context) => Unmount }} View */

export {};
