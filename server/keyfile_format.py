"""What the key file says: version 2 in full, version 1 to be carried over. Pure but for nonces.

Readable without a secret are names, signed statements, times, and the fingerprints of colleagues: all public
or harmless, and all under a MAC of the key that the slots hold. Each private key is wrapped on its own, as
for the server (FORMAT.md, "Wrapped private keys"), so that one epoch can be taken out without a trace.
"""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import replace
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from server.clinician_keys import Clinician, Epoch
from voice.wire.encoding import b64url, from_b64url
from voice.wire.endorsement import verify_endorsement
from voice.wire.errors import FrameError, SealError
from voice.wire.keys import (
    IDENTITY_EPOCH,
    Statement,
    fingerprint,
    parse_statement,
    unwrap_private,
    wrap_private,
)

KIND: Final = "onebreath clinician key"
VERSION: Final = 2
_FIRST_DOMAIN: Final = b"onebreath clinician keys v1\x00"
_MAC_INFO: Final = b"onebreath key file v2"
_OUTSIDE: Final = ("mac", "slots")
"""Slots open only with the key itself, and each binds its own parameters."""


class NotWholeError(Exception):
    """The fields are not those of a whole key file, or not under this key."""


def encode(clinician: Clinician, slots: list[Any]) -> dict[str, Any]:
    """The file's fields, of version 2."""
    identity = clinician.identity
    fields: dict[str, Any] = {
        "kind": KIND,
        "version": VERSION,
        "name": clinician.name,
        "statement": b64url(clinician.statement),
        "identity": b64url(
            _wrapped(
                clinician,
                identity.private_bytes_raw(),
                IDENTITY_EPOCH,
                identity.public_key().public_bytes_raw(),
            )
        ),
        "epochs": [_epoch_fields(clinician, epoch) for epoch in clinician.epochs],
        "next": None if clinician.upcoming is None else _epoch_fields(clinician, clinician.upcoming),
        "colleagues": {one.hex(): b64url(mark) for one, mark in sorted(clinician.colleagues.items())},
        "endorsement": None if clinician.endorsement is None else b64url(clinician.endorsement),
        "rotation_days": clinician.rotation_days,
    }
    fields["mac"] = b64url(_mac(clinician.key, fields))
    fields["slots"] = slots
    return fields


def decode(fields: dict[str, Any], key: bytes) -> Clinician:
    """The unlocked file, of either version. Raises NotWholeError."""
    try:
        return _decode(fields, key) if fields["version"] == VERSION else _decode_first(fields, key)
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        IndexError,
        FrameError,
        SealError,
        InvalidTag,
    ) as error:
        raise NotWholeError from error


def stamp_of(fields: dict[str, Any]) -> str:
    """What tells one writing of the file from another."""
    return str(fields.get("mac") or fields.get("keys"))


def wrapped_copies(clinician: Clinician) -> dict[int, bytes]:
    """Each private key that is held, wrapped anew as the server may keep it; 0 is the identity key."""
    identity = clinician.identity
    copies = {
        IDENTITY_EPOCH: _wrapped(
            clinician, identity.private_bytes_raw(), IDENTITY_EPOCH, identity.public_key().public_bytes_raw()
        )
    }
    for epoch in (*clinician.epochs, *((clinician.upcoming,) if clinician.upcoming else ())):
        if epoch.private is not None:
            raw = epoch.stated.reading.public_bytes_raw()
            copies[epoch.number] = _wrapped(clinician, epoch.private.private_bytes_raw(), epoch.number, raw)
    return copies


def _decode(fields: dict[str, Any], key: bytes) -> Clinician:
    mac = from_b64url(fields["mac"], 32)
    if not hmac.compare_digest(mac, _mac(key, fields)):
        raise SealError("the key file was changed")
    statement = from_b64url(fields["statement"])
    stated = parse_statement(statement)
    identity = Ed25519PrivateKey.from_private_bytes(
        unwrap_private(
            from_b64url(fields["identity"]),
            key=key,
            clinician_id=stated.clinician_id,
            epoch=IDENTITY_EPOCH,
            public_raw=stated.identity.public_bytes_raw(),
        )
    )
    epochs = tuple(_epoch(one, key, stated) for one in fields["epochs"])
    upcoming = None if fields["next"] is None else _epoch(fields["next"], key, stated)
    endorsement = None if fields["endorsement"] is None else from_b64url(fields["endorsement"])
    if endorsement is not None:
        verify_endorsement(endorsement, fingerprint(stated.identity), clinician_id=stated.clinician_id)
    current = epochs[-1]
    if current.private is None or current.statement != statement:
        raise SealError("the newest epoch is not the one in use")
    numbers = [epoch.number for epoch in epochs] + ([upcoming.number] if upcoming else [])
    if numbers != sorted(set(numbers)):
        raise SealError("the epochs are not in order")
    return _checked(
        Clinician(
            identity,
            current.private,
            statement,
            stated,
            key=key,
            epochs=epochs,
            upcoming=upcoming,
            colleagues={
                bytes.fromhex(one): from_b64url(mark, 32) for one, mark in fields["colleagues"].items()
            },
            endorsement=endorsement,
            rotation_days=int(fields["rotation_days"]),
            stamp=stamp_of(fields),
        )
    )


