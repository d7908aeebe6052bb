"""An account that is set up from a key file, in the terminal: the same keys then open the clinician's page.

The passphrase signs in and unlocks; it and the recovery code go through FORMAT.md, "A person's secrets", so
that the server learns neither.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx

from server.account_set_up import PATH
from server.clinician_client import ClinicianClient, plain
from server.errors import ServerError
from server.key_slots import RECOVERY, recovery_bytes, wrapping_slot
from server.keyfile import Clinician
from server.keyfile_format import wrapped_copies
from server.keys_client import KeysClient
from voice.wire.encoding import b64url, from_b64url
from voice.wire.errors import FrameError
from voice.wire.keys import IDENTITY_EPOCH
from voice.wire.pairing import is_loopback
from voice.wire.secrets import SALT_BYTES, Parameters, derive, recovery_sign_in, sign_set_up

TIMEOUT_S: Final = 30.0
TOTP_BYTES: Final = 20
COOKIE: Final = "__Host-onebreath"


def parse_set_up(link: str) -> tuple[str, bytes]:
    """The server's origin and the one-time token of a set-up link. Raises ServerError."""
    address, _, token = link.strip().partition(PATH)
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or not token:
        raise ServerError(
            "This is not a set-up link.", "It is printed by: onebreath account invite. Copy it whole."
        )
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ServerError(f"{address} is not reached over TLS.", "Use https:// for another machine.")
    try:
        return address, from_b64url(token)
    except FrameError as error:
        raise ServerError("The set-up link is incomplete or was changed.", "Copy it again, whole.") from error


def authenticator_secret(otpauth: str) -> bytes:
    """The secret in an otpauth address, 20 bytes. Raises ServerError."""
    spelt = parse_qs(urlsplit(otpauth).query).get("secret", [""])[0]
    try:
        secret = base64.b32decode(spelt + "=" * (-len(spelt) % 8))
    except binascii.Error:
        secret = b""
    if len(secret) != TOTP_BYTES:
        raise ServerError("The server's authenticator secret has no known form.", "Update Onebreath.")
    return secret


def set_up(
    link: str,
    clinician: Clinician,
    passphrase: str,
    code: str,
    slot: Mapping[str, Any],
    ask: Callable[[str], str],
    *,
    transport: httpx.BaseTransport | None = None,
) -> str:
    """Make the invited account this clinician's; the name to sign in with.

    `code` is the printed recovery code and `slot` the key file's recovery slot. `ask` is given the
    authenticator's otpauth address, and gives a code of it. Raises ServerError.
    """
    origin, token = parse_set_up(link)
    with httpx.Client(timeout=TIMEOUT_S, trust_env=False, transport=transport) as client:

        def post(path: str, fields: Mapping[str, Any], cookie: str = "") -> tuple[dict[str, Any], str]:
            return _post(client, origin + path, fields, cookie)

        invited, _ = post("/v1/set-up/start", {"token": b64url(token)})
        name, otpauth = plain(str(invited.get("name"))), str(invited.get("otpauth"))
        parameters = Parameters(secrets.token_bytes(SALT_BYTES))
        stated = {
            "statement": b64url(clinician.statement),
            "proof": b64url(sign_set_up(clinician.identity, token, clinician.statement)),
        }
        # An administrator reads nothing, and is refused with a statement: nothing is asked of them here.
        if invited.get("role") == "administrator":
            raise ServerError("This link is for an administrator, who has no keys.", "Open it in a browser.")
        chosen = {
            "token": b64url(token),
            "kdf": parameters.text,
            "secret": b64url(derive(passphrase, parameters).sign_in),
            "recovery": b64url(recovery_sign_in(recovery_bytes(code))),
            "code": ask(otpauth),
        }
        _, cookie = post("/v1/set-up/finish", {**chosen, **stated})
        # This program calls with the identity key; nobody is to be left signed in.
        post("/v1/sign-out", {}, cookie)
    with ClinicianClient(origin, clinician) as signed:
        _give_copies(KeysClient(signed), clinician, passphrase, parameters, slot)
    return name


def _give_copies(
    keys: KeysClient, clinician: Clinician, passphrase: str, parameters: Parameters, slot: Mapping[str, Any]
) -> None:
    """Slots first: copies that nothing opens would be of no use."""
    try:
        served = keys.keys()
        kept = {one.epoch for one in served.epochs if one.wrapped is not None}
        fields = wrapping_slot(clinician.key, passphrase, parameters=parameters)
        keys.put_slot(secrets.token_bytes(16), fields)
        if RECOVERY not in served.slots:
            keys.put_slot(hashlib.sha256(str(slot["wrapped"]).encode()).digest()[:16], slot)
        copies = wrapped_copies(clinician)
        if IDENTITY_EPOCH not in kept:
            keys.put_identity(copies[IDENTITY_EPOCH])
        # One that got to know the clinician later than epoch 1 has no place for what was before.
        oldest = min((one.epoch for one in served.epochs if one.epoch != IDENTITY_EPOCH), default=1)
        for epoch in clinician.epochs:
            if epoch.number in copies and epoch.number >= oldest and epoch.number not in kept:
                keys.put_epoch(epoch.number, epoch.statement, copies[epoch.number])
    except ServerError as error:
        raise ServerError(
            f"The account is set up, but the server does not have your wrapped keys yet: {error.cause}",
            "Give them with: onebreath keys rotate --copy. Then unlock the page with the recovery code.",
        ) from error


def _post(
    client: httpx.Client, url: str, fields: Mapping[str, Any], cookie: str
) -> tuple[dict[str, Any], str]:
    """The answer, and the session that it opened."""
    headers = {"Onebreath-Request": "1"} | ({"Cookie": f"{COOKIE}={cookie}"} if cookie else {})
    try:
        answer = client.post(url, json=fields, headers=headers)
        document = json.loads(answer.content)
    except httpx.HTTPError as error:
        raise ServerError(
            f"The server did not answer ({error or type(error).__name__}).",
            "Check that it runs (onebreath serve), the link, and the network.",
        ) from error
    except ValueError as error:
        raise ServerError("What answers is not an Onebreath server.", "Check the link.") from error
    if not isinstance(document, dict) or answer.status_code >= 300:
        said = document if isinstance(document, dict) else {}
        raise ServerError(
            f"The server refused: {plain(str(said.get('message', 'no reason')))}",
            plain(str(said.get("remedy", ""))),
        )
    return document, answer.cookies.get(COOKIE) or ""
