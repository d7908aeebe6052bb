"""Shares, endorsements and wrapped keys: vectors, round trips, and no bit that can be flipped unseen."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vectors import make_key_vectors, make_vectors
from voice.wire import endorsement, keys, sharing
from voice.wire.encoding import from_b64url, key_id
from voice.wire.envelope import Recipient, seal_record
from voice.wire.errors import FrameError, SealError

VECTORS = Path(__file__).resolve().parent.parent / "vectors"

Vector = dict[str, Any]

DEVICE, ME, RECOVERY = (
    Ed25519PrivateKey.generate(),
    Ed25519PrivateKey.generate(),
    X25519PrivateKey.generate(),
)
MINE, THEIRS, OTHERS = (X25519PrivateKey.generate() for _ in range(3))
RECORD_ID, CLINICIAN_ID = bytes(range(16)), bytes(range(16, 32))


def load(name: str) -> list[Any]:
    return [pytest.param(vector, id=vector["name"]) for vector in json.loads((VECTORS / name).read_text())]


def frame(plaintext: bytes = b"{}", sequence: int = 7, record_id: bytes = RECORD_ID) -> bytes:
    return seal_record(
        plaintext,
        signer=DEVICE,
        device_id=keys.device_id(DEVICE.public_key()),
        record_id=record_id,
        sequence=sequence,
        recipients=[Recipient.of(MINE.public_key())],
    )


def shared(data: bytes, to: X25519PrivateKey = THEIRS, by: Ed25519PrivateKey = ME) -> bytes:
    return sharing.make_share(
        data, device=DEVICE.public_key(), reading=MINE, identity=by, recipient=to.public_key()
    )


def test_the_vectors_are_those_that_the_script_makes() -> None:
    for name, vectors in make_key_vectors.everything().items():
        assert (VECTORS / name).read_text("ascii") == make_vectors.text(vectors), name


@pytest.mark.parametrize("vector", load("share.json"))
def test_shares(vector: Vector) -> None:
    data, sealed = from_b64url(vector["share"]), from_b64url(vector["frame"])
    sharer = Ed25519PublicKey.from_public_bytes(from_b64url(vector["sharer"]))
    private = X25519PrivateKey.from_private_bytes(from_b64url(vector["private"]))
    try:
        sharing.parse_share(data)
    except FrameError:
        assert vector["expect"] == "parse"
        return
    try:
        sharing.verify_share(data, sharer)
    except SealError:
        assert vector["expect"] == "verify"
        return
    try:
        plaintext = sharing.open_shared(data, sealed, identity=sharer, reading=private)
    except SealError:
        assert vector["expect"] == "open"
        return
    assert vector["expect"] == "holds"
    assert plaintext.decode() == vector["content"]


@pytest.mark.parametrize("vector", load("endorsement.json"))
def test_endorsements(vector: Vector) -> None:
    try:
        endorsement.verify_endorsement(
            from_b64url(vector["endorsement"]),
            from_b64url(vector["fingerprint"]),
            clinician_id=from_b64url(vector["clinician"]),
            at_least=vector["at_least"],
        )
        step = "holds"
    except FrameError:
        step = "parse"
    except SealError:
        step = "verify"
    assert step == vector["expect"]


@pytest.mark.parametrize("vector", load("wrapped_key.json"))
def test_wrapped_keys(vector: Vector) -> None:
    try:
        private = keys.unwrap_private(
            from_b64url(vector["wrapped"]),
            key=from_b64url(vector["key"]),
            clinician_id=from_b64url(vector["clinician"]),
            epoch=vector["epoch"],
            public_raw=from_b64url(vector["public"]),
        )
    except FrameError:
        assert vector["expect"] == "parse"
    except SealError:
        assert vector["expect"] == "verify"
    else:
        assert vector["expect"] == "holds"
        assert private == from_b64url(vector["private"])


@settings(deadline=None, max_examples=25)
@given(st.binary(max_size=3000), st.integers(1, 2**63 - 1), st.binary(min_size=16, max_size=16))
def test_what_is_shared_is_what_was_sealed(plaintext: bytes, sequence: int, record_id: bytes) -> None:
    sealed = frame(plaintext, sequence, record_id)
    data = shared(sealed)
    assert len(data) == sharing.SHARE_BYTES
    found = sharing.parse_share(data)
    assert (found.sequence, found.record_id) == (sequence, record_id)
    assert found.recipient == key_id(THEIRS.public_key().public_bytes_raw())
    assert found.sha256 == hashlib.sha256(sealed).digest()
    opened = sharing.open_shared(data, sealed, identity=ME.public_key(), reading=THEIRS)
    assert opened == plaintext


def test_no_bit_of_a_share_can_be_flipped_unseen() -> None:
    sealed = frame()
    data = shared(sealed)
    for at in range(len(data) * 8):
        flipped = make_vectors.flip(data, at // 8, 1 << at % 8)
        with pytest.raises((FrameError, SealError)):
            sharing.open_shared(flipped, sealed, identity=ME.public_key(), reading=THEIRS)


def test_no_bit_of_the_shared_frame_can_be_flipped_unseen() -> None:
    sealed = frame()
    data = shared(sealed)
    for at in range(0, len(sealed) * 8, 37):
        flipped = make_vectors.flip(sealed, at // 8, 1 << at % 8)
        with pytest.raises(SealError, match="another record"):
            sharing.open_shared(data, flipped, identity=ME.public_key(), reading=THEIRS)


def test_a_share_cannot_be_moved_to_another_record_person_or_sharer() -> None:
    first, second, mallory = frame(), frame(sequence=8), Ed25519PrivateKey.generate()
    data = shared(first)
    with pytest.raises(SealError, match="another record"):
        sharing.open_shared(data, second, identity=ME.public_key(), reading=THEIRS)
    with pytest.raises(SealError, match="not for this key"):
        sharing.open_shared(data, first, identity=ME.public_key(), reading=OTHERS)
    with pytest.raises(SealError, match="not signed"):
        sharing.open_shared(data, first, identity=mallory.public_key(), reading=THEIRS)
    # Another clinician of the practice who puts their own name under it cannot open it either.
    body = data[:-64]
    claimed = body + mallory.sign(b"onebreath share signature v1\x00" + body)
    with pytest.raises(SealError, match="does not open"):
        sharing.open_shared(claimed, first, identity=mallory.public_key(), reading=THEIRS)


def test_only_what_one_can_read_oneself_is_shared() -> None:
    sealed = frame()
    with pytest.raises(SealError, match="not for this key"):
        sharing.make_share(
            sealed,
            device=DEVICE.public_key(),
            reading=OTHERS,
            identity=ME,
            recipient=THEIRS.public_key(),
        )
    with pytest.raises(SealError, match="another device"):
        sharing.make_share(
            sealed,
            device=Ed25519PrivateKey.generate().public_key(),
            reading=MINE,
            identity=ME,
            recipient=THEIRS.public_key(),
        )
    with pytest.raises(SealError):
        sharing.make_share(
            make_vectors.flip(sealed, 400),
            device=DEVICE.public_key(),
            reading=MINE,
            identity=ME,
            recipient=THEIRS.public_key(),
        )


names = st.text(min_size=1, max_size=40).filter(lambda name: not keys.name_problem(name))


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 2**63 - 1), st.integers(1, 2**32 - 1), names)
def test_an_endorsement_says_what_was_signed(number: int, from_epoch: int, holder: str) -> None:
    data = endorsement.sign_endorsement(
        ME,
        clinician_id=CLINICIAN_ID,
        number=number,
        from_epoch=from_epoch,
        key=RECOVERY.public_key(),
        holder=holder,
    )
    said = endorsement.verify_endorsement(
        data, keys.fingerprint(ME.public_key()), clinician_id=CLINICIAN_ID, at_least=number
    )
    assert (said.number, said.from_epoch, said.holder) == (number, from_epoch, holder)
    assert said.key is not None
    assert said.key.public_bytes_raw() == RECOVERY.public_key().public_bytes_raw()
    gone = endorsement.sign_withdrawal(ME, clinician_id=CLINICIAN_ID, number=number, from_epoch=from_epoch)
    said = endorsement.parse_endorsement(gone)
    assert (said.number, said.key, said.holder) == (number, None, "")


def test_no_bit_of_an_endorsement_can_be_flipped_unseen() -> None:
    for data in (
        endorsement.sign_endorsement(
            ME,
            clinician_id=CLINICIAN_ID,
            number=2,
            from_epoch=1,
            key=RECOVERY.public_key(),
            holder="Elm Street practice",
        ),
        endorsement.sign_withdrawal(ME, clinician_id=CLINICIAN_ID, number=2, from_epoch=1),
    ):
        for at in range(len(data) * 8):
            flipped = make_vectors.flip(data, at // 8, 1 << at % 8)
            with pytest.raises((FrameError, SealError)):
                endorsement.verify_endorsement(
                    flipped, keys.fingerprint(ME.public_key()), clinician_id=CLINICIAN_ID
                )


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_make_the_parsers_fail(data: bytes) -> None:
    for parse, magic in (
        (sharing.parse_share, b"1BSh\x01\x01"),
        (endorsement.parse_endorsement, b"1BEn\x01"),
    ):
        for given_bytes in (data, magic + data, (magic + data).ljust(sharing.SHARE_BYTES, b"\x00")[:270]):
            with pytest.raises((FrameError, SealError)):
                parse(given_bytes)


@pytest.mark.parametrize(
    "change",
    [
        {"number": 0},
        {"number": 2**63},
        {"from_epoch": 0},
        {"from_epoch": 2**32},
        {"holder": ""},
        {"holder": "a\nb"},
        {"holder": "n" * 201},
        {"clinician_id": b""},
    ],
)
def test_what_cannot_be_endorsed_is_not_signed(change: dict[str, Any]) -> None:
    good: dict[str, Any] = {
        "clinician_id": CLINICIAN_ID,
        "number": 1,
        "from_epoch": 1,
        "key": RECOVERY.public_key(),
        "holder": "Elm Street practice",
    }
    with pytest.raises(ValueError, match=r"\w"):
        endorsement.sign_endorsement(ME, **{**good, **change})
