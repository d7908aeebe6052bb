"""Any record round-trips, any changed bit is refused, and its size says nothing of the line."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire import wire_reference as ref
from voice.noticing import Noticing, When
from voice.transcript import Transcript, Word
from voice.wire import content
from voice.wire.envelope import (
    BUCKETS,
    MAX_FRAME_BYTES,
    FrameError,
    Recipient,
    RecordTooLongError,
    SealError,
    open_frame,
    parse_frame,
    seal_record,
    verify_frame,
)
from voice.wire.errors import ContentError
from voice.wire.keys import device_id

DEVICE, READER, RECOVERY = ref.signing("device"), ref.agreement("reading"), ref.agreement("recovery")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
LINES = st.builds(
    Transcript,
    st.lists(st.builds(Word, TEXT, st.booleans()), max_size=30).map(tuple),
    TEXT,
    st.booleans(),
)
ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
NOTICINGS = st.builds(
    Noticing, TEXT, st.datetimes(timezones=ZONES), st.none() | LINES, st.sampled_from((None, *When))
)


def seal(plaintext: bytes, sequence: int = 7, readers: int = 1) -> bytes:
    return seal_record(
        plaintext,
        signer=DEVICE,
        device_id=device_id(DEVICE.public_key()),
        record_id=ref.ident("record"),
        sequence=sequence,
        recipients=[Recipient.of(key.public_key()) for key in (READER, RECOVERY)[:readers]],
    )


@settings(deadline=None)
@given(NOTICINGS, st.integers(1, 2**63 - 1), st.integers(1, 2))
def test_any_record_round_trips(noticing: Noticing, sequence: int, readers: int) -> None:
    frame = parse_frame(seal(content.encode(noticing), sequence, readers))
    verify_frame(frame, DEVICE.public_key())
    assert frame.sequence == sequence
    assert frame.record_id == ref.ident("record")
    for key in (READER, RECOVERY)[:readers]:
        opened = content.decode(open_frame(frame, key))
        assert opened == noticing
        assert opened.at.utcoffset() == noticing.at.utcoffset()


SEALED = seal(b'{"a line"}', readers=2)


def opens(data: bytes) -> bool:
    try:
        frame = parse_frame(data)
        verify_frame(frame, DEVICE.public_key())
        open_frame(frame, READER)
    except (FrameError, SealError):
        return False
    return True


def test_every_changed_bit_of_a_small_frame_is_refused() -> None:
    assert opens(SEALED)
    outside_the_ciphertext = [*range(48 + 2 * 96 + 32), *range(len(SEALED) - 96, len(SEALED))]
    for at in outside_the_ciphertext:
        for bit in range(8):
            changed = bytearray(SEALED)
            changed[at] ^= 1 << bit
            assert not opens(bytes(changed)), (at, bit)


@settings(deadline=None)
@given(st.integers(0, len(SEALED) * 8 - 1))
def test_any_changed_bit_is_refused(position: int) -> None:
    changed = bytearray(SEALED)
    changed[position // 8] ^= 1 << position % 8
    assert not opens(bytes(changed))


@settings(deadline=None)
@given(st.integers(0, len(SEALED) * 8 - 1))
def test_a_changed_bit_does_not_open_even_when_it_is_signed_again(position: int) -> None:
    """What opens is bound by the seal itself, not by the signature alone."""
    body = bytearray(SEALED[:-64])
    if position // 8 >= len(body):
        return
    body[position // 8] ^= 1 << position % 8
    try:
        frame = parse_frame(ref.sign(bytes(body)))
    except FrameError:
        return
    with pytest.raises(SealError):
        open_frame(frame, READER)


@settings(deadline=None)
@given(st.binary(max_size=400), st.integers(0, 400))
def test_any_bytes_are_parsed_or_refused(data: bytes, keep: int) -> None:
    for candidate in (data, SEALED[:keep] + data):
        try:
            parse_frame(candidate)
        except FrameError:
            continue


def test_sizes_say_nothing_of_what_was_said() -> None:
    at = datetime(2026, 11, 22, 23, 4, 5, tzinfo=timezone(timedelta(hours=1)))
    spoken = Transcript(
        tuple(Word("something", doubt=True) for _ in range(110)), "vosk-model-small-en-us-0.15"
    )
    silent = Noticing("the foreman", at)
    assert len(seal(content.encode(silent))) == len(seal(content.encode(Noticing("the foreman", at, spoken))))


def test_each_size_holds_one_byte_less_than_its_name() -> None:
    for code, size in enumerate(BUCKETS):
        frame = seal(b"x" * (size - 1))
        assert frame[7] == code
        assert open_frame(parse_frame(frame), READER) == b"x" * (size - 1)
        if size != BUCKETS[-1]:
            assert len(seal(b"x" * size)) > len(frame)


def test_a_plaintext_that_ends_like_padding_comes_back_whole() -> None:
    for plaintext in (b"", b"\x80", b"\x80\x00", b"\x00" * 5):
        assert open_frame(parse_frame(seal(plaintext)), READER) == plaintext


def test_forty_seconds_of_fast_speech_in_a_wide_script_fit() -> None:
    words = tuple(Word("ප්‍රාණවත්‍ය", doubt=True) for _ in range(40 * 6))
    at = datetime(2026, 11, 22, 23, 4, 5, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    plaintext = content.encode(Noticing("ප්‍රාණ" * 20, at, Transcript(words, "vosk")))
    assert open_frame(parse_frame(seal(plaintext)), READER) == plaintext


def test_too_much_is_refused_before_anything_is_sealed() -> None:
    with pytest.raises(RecordTooLongError):
        seal(b"x" * BUCKETS[-1])


def test_the_largest_frame_is_the_limit_that_the_server_reads_to() -> None:
    eight = [Recipient.of(ref.agreement(f"reader {number}").public_key()) for number in range(8)]
    frame = seal_record(
        b"x" * (BUCKETS[-1] - 1),
        signer=DEVICE,
        device_id=device_id(DEVICE.public_key()),
        record_id=bytes(16),
        sequence=1,
        recipients=eight,
    )
    assert len(frame) == MAX_FRAME_BYTES
    assert len(parse_frame(frame).recipients) == 8


@pytest.mark.parametrize(
    ("sequence", "recipients", "record_id"),
    [
        (0, [READER], bytes(16)),
        (2**63, [READER], bytes(16)),
        (1, [], bytes(16)),
        (1, [READER, READER], bytes(16)),
        (1, [READER], bytes(15)),
    ],
)
def test_what_cannot_be_framed_is_our_own_mistake(
    sequence: int, recipients: list[X25519PrivateKey], record_id: bytes
) -> None:
    with pytest.raises(ValueError, match=r"."):
        seal_record(
            b"",
            signer=DEVICE,
            device_id=bytes(16),
            record_id=record_id,
            sequence=sequence,
            recipients=[Recipient.of(key.public_key()) for key in recipients],
        )


def test_the_same_noticing_is_never_sealed_to_the_same_bytes() -> None:
    assert seal(b"the foreman") != seal(b"the foreman")


def test_an_offset_with_seconds_keeps_its_moment() -> None:
    for odd in (timedelta(minutes=9, seconds=21), timedelta(microseconds=1), -timedelta(hours=5, seconds=31)):
        noticing = Noticing("the foreman", datetime(2026, 11, 22, 23, 4, 5, tzinfo=timezone(odd)))
        assert content.decode(content.encode(noticing)) == noticing


def test_half_a_character_is_refused_and_not_replaced() -> None:
    at = datetime(2026, 11, 22, tzinfo=timezone(timedelta(hours=1)))
    with pytest.raises(ContentError):
        content.encode(Noticing("the \ud800 foreman", at))
