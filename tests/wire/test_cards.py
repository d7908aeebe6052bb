"""The sealed card: its vectors, every bit of it, and whatever bytes come instead."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vectors import make_card_vectors
from tests.vectors.make_vectors import HERE, text
from voice.card import clean_name
from voice.settings import HEARS, PROFILES, from_mapping
from voice.wire.card_content import SETTINGS, PartCard, decode_card, encode_card, spelled
from voice.wire.cards import BUCKETS, MAX_CARD_BYTES, open_card, parse_card, seal_card
from voice.wire.encoding import from_b64url
from voice.wire.errors import ContentError, FrameError, SealError

CARDS = json.loads((HERE / "card.json").read_text("ascii"))
CONTENTS = json.loads((HERE / "card_content.json").read_text("ascii"))
IDENTITY = Ed25519PublicKey.from_public_bytes(from_b64url(CARDS["identity"]))
PRIVATE = X25519PrivateKey.from_private_bytes(from_b64url(CARDS["private"]))
WHOLE = from_b64url(CARDS["cards"][0]["card"])

Vector = dict[str, Any]


def each(vectors: list[Vector]) -> list[Any]:
    return [pytest.param(vector, id=vector["name"]) for vector in vectors]


def step(data: bytes) -> tuple[str, bytes]:
    """The step that refuses these bytes, or "holds"; and what they say."""
    try:
        frame = parse_card(data)
    except FrameError:
        return "parse", b""
    try:
        plaintext = open_card(frame, PRIVATE, IDENTITY)
    except SealError as error:
        return ("verify" if "signed" in str(error) else "open"), b""
    try:
        decode_card(plaintext)
    except ContentError:
        return "content", plaintext
    return "holds", plaintext


def test_the_vectors_are_those_that_the_script_makes() -> None:
    for name, vectors in make_card_vectors.everything().items():
        assert (HERE / name).read_text("ascii") == text(vectors), name


@pytest.mark.parametrize("vector", each(CARDS["cards"]))
def test_cards(vector: Vector) -> None:
    found, plaintext = step(from_b64url(vector["card"]))
    assert found == vector["expect"]
    if found == "holds":
        assert plaintext.decode() == vector["content"]
        assert encode_card(decode_card(plaintext)) == plaintext


@pytest.mark.parametrize("vector", each(CONTENTS))
def test_contents(vector: Vector) -> None:
    data = vector["text"].encode("utf-8", "surrogatepass")
    if vector["expect"] == "decode":
        with pytest.raises(ContentError):
            decode_card(data)
    else:
        assert encode_card(decode_card(data)).decode() == vector["text"]


def test_every_flipped_bit_is_refused() -> None:
    for at in range(8 * len(WHOLE)):
        changed = bytearray(WHOLE)
        changed[at // 8] ^= 1 << at % 8
        assert step(bytes(changed))[0] in ("parse", "verify"), at


@settings(deadline=None)
@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda tail: WHOLE[: -len(tail) or None] + tail))
def test_arbitrary_bytes_are_refused_and_nothing_else_happens(data: bytes) -> None:
    assert data == WHOLE or step(data)[0] in ("parse", "verify")


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_content_is_refused_and_nothing_else_happens(data: bytes) -> None:
    with pytest.raises(ContentError):
        decode_card(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["alias", "name", "settings", "tell", "v", "removed", "w"]), JSON))
def test_content_of_any_shape_is_taken_or_refused(document: dict[str, Any]) -> None:
    data = json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    try:
        card = decode_card(data.encode("utf-8", "surrogatepass"))
    except ContentError:
        return
    assert encode_card(card).decode() == data


@settings(deadline=None)
@given(st.text(max_size=60))
def test_a_name_is_spelled_as_the_device_keeps_it(name: str) -> None:
    assert spelled(name) == clean_name(name)
    assert spelled(spelled(name)) == spelled(name)


def test_sealing_and_opening() -> None:
    identity, box = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()
    device_id, card_id = secrets.token_bytes(16), secrets.token_bytes(16)
    card = PartCard("the foreman", tell="jaw set", settings={"pace": "slow", "quiet": True})
    for plaintext in (encode_card(card), encode_card(PartCard("the foreman", removed=True)), b"x" * 32767):
        made = [
            seal_card(
                plaintext,
                signer=identity,
                device_id=device_id,
                card_id=card_id,
                version=3,
                recipient=box.public_key(),
            )
            for _ in range(2)
        ]
        assert made[0] != made[1]
        frame = parse_card(made[0])
        assert (frame.device_id, frame.card_id, frame.version) == (device_id, card_id, 3)
        assert open_card(frame, box, identity.public_key()) == plaintext
        assert len(made[0]) <= MAX_CARD_BYTES <= 65536
    assert decode_card(encode_card(card)) == card


def test_a_card_that_is_taken_away_looks_like_any_other() -> None:
    longest = PartCard("ก" * 80, "ก" * 80, "ก" * 500, {"pace": "slow", "talk_number": "1" * 31})
    assert len(encode_card(longest)) < BUCKETS[1]
    ordinary = PartCard(
        "the little one by the window", None, " ".join(["hands go cold"] * 10), {"pace": "slow"}
    )
    assert len(encode_card(ordinary)) < BUCKETS[0]
    assert len(encode_card(PartCard("the little one by the window", removed=True))) < BUCKETS[0]


@pytest.mark.parametrize("wrong", [{"device_id": b"x"}, {"card_id": b""}, {"version": 0}, {"version": 2**63}])
def test_what_cannot_be_framed_is_our_own_mistake(wrong: dict[str, Any]) -> None:
    box = X25519PrivateKey.generate()
    whole: dict[str, Any] = {"device_id": bytes(16), "card_id": bytes(16), "version": 1}
    with pytest.raises(ValueError, match="is"):
        seal_card(b"", signer=Ed25519PrivateKey.generate(), recipient=box.public_key(), **{**whole, **wrong})
    with pytest.raises(ValueError, match="at most"):
        seal_card(bytes(32768), signer=Ed25519PrivateKey.generate(), recipient=box.public_key(), **whole)


def test_a_card_sets_only_what_the_device_has_and_only_to_what_it_takes() -> None:
    examples: dict[str, list[object]] = {
        "danger_number": ["112"],
        "hears": list(HEARS),
        "language": ["en"],
        "pace": list(PROFILES),
        "asks_when": [True, False],
        "reads_on": ["sunday", "monday,thursday"],
        "talk_number": ["988"],
    }
    assert examples.keys() | {"quiet", "quiet_from", "quiet_until"} == SETTINGS.keys()
    for key, values in examples.items():
        for value in values:
            assert SETTINGS[key](value)
            from_mapping({key: value})
    from_mapping({"quiet_from": "22:30", "quiet_until": "07:00"})
