"""Sealed notes to self: tests/vectors/box.json, and what sealing them promises."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tests.vectors import make_box_vectors
from tests.vectors.make_vectors import HERE, text
from voice.wire import boxes
from voice.wire.boxes import MAX_BOX_BYTES, Mark, Purpose, Said
from voice.wire.encoding import from_b64url
from voice.wire.errors import ContentError, FrameError, SealError

VECTORS = json.loads((HERE / make_box_vectors.NAME).read_text("ascii"))
IDENTITY, READING = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()
CLINICIAN, DEVICE, RECORD = b"c" * 16, b"d" * 16, b"r" * 16


def test_the_vectors_are_those_that_the_script_makes() -> None:
    assert (HERE / make_box_vectors.NAME).read_text("ascii") == text(make_box_vectors.boxes())


def step(vector: dict[str, Any]) -> tuple[str, bytes]:
    private = X25519PrivateKey.from_private_bytes(from_b64url(vector["private"]))
    identity = Ed25519PublicKey.from_public_bytes(from_b64url(vector["identity"]))
    try:
        box = boxes.parse_box(from_b64url(vector["box"]))
    except FrameError:
        return "parse", b""
    try:
        boxes.verify_box(box, identity)
    except SealError:
        return "verify", b""
    try:
        plaintext = boxes.open_box(box, private)
    except SealError:
        return "open", b""
    try:
        if box.purpose is Purpose.MARK:
            boxes.decode_mark(plaintext)
        else:
            boxes.decode_label(plaintext)
    except ContentError:
        return "content", plaintext
    assert box.version == vector.get("number", box.version)
    return "holds", plaintext


@pytest.mark.parametrize("vector", [pytest.param(one, id=one["name"]) for one in VECTORS])
def test_vectors(vector: dict[str, Any]) -> None:
    reached, plaintext = step(vector)
    assert reached == vector["expect"]
    if reached == "holds":
        assert plaintext.decode() == vector["content"]


def sealed(plaintext: bytes, **changes: Any) -> bytes:
    how: dict[str, Any] = {
        "purpose": Purpose.MARK,
        "identity": IDENTITY,
        "reading": READING.public_key(),
        "clinician_id": CLINICIAN,
        "device_id": DEVICE,
        "record_id": RECORD,
        "version": 1,
    }
    return boxes.seal_box(plaintext, **{**how, **changes})


def test_the_length_tells_nothing_of_what_is_said() -> None:
    said = [boxes.encode_mark(Mark(one, at)) for one in Said for at in (0, 2**53 - 1)]
    names = [boxes.encode_label(name) for name in ("A", "Ana María " * 20 + "x")]
    assert {len(sealed(one)) for one in said + names} == {448}
    assert len(sealed(boxes.encode_label("n" * 400))) == MAX_BOX_BYTES == 1216
    assert sealed(said[0]) != sealed(said[0])


def test_a_note_comes_back() -> None:
    mark = Mark(Said.DISCUSSED, 1_790_000_000)
    box = boxes.parse_box(sealed(boxes.encode_mark(mark), version=7))
    boxes.verify_box(box, IDENTITY.public_key())
    assert boxes.decode_mark(boxes.open_box(box, READING)) == mark
    assert (box.clinician_id, box.device_id, box.record_id, box.version) == (CLINICIAN, DEVICE, RECORD, 7)
    assert "sealed" not in repr(box)


@pytest.mark.parametrize(
    "changes",
    [
        {"clinician_id": b"short"},
        {"device_id": b""},
        {"record_id": b"r" * 15},
        {"record_id": bytes(16)},
        {"purpose": Purpose.LABEL},
        {"version": 0},
        {"version": 2**53},
    ],
)
def test_what_cannot_be_framed_is_our_own_mistake(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the kind of error is what is promised
        sealed(b"{}", **changes)


def test_what_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 1023 bytes"):
        sealed(bytes(1024))
    with pytest.raises(ValueError, match="at most 400 bytes"):
        boxes.encode_label("n" * 401)
    with pytest.raises(ValueError, match="time is out of range"):
        boxes.encode_mark(Mark(Said.NONE, -1))


@given(st.binary(max_size=1400))
def test_no_bytes_but_a_note_are_taken(data: bytes) -> None:
    with pytest.raises(FrameError):
        boxes.parse_box(data)
    with pytest.raises(FrameError):
        boxes.parse_box(b"1BBx" + data)


@given(st.binary(max_size=300))
def test_any_plaintext_decodes_or_is_refused(data: bytes) -> None:
    for decode in (boxes.decode_mark, boxes.decode_label):
        with pytest.raises(ContentError):
            decode(data)


@given(at=st.integers(0, 447), bit=st.integers(0, 7))
def test_no_bit_can_be_changed(at: int, bit: int) -> None:
    changed = bytearray(WHOLE)
    changed[at] ^= 1 << bit
    with pytest.raises((FrameError, SealError)):
        boxes.verify_box(boxes.parse_box(bytes(changed)), IDENTITY.public_key())


WHOLE = sealed(boxes.encode_mark(Mark(Said.DISCUSSED, 1)), record_id=secrets.token_bytes(16))
