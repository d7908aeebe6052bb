"""Makes tests/vectors/secrets.json: `python -m tests.vectors.make_secrets_vectors`. A test compares.

HKDF is written out here by RFC 5869 with the standard library alone, apart from the code that is checked.
Argon2id itself is checked with RFC 9106's own vector in tests/server/test_accounts_secrets.py.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import unicodedata
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

PLACE = Path(__file__).resolve().parent / "secrets.json"
SALT = hashlib.sha256(b"onebreath vector salt").digest()[:16]
GOOD = '{"kdf":"argon2id","lanes":4,"memory_kib":65536,"passes":3,"salt":"' + "SALT" + '"}'


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def hkdf(material: bytes, info: bytes) -> bytes:
    """RFC 5869 with SHA-256, no salt, one block."""
    extracted = hmac.digest(bytes(32), material, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def passphrase(
    typed: str, text: str, passes: int = 3, memory_kib: int = 65536, lanes: int = 4
) -> dict[str, Any]:
    master = Argon2id(salt=SALT, length=32, iterations=passes, lanes=lanes, memory_cost=memory_kib).derive(
        unicodedata.normalize("NFKC", typed).encode()
    )
    return {
        "passphrase": typed,
        "parameters": text,
        "expect": "holds",
        "sign_in": b64(hkdf(master, b"onebreath sign-in v1")),
        "wrapping": b64(hkdf(master, b"onebreath key wrapping v1")),
    }


def refused(text: str, expect: str) -> dict[str, Any]:
    return {"passphrase": "x", "parameters": text, "expect": expect}


def build() -> dict[str, Any]:
    good = GOOD.replace("SALT", b64(SALT))
    costly = good.replace('"passes":3', '"passes":4').replace("65536", "65544")
    identity = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"onebreath vector identity").digest())
    token, statement = hashlib.sha256(b"onebreath vector token").digest(), b"1BSt and so on"
    code = hashlib.sha256(b"onebreath vector recovery").digest()[:16]
    message = b"onebreath set-up v1\x00" + hashlib.sha256(token).digest() + statement
    return {
        "passphrases": [
            passphrase("correct horse battery staple", good),
            passphrase("the ﬁrst Ångström, twice", good),
            passphrase("the first A\u030angstro\u0308m, twice", good),
            passphrase("người gác cổng", costly, passes=4, memory_kib=65544),
            passphrase("", good),
            refused(good.replace('"passes":3', '"passes":2'), "weak"),
            refused(good.replace("65536", "65535"), "weak"),
            refused(good.replace('"lanes":4', '"lanes":3'), "weak"),
            refused(good.replace('"passes":3', '"passes":65'), "absurd"),
            refused(good.replace("65536", "4194305"), "absurd"),
            refused(good.replace('"lanes":4', '"lanes":65'), "absurd"),
            refused(good.replace("argon2id", "argon2i"), "malformed"),
            refused(good.replace('"passes":3', '"passes":3.0'), "malformed"),
            refused(good.replace('"passes":3', '"passes":"3"'), "malformed"),
            refused(good.replace('"passes":3', '"passes":true'), "malformed"),
            refused(good.replace('"passes":3', '"passes":-3'), "malformed"),
            refused(good.replace(",", ", "), "malformed"),
            refused(good.replace('{"kdf":"argon2id",', '{"kdf":"argon2id","kdf":"argon2id",'), "malformed"),
            refused(good.replace("}", ',"version":19}'), "malformed"),
            refused(good.replace(b64(SALT), b64(SALT[:15])), "malformed"),
            refused(good.replace(b64(SALT), b64(SALT) + "=="), "malformed"),
            refused(good + " " * 400, "malformed"),
            refused("[]", "malformed"),
            refused("", "malformed"),
            refused("[" * 300, "malformed"),
        ],
        "recovery": {"code": b64(code), "sign_in": b64(hkdf(code, b"onebreath recovery sign-in v1"))},
        "set_up": {
            "identity": b64(identity.public_key().public_bytes_raw()),
            "token": b64(token),
            "statement": b64(statement),
            "proof": b64(identity.sign(message)),
        },
    }


def text() -> str:
    return json.dumps(build(), indent=1, ensure_ascii=True, sort_keys=True) + "\n"


if __name__ == "__main__":
    PLACE.write_text(text(), "utf-8")
