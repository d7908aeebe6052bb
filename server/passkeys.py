"""Passkeys (W3C WebAuthn Level 3), checked with the `webauthn` package: both factors, the person verified.

What a page sends is the few fields that are checked. Extension results, the PRF's output among them, are
no part of it: that output unwraps keys, and the server must never see it. Time and randomness are given.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from server import audit
from server.account_recovery import signed_in
from server.accounts import AccountRow, find_account
from server.accounts_schema import Account, Challenge, Passkey
from server.attempts import refused_sign_in
from server.audit import Act
from server.database import Database
from server.deletion import scrub
from server.errors import RefusedError
from server.passkey_slots import end_slots
from server.sessions import NewSession
from voice.wire.encoding import b64url, from_b64url
from voice.wire.errors import FrameError

CHALLENGE_BYTES: Final = 32
CHALLENGE_S: Final = 300
MOST_PASSKEYS: Final = 20
MOST_ID_BYTES: Final = 1023
MOST_LABEL: Final = 100
_REGISTER: Final = "passkey add"
_SIGN_IN: Final = "passkey sign-in"


@dataclass(frozen=True)
class Site:
    """Whom passkeys are made for: the domain, and the exact origin of the page."""

    rp_id: str
    origin: str

    @classmethod
    def of(cls, public_url: str | None) -> Site:
        """From the public URL. Raises RefusedError 409 `passkeys_off`: unset, an address, or without TLS."""
        parts = urlsplit(public_url or "")
        host = parts.hostname or ""
        secure = parts.scheme == "https" or host == "localhost"
        if not host or _is_address(host) or not secure:
            raise RefusedError(
                409,
                "passkeys_off",
                "Passkeys need the server's public name, and https unless that is localhost.",
                "Start the server with --public-url https://YOUR.NAME",
            )
        port = parts.port
        plain = port is None or (parts.scheme, port) in (("https", 443), ("http", 80))
        return cls(host, f"{parts.scheme}://{host}" if plain else f"{parts.scheme}://{host}:{port}")


@dataclass(frozen=True)
class Created:
    """A new passkey, as the browser made it."""

    credential_id: bytes
    client_data: bytes
    attestation: bytes
    label: str


@dataclass(frozen=True)
class Asserted:
    """A passkey used to sign in. `user_handle` is the account's id, 16 bytes."""

    credential_id: bytes
    client_data: bytes
    authenticator_data: bytes
    signature: bytes
    user_handle: bytes


@dataclass(frozen=True)
class PasskeyRow:
    """A passkey as its owner sees it; times in Unix seconds."""

    credential_id: bytes
    label: str
    created_at: int
    used_at: int | None


def registration_options(
    database: Database, site: Site, account: AccountRow, practice: str, challenge: bytes, *, now: int
) -> dict[str, Any]:
    """What `navigator.credentials.create` is given; its challenge serves once, for 5 minutes."""
    with database.write() as connection:
        _ask(connection, _REGISTER, account.account_id, challenge, now)
    with database.read() as connection:
        known = passkeys_of(connection, account.account_id)
    options = generate_registration_options(
        rp_id=site.rp_id,
        rp_name=practice,
        user_id=account.account_id,
        user_name=account.name,
        challenge=challenge,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=row.credential_id) for row in known],
    )
    found: dict[str, Any] = json.loads(options_to_json(options))
    return found


def sign_in_options(database: Database, site: Site, challenge: bytes, *, now: int) -> dict[str, Any]:
    """What `navigator.credentials.get` is given: any passkey of this site, with the person verified."""
    with database.write() as connection:
        _ask(connection, _SIGN_IN, None, challenge, now)
    options = generate_authentication_options(
        rp_id=site.rp_id, challenge=challenge, user_verification=UserVerificationRequirement.REQUIRED
    )
    found: dict[str, Any] = json.loads(options_to_json(options))
    return found


