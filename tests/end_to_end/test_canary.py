"""S19: what was named and said is nowhere but in the card and, opened, at the reader. No audio is kept."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.end_to_end.exchange import NO_STRACE, Exchange
from tests.end_to_end.packets import streams
from tests.end_to_end.product import LINE, PART
from tests.end_to_end.traces import SAME_SOUND, files_in, pieces, sound_in, text_in, texts_in_files
from voice.adapters.files import read_clip
from voice.audio import RATE, Clip

pytestmark = pytest.mark.speech

WRITTEN = re.compile(
    r"outbox\.(sqlite(-wal|-shm|-journal)?|last|reserve)|\.?(standing|pairing)\.json(\..+)?|cache/prompts/[0-9a-f]+\.wav(\.part)?"
)
"""What the device may write below its home while it listens."""


def test_S19_the_canary_arrives_so_that_its_absence_means_something(life: Exchange) -> None:
    opened = json.dumps(life.queue).encode()
    assert text_in(opened, LINE) == LINE
    assert text_in(opened, PART) == PART


def test_S19_the_line_is_in_no_file_of_the_device_or_the_practice(life: Exchange) -> None:
    files = files_in(life.product.device, life.product.practice)
    names = {path.name for path in files}
    assert {"outbox.sqlite", "card.json", "server.db", "serve.log", "stderr", "okafor.key.json.read"} <= names
    assert texts_in_files(files, LINE) == []


def test_S19_the_name_is_in_its_card_alone(life: Exchange) -> None:
    found = texts_in_files(files_in(life.product.device, life.product.practice), PART)
    (card,) = life.product.home.glob("cards/*/card.json")
    assert [path for path, _ in found] == [card]


def test_S19_neither_is_in_any_packet(life: Exchange) -> None:
    if life.closed is not None:
        pytest.skip(life.closed)
    assert life.every_packet
    for stream in streams(life.every_packet):
        assert text_in(stream.sent, LINE, PART) is None
    for packet in life.every_packet:
        assert text_in(packet.raw, LINE, PART) is None


def test_S19_no_audio_of_the_line_is_kept_anywhere(life: Exchange) -> None:
    wanted = [piece for line in life.lines for piece in pieces(line.samples)]
    for path in files_in(life.product.device, life.product.practice):
        assert sound_in(path.read_bytes(), wanted) < SAME_SOUND, path
    for stream in streams(life.every_packet):
        assert sound_in(stream.sent, wanted) < SAME_SOUND


def test_no_audio_of_anything_else_that_was_heard_is_kept(life: Exchange) -> None:
    """The name as it was called is heard in a ring in memory, and is not added to the takes."""
    called = read_clip(life.product.said / "line.wav")
    wanted = pieces(Clip(called.samples[2 * RATE : 3 * RATE]).samples)
    assert sound_in((life.product.said / "line.wav").read_bytes(), wanted) > SAME_SOUND
    for path in files_in(life.product.device, life.product.practice):
        assert sound_in(path.read_bytes(), wanted) < SAME_SOUND, path


def test_the_phrase_stays_on_the_device(life: Exchange) -> None:
    wanted = pieces(life.phrase.samples)
    having = [
        path for path in files_in(life.product.device) if sound_in(path.read_bytes(), wanted) > SAME_SOUND
    ]
    assert [path.name for path in having] == ["phrase.flac"]
    for path in files_in(life.product.practice):
        assert sound_in(path.read_bytes(), wanted) < SAME_SOUND, path
    for stream in streams(life.every_packet):
        assert sound_in(stream.sent, wanted) < SAME_SOUND


def test_nothing_is_written_even_for_a_moment_but_what_is_known(life: Exchange) -> None:
    """Temporary files that are gone again, and files without a name, are seen where they are opened."""
    if life.written is None:
        pytest.skip(NO_STRACE)
    home = life.product.home
    below = [path.removeprefix(f"{home}/") for path in life.written if path.startswith(f"{home}/")]
    assert [path for path in below if not WRITTEN.fullmatch(path)] == []
    assert any(path.startswith("outbox.sqlite") for path in below)
    others = {path for path in life.written if not path.startswith((f"{home}/", "/dev/null", "/dev/tty"))}
    # The speech synthesiser's library makes itself this much memory for a sound server of this machine.
    assert others <= {"/memfd:pulseaudio>(deleted", "/memfd:pulseaudio"}, others


def test_nothing_is_left_in_the_folder_for_temporary_files(life: Exchange) -> None:
    assert files_in(life.product.device / "tmp", life.product.practice / "tmp") == []


def test_only_its_owner_may_read_the_device(life: Exchange) -> None:
    assert life.product.home.stat().st_mode & 0o777 == 0o700
    open_to_all: list[Path] = [
        path
        for path in files_in(life.product.home)
        if path.stat().st_mode & 0o077 and path.parent.name != "prompts"
    ]
    assert open_to_all == []
