"""The table of every call: who signs it, what it asks, what it answers. openapi.py makes the document of it.

FORMAT.md section 7 is the contract in prose; a test holds that this table has exactly the app's routes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from server.accounts_schema import ACCOUNT_STATES, ROLES
from server.cards_api import CARD_LIMIT_BYTES, REPORT_LIMIT_BYTES
from server.queries import LARGEST_PAGE
from server.schema import STATES
from voice.wire.envelope import MAX_FRAME_BYTES

Schema = dict[str, Any]

NOBODY, DEVICE, CLINICIAN, PAGE, SESSION, TOKEN = "nobody device clinician page session token".split()
"""Who makes a call: anyone; a device or a clinician by signature (a clinician by a session too); our own page
before anyone is signed in; somebody who is signed in; a scraper with the token."""


@dataclass(frozen=True)
class Call:
    """One call. `refuses` gives the error codes beside those that its kind of caller always may get."""

    method: str
    path: str
    by: str
    says: str
    answers: dict[int, Schema]
    asks: Schema | None = None
    refuses: dict[int, str] = field(default_factory=dict)
    query: dict[str, Schema] = field(default_factory=dict)


def text(pattern: str | None = None, **more: Any) -> Schema:
    """A string."""
    return {"type": "string", **({"pattern": pattern} if pattern else {}), **more}


def number(least: int, most: int) -> Schema:
    """A whole number."""
    return {"type": "integer", "minimum": least, "maximum": most}


def octets(size: int | None = None) -> Schema:
    """Bytes in canonical base64url."""
    letters = "+" if size is None else f"{{{(size * 8 + 5) // 6}}}"
    return text(f"^[A-Za-z0-9_-]{letters}$")


def nullable(schema: Schema) -> Schema:
    """It, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