def _decode_first(fields: dict[str, Any], key: bytes) -> Clinician:
    """Version 1: one epoch, both private keys under one seal, the public fields as its associated data."""
    statement = from_b64url(fields["statement"])
    nonce = from_b64url(fields["nonce"], 12)
    public = {name: fields[name] for name in ("kind", "version", "name", "statement")}
    bound = _FIRST_DOMAIN + json.dumps(public, sort_keys=True, separators=(",", ":")).encode()
    private = AESGCM(key).decrypt(nonce, from_b64url(fields["keys"]), bound)
    stated = parse_statement(statement)
    reading = X25519PrivateKey.from_private_bytes(private[32:])
    return _checked(
        Clinician(
            Ed25519PrivateKey.from_private_bytes(private[:32]),
            reading,
            statement,
            stated,
            key=key,
            epochs=(Epoch(statement, stated, reading),),
            stamp=stamp_of(fields),
        )
    )


def _checked(clinician: Clinician) -> Clinician:
    ours = clinician.identity.public_key().public_bytes_raw()
    for epoch in (*clinician.epochs, *((clinician.upcoming,) if clinician.upcoming else ())):
        stated = epoch.stated
        if (stated.clinician_id, stated.identity.public_bytes_raw()) != (clinician.id, ours):
            raise SealError("an epoch is of another clinician")
        held = epoch.private
        if held is not None and held.public_key().public_bytes_raw() != stated.reading.public_bytes_raw():
            raise SealError("a private key is not the stated one")
    return clinician


def _epoch(fields: dict[str, Any], key: bytes, stated_now: Statement) -> Epoch:
    statement = from_b64url(fields["statement"])
    stated = parse_statement(statement)
    if fields["epoch"] != stated.epoch:
        raise SealError("an epoch is in another's place")
    if "shredded_at" in fields:
        return Epoch(statement, stated, None, shredded_at=int(fields["shredded_at"]))
    raw = unwrap_private(
        from_b64url(fields["wrapped"]),
        key=key,
        clinician_id=stated_now.clinician_id,
        epoch=stated.epoch,
        public_raw=stated.reading.public_bytes_raw(),
    )
    return Epoch(statement, stated, X25519PrivateKey.from_private_bytes(raw))


def _epoch_fields(clinician: Clinician, epoch: Epoch) -> dict[str, Any]:
    fields: dict[str, Any] = {"epoch": epoch.number, "statement": b64url(epoch.statement)}
    if epoch.private is None:
        return {**fields, "shredded_at": epoch.shredded_at}
    raw = epoch.stated.reading.public_bytes_raw()
    copy = _wrapped(clinician, epoch.private.private_bytes_raw(), epoch.number, raw)
    return {**fields, "wrapped": b64url(copy)}


def _wrapped(clinician: Clinician, private: bytes, epoch: int, public: bytes) -> bytes:
    return wrap_private(
        private,
        key=clinician.key,
        nonce=secrets.token_bytes(12),
        clinician_id=clinician.id,
        epoch=epoch,
        public_raw=public,
    )


def _mac(key: bytes, fields: dict[str, Any]) -> bytes:
    said = {name: value for name, value in fields.items() if name not in _OUTSIDE}
    under = HKDF(algorithm=SHA256(), length=32, salt=None, info=_MAC_INFO).derive(key)
    spelt = json.dumps(said, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    return hmac.digest(under, spelt, "sha256")


def restamped(clinician: Clinician, fields: dict[str, Any]) -> Clinician:
    """The clinician as in a file that was just written."""
    return replace(clinician, stamp=stamp_of(fields))
