"""A software authenticator: EC P-256 passkeys with attestation "none", as browser and key make them."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256

from voice.wire.encoding import b64url, from_b64url

UP, UV, AT = 0x01, 0x04, 0x40


@dataclass
class Authenticator:
    """One passkey. `origin` is what its browser says; `counts` False: a synchronised one, it stays 0."""

    origin: str
    rp_id: str = "localhost"
    counts: bool = True
    verifies: bool = True
    key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    count: int = 0
    user: bytes = b""

    def create(self, options: dict[str, Any], label: str = "laptop") -> dict[str, str]:
        """What the page sends after `navigator.credentials.create`."""
        self.user = from_b64url(options["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = (
            bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + cbor2.dumps(cose)
        )
        data = self._data(AT) + attested
        statement = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return {
            "credential": b64url(self.credential_id),
            "client_data": b64url(self._client("webauthn.create", options["challenge"])),
            "attestation": b64url(statement),
            "label": label,
        }

    def get(self, options: dict[str, Any]) -> dict[str, str]:
        """What the page sends after `navigator.credentials.get`."""
        if self.counts:
            self.count += 1
        data = self._data(0)
        client = self._client("webauthn.get", options["challenge"])
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ECDSA(SHA256()))
        return {
            "credential": b64url(self.credential_id),
            "client_data": b64url(client),
            "authenticator_data": b64url(data),
            "signature": b64url(signature),
            "user_handle": b64url(self.user),
        }

    def _data(self, more: int) -> bytes:
        flags = UP | (UV if self.verifies else 0) | more
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes((flags,)) + self.count.to_bytes(4, "big")

    def _client(self, kind: str, challenge: str) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(said).encode()
