"""The looking itself: what is planted is found, so that finding nothing means something."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import soundfile

from tests.end_to_end.packets import SYN, packet, requests, streams
from tests.end_to_end.traces import SAME_SOUND, files_in, pieces, sound_in, text_in, texts_in_files
from voice.adapters.voices import PEOPLE, speak
from voice.audio import Clip

LINE = "my brother was shouting about the kitchen window"
JUNK = bytes(np.random.default_rng(3).integers(0, 256, 5_000, np.uint8))

PLANTED = {
    "plain": b"heard: my brother was",
    "upper case": b"MY BROTHER",
    "one long word": b"...shouting...",
    "UTF-16": "the Kitchen window".encode("utf-16-le"),
    "UTF-16, the other way": "the kitchen window".encode("utf-16-be"),
    "a list of words": json.dumps({"words": LINE.split()}).encode(),
    "a list of words, packed": json.dumps(LINE.split(), separators=(",", ":")).encode(),
    "a URL": f"/log?text={quote(LINE)}".encode(),
    "a form": LINE.replace(" ", "+").encode(),
    "hexadecimal": LINE.encode().hex().encode(),
    **{f"base64 from {lead}": base64.b64encode(b"x" * lead + LINE.encode()) for lead in range(4)},
    "base64 for URLs": base64.urlsafe_b64encode(b"??>" + LINE.encode()),
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_a_planted_line_is_found(planted: bytes) -> None:
    assert text_in(JUNK, LINE) is None
    assert text_in(JUNK + planted + JUNK, "another part", LINE) == LINE


def test_a_name_of_two_words_is_found_in_a_file_and_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "the-foreman.log").write_bytes(b"")
    (tmp_path / "deep" / "wal").write_bytes(JUNK + b"The Foreman" + JUNK)
    (tmp_path / "clean").write_bytes(JUNK)
    found = texts_in_files(files_in(tmp_path), "the foreman")
    assert [path.name for path, _ in found] == ["the-foreman.log", "wal"]


@pytest.mark.speech
def test_planted_sound_is_found_whatever_its_form() -> None:
    line = speak(LINE, PEOPLE[5])
    wanted = pieces(line.samples)
    noisy = (line.samples * 0.3 + np.random.default_rng(5).normal(0, 60, len(line.samples))).astype(np.int16)
    cut = noisy[11_001:27_000]
    flac = io.BytesIO()
    soundfile.write(flac, noisy, 16_000, format="FLAC")
    resampled = io.BytesIO()
    soundfile.write(resampled, np.repeat(noisy, 3), 48_000, format="WAV")
    forms = {
        "int16": cut.tobytes(),
        "int16 in the middle of something": JUNK + b"!" + cut.tobytes() + JUNK,
        "float32": JUNK + (cut / 32768).astype(np.float32).tobytes(),
        "a FLAC file": flac.getvalue(),
        "a file at another rate": resampled.getvalue(),
    }
    for form, data in forms.items():
        assert sound_in(data, wanted) > SAME_SOUND, form


@pytest.mark.speech
def test_other_sound_is_not_taken_for_it() -> None:
    wanted = pieces(speak(LINE, PEOPLE[5]).samples)

    def spoken(clip: Clip) -> bytes:
        return clip.samples.tobytes()

    assert sound_in(JUNK * 200, wanted) < 0.5
    assert sound_in(spoken(speak("I see you, and I am here, breathing.", PEOPLE[0])), wanted) < SAME_SOUND
    assert sound_in(spoken(speak("One line, if you like. After the tone.", PEOPLE[4])), wanted) < SAME_SOUND
    assert sound_in(bytes(100_000), wanted) == 0.0


def segment(sequence: int, payload: bytes, flags: int = 0x10) -> bytes:
    """A TCP packet over IPv4 as it comes from the loopback interface; checksums are left out."""
    ports = (4000).to_bytes(2) + (80).to_bytes(2)
    tcp = ports + (sequence % (1 << 32)).to_bytes(4) + bytes(4) + bytes([0x50, flags]) + bytes(6)
    length = 20 + len(tcp) + len(payload)
    head = b"\x45\x00" + length.to_bytes(2) + bytes(4) + b"\x40\x06" + bytes(2)
    return head + bytes([127, 0, 0, 1]) * 2 + tcp + payload


def test_packets_become_requests_whatever_their_order() -> None:
    sent = b"PUT /v1/records/aa HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nGET "
    sent += b"GET /y HTTP/1.1\r\nHost: x\r\n\r\n"
    kept = [(20, sent[20:]), (0, sent[:20]), (20, sent[20:])]
    for first in (1_000, (1 << 32) - 30):
        moved = [segment(first - 1, b"", SYN), *(segment(first + at, data) for at, data in kept)]
        (stream,) = streams(map(packet, moved))
        assert stream.sent == sent
    assert [(one.method, one.path, one.body) for one in requests(sent)] == [
        ("PUT", "/v1/records/aa", b"GET "),
        ("GET", "/y", b""),
    ]
    assert sum(one.size for one in requests(sent)) == len(sent)


def test_a_later_connection_with_the_same_ports_is_another() -> None:
    kept = [segment(9, b"", SYN), segment(10, b"one"), segment(500, b"", SYN), segment(501, b"two")]
    assert [stream.sent for stream in streams(map(packet, kept))] == [b"one", b"two"]


def test_a_missing_piece_is_said() -> None:
    with pytest.raises(AssertionError, match="2 bytes of the stream are missing"):
        streams(map(packet, [segment(9, b"", SYN), segment(10, b"one"), segment(15, b"two")]))


@pytest.mark.parametrize("more", [b"\x00\x01\x02", b"GET / HTTP/1.1\r\nContent-Length: 9\r\n\r\nshort"])
def test_anything_beside_requests_is_refused(more: bytes) -> None:
    with pytest.raises(ValueError, match=r"not an HTTP request|cut short"):
        requests(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + more)
