"""Vectors that nobody here wrote, through the code that we run.

| what | where it is checked |
|---|---|
| RFC 9180, base mode, our suite | test_hpke.py; here also the sizes, and that a changed byte is refused |
| RFC 9421 B.2.6, Ed25519 | test_requests.py |
| the Ed25519 authors' own signatures, which RFC 8032 section 7.1 took its vectors from | here |
| RFC 7748 section 5.2, X25519 | here |
| RFC 6238 appendix B, TOTP | here, through server/second_factor.py |
| RFC 9106 section 5.3, Argon2id, and the argon2 program's own | here |
| RFC 5869, HKDF-SHA256 | here |
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cryptography_vectors
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from server.second_factor import DIGITS, STEP_S, code_at, taken_step
from tests.wire.test_hpke import rfc_vectors
from voice.wire.encoding import agreement_key, signing_key
from voice.wire.envelope import HPKE_SUITE

FOLDER = Path(cryptography_vectors.__file__).parent


def blocks(name: str) -> Iterator[dict[str, str]]:
    """The blocks of `NAME = value` lines in one of the package's files, names in small letters."""
    found: dict[str, str] = {}
    for line in [*(FOLDER / name).read_text("utf-8").splitlines(), "COUNT = end"]:
        key, equals, value = line.partition("=")
        if not equals or line.startswith(("#", "[")):
            continue
        if key.strip().lower() == "count":
            if found:
                yield found
            found = {}
        found[key.strip().lower()] = value.strip()


def test_rfc_9180_has_our_suite_and_each_altered_byte_is_refused() -> None:
    for vector in rfc_vectors():
        private = X25519PrivateKey.from_private_bytes(bytes.fromhex(vector["skRm"]))
        assert private.public_key().public_bytes_raw() == bytes.fromhex(vector["pkRm"])
        first, info = vector["encryptions"][0], bytes.fromhex(vector["info"])
        sealed, aad = bytes.fromhex(vector["enc"] + first["ct"]), bytes.fromhex(first["aad"])
        assert len(sealed) == 32 + len(bytes.fromhex(first["pt"])) + 16
        for place in range(len(sealed)):
            altered = bytearray(sealed)
            altered[place] ^= 1
            with pytest.raises((InvalidTag, ValueError)):
                openssl.hpke._decrypt_with_aad(HPKE_SUITE, bytes(altered), private, info, aad)


TOTP = [block for block in blocks("twofactor/rfc-6238.txt") if block["mode"] == "SHA1"]


@pytest.mark.parametrize("vector", TOTP, ids=lambda vector: vector["time"])
def test_rfc_6238_appendix_b(vector: dict[str, str]) -> None:
    """The RFC shows eight digits; six, which apps show, are their end (RFC 4226 section 5.3)."""
    secret, now = vector["secret"].encode("ascii"), int(vector["time"])
    code = code_at(secret, now // STEP_S)
    assert code == vector["totp"][-DIGITS:]
    assert taken_step(secret, code, now=now, last_step=0) == now // STEP_S
    assert taken_step(secret, code, now=now, last_step=now // STEP_S) is None, "it serves once"


def test_rfc_6238_has_the_rows_that_it_had() -> None:
    assert [int(vector["time"]) for vector in TOTP] == [
        59,
        1_111_111_109,
        1_111_111_111,
        1_234_567_890,
        2_000_000_000,
        20_000_000_000,
    ]


ARGON2ID = list(blocks("KDF/argon2id.txt"))


@pytest.mark.parametrize("vector", ARGON2ID, ids=lambda vector: vector["count"])
def test_rfc_9106_and_the_argon2_program(vector: dict[str, str]) -> None:
    kdf = Argon2id(
        salt=bytes.fromhex(vector["salt"]),
        length=int(vector["length"]),
        iterations=int(vector["iter"]),
        lanes=int(vector["lanes"]),
        memory_cost=int(vector["memcost"]),
        ad=bytes.fromhex(vector["ad"]) if "ad" in vector else None,
        secret=bytes.fromhex(vector["secret"]) if "secret" in vector else None,
    )
    assert kdf.derive(bytes.fromhex(vector["pass"])).hex() == vector["output"]


def test_rfc_9106_section_5_3_is_among_them() -> None:
    tag = "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"
    assert tag in {vector["output"] for vector in ARGON2ID}


HKDF_SHA256 = list(blocks("KDF/rfc-5869-HKDF-SHA256.txt"))


@pytest.mark.parametrize("vector", HKDF_SHA256, ids=lambda vector: vector["count"])
def test_rfc_5869(vector: dict[str, str]) -> None:
    salt = bytes.fromhex(vector["salt"]) if vector.get("salt") else None
    info = bytes.fromhex(vector.get("info", ""))
    made = HKDF(algorithm=SHA256(), length=int(vector["l"]), salt=salt, info=info)
    assert made.derive(bytes.fromhex(vector["ikm"])).hex() == vector["okm"]


def ed25519_rows() -> list[list[bytes]]:
    lines = (FOLDER / "asymmetric/Ed25519/sign.input").read_text("ascii").splitlines()
    return [[bytes.fromhex(part) for part in line.split(":")[:4]] for line in lines[::16]]


def test_the_authors_own_signatures() -> None:
    """Every sixteenth of the 1024 rows."""
    rows = ed25519_rows()
    assert len(rows) == 64
    for secret, public, message, signed in rows:
        private = Ed25519PrivateKey.from_private_bytes(secret[:32])
        assert private.public_key().public_bytes_raw() == public
        assert private.sign(message) == signed[:64]
        assert isinstance(signing_key(public), Ed25519PublicKey)
        signing_key(public).verify(signed[:64], message)


X25519 = list(blocks("asymmetric/X25519/rfc7748.txt"))[:2]


@pytest.mark.parametrize("vector", X25519, ids=lambda vector: vector["count"])
def test_rfc_7748_section_5_2(vector: dict[str, str]) -> None:
    private = X25519PrivateKey.from_private_bytes(bytes.fromhex(vector["input_scalar"]))
    shared = private.exchange(agreement_key(bytes.fromhex(vector["input_u"])))
    assert shared.hex() == vector["output_u"]
