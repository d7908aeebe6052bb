"""Makes confirmations of fingerprints: `python -m tests.vectors.make_confirmation_vectors`. Deterministic.

Written from FORMAT.md with wire_reference.py, and with no code of voice/wire.
"""

from __future__ import annotations

import hashlib

from tests.vectors.make_vectors import HERE, Vector, b64, flip, text
from tests.wire import wire_reference as ref

NAME = "confirmation.json"
DOMAIN = b"onebreath confirmation v1\x00"


def body(
    *,
    magic: bytes = b"1BCo",
    version: int = 1,
    whose: str = "clinician",
    colleague: str = "colleague",
    at: int = 1_790_000_000,
) -> bytes:
    """Everything before the signature, 77 bytes."""
    compared = hashlib.sha256(ref.raw(ref.signing("colleague identity"))).digest()
    made = magic + bytes([version]) + ref.ident(whose) + ref.ident(colleague) + compared
    return made + at.to_bytes(8, "big")


def signed(data: bytes, signer: str = "identity") -> bytes:
    return ref.sign(data, signer, DOMAIN)


def confirmations() -> list[Vector]:
    whole = signed(body())
    cases: list[tuple[str, bytes, str]] = [
        ("a confirmation", whole, "holds"),
        ("the earliest time", signed(body(at=0)), "holds"),
        ("the latest time", signed(body(at=2**63 - 1)), "holds"),
        ("a time out of range", signed(body(at=2**63)), "parse"),
        ("another magic", signed(body(magic=b"1BSt")), "parse"),
        ("another version", signed(body(version=2)), "parse"),
        ("a byte too many", whole + b"\x00", "parse"),
        ("a byte too few", whole[:-1], "parse"),
        ("nothing", b"", "parse"),
        ("of oneself", signed(body(colleague="clinician")), "parse"),
        ("another clinician's", signed(body(whose="stranger")), "verify"),
        ("signed by another", signed(body(), "stranger"), "verify"),
        (
            "signed under another domain",
            ref.sign(body(), "identity", b"onebreath statement v1\x00"),
            "verify",
        ),
        ("another fingerprint under the same signature", flip(whole, 40), "verify"),
        ("another colleague under the same signature", flip(whole, 30), "verify"),
        ("another time under the same signature", flip(whole, 76), "verify"),
    ]
    return [
        {
            "name": name,
            "expect": expect,
            "confirmation": b64(data),
            "identity": b64(ref.raw(ref.signing("identity"))),
            "clinician": b64(ref.ident("clinician")),
            "colleague": b64(ref.ident("colleague")),
            "fingerprint": b64(hashlib.sha256(ref.raw(ref.signing("colleague identity"))).digest()),
        }
        for name, data, expect in cases
    ]


if __name__ == "__main__":
    (HERE / NAME).write_text(text(confirmations()), encoding="ascii")
