"""Pairing: the link, the device's proof, the clinician's invitation and approval (FORMAT.md section 5)."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from voice.wire.encoding import (
    ID_BYTES,
    KEY_BYTES,
    SIGNATURE_BYTES,
    b64url,
    from_b64url,
    key_id,
    need,
)
from voice.wire.envelope import HPKE_SUITE
from voice.wire.errors import FrameError, SealError

__all__ = [
    "Approval",
    "Invitation",
    "Link",
    "OpenedInvitation",
    "check_device_proof",
    "claim_hash",
    "claim_token",
    "device_proof",
    "make_invitation",
    "open_invitation",
    "parse_invitation",
    "sign_approval",
    "verify_approval",
    "verify_invitation",
]

VERSION: Final = 1
INVITATION_MAGIC: Final = b"1BIn"
APPROVAL_MAGIC: Final = b"1BAp"
_SEALED_SECRET_BYTES: Final = KEY_BYTES + ID_BYTES + 16
_INVITATION_BYTES: Final = 5 + ID_BYTES + 32 + 8 + ID_BYTES + _SEALED_SECRET_BYTES + SIGNATURE_BYTES
_APPROVAL_BYTES: Final = 5 + KEY_BYTES + KEY_BYTES + 8 + SIGNATURE_BYTES
_INVITATION_SIGNED: Final = b"onebreath invitation v1\x00"
_INVITATION_INFO: Final = b"onebreath invitation secret v1\x00"
_APPROVAL_SIGNED: Final = b"onebreath approval v1\x00"
_PROOF: Final = b"onebreath device proof v1\x00"
_COPY_DEBRIS: Final = re.compile("[\\s\u00ad\u200b\u200c\u200d\u2060\ufeff]+")


@dataclass(frozen=True)
class Link:
    """A one-time pairing link. The fragment, with secret and fingerprint, is never sent to the server.

    `server` is an origin without a trailing slash: "https://clinic.example" or "http://127.0.0.1:8750".
    """

    server: str
    pairing_id: bytes
    secret: bytes
    fingerprint: bytes

    def __post_init__(self) -> None:
        need(self.pairing_id, ID_BYTES, "a pairing id")
        need(self.secret, ID_BYTES, "a pairing secret")
        need(self.fingerprint, 32, "a fingerprint")

    def __str__(self) -> str:
        return f"{self.server}/pair/{b64url(self.pairing_id)}#{b64url(self.secret + self.fingerprint)}"

    def __repr__(self) -> str:
        return f"Link({self.server!r}, {b64url(self.pairing_id)!r}, ...)"

    @classmethod
    def parse(cls, text: str) -> Link:
        """The link in `text`, with the white space and brackets of copying removed.

        Raises FrameError with a message for the person who typed it.
        """
        link = _COPY_DEBRIS.sub("", text).strip("<>\"'")
        try:
            parts = urlsplit(link)
            port = parts.port
        except ValueError as error:
            raise FrameError("This is not a pairing link.") from error
        if parts.scheme not in ("http", "https") or not parts.hostname or not parts.hostname.isascii():
            raise FrameError("A pairing link begins with https:// and a server's name in plain letters.")
        if parts.username is not None or parts.query or not parts.path.startswith("/pair/"):
            raise FrameError("This is not a pairing link.")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise FrameError("A pairing link to another machine must begin with https://.")
        if not parts.fragment:
            raise FrameError("The pairing link is cut off: the part after # is missing.")
        try:
            pairing_id = from_b64url(parts.path.removeprefix("/pair/"), ID_BYTES)
            hidden = from_b64url(parts.fragment, ID_BYTES + 32)
        except FrameError as error:
            raise FrameError(
                "The pairing link is incomplete or was changed. Copy it again, whole."
            ) from error
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        server = f"{parts.scheme}://{host}" + ("" if port is None else f":{port}")
        return cls(server, pairing_id, hidden[:ID_BYTES], hidden[ID_BYTES:])


@dataclass(frozen=True)
class Invitation:
    """What the server can read of an invitation. `expires_at` is in Unix seconds."""

    pairing_id: bytes
    claim_hash: bytes
    expires_at: int
    reading_key_id: bytes


class OpenedInvitation(NamedTuple):
    """What the clinician reads of it. `expires_at` is in Unix seconds."""

    pairing_id: bytes
    secret: bytes
    expires_at: int


@dataclass(frozen=True)
class Approval:
    """The clinician's word that a device with these raw public keys is their client's."""

    signing: bytes
    encryption: bytes
    approved_at: int


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine: the only place that plain http may go to."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def claim_token(secret: bytes) -> bytes:
    """32 bytes that show the server that a device holds the link, and tell it nothing of the secret."""
    return _derive(secret, b"onebreath pairing claim v1")


def claim_hash(secret: bytes) -> bytes:
    """What the server keeps to check a claim token: its SHA-256."""
    return hashlib.sha256(claim_token(secret)).digest()


def device_proof(secret: bytes, pairing_id: bytes, signing_public: bytes, encryption_public: bytes) -> bytes:
    """A MAC under the link's secret over a device's raw public keys: the server can swap neither."""
    need(pairing_id, ID_BYTES, "a pairing id")
    need(signing_public, KEY_BYTES, "a signing key")
    need(encryption_public, KEY_BYTES, "an encryption key")
    key = _derive(secret, b"onebreath pairing proof v1")
    return hmac.digest(key, _PROOF + pairing_id + signing_public + encryption_public, "sha256")


def check_device_proof(
    proof: bytes, secret: bytes, pairing_id: bytes, signing_public: bytes, encryption_public: bytes
) -> bool:
    """Whether the device that holds these keys held the link. In constant time."""
    return hmac.compare_digest(device_proof(secret, pairing_id, signing_public, encryption_public), proof)


def make_invitation(
    identity_private: Ed25519PrivateKey,
    reading_public: X25519PublicKey,
    *,
    pairing_id: bytes,
    secret: bytes,
    expires_at: int,
) -> bytes:
    """An invitation that the server keeps: it can check a claim, and neither read nor replace the secret."""
    need(pairing_id, ID_BYTES, "a pairing id")
    need(secret, ID_BYTES, "a pairing secret")
    if not 0 <= expires_at < 2**63:
        raise ValueError("the expiry is out of range")
    public = (
        INVITATION_MAGIC
        + bytes((VERSION,))
        + pairing_id
        + claim_hash(secret)
        + expires_at.to_bytes(8, "big")
        + key_id(reading_public.public_bytes_raw())
    )
    body = public + HPKE_SUITE.encrypt(secret, reading_public, info=_INVITATION_INFO + public)
    return body + identity_private.sign(_INVITATION_SIGNED + body)


def parse_invitation(data: bytes) -> Invitation:
    """The readable part of an invitation, unverified. Raises FrameError."""
    if len(data) != _INVITATION_BYTES or data[:4] != INVITATION_MAGIC:
        raise FrameError("not an invitation")
    if data[4] != VERSION:
        raise FrameError(f"invitation version {data[4]} is not known")
    expires_at = int.from_bytes(data[53:61], "big")
    if expires_at >= 2**63:
        raise FrameError("the invitation's expiry is out of range")
    return Invitation(data[5:21], data[21:53], expires_at, data[61:77])


def verify_invitation(data: bytes, identity: Ed25519PublicKey) -> Invitation:
    """The readable part, if `identity` signed the invitation. Raises FrameError, SealError."""
    invitation = parse_invitation(data)
    _verify(identity, data, _INVITATION_SIGNED, "the invitation is not this clinician's")
    return invitation


def open_invitation(
    data: bytes, identity: Ed25519PublicKey, reading_private: X25519PrivateKey
) -> OpenedInvitation:
    """Verify and open the clinician's own invitation. Raises FrameError, SealError."""
    invitation = verify_invitation(data, identity)
    if invitation.reading_key_id != key_id(reading_private.public_key().public_bytes_raw()):
        raise SealError("the invitation is sealed to another reading key")
    sealed = data[77:-SIGNATURE_BYTES]
    try:
        secret = HPKE_SUITE.decrypt(sealed, reading_private, info=_INVITATION_INFO + data[:77])
    except (InvalidTag, ValueError) as error:
        raise SealError("the invitation does not open") from error
    if len(secret) != ID_BYTES or not hmac.compare_digest(claim_hash(secret), invitation.claim_hash):
        raise SealError("the invitation's secret is not the one it names")
    return OpenedInvitation(invitation.pairing_id, secret, invitation.expires_at)


