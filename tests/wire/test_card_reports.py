"""The sealed report: its vectors, every bit of it, and whatever bytes come instead."""

from __future__ import annotations

import json
import secrets
from itertools import product
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vectors import make_report_vectors
from tests.vectors.make_vectors import HERE, text
from voice.wire.card_report_content import REASONS, Forecast, Report, decode_report, encode_report
from voice.wire.card_reports import (
    BUCKETS,
    MAX_NUMBER,
    MAX_REPORT_BYTES,
    open_report,
    parse_report,
    seal_report,
    verify_report,
)
from voice.wire.encoding import from_b64url, key_id
from voice.wire.errors import ContentError, FrameError, SealError

REPORTS = json.loads((HERE / "card_report.json").read_text("ascii"))
CONTENTS = json.loads((HERE / "card_report_content.json").read_text("ascii"))
DEVICE = Ed25519PublicKey.from_public_bytes(from_b64url(REPORTS["device"]))
PRIVATE = X25519PrivateKey.from_private_bytes(from_b64url(REPORTS["private"]))
WHOLE = from_b64url(REPORTS["reports"][0]["report"])

Vector = dict[str, Any]


def each(vectors: list[Vector]) -> list[Any]:
    return [pytest.param(vector, id=vector["name"]) for vector in vectors]


def step(data: bytes) -> tuple[str, bytes]:
    """The step that refuses these bytes, or "holds"; and what they say."""
    try:
        frame = parse_report(data)
    except FrameError:
        return "parse", b""
    try:
        verify_report(frame, DEVICE)
    except SealError:
        return "verify", b""
    if (frame.card_id, frame.version) != (from_b64url(REPORTS["card"]), REPORTS["version"]):
        # Who changed the header and signed it again is the device itself: it opens for its own place alone.
        try:
            open_report(frame, PRIVATE)
        except SealError:
            return "open", b""
        return "card", b""
    try:
        plaintext = open_report(frame, PRIVATE)
    except SealError:
        return "open", b""
    try:
        decode_report(plaintext)
    except ContentError:
        return "content", plaintext
    return "holds", plaintext


def test_the_vectors_are_those_that_the_script_makes() -> None:
    for name, vectors in make_report_vectors.everything().items():
        assert (HERE / name).read_text("ascii") == text(vectors), name


@pytest.mark.parametrize("vector", each(REPORTS["reports"]))
def test_reports(vector: Vector) -> None:
    data = from_b64url(vector["report"])
    found, plaintext = step(data)
    assert found == vector["expect"]
    if found == "holds":
        assert plaintext.decode() == vector["content"]
        assert parse_report(data).number == vector["number"]
        assert encode_report(decode_report(plaintext)) == plaintext


@pytest.mark.parametrize("vector", each(CONTENTS))
def test_contents(vector: Vector) -> None:
    data = vector["text"].encode("utf-8", "surrogatepass")
    if vector["expect"] == "decode":
        with pytest.raises(ContentError):
            decode_report(data)
    else:
        assert encode_report(decode_report(data)).decode() == vector["text"]


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
        decode_report(data)


NUMBERS = st.integers(-1, 12) | st.sampled_from([99, 100, 10**6, 10**6 + 1, 10**30]) | st.floats()
WORDS = st.sampled_from([*REASONS, *sorted({one for some in REASONS.values() for one in some}), "takes"])
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)
FORECAST = st.fixed_dictionaries(
    {
        "false_tenths": NUMBERS,
        "found": NUMBERS,
        "from": st.sampled_from(["takes", "tries", "", None]),
        "of_ten": st.none() | st.lists(NUMBERS, max_size=3),
        "tries": NUMBERS,
    }
)
REPORT = st.fixed_dictionaries(
    {
        "forecast": st.none() | FORECAST | JSON,
        "of": NUMBERS,
        "reason": st.none() | WORDS,
        "stage": st.sampled_from([*REASONS, ""]),
        "takes": NUMBERS,
        "tries": NUMBERS,
        "tries_of": NUMBERS,
        "v": st.just(1) | JSON,
    }
)


@settings(deadline=None, max_examples=300)
@given(REPORT | st.dictionaries(st.sampled_from(["forecast", "of", "reason", "stage", "v", "w"]), JSON))
def test_content_of_any_shape_is_taken_or_refused(document: dict[str, Any]) -> None:
    data = json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    try:
        report = decode_report(data.encode("utf-8", "surrogatepass"))
    except ContentError:
        return
    assert encode_report(report).decode() == data


COUNTS = st.integers(0, 99)