def add_passkey(database: Database, site: Site, account_id: bytes, made: Created, *, now: int) -> PasskeyRow:
    """Keep a new passkey. Raises RefusedError 400 `passkey`, 409 `passkey`: known already, or too many."""
    label = " ".join(made.label.split())
    if not label or len(label) > MOST_LABEL or not label.isprintable():
        raise RefusedError(400, "body", f"A passkey's label has 1 to {MOST_LABEL} characters.")
    challenge = _take(database, _REGISTER, account_id, made.client_data, now)
    try:
        found = verify_registration_response(
            credential=_credential(
                made.credential_id, clientDataJSON=made.client_data, attestationObject=made.attestation
            ),
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except Exception as error:  # of a parser of strangers' CBOR any kind is a refusal
        raise _no_passkey() from error
    if found.credential_id != made.credential_id or len(found.credential_id) > MOST_ID_BYTES:
        raise _no_passkey()
    row = PasskeyRow(found.credential_id, label, now, None)
    try:
        with database.write() as connection:
            account = find_account(connection, Account.id == account_id, hold=True)
            if account is None or account.state != "active":
                raise refused_sign_in()
            if len(passkeys_of(connection, account_id)) >= MOST_PASSKEYS:
                raise RefusedError(409, "passkey", "There are too many passkeys.", "Remove one first.")
            connection.execute(
                insert(Passkey).values(
                    credential_id=row.credential_id,
                    account_id=account_id,
                    public_key=found.credential_public_key,
                    sign_count=found.sign_count,
                    label=label,
                    created_at=now,
                )
            )
            _tell(connection, Act.FACTOR_CHANGED, account, now, "passkey added")
    except IntegrityError as error:
        raise RefusedError(
            409, "passkey", "This passkey is here already.", "Use it, or make another."
        ) from error
    return row


def sign_in_by_passkey(
    database: Database, site: Site, shown: Asserted, session: NewSession, *, now: int
) -> bytes:
    """The account's id, signed in with this session. Raises RefusedError 401 `sign_in`.

    A signature count that does not grow means that the passkey was copied, or an answer replayed: it is
    refused and audited. Counts that stay zero are those of passkeys that are synchronised between devices.
    """
    challenge = _take(database, _SIGN_IN, None, shown.client_data, now)
    wanted = select(Passkey.account_id, Passkey.public_key).where(
        Passkey.credential_id == shown.credential_id
    )
    with database.read() as connection:
        known: Any = connection.execute(wanted).one_or_none()
    if known is None or known.account_id != shown.user_handle:
        _told_failure(database, None, "passkey", now)
        raise refused_sign_in()
    try:
        found = verify_authentication_response(
            credential=_credential(
                shown.credential_id,
                clientDataJSON=shown.client_data,
                authenticatorData=shown.authenticator_data,
                signature=shown.signature,
                userHandle=shown.user_handle,
            ),
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            credential_public_key=known.public_key,
            credential_current_sign_count=-1,  # compared below, where the row is held
            require_user_verification=True,
        )
    except Exception as error:  # of a parser of strangers' bytes any kind is a refusal
        _told_failure(database, known.account_id, "passkey", now)
        raise refused_sign_in() from error
    with database.write() as connection:
        account = find_account(connection, Account.id == known.account_id, hold=True)
        row = select(Passkey.sign_count).where(Passkey.credential_id == shown.credential_id)
        count: Any = connection.execute(row.with_for_update()).scalar_one_or_none()
        taken = account is not None and account.state == "active" and count is not None
        grown = taken and (found.new_sign_count > count or found.new_sign_count == count == 0)
        if account is not None and grown:
            mine = Passkey.credential_id == shown.credential_id
            values = {"sign_count": found.new_sign_count, "used_at": now}
            connection.execute(update(Passkey).where(mine).values(**values))
            signed_in(connection, account, session, factor="passkey", now=now)
            return account.account_id
    _told_failure(database, known.account_id, "passkey count" if taken else "passkey", now)
    raise refused_sign_in()


def passkeys_of(connection: Connection, account_id: bytes) -> list[PasskeyRow]:
    """An account's passkeys, oldest first."""
    wanted = (
        select(Passkey.credential_id, Passkey.label, Passkey.created_at, Passkey.used_at)
        .where(Passkey.account_id == account_id)
        .order_by(Passkey.created_at, Passkey.credential_id)
    )
    return [PasskeyRow(*row) for row in connection.execute(wanted)]


def remove_passkey(database: Database, account_id: bytes, credential_id: bytes, *, now: int) -> None:
    """Remove one of an account's passkeys, and its key slot. Raises RefusedError 404 for any other."""
    with database.write() as connection:
        account = find_account(connection, Account.id == account_id, hold=True)
        theirs = (Passkey.credential_id == credential_id) & (Passkey.account_id == account_id)
        gone = connection.execute(delete(Passkey).where(theirs)).rowcount
        if account is None or gone == 0:
            raise RefusedError(404, "passkey", "There is no such passkey.", "See GET /v1/account/passkeys.")
        _tell(connection, Act.FACTOR_CHANGED, account, now, "passkey removed")
        ended = end_slots(connection, account.clinician_id, (credential_id,), now=now)
    if ended:
        scrub(database)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _ask(connection: Connection, purpose: str, account_id: bytes | None, challenge: bytes, now: int) -> None:
    connection.execute(delete(Challenge).where(Challenge.expires_at <= now))
    connection.execute(
        insert(Challenge).values(
            token_hash=hashlib.sha256(challenge).digest(),
            purpose=purpose,
            account_id=account_id,
            challenge=challenge,
            expires_at=now + CHALLENGE_S,
        )
    )


def _take(database: Database, purpose: str, account_id: bytes | None, client_data: bytes, now: int) -> bytes:
    """The challenge that the browser says it answers, used up by this. Raises RefusedError 400 `passkey`."""
    try:
        said = from_b64url(json.loads(client_data)["challenge"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, FrameError) as error:
        raise _no_passkey() from error
    whose = Challenge.account_id.is_(None) if account_id is None else Challenge.account_id == account_id
    with database.write() as connection:
        ours = connection.execute(
            select(Challenge.token_hash, Challenge.challenge)
            .where(Challenge.token_hash == hashlib.sha256(said).digest(), Challenge.purpose == purpose)
            .where(whose, Challenge.expires_at > now)
        ).one_or_none()
        if ours is not None:
            used = connection.execute(delete(Challenge).where(Challenge.token_hash == ours.token_hash))
            if used.rowcount == 1:
                return bytes(ours.challenge)
    raise _no_passkey()


def _credential(credential_id: bytes, **response: bytes) -> dict[str, Any]:
    name = b64url(credential_id)
    spelt = {key: b64url(value) for key, value in response.items()}
    return {"id": name, "rawId": name, "type": "public-key", "response": spelt}


def _no_passkey() -> RefusedError:
    return RefusedError(
        400, "passkey", "This is no answer to a question that was asked here.", "Begin again."
    )


def _told_failure(database: Database, account_id: bytes | None, subject: str, now: int) -> None:
    with database.write() as connection:
        account = None if account_id is None else find_account(connection, Account.id == account_id)
        said = subject if account is None else f"{account.actor} {subject}"
        practice_id = None if account is None else account.practice_id
        audit.write(
            connection,
            Act.SIGN_IN_FAILED,
            now=now,
            actor=audit.SYSTEM,
            subject=said,
            practice_id=practice_id,
        )


def _tell(connection: Connection, act: Act, account: AccountRow, now: int, subject: str) -> None:
    audit.write(
        connection, act, now=now, actor=account.actor, subject=subject, practice_id=account.practice_id
    )
