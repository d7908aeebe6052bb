"""Sealed cards as the clinician's own programs make them: which id a part has, and which version comes next.

Pure: keys and listings in, bytes out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from voice.wire.card_content import PartCard, encode_card
from voice.wire.cards import MAX_VERSION, seal_card
from voice.wire.encoding import ID_BYTES, agreement_key

_ID: Final = b"onebreath card id v1\x00"


def card_id_of(identity: Ed25519PrivateKey, device_id: bytes, name: str) -> bytes:
    """The id of a part's card on one device, 16 bytes: random to everyone without the identity key.

    It follows from the key, so that no list of the names of parts has to be kept to send a part's next card.
    """
    info = _ID + device_id + name.encode("utf-8")
    return HKDF(algorithm=SHA256(), length=ID_BYTES, salt=None, info=info).derive(
        identity.private_bytes_raw()
    )


def next_version(listed: Iterable[int], now: int) -> int:
    """A version above every listed one, and above those of cards that were deleted. `now` in Unix seconds."""
    return min(MAX_VERSION, max(now, 1, *(version + 1 for version in listed)))


def make_card(
    identity: Ed25519PrivateKey,
    device_id: bytes,
    encryption: bytes,
    part: PartCard,
    version: int,
    *,
    card_id: bytes | None = None,
) -> tuple[bytes, bytes]:
    """The card's id and its sealed bytes. `encryption`: the device's raw X25519 key, which must be verified.

    `card_id`: the id that the part's card has, where it is not the one that follows from the key.
    Raises ContentError, worded for a person, for what a card cannot say; FrameError for a key that is none.
    """
    plaintext = encode_card(part)
    card_id = card_id or card_id_of(identity, device_id, part.name)
    sealed = seal_card(
        plaintext,
        signer=identity,
        device_id=device_id,
        card_id=card_id,
        version=version,
        recipient=agreement_key(encryption),
    )
    return card_id, sealed
