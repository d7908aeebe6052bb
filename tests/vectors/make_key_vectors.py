"""Makes shares, endorsements and wrapped keys: `python -m tests.vectors.make_key_vectors`. Deterministic.

Written from FORMAT.md with wire_reference.py, and with no code of voice/wire.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.vectors.make_vectors import HERE, NO_LINE, Vector, b64, flip, put, text
from tests.wire import wire_reference as ref

PLAN = ref.Plan(ref.pad(NO_LINE.encode()))
FRAME = ref.record(PLAN)
SHARE_DOMAIN = b"onebreath share signature v1\x00"
ENDORSEMENT_DOMAIN = b"onebreath endorsement v1\x00"


def share_body(
    *,
    magic: bytes = b"1BSh",
    version: int = 1,
    suite: int = 1,
    record: str = "record",
    sequence: int = 7,
    frame: bytes = FRAME,
    device: str = "device",
    recipient: str = "colleague",
    sharer: str = "identity",
    info: bytes | None = None,
) -> bytes:
    key = ref.raw(ref.signing(device))
    bound = magic + bytes([version, suite]) + ref.short(key) + ref.ident(record)
    bound += sequence.to_bytes(8, "big") + hashlib.sha256(frame).digest() + key
    bound += ref.short(ref.raw(ref.agreement(recipient)))
    said = b"onebreath share v1\x00" + bound + ref.raw(ref.signing(sharer)) if info is None else info
    data_key = ref.seed("data key record")
    return bound + ref.hpke_seal(
        data_key, ref.raw(ref.agreement(recipient)), said, ref.seed("ephemeral share")
    )


def share(**how: Any) -> bytes:
    return ref.sign(share_body(**how), how.get("sharer", "identity"), SHARE_DOMAIN)


def resigned(body: bytes, signer: str = "identity") -> bytes:
    return ref.sign(body, signer, SHARE_DOMAIN)


def shares() -> list[Vector]:
    whole, body = share(), share_body()
    other = ref.record(replace(PLAN, record="another"))
    again = ref.record(replace(PLAN, padded=ref.pad(b"{}")))
    sealed = share_body(recipient="stranger")[126:]
    cases: list[tuple[str, bytes, bytes, str]] = [
        ("as made", whole, FRAME, "holds"),
        ("nothing", b"", FRAME, "parse"),
        ("one byte short", whole[:-1], FRAME, "parse"),
        ("one byte too many", whole + b"\x00", FRAME, "parse"),
        ("another magic", share(magic=b"1BRc"), FRAME, "parse"),
        ("version 2", share(version=2), FRAME, "parse"),
        ("suite 2", share(suite=2), FRAME, "parse"),
        ("sequence 0", share(sequence=0), FRAME, "parse"),
        ("sequence 2^63", share(sequence=2**63), FRAME, "parse"),
        ("a device id that is not its key's", resigned(flip(body, 6)), FRAME, "parse"),
        ("signed by another clinician", resigned(body, "another identity"), FRAME, "verify"),
        (
            "signed for another purpose",
            ref.sign(body, "identity", b"onebreath share v1\x00"),
            FRAME,
            "verify",
        ),
        ("a flipped bit in the signature", flip(whole, 269), FRAME, "verify"),
        ("a flipped bit in the sealed key", flip(whole, 160), FRAME, "verify"),
        ("with another record's frame", whole, other, "open"),
        ("with the same record, sealed otherwise", whole, again, "open"),
        ("with a frame altered in one bit", whole, flip(FRAME, 300), "open"),
        ("for another reading key", share(recipient="stranger"), FRAME, "open"),
        ("another sequence number, signed again", resigned(put(body, 45, b"\x08")), FRAME, "open"),
        ("another recipient named, signed again", resigned(flip(body, 110)), FRAME, "open"),
        ("a sealed key for someone else, signed again", resigned(body[:126] + sealed), FRAME, "open"),
        ("a sealed key with a point of low order", resigned(put(body, 126, bytes(32))), FRAME, "open"),
        ("bound to another sharer", resigned(share_body(sharer="another identity")), FRAME, "open"),
        ("bound to nothing", share(info=b""), FRAME, "open"),
        ("another device's key", share(device="another device"), FRAME, "open"),
    ]
    return [
        {
            "name": name,
            "expect": expect,
            "sharer": b64(ref.raw(ref.signing("identity"))),
            "private": b64(ref.seed("colleague")),
            "share": b64(data),
            "frame": b64(frame),
            **({"content": NO_LINE} if expect == "holds" else {}),
        }
        for name, data, frame, expect in cases
    ]


def endorsement(
    *,
    identity: str = "identity",
    clinician: bytes | None = None,
    number: int = 3,
    from_epoch: int = 2,
    key: bytes | None = None,
    holder: bytes = b"Elm Street practice",
    magic: bytes = b"1BEn",
    version: int = 1,
    length: int | None = None,
) -> bytes:
    body = magic + bytes([version]) + (clinician or ref.ident("clinician"))
    body += ref.raw(ref.signing(identity)) + number.to_bytes(8, "big") + from_epoch.to_bytes(4, "big")
    body += ref.raw(ref.agreement("recovery")) if key is None else key
    body += bytes([len(holder) if length is None else length]) + holder
    return ref.sign(body, identity, ENDORSEMENT_DOMAIN)


def endorsements() -> list[Vector]:
    whole = endorsement()
    zeros = bytes(32)
    cases: list[tuple[str, bytes, str, int]] = [
        ("as made", whole, "holds", 1),
        ("the number already seen", whole, "holds", 3),
        ("a withdrawal", endorsement(key=zeros, holder=b""), "holds", 1),
        ("a holder in another script", endorsement(holder="Phòng khám Hạnh".encode()), "holds", 1),
        ("the longest name", endorsement(holder=b"n" * 200), "holds", 1),
        ("the last number", endorsement(number=2**63 - 1), "holds", 1),
        ("an older number", whole, "verify", 4),
        ("an older withdrawal", endorsement(key=zeros, holder=b""), "verify", 4),
        ("another identity", endorsement(identity="another identity"), "verify", 1),
        ("another clinician id", endorsement(clinician=ref.ident("another")), "verify", 1),
        ("a flipped bit in the key", flip(whole, 70), "verify", 1),
        ("a flipped bit in the number", flip(whole, 60, 8), "verify", 1),
        ("a flipped bit in the signature", flip(whole, len(whole) - 1), "verify", 1),
        ("signed for another purpose", ref.sign(whole[:-64], "identity"), "verify", 1),
        ("nothing", b"", "parse", 1),
        ("one byte short", whole[:-1], "parse", 1),
        ("one byte too many", whole + b"\x00", "parse", 1),
        ("another magic", endorsement(magic=b"1BSt"), "parse", 1),
        ("version 2", endorsement(version=2), "parse", 1),
        ("number 0", endorsement(number=0), "parse", 1),
        ("number 2^63", endorsement(number=2**63), "parse", 1),
        ("epoch 0", endorsement(from_epoch=0), "parse", 1),
        ("a length that disagrees", endorsement(length=3), "parse", 1),
        ("a key without a holder", endorsement(holder=b""), "parse", 1),
        ("a withdrawal that names someone", endorsement(key=zeros), "parse", 1),
        ("a key of low order", endorsement(key=b"\x01" + bytes(31)), "parse", 1),
        ("a holder of spaces", endorsement(holder=b"  "), "parse", 1),
        ("a holder too long", endorsement(holder=b"n" * 201), "parse", 1),
        ("a holder with a newline", endorsement(holder=b"Elm\nStreet"), "parse", 1),
        ("a holder that reorders", endorsement(holder="Elm \u202eStreet".encode()), "parse", 1),
        ("a holder that is not UTF-8", endorsement(holder=b"Elm \xff"), "parse", 1),
    ]
    return [
        {
            "name": name,
            "expect": expect,
            "fingerprint": b64(hashlib.sha256(ref.raw(ref.signing("identity"))).digest()),
            "clinician": b64(ref.ident("clinician")),
            "at_least": least,
            "endorsement": b64(data),
        }
        for name, data, expect, least in cases
    ]


def wrapped() -> list[Vector]:
    key, private = ref.seed("slot key"), ref.seed("reading")
    public, clinician = ref.raw(ref.agreement("reading")), ref.ident("clinician")
    nonce = ref.seed("wrapping nonce")[:12]

    def wrap(epoch: int = 3, public: bytes = public, clinician: bytes = clinician) -> bytes:
        bound = b"onebreath wrapped key v1\x00" + clinician + epoch.to_bytes(4, "big") + public
        return nonce + AESGCM(key).encrypt(nonce, private, bound)

    cases = [
        ("as made", wrap(), "holds"),
        ("of another epoch", wrap(epoch=2), "verify"),
        ("in the identity key's place", wrap(epoch=0), "verify"),
        ("of another public key", wrap(public=ref.raw(ref.agreement("stranger"))), "verify"),
        ("of another clinician", wrap(clinician=ref.ident("another")), "verify"),
        ("a flipped bit", flip(wrap(), 20), "verify"),
        ("one byte short", wrap()[:-1], "parse"),
        ("one byte too many", wrap() + b"\x00", "parse"),
        ("nothing", b"", "parse"),
    ]
    return [
        {
            "name": name,
            "expect": expect,
            "key": b64(key),
            "clinician": b64(clinician),
            "epoch": 3,
            "public": b64(public),
            "private": b64(private),
            "wrapped": b64(data),
        }
        for name, data, expect in cases
    ]


def everything() -> dict[str, Any]:
    """Each file's name and what it holds."""
    return {"share.json": shares(), "endorsement.json": endorsements(), "wrapped_key.json": wrapped()}


if __name__ == "__main__":
    for name, vectors in everything().items():
        (HERE / name).write_text(text(vectors), encoding="ascii")
