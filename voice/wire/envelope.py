"""The sealed record: a frame that can be checked without opening it. FORMAT.md section 2 is normative."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from voice.wire.encoding import ID_BYTES, KEY_BYTES, SIGNATURE_BYTES, key_id, need
from voice.wire.errors import FrameError, RecordTooLongError, SealError

__all__ = [
    "BUCKETS",
    "HPKE_SUITE",
    "MAX_FRAME_BYTES",
    "Frame",
    "FrameError",
    "Recipient",
    "RecordTooLongError",
    "SealError",
    "data_key_of",
    "open_frame",
    "open_with_data_key",
    "parse_frame",
    "seal_record",
    "verify_frame",
]

MAGIC: Final = b"1BRc"
VERSION: Final = 1
SUITE_X25519: Final = 1
"""DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, Ed25519. 2 is kept for X25519+ML-KEM-768."""

HPKE_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)

BUCKETS: Final = (2048, 8192, 32768)
"""Padded plaintext sizes in bytes. The smallest holds an ordinary 40 s line, so that length says nothing."""

MAX_RECIPIENTS: Final = 8
MAX_SEQUENCE: Final = 2**63 - 1

_HEADER_BYTES: Final = 4 + 1 + 1 + 1 + 1 + ID_BYTES + ID_BYTES + 8
_SEALED_KEY_BYTES: Final = KEY_BYTES + KEY_BYTES + 16
_STANZA_BYTES: Final = ID_BYTES + _SEALED_KEY_BYTES
_TAG_BYTES: Final = 16
_NONCE: Final = bytes(12)
_INFO: Final = b"onebreath record v1\x00"
_SIGNED: Final = b"onebreath record signature v1\x00"

MAX_FRAME_BYTES: Final = (
    _HEADER_BYTES + MAX_RECIPIENTS * _STANZA_BYTES + BUCKETS[-1] + _TAG_BYTES + SIGNATURE_BYTES
)


@dataclass(frozen=True)
class Recipient:
    """Someone who may open a record. `key_id` is the first 16 bytes of SHA-256 of the raw public key."""

    key_id: bytes
    public: X25519PublicKey

    @classmethod
    def of(cls, public: X25519PublicKey) -> Recipient:
        """The recipient that holds the private half of `public`."""
        return cls(key_id(public.public_bytes_raw()), public)


@dataclass(frozen=True)
class Frame:
    """A well-formed frame; not verified and not opened."""

    version: int
    suite: int
    device_id: bytes
    record_id: bytes
    sequence: int
    recipients: tuple[bytes, ...]
    """Key ids, 16 bytes each, ascending."""
    _sealed_keys: tuple[bytes, ...] = field(repr=False)
    _associated: bytes = field(repr=False)
    _ciphertext: bytes = field(repr=False)
    _signature: bytes = field(repr=False)


def seal_record(
    plaintext: bytes,
    *,
    signer: Ed25519PrivateKey,
    device_id: bytes,
    record_id: bytes,
    sequence: int,
    recipients: Sequence[Recipient],
) -> bytes:
    """Seal `plaintext` to 1-8 recipients; 2-33 KB that say nothing of its length within a bucket.

    Ids are 16 bytes, `sequence` counts a device's records from 1. Raises RecordTooLongError, and
    ValueError for arguments that cannot be framed. Sealing the same plaintext twice gives different bytes.
    """
    header = _header(_bucket_for(plaintext), device_id, record_id, sequence, recipients)
    data_key = secrets.token_bytes(KEY_BYTES)
    ordered = sorted(recipients, key=lambda recipient: recipient.key_id)
    sealed_keys = [
        HPKE_SUITE.encrypt(data_key, recipient.public, info=_info(header, recipient.key_id))
        for recipient in ordered
    ]
    stanzas = b"".join(
        recipient.key_id + sealed for recipient, sealed in zip(ordered, sealed_keys, strict=True)
    )
    return _finish(plaintext, header + stanzas, data_key, signer)


def parse_frame(data: bytes) -> Frame:
    """Check a frame by exact sizes, without opening it. Raises FrameError."""
    if len(data) < _HEADER_BYTES:
        raise FrameError("shorter than a record's header")
    if data[:4] != MAGIC:
        raise FrameError("not a record")
    version, suite, count, bucket = data[4:8]
    if version != VERSION:
        raise FrameError(f"record version {version} is not known")
    if suite != SUITE_X25519:
        raise FrameError(f"record suite {suite} is not known")
    if not 1 <= count <= MAX_RECIPIENTS:
        raise FrameError(f"a record has 1 to {MAX_RECIPIENTS} recipients, not {count}")
    if bucket >= len(BUCKETS):
        raise FrameError(f"record size {bucket} is not known")
    sealed_at = _HEADER_BYTES + count * _STANZA_BYTES
    signature_at = sealed_at + BUCKETS[bucket] + _TAG_BYTES
    if len(data) != signature_at + SIGNATURE_BYTES:
        raise FrameError(f"the record is {len(data)} bytes; its header says {signature_at + SIGNATURE_BYTES}")
    sequence = int.from_bytes(data[40:48], "big")
    if not 1 <= sequence <= MAX_SEQUENCE:
        raise FrameError("the sequence number is out of range")
    stanzas = [data[at : at + _STANZA_BYTES] for at in range(_HEADER_BYTES, sealed_at, _STANZA_BYTES)]
    key_ids = tuple(stanza[:ID_BYTES] for stanza in stanzas)
    if any(first >= second for first, second in pairwise(key_ids)):
        raise FrameError("recipients are not distinct and ascending")
    return Frame(
        version=version,
        suite=suite,
        device_id=data[8:24],
        record_id=data[24:40],
        sequence=sequence,
        recipients=key_ids,
        _sealed_keys=tuple(stanza[ID_BYTES:] for stanza in stanzas),
        _associated=data[:sealed_at],
        _ciphertext=data[sealed_at:signature_at],
        _signature=data[signature_at:],
    )


def verify_frame(frame: Frame, device: Ed25519PublicKey) -> None:
    """Check that `device` signed the frame and that the frame names it. Raises SealError."""
    if frame.device_id != key_id(device.public_bytes_raw()):
        raise SealError("the record names another device")
    try:
        device.verify(frame._signature, _SIGNED + frame._associated + frame._ciphertext)
    except InvalidSignature as error:
        raise SealError("the record was not signed by this device") from error


def open_frame(frame: Frame, private: X25519PrivateKey) -> bytes:
    """The plaintext. Verify first: opening says nothing of who sealed it. Raises SealError."""
    return open_with_data_key(frame, data_key_of(frame, private))


def data_key_of(frame: Frame, private: X25519PrivateKey) -> bytes:
    """The record's data key, 32 bytes, as it was sealed to this key. Raises SealError."""
    mine = key_id(private.public_key().public_bytes_raw())
    if mine not in frame.recipients:
        raise SealError("the record is not for this key")
    sealed_key = frame._sealed_keys[frame.recipients.index(mine)]
    try:
        return HPKE_SUITE.decrypt(sealed_key, private, info=_info(frame._associated, mine))
    except (InvalidTag, ValueError) as error:
        raise SealError("the record does not open: it was altered") from error


