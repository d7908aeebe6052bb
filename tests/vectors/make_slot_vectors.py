"""Makes tests/vectors/passkey_slot.json: `python -m tests.vectors.make_slot_vectors`. A test compares.

Written from FORMAT.md section 15: HKDF by RFC 5869 with the standard library, AES-GCM from `cryptography`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PLACE = Path(__file__).resolve().parent / "passkey_slot.json"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def seed(name: str) -> bytes:
    return hashlib.sha256(f"onebreath vector {name}".encode()).digest()


SALT = hashlib.sha256(b"onebreath passkey PRF v1\x00").digest()
KEY, PRF, NONCE = seed("slot key"), seed("prf output"), seed("slot nonce")[:12]


def slot(
    *,
    prf: bytes = PRF,
    salt: bytes = SALT,
    info: bytes = b"onebreath passkey slot v1\x00",
    domain: bytes = b"onebreath key slot v1\x00",
    bound: dict[str, Any] | None = None,
) -> dict[str, Any]:
    fields = {
        "type": "passkey",
        "kdf": "hkdf-sha256",
        "credential": b64(seed("credential")),
        "salt": b64(salt),
    }
    under = hmac.digest(hmac.digest(salt, prf, "sha256"), info + b"\x01", "sha256")
    said = json.dumps(fields if bound is None else bound, sort_keys=True, separators=(",", ":"))
    wrapped = AESGCM(under).encrypt(NONCE, KEY, domain + said.encode())
    return {**fields, "nonce": b64(NONCE), "wrapped": b64(wrapped)}


def build() -> dict[str, Any]:
    whole = slot()
    cut = {name: value for name, value in whole.items() if name != "salt"}
    cases: list[tuple[str, dict[str, Any], bytes, str]] = [
        ("as made", whole, PRF, "holds"),
        ("another salt, that is the slot's own", slot(salt=seed("salt")), PRF, "holds"),
        ("another PRF output", whole, seed("another output"), "refused"),
        ("a short PRF output", whole, PRF[:31], "refused"),
        ("of another credential", {**whole, "credential": b64(seed("another"))}, PRF, "refused"),
        ("with another salt put in", {**whole, "salt": b64(seed("salt"))}, PRF, "refused"),
        ("a salt of 16 bytes", {**whole, "salt": b64(SALT[:16])}, PRF, "refused"),
        ("without its salt", cut, PRF, "refused"),
        ("as a recovery slot", {**whole, "type": "recovery"}, PRF, "refused"),
        ("with another kdf", {**whole, "kdf": "argon2id-hkdf"}, PRF, "refused"),
        ("derived as a recovery code is", slot(info=b"onebreath recovery code v1\x00"), PRF, "refused"),
        ("sealed for another purpose", slot(domain=b"onebreath wrapped key v1\x00"), PRF, "refused"),
        ("sealed without its parameters", slot(bound={}), PRF, "refused"),
        ("another nonce", {**whole, "nonce": b64(bytes(12))}, PRF, "refused"),
        ("a short nonce", {**whole, "nonce": b64(NONCE[:11])}, PRF, "refused"),
        ("cut short", {**whole, "wrapped": whole["wrapped"][:-1]}, PRF, "refused"),
        ("padded base64", {**whole, "nonce": whole["nonce"] + "=="}, PRF, "refused"),
    ]
    return {
        "salt": b64(SALT),
        "key": b64(KEY),
        "slots": [
            {"name": name, "slot": fields, "prf": b64(prf), "expect": expect}
            for name, fields, prf, expect in cases
        ],
    }


def text() -> str:
    return json.dumps(build(), indent=1, ensure_ascii=True, sort_keys=True) + "\n"


if __name__ == "__main__":
    PLACE.write_text(text(), "utf-8")