HEX: Final = text("^[0-9a-f]{32}$")
SHA256: Final = text("^[0-9a-f]{64}$")
TIME: Final = text(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")
BIG: Final = number(0, 2**63 - 1)

FIELDS: Final[dict[str, Schema]] = {
    **dict.fromkeys("device record card slot clinician account practice from".split(), HEX),
    **dict.fromkeys("claim signing encryption proof".split(), octets(32)),
    **dict.fromkeys(
        "server_time created_at received_at expires_at last_seen_at fetched_at reported_at updated_at "
        "deleted_at shared_at exported_at oldest_at newest_at shredded_at ready_at used_at signed_in_at "
        "ends_at factor_reset_at set_up_expires_at at".split(),
        TIME,
    ),
    **dict.fromkeys(
        "statement invitation approval frame sealed label report wrapped endorsement share credential "
        "client_data authenticator_data signature user_handle attestation token secret recovery "
        "new_secret".split(),
        octets(),
    ),
    **dict.fromkeys("cursor version sequence records deleted added removed ended".split(), BIG),
    **dict.fromkeys("entries first last broken_at problems".split(), BIG),
    **dict.fromkeys("name role email kdf code otpauth actor act subject factor set_up".split(), text()),
    "pairing": octets(16),
    "nonce": text("^[A-Za-z0-9_-]{16,128}$"),
    "state": text(enum=[*STATES, *(state for state in ACCOUNT_STATES if state not in STATES)]),
    "role_known": text(enum=list(ROLES)),
    "sha256": SHA256,
    "digest": SHA256,
    "outbox_depth": number(0, 1_000_000),
    "epoch": number(0, 2**32 - 1),
    "number": number(0, 2**32 - 1),
    "shared": number(1, 100),
    "count": number(0, 10**9),
    "retention_days": number(1, 2**63 - 1),
    "rotation_days": number(1, 2**63 - 1),
    "idle_s": number(1, 10**9),
    "more": {"type": "boolean"},
    "noted": {"type": "boolean"},
    "next": BIG,
    "reason": text(),
    "options": {"type": "object"},
    "fields": {"type": "object"},
}


def obj(names: str = "", **more: Schema) -> Schema:
    """An object with exactly these fields of FIELDS (`name?`: or null), and these others."""
    known = {
        name.rstrip("?"): nullable(FIELDS[name[:-1]]) if name.endswith("?") else FIELDS[name]
        for name in names.split()
    }
    properties = {**known, **more}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def some(item: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": item}


def blob(most: int) -> Schema:
    """A body of bytes as they are, `application/octet-stream`."""
    return {"type": "string", "format": "binary", "maxLength": most}


OK: Final = obj(status=text(enum=["ok"]))
RECEIPT: Final = obj("received_at record sha256")
DEVICE_ROW: Final = obj(
    "device signing encryption proof pairing invitation approval? state created_at last_seen_at? "
    "outbox_depth? label?"
)
CARD: Final = obj("card version created_at fetched_at?")
REPORTED_CARD: Final = obj("card version created_at fetched_at? report? reported_at?")
CONSENT: Final = obj("version sealed created_at")
EPOCH: Final = obj("epoch statement? wrapped? created_at shredded_at?")
MARK: Final = obj("device record version sealed updated_at")
ENTRY: Final = obj("sequence at actor act subject")
LOG: Final = obj("next more", entries=some(ENTRY), head=obj("sequence digest"))
ACCOUNT: Final = obj(
    "account name role clinician? factor signed_in_at ends_at idle_s factor_reset_at? server_time",
    practice=obj("practice name"),
)
MEMBER: Final = obj("account name role state clinician? email? created_at set_up_expires_at?")
INVITED: Final = obj("account name role state clinician? email? created_at set_up_expires_at?", set_up=text())
POLICY: Final = obj("practice name retention_days? rotation_days")
PASSKEY: Final = obj("credential label created_at used_at?", label=text(), unlocks={"type": "boolean"})
PASSKEYS: Final = obj(passkeys=some(PASSKEY))
EMPTY: Final = obj()

LIMIT: Final = number(1, LARGEST_PAGE)
PAGING: Final = {"after": BIG, "limit": LIMIT}
SPAN: Final = {**PAGING, "before": number(1, 2**63 - 1), "device": HEX}
_ANY: Final = {"type": "object"}
SIGN_IN: Final = {401: "sign_in", 429: "throttled"}
PROVED: Final = {401: "sign_in", 429: "throttled", 403: "recent"}

CALLS: Final[tuple[Call, ...]] = (
    Call("GET", "/health", NOBODY, "The process answers.", {200: OK}),
    Call("GET", "/ready", NOBODY, "Records can be kept.", {200: OK}, refuses={503: "schema disk"}),
    Call("GET", "/metrics", TOKEN, "Counts, for Prometheus.", {200: text()}, refuses={401: "token"}),
    Call("GET", "/v1/nonce", NOBODY, "A nonce for a device whose clock is wrong.",
         {200: obj("nonce server_time")}, refuses={429: "throttled"}),
    Call("POST", "/v1/pairings/{pairing}", NOBODY, "Use a pairing link.",
         dict.fromkeys((200, 201), obj("device statement endorsement? server_time")),
         obj("claim signing encryption proof"),
         {403: "claim revoked", 404: "pairing", 409: "used known_device", 410: "expired", 429: "throttled"}),
    Call("GET", "/v1/device", DEVICE, "How the device stands, and its clinician's statement.",
         {200: obj("device state statement endorsement? server_time")},
         query={"outbox": number(0, 1_000_000)}),
    Call("PUT", "/v1/records/{record}", DEVICE, "Deliver one sealed record.",
         dict.fromkeys((200, 201), RECEIPT), blob(MAX_FRAME_BYTES),
         {400: "frame", 403: "device paused discharged", 409: "conflict sequence"}),
    Call("GET", "/v1/cards", DEVICE, "The device's own cards that it has not taken.",
         {200: obj("more", cards=some(obj("card version sealed")))}, query={"after": BIG}),
    Call("PUT", "/v1/cards/{card}/{version}/fetched", DEVICE, "The device has this card.", {200: CARD},
         refuses={404: "card"}),
    Call("PUT", "/v1/cards/{card}/{version}/report", DEVICE, "How the enrolment of a card goes.",
         dict.fromkeys((200, 201), obj("card version reported_at?")), blob(REPORT_LIMIT_BYTES),
         {400: "report", 404: "card", 409: "version number"}),
    Call("GET", "/v1/clinician", CLINICIAN, "Whom the server takes the caller for.",
         {200: obj("clinician statement server_time")}),
    Call("POST", "/v1/invitations", CLINICIAN, "Keep an invitation until a device uses it.",
         dict.fromkeys((200, 201), obj("pairing expires_at")), obj("invitation"),
         {400: "invitation", 409: "conflict"}),
    Call("GET", "/v1/devices", CLINICIAN, "The clinician's devices.",
         {200: obj(devices=some(DEVICE_ROW))}),
    Call("PUT", "/v1/devices/{device}/approval", CLINICIAN, "Approve a device's keys.", {200: DEVICE_ROW},
         obj("approval"), {400: "approval", 404: "device"}),
    Call("PUT", "/v1/devices/{device}/state", CLINICIAN, "Pause, discharge, revoke, or let speak again.",
         {200: DEVICE_ROW}, obj(state=text(enum=list(STATES))), {404: "device", 409: "revoked"}),
    Call("PUT", "/v1/devices/{device}/label", CLINICIAN, "Keep the client's sealed name.",
         {200: DEVICE_ROW}, obj("label"), {400: "label", 404: "device", 409: "stale_key"}),
    Call("PUT", "/v1/devices/{device}/cards/{card}", CLINICIAN, "Send a sealed card.",
         dict.fromkeys((200, 201), CARD), blob(CARD_LIMIT_BYTES),
         {400: "card", 404: "device", 409: "version revoked"}),
    Call("GET", "/v1/devices/{device}/cards", CLINICIAN, "What was sent to a device.",
         {200: obj(cards=some(REPORTED_CARD))}, refuses={404: "device"}),
    Call("DELETE", "/v1/devices/{device}/cards/{card}", CLINICIAN, "Take a card out of the mailbox.",
         {200: obj("card")}, refuses={404: "device card"}),
    Call("PUT", "/v1/devices/{device}/cards/{card}/note", CLINICIAN, "Keep a sealed note on a part.",
         {200: obj("card version sealed")}, obj("sealed"),
         {400: "note", 404: "device card", 409: "version stale_key"}),
    Call("GET", "/v1/devices/{device}/notes", CLINICIAN, "The caller's notes on a device's parts.",
         {200: obj(notes=some(obj("card version sealed")))}, refuses={404: "device"}),
    Call("PUT", "/v1/devices/{device}/consents/{version}", CLINICIAN, "Keep what was agreed with a client.",
         dict.fromkeys((200, 201), CONSENT), obj("sealed"),
         {400: "consent", 404: "device", 409: "version stale_key"}),
    Call("GET", "/v1/devices/{device}/consents", CLINICIAN, "What was agreed with a client, every version.",
         {200: obj(consents=some(CONSENT))}, refuses={404: "device"}),
    Call("GET", "/v1/records", CLINICIAN, "A page of sealed records.",
         {200: obj("next more", records=some(obj("cursor device received_at frame")))},
         refuses={404: "device"}, query=SPAN),
    Call("GET", "/v1/devices/{device}/records", CLINICIAN, "How much is here of one device.",
         {200: obj("device records deleted oldest_at? newest_at?")}, refuses={404: "device"}),
    Call("DELETE", "/v1/devices/{device}/records", CLINICIAN, "Erase a device's client.",
         {200: obj("device state deleted sha256")}, refuses={404: "device"}),
    Call("DELETE", "/v1/records/{device}/{record}", CLINICIAN, "Delete one record.",
         {200: obj("device deleted sha256")}, refuses={404: "device record"}),
    Call("GET", "/v1/tombstones", CLINICIAN, "A page of what was deleted.",
         {200: obj("next more retention_days?", tombstones=some(
             obj("cursor device record sequence sha256 received_at deleted_at reason")))},
         refuses={404: "device"}, query=SPAN),
    Call("PUT", "/v1/marks/{device}/{record}", CLINICIAN, "Keep a sealed mark.", {200: MARK},
         obj("sealed", version=number(1, 2**32 - 1)),
         {400: "mark", 404: "record", 409: "version stale_key"}),
    Call("GET", "/v1/marks", CLINICIAN, "A page of the caller's marks.",
         {200: obj("more", marks=some(MARK), next=nullable(SHA256))},
         query={"after": SHA256, "limit": LIMIT}),
    Call("POST", "/v1/exports", CLINICIAN, "Account for an export.", {201: obj("exported_at")},
         obj("device count"), {404: "device"}),
    Call("GET", "/v1/keys", CLINICIAN, "Epochs and key slots.",
         {200: obj("rotation_days", epochs=some(EPOCH), slots=some(obj("slot created_at fields")))}),
    Call("PUT", "/v1/keys/{epoch}", CLINICIAN, "The next epoch, or a wrapped copy of a key.",
         dict.fromkeys((200, 201), obj("epoch")), _ANY,
         {400: "statement", 409: "epoch shredded conflict"}),
    Call("DELETE", "/v1/keys/{epoch}", CLINICIAN, "Forget an epoch's wrapped key for good.", {200: EPOCH},
         refuses={404: "epoch", 409: "current"}),
    Call("PUT", "/v1/key-slots/{slot}", CLINICIAN, "Keep a key slot.",
         dict.fromkeys((200, 201), obj("slot")), _ANY, {400: "slot", 404: "slot", 409: "conflict too_many"}),
    Call("DELETE", "/v1/key-slots/{slot}", CLINICIAN, "Remove a key slot.", {200: obj("slot")},
         refuses={404: "slot", 409: "last_slot"}),
    Call("PUT", "/v1/endorsement", CLINICIAN, "Whom else the clinician's devices seal to.",
         dict.fromkeys((200, 201), obj("number")), obj("endorsement"),
         {400: "endorsement", 409: "older"}),
    Call("GET", "/v1/colleagues", CLINICIAN, "The other clinicians of the practice.",
         {200: obj(colleagues=some(obj("clinician statement")))}),
    Call("POST", "/v1/shares", CLINICIAN, "Share records with a colleague.",
         dict.fromkeys((200, 201), obj("shared added")), obj(to=HEX, shares=some(octets())),
         {400: "share", 404: "clinician record", 409: "stale_key"}),
    Call("GET", "/v1/shares", CLINICIAN, "A page of what colleagues shared with the caller.",
         {200: obj("more", next=text("^([0-9a-f]{48})?$"),
                   shares=some(obj("from share frame received_at shared_at")))},
         query={"after": text("^[0-9a-f]{48}$"), "limit": number(1, 200)}),
    Call("GET", "/v1/shares/{clinician}", CLINICIAN, "A page of what the caller shared with a colleague.",
         {200: obj("more count", next=text("^([0-9a-f]{48})?$"),
                   shares=some(obj("device record sequence shared_at", recipient=HEX)))},
         refuses={404: "clinician"},
         query={"after": text("^[0-9a-f]{48}$"), "limit": number(1, 200)}),
    Call("DELETE", "/v1/shares/{clinician}", CLINICIAN, "End what was shared with a colleague.",
         {200: obj("removed")}, refuses={404: "clinician"}),
    Call("GET", "/v1/audit", CLINICIAN, "The access log that is the caller's to see.", {200: LOG},
         query=PAGING),
    Call("POST", "/v1/sign-in/start", PAGE, "The parameters of a passphrase.", {200: obj("kdf")},
         obj("name"), {429: "throttled"}),
    Call("POST", "/v1/sign-in/passphrase", PAGE, "Sign in by passphrase and code.", {200: ACCOUNT},
         obj("name secret code"), SIGN_IN),
    Call("POST", "/v1/sign-in/passkey/start", PAGE, "The question that a passkey answers.",
         {200: obj("options")}, EMPTY, {409: "passkeys_off", 429: "throttled"}),
    Call("POST", "/v1/sign-in/passkey", PAGE, "Sign in by passkey.", {200: ACCOUNT},
         obj("credential client_data authenticator_data signature user_handle"),
         {**SIGN_IN, 400: "passkey", 409: "passkeys_off"}),
    Call("POST", "/v1/set-up/start", PAGE, "What somebody is invited to.",
         {200: obj("name role otpauth", practice=text())}, obj("token"), {404: "setup", 429: "throttled"}),
    Call("POST", "/v1/set-up/finish", PAGE, "Make the account active; sign in.", {201: ACCOUNT}, _ANY,
         {400: "code statement keys", 401: "sign_in", 404: "setup", 409: "clinician keys", 429: "throttled"}),
    Call("POST", "/v1/recovery/passphrase", PAGE, "A new passphrase by recovery code and factor.",
         {200: ACCOUNT}, obj("name recovery code kdf new_secret"), SIGN_IN),
    Call("POST", "/v1/recovery/factor", PAGE, "Ask for a new second factor, and wait.",
         {202: obj("ready_at")}, obj("name secret recovery"), SIGN_IN),
    Call("POST", "/v1/recovery/factor/start", PAGE, "The secret of a new authenticator.",
         {200: obj("token otpauth")}, obj("name secret recovery"), {**SIGN_IN, 403: "wait"}),
    Call("POST", "/v1/recovery/factor/finish", PAGE, "Take the new authenticator; sign in.",
         {200: ACCOUNT}, obj("token name secret recovery code"),
         {**SIGN_IN, 400: "code", 403: "wait", 404: "setup"}),
    Call("GET", "/v1/account", SESSION, "Who is signed in.", {200: ACCOUNT}),
    Call("POST", "/v1/sign-out", SESSION, "End this session.", {200: obj("ended")}, EMPTY),
    Call("POST", "/v1/sign-out/everywhere", SESSION, "End all sessions.", {200: obj("ended")}, EMPTY),
    Call("PUT", "/v1/account/passphrase", SESSION, "A new passphrase by the old one.", {200: ACCOUNT},
         obj("secret kdf new_secret"), SIGN_IN),
    Call("PUT", "/v1/account/passphrase/recovered", SESSION, "A new passphrase by the recovery code.",
         {200: ACCOUNT}, obj("recovery kdf new_secret"), PROVED),
    Call("PUT", "/v1/account/recovery", SESSION, "A new recovery code.", {200: ACCOUNT},
         obj("secret recovery"), PROVED),
    Call("POST", "/v1/account/factor/start", SESSION, "The secret of a new authenticator.",
         {200: obj("token otpauth")}, EMPTY, {403: "recent"}),
    Call("POST", "/v1/account/factor/finish", SESSION, "Take the new authenticator.", {200: ACCOUNT},
         obj("token secret code"), {**PROVED, 400: "code", 404: "setup"}),
    Call("DELETE", "/v1/account/factor-reset", SESSION, "End a reset that somebody asked for.",
         {200: ACCOUNT}),
    Call("GET", "/v1/account/passkeys", SESSION, "The account's passkeys.", {200: PASSKEYS}),
    Call("POST", "/v1/account/passkeys/start", SESSION, "What a passkey is made from.",
         {200: obj("options")}, EMPTY, {403: "recent", 409: "passkeys_off"}),
    Call("POST", "/v1/account/passkeys", SESSION, "Keep a passkey.", {201: PASSKEY},
         obj("credential client_data attestation", label=text()),
         {400: "passkey", 403: "recent", 409: "passkey passkeys_off"}),
    Call("DELETE", "/v1/account/passkeys/{credential}", SESSION, "Remove a passkey.", {200: PASSKEYS},
         refuses={403: "recent", 404: "passkey"}),
    Call("GET", "/v1/practice", SESSION, "The practice, with its policies.", {200: POLICY}),
    Call("PUT", "/v1/practice", SESSION, "Change the practice's name and policies.", {200: POLICY},
         obj("name retention_days? rotation_days"), {404: "practice"}),
    Call("GET", "/v1/practice/accounts", SESSION, "Everybody of the practice.",
         {200: obj(accounts=some(MEMBER))}),
    Call("POST", "/v1/practice/accounts", SESSION, "Invite somebody.", {201: INVITED},
         obj("name email?", role=FIELDS["role_known"]), {409: "name"}),
    Call("POST", "/v1/practice/accounts/{account}/invitation", SESSION, "A new link for somebody.",
         {200: INVITED}, EMPTY, {404: "account", 409: "set_up"}),
    Call("PUT", "/v1/practice/accounts/{account}/role", SESSION, "Give somebody another role.",
         {200: MEMBER}, obj(role=FIELDS["role_known"]), {404: "account", 409: "role_fixed"}),
    Call("GET", "/v1/practice/audit", SESSION, "Whether the audit log holds.",
         {200: obj("entries first last digest broken_at? noted? problems")}, query={"head": SHA256}),
    Call("DELETE", "/v1/practice/accounts/{account}", SESSION, "Close an account.", {200: MEMBER},
         refuses={404: "account", 409: "last_administrator"}),
)  # fmt: skip
