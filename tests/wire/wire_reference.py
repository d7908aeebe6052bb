"""A second hand at FORMAT.md: HPKE and frames written out from the RFC and the text, with fixed randomness.

It shares no code with voice/wire, so that vectors made here test the text and not the code that wrote them.
Only X25519, Ed25519 and AES-GCM themselves come from `cryptography`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEM_ID = b"KEM" + (0x0020).to_bytes(2, "big")
SUITE_ID = b"HPKE" + bytes.fromhex("002000010002")


def seed(text: str) -> bytes:
    """32 fixed bytes for a vector's key."""
    return hashlib.sha256(f"onebreath vector {text}".encode()).digest()


def ident(text: str) -> bytes:
    """16 fixed bytes for a vector's id."""
    return seed(text)[:16]


def signing(text: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed(text))


def agreement(text: str) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(seed(text))


def raw(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def short(raw_public: bytes) -> bytes:
    return hashlib.sha256(raw_public).digest()[:16]


def hkdf_extract(salt: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), ikm, "sha256")


def hkdf_expand(prk: bytes, info: bytes, length: int) -> bytes:
    out, block, count = b"", b"", 1
    while len(out) < length:
        block = hmac.digest(prk, block + info + bytes([count]), "sha256")
        out, count = out + block, count + 1
    return out[:length]


def _extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return hkdf_extract(salt, b"HPKE-v1" + suite + label + ikm)


def _expand(suite: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    return hkdf_expand(prk, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info, length)


def hpke_seal(plaintext: bytes, recipient: bytes, info: bytes, ephemeral: bytes, aad: bytes = b"") -> bytes:
    """RFC 9180 base mode, X25519 / HKDF-SHA256 / AES-256-GCM, first message; `enc || ct`."""
    private = X25519PrivateKey.from_private_bytes(ephemeral)
    enc = raw(private)
    dh = private.exchange(X25519PublicKey.from_public_bytes(recipient))
    eae = _extract(KEM_ID, b"", b"eae_prk", dh)
    shared = _expand(KEM_ID, eae, b"shared_secret", enc + recipient, 32)
    psk_hash = _extract(SUITE_ID, b"", b"psk_id_hash", b"")
    info_hash = _extract(SUITE_ID, b"", b"info_hash", info)
    context = b"\x00" + psk_hash + info_hash
    secret = _extract(SUITE_ID, shared, b"secret", b"")
    key = _expand(SUITE_ID, secret, b"key", context, 32)
    nonce = _expand(SUITE_ID, secret, b"base_nonce", context, 12)
    return enc + AESGCM(key).encrypt(nonce, plaintext, aad)


@dataclass(frozen=True)
class Plan:
    """Everything a record is made of; a vector changes one thing."""

    padded: bytes
    device: str = "device"
    record: str = "record"
    sequence: int = 7
    readers: tuple[str, ...] = ("reading",)
    magic: bytes = b"1BRc"
    version: int = 1
    suite: int = 1
    size_code: int = 0
    count: int | None = None


def pad(plaintext: bytes, size: int = 2048) -> bytes:
    return plaintext + b"\x80" + bytes(size - len(plaintext) - 1)


def head(plan: Plan) -> bytes:
    count = len(plan.readers) if plan.count is None else plan.count
    return (
        plan.magic
        + bytes([plan.version, plan.suite, count, plan.size_code])
        + short(raw(signing(plan.device)))
        + ident(plan.record)
        + plan.sequence.to_bytes(8, "big")
    )


def ascending(readers: Sequence[str]) -> list[str]:
    return sorted(readers, key=lambda name: short(raw(agreement(name))))


def stanza(plan: Plan, reader: str, data_key: bytes) -> bytes:
    public = raw(agreement(reader))
    info = b"onebreath record v1\x00" + head(plan)[4:6] + head(plan)[8:48] + short(public)
    return short(public) + hpke_seal(data_key, public, info, seed(f"ephemeral {plan.record} {reader}"))


def unsigned(plan: Plan, readers: Sequence[str] | None = None) -> bytes:
    data_key = seed(f"data key {plan.record}")
    order = ascending(plan.readers) if readers is None else readers
    associated = head(plan) + b"".join(stanza(plan, reader, data_key) for reader in order)
    return associated + AESGCM(data_key).encrypt(bytes(12), plan.padded, associated)


def sign(body: bytes, signer: str = "device", domain: bytes = b"onebreath record signature v1\x00") -> bytes:
    return body + signing(signer).sign(domain + body)


def record(plan: Plan) -> bytes:
    return sign(unsigned(plan), plan.device)


def statement(
    *,
    identity: str = "identity",
    clinician: bytes | None = None,
    name: bytes = b"Dr Okafor",
    epoch: int = 3,
    reading: str = "reading",
    issued_at: int = 1_790_000_000,
    magic: bytes = b"1BSt",
    version: int = 1,
    length: int | None = None,
) -> bytes:
    body = magic + bytes([version]) + (clinician or ident("clinician")) + raw(signing(identity))
    body += epoch.to_bytes(4, "big") + raw(agreement(reading)) + issued_at.to_bytes(8, "big")
    body += bytes([len(name) if length is None else length]) + name
    return sign(body, identity, b"onebreath statement v1\x00")


def derive(secret: bytes, purpose: bytes) -> bytes:
    return hkdf_expand(hkdf_extract(b"", secret), purpose, 32)


def proof(secret: bytes, pairing: bytes, signing_key: bytes, encryption_key: bytes) -> bytes:
    key = derive(secret, b"onebreath pairing proof v1")
    return hmac.digest(
        key, b"onebreath device proof v1\x00" + pairing + signing_key + encryption_key, "sha256"
    )


def invitation(
    *,
    secret: bytes | None = None,
    claimed: bytes | None = None,
    reading: str = "reading",
    magic: bytes = b"1BIn",
    version: int = 1,
    expires_at: int = 1_790_086_400,
    identity: str = "identity",
) -> bytes:
    hidden = ident("secret") if secret is None else secret
    claim = hashlib.sha256(derive(claimed or hidden, b"onebreath pairing claim v1")).digest()
    public = magic + bytes([version]) + ident("pairing") + claim
    public += expires_at.to_bytes(8, "big") + short(raw(agreement(reading)))
    info = b"onebreath invitation secret v1\x00" + public
    sealed = hpke_seal(hidden, raw(agreement(reading)), info, seed("ephemeral invitation"))
    return sign(public + sealed, identity, b"onebreath invitation v1\x00")


def approval(*, magic: bytes = b"1BAp", version: int = 1, identity: str = "identity") -> bytes:
    body = magic + bytes([version]) + raw(signing("device")) + raw(agreement("device encryption"))
    return sign(body + (1_790_000_060).to_bytes(8, "big"), identity, b"onebreath approval v1\x00")
