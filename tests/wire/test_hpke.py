"""RFC 9180's own vectors against the suite that we use, and against the hand that makes our vectors."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cryptography_vectors
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tests.wire import wire_reference as ref
from voice.wire.envelope import HPKE_SUITE

FILE = Path(cryptography_vectors.__file__).parent / "HPKE" / "test-vectors.json"


def rfc_vectors() -> list[dict[str, Any]]:
    """Base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM."""
    wanted = (0, 0x0020, 0x0001, 0x0002)
    fields = ("mode", "kem_id", "kdf_id", "aead_id")
    found = [v for v in json.loads(FILE.read_text()) if tuple(v[field] for field in fields) == wanted]
    assert found, "the package's vectors lack our suite"
    return found


def test_the_suite_opens_what_the_rfc_sealed() -> None:
    for vector in rfc_vectors():
        first = vector["encryptions"][0]
        private = X25519PrivateKey.from_private_bytes(bytes.fromhex(vector["skRm"]))
        sealed = bytes.fromhex(vector["enc"] + first["ct"])
        # The public call has no associated data, which the RFC's vectors carry; this is its own inner call.
        opened = openssl.hpke._decrypt_with_aad(
            HPKE_SUITE, sealed, private, bytes.fromhex(vector["info"]), bytes.fromhex(first["aad"])
        )
        assert opened == bytes.fromhex(first["pt"])


def test_the_second_hand_seals_what_the_rfc_sealed() -> None:
    for vector in rfc_vectors():
        first = vector["encryptions"][0]
        sealed = ref.hpke_seal(
            bytes.fromhex(first["pt"]),
            bytes.fromhex(vector["pkRm"]),
            bytes.fromhex(vector["info"]),
            bytes.fromhex(vector["skEm"]),
            bytes.fromhex(first["aad"]),
        )
        assert sealed.hex() == vector["enc"] + first["ct"]


def test_the_suite_and_the_second_hand_agree_without_associated_data() -> None:
    private = ref.agreement("reading")
    sealed = ref.hpke_seal(b"a data key", ref.raw(private), b"info", hashlib.sha256(b"once").digest())
    assert HPKE_SUITE.decrypt(sealed, private, info=b"info") == b"a data key"
