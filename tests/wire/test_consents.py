"""What was agreed with a client: tests/vectors/consent.json, and what sealing it promises."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tests.vectors import make_consent_vectors
from tests.vectors.make_vectors import HERE, text
from voice.wire import boxes
from voice.wire.boxes import CONSENT_BYTES, Purpose
from voice.wire.consents import (
    MOST_POINT_CHARACTERS,
    MOST_POINTS,
    Consent,
    decode_consent,
    encode_consent,
)
from voice.wire.encoding import from_b64url
from voice.wire.errors import ContentError, FrameError, SealError

VECTORS = json.loads((HERE / make_consent_vectors.NAME).read_text("ascii"))


def test_the_vectors_are_those_that_the_script_makes() -> None:
    made = text(make_consent_vectors.everything())
    assert (HERE / make_consent_vectors.NAME).read_text("ascii") == made


@pytest.mark.parametrize("vector", [pytest.param(one, id=one["name"]) for one in VECTORS["boxes"]])
def test_boxes(vector: dict[str, Any]) -> None:
    private = X25519PrivateKey.from_private_bytes(from_b64url(vector["private"]))
    identity = Ed25519PublicKey.from_public_bytes(from_b64url(vector["identity"]))
    reached = "parse"
    try:
        box = boxes.parse_box(from_b64url(vector["box"]))
        reached = "verify"
        boxes.verify_box(box, identity)
        reached = "open"
        plaintext = boxes.open_box(box, private)
        reached = "holds"
        assert plaintext.decode() == vector["content"]
        assert (box.purpose, box.version) == (Purpose.CONSENT, vector["number"])
    except (FrameError, SealError):
        pass
    assert reached == vector["expect"]


@pytest.mark.parametrize("vector", [pytest.param(one, id=one["name"]) for one in VECTORS["contents"]])
def test_contents(vector: dict[str, Any]) -> None:
    data = vector["text"].encode()
    if vector["expect"] == "holds":
        assert encode_consent(decode_consent(data)) == data
    else:
        with pytest.raises(ContentError):
            decode_consent(data)


def test_what_was_agreed_does_not_show_in_the_size() -> None:
    reading, day = X25519PrivateKey.generate(), date(2026, 3, 2)
    escaped = Consent(day, ('"\\' * (MOST_POINT_CHARACTERS // 2),) * MOST_POINTS)
    widest = Consent(day, ("\U0001f9f1" * MOST_POINT_CHARACTERS,) * MOST_POINTS)
    for consent in (Consent(day, ("a",)), escaped, widest):
        sealed = boxes.seal_box(
            encode_consent(consent),
            purpose=Purpose.CONSENT,
            identity=Ed25519PrivateKey.generate(),
            reading=reading.public_key(),
            clinician_id=bytes(16),
            device_id=b"d" * 16,
            version=1,
        )
        assert len(sealed) == CONSENT_BYTES
        assert decode_consent(boxes.open_box(boxes.parse_box(sealed), reading)) == consent


def test_a_consent_is_about_a_device_and_not_a_record() -> None:
    identity, reading = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()
    with pytest.raises(ValueError, match="about a device"):
        boxes.seal_box(
            b"{}",
            purpose=Purpose.CONSENT,
            identity=identity,
            reading=reading.public_key(),
            clinician_id=bytes(16),
            device_id=b"d" * 16,
            record_id=b"r" * 16,
            version=1,
        )