@st.composite
def reports(draw: st.DrawFn) -> Report:
    stage = draw(st.sampled_from(sorted(REASONS)))
    tries = draw(COUNTS)
    forecast = None
    if stage in ("done", "refused") and draw(st.booleans()):
        said = draw(COUNTS)
        low, high = sorted((draw(st.integers(0, 10)), draw(st.integers(0, 10))))
        from_tries = draw(st.booleans())
        of_ten = (low, high) if from_tries else draw(st.sampled_from([None, (low, low)]))
        found = draw(st.integers(0, said))
        forecast = Forecast(of_ten, from_tries, said, found, draw(st.integers(0, 10**6)))
    reason = draw(st.sampled_from([None, *sorted(REASONS[stage])]))
    takes, of = draw(COUNTS), draw(COUNTS)
    return Report(stage, takes, of, draw(st.integers(0, tries)), tries, forecast=forecast, reason=reason)


@settings(deadline=None)
@given(reports())
def test_whatever_can_be_said_is_read_as_it_was_said_and_is_of_one_size(report: Report) -> None:
    said = encode_report(report)
    assert decode_report(said) == report
    assert len(said) < BUCKETS[0]


def test_what_cannot_be_said_is_refused_before_it_is_sealed() -> None:
    for wrong in (
        Report("resting"),
        Report("waiting", reason="too_quiet"),
        Report("recording", takes=-1),
        Report("trying", tries=2, tries_of=1),
        Report("trying", forecast=Forecast((9, 9), False, 0, 0, 1)),
        Report("done", forecast=Forecast((8, 9), False, 0, 0, 1)),
    ):
        with pytest.raises(ContentError):
            encode_report(wrong)


def test_every_stage_and_reason_is_in_the_contract() -> None:
    contract = (HERE.parents[1] / "voice" / "wire" / "FORMAT.md").read_text().partition("## 17.")[2]
    rows = {line.split("`")[1]: line for line in contract.splitlines() if line.startswith("| `")}
    for stage, reasons in REASONS.items():
        assert stage in rows, stage
        if stage != "stopped":
            assert all(f"`{reason}`" in rows[stage] for reason in reasons), stage


def test_sealing_and_opening() -> None:
    device, reading, card = Ed25519PrivateKey.generate(), X25519PrivateKey.generate(), secrets.token_bytes(16)
    for plaintext in (encode_report(Report("waiting", of=3)), b"x" * 511, b"x" * 2047):
        how: dict[str, Any] = {"signer": device, "card_id": card, "version": 3, "number": 5}
        made = [seal_report(plaintext, recipient=reading.public_key(), **how) for _ in range(2)]
        assert made[0] != made[1]
        frame = parse_report(made[0])
        assert frame.device_id == key_id(device.public_key().public_bytes_raw())
        assert (frame.card_id, frame.version, frame.number) == (card, 3, 5)
        verify_report(frame, device.public_key())
        assert open_report(frame, reading) == plaintext
        assert len(made[0]) <= MAX_REPORT_BYTES <= 4096
        with pytest.raises(SealError, match="another device"):
            verify_report(frame, Ed25519PrivateKey.generate().public_key())
        with pytest.raises(SealError, match="not for this key"):
            open_report(frame, X25519PrivateKey.generate())


@pytest.mark.parametrize(
    "wrong",
    [
        {"card_id": bytes(15)},
        {"version": 0},
        {"version": 2**63},
        {"number": 0},
        {"number": MAX_NUMBER + 1},
    ],
)
def test_what_cannot_be_framed_is_our_own_mistake(wrong: dict[str, Any]) -> None:
    reading = X25519PrivateKey.generate()
    how: dict[str, Any] = {"signer": Ed25519PrivateKey.generate(), "recipient": reading.public_key()}
    whole: dict[str, Any] = {"card_id": bytes(16), "version": 1, "number": 1}
    with pytest.raises(ValueError, match="is"):
        seal_report(b"", **how, **{**whole, **wrong})
    with pytest.raises(ValueError, match="at most"):
        seal_report(bytes(2048), **how, **whole)


def test_no_two_places_share_a_sealing() -> None:
    """A report whose header is another's does not open, even when its own device signs it so."""
    device, reading = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()
    places = list(product((bytes(16), bytes(15) + b"\x01"), (1, 2), (1, 2)))
    sealed = {
        (card, version, number): seal_report(
            b"x", signer=device, card_id=card, version=version, number=number, recipient=reading.public_key()
        )
        for card, version, number in places
    }
    for mine, theirs in product(places, places):
        body = sealed[mine][:71] + sealed[theirs][71:-64]
        signed = body + device.sign(b"onebreath card report signature v1\x00" + body)
        frame = parse_report(signed)
        verify_report(frame, device.public_key())
        if mine == theirs:
            assert open_report(frame, reading) == b"x"
        else:
            with pytest.raises(SealError):
                open_report(frame, reading)