def open_with_data_key(frame: Frame, data_key: bytes) -> bytes:
    """The plaintext under a data key that someone shared. Raises SealError."""
    try:
        padded = AESGCM(data_key).decrypt(_NONCE, frame._ciphertext, frame._associated)
    except (InvalidTag, ValueError) as error:
        raise SealError("the record does not open: it was altered") from error
    return _unpad(padded)


def digest(data: bytes) -> bytes:
    """SHA-256 of a whole frame: what a receipt names."""
    return hashlib.sha256(data).digest()


def _bucket_for(plaintext: bytes) -> int:
    for code, size in enumerate(BUCKETS):
        if len(plaintext) < size:
            return code
    raise RecordTooLongError(f"{len(plaintext)} bytes; a record holds at most {BUCKETS[-1] - 1}")


def _header(
    bucket: int, device_id: bytes, record_id: bytes, sequence: int, recipients: Sequence[Recipient]
) -> bytes:
    need(device_id, ID_BYTES, "a device id")
    need(record_id, ID_BYTES, "a record id")
    if not 1 <= sequence <= MAX_SEQUENCE:
        raise ValueError("a sequence number is 1 to 2**63 - 1")
    if not 1 <= len(recipients) <= MAX_RECIPIENTS:
        raise ValueError(f"a record has 1 to {MAX_RECIPIENTS} recipients")
    if len({recipient.key_id for recipient in recipients}) != len(recipients):
        raise ValueError("a recipient is named twice")
    fixed = MAGIC + bytes((VERSION, SUITE_X25519, len(recipients), bucket))
    return fixed + device_id + record_id + sequence.to_bytes(8, "big")


def _info(header: bytes, recipient_key_id: bytes) -> bytes:
    """Version, suite, device id, record id, sequence, recipient. Count and size code are bound by the AAD."""
    return _INFO + header[4:6] + header[8:_HEADER_BYTES] + recipient_key_id


def _finish(plaintext: bytes, associated: bytes, data_key: bytes, signer: Ed25519PrivateKey) -> bytes:
    padded = plaintext + b"\x80" + bytes(BUCKETS[associated[7]] - len(plaintext) - 1)
    # The key seals exactly one message, so that a fixed nonce is never used twice with it.
    unsigned = associated + AESGCM(data_key).encrypt(_NONCE, padded, associated)
    return unsigned + signer.sign(_SIGNED + unsigned)


def _unpad(padded: bytes) -> bytes:
    plaintext = padded.rstrip(b"\x00")
    if not plaintext.endswith(b"\x80"):
        raise SealError("the record's padding is not whole")
    return plaintext[:-1]