def sign_approval(
    identity_private: Ed25519PrivateKey, signing_public: bytes, encryption_public: bytes, approved_at: int
) -> bytes:
    """The clinician's signature on a device's raw public keys; `approved_at` in Unix seconds."""
    need(signing_public, KEY_BYTES, "a signing key")
    need(encryption_public, KEY_BYTES, "an encryption key")
    if not 0 <= approved_at < 2**63:
        raise ValueError("the time is out of range")
    body = APPROVAL_MAGIC + bytes((VERSION,)) + signing_public + encryption_public
    body += approved_at.to_bytes(8, "big")
    return body + identity_private.sign(_APPROVAL_SIGNED + body)


def verify_approval(data: bytes, identity: Ed25519PublicKey) -> Approval:
    """The approval, if `identity` signed it. Raises FrameError, SealError."""
    if len(data) != _APPROVAL_BYTES or data[:4] != APPROVAL_MAGIC:
        raise FrameError("not an approval")
    if data[4] != VERSION:
        raise FrameError(f"approval version {data[4]} is not known")
    approved_at = int.from_bytes(data[69:77], "big")
    if approved_at >= 2**63:
        raise FrameError("the approval's time is out of range")
    _verify(identity, data, _APPROVAL_SIGNED, "the approval is not this clinician's")
    return Approval(data[5:37], data[37:69], approved_at)


def _derive(secret: bytes, purpose: bytes) -> bytes:
    need(secret, ID_BYTES, "a pairing secret")
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret)


def _verify(identity: Ed25519PublicKey, data: bytes, domain: bytes, problem: str) -> None:
    try:
        identity.verify(data[-SIGNATURE_BYTES:], domain + data[:-SIGNATURE_BYTES])
    except InvalidSignature as error:
        raise SealError(problem) from error
