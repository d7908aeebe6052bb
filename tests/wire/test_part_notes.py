"""Notes on parts: tests/vectors/part_note.json, and what sealing them promises."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tests.vectors import make_part_note_vectors
from tests.vectors.make_vectors import HERE, text
from voice.wire import boxes
from voice.wire.boxes import PART_NOTE_BYTES, Purpose
from voice.wire.card_content import DAYS, SETTINGS
from voice.wire.encoding import from_b64url
from voice.wire.errors import ContentError, FrameError, SealError
from voice.wire.part_notes import PartNote, decode_part_note, encode_part_note

VECTORS = json.loads((HERE / make_part_note_vectors.NAME).read_text("ascii"))


def test_the_vectors_are_those_that_the_script_makes() -> None:
    made = text(make_part_note_vectors.everything())
    assert (HERE / make_part_note_vectors.NAME).read_text("ascii") == made


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
        assert (box.purpose, box.version) == (Purpose.PART, vector["number"])
    except (FrameError, SealError):
        pass
    assert reached == vector["expect"]


@pytest.mark.parametrize("vector", [pytest.param(one, id=one["name"]) for one in VECTORS["contents"]])
def test_contents(vector: dict[str, Any]) -> None:
    data = vector["text"].encode()
    if vector["expect"] == "holds":
        assert encode_part_note(decode_part_note(data)) == data
    else:
        with pytest.raises(ContentError):
            decode_part_note(data)


def test_what_was_told_does_not_show_in_the_size() -> None:
    reading = X25519PrivateKey.generate()
    least = PartNote("me")
    worst = "\U0001f9f1" * 80
    told = "\U0001f9f1" * 800
    settings: dict[str, str | bool | None] = {
        **dict.fromkeys(("danger_number", "talk_number"), "1" * 31),
        "language": "abc-12345678-12345678-12345678",
        "reads_on": ",".join(DAYS),
        "asks_when": False,
        "hears": "anyone",
        "pace": "slowest",
        "quiet": False,
        "quiet_from": "22:30",
        "quiet_until": "07:00",
    }
    assert settings.keys() == SETTINGS.keys(), "the longest of every setting"
    most = PartNote(worst, worst, "\U0001f9f1" * 500, settings, told, told, told, told, removed=True)
    for note in (least, replace(least, age='"' * 800, role="\\" * 800), most):
        sealed = boxes.seal_box(
            encode_part_note(note),
            purpose=Purpose.PART,
            identity=Ed25519PrivateKey.generate(),
            reading=reading.public_key(),
            clinician_id=b"c" * 16,
            device_id=b"d" * 16,
            record_id=b"k" * 16,
            version=1,
        )
        assert len(sealed) == PART_NOTE_BYTES == 16576
        assert decode_part_note(boxes.open_box(boxes.parse_box(sealed), reading)) == note


def test_a_text_that_no_card_could_carry_is_refused() -> None:
    for wrong in (PartNote(""), PartNote("me", tell="a  b"), PartNote("me", role="n" * 801)):
        with pytest.raises(ContentError):
            encode_part_note(wrong)
