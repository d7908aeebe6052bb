"""Prompts as speech: rendered once, by the real engine, and by one that does not do its work."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from voice.adapters.synthesiser import CachedSynthesiser, SynthesisError
from voice.audio import level_db

needs_espeak = pytest.mark.skipif(
    shutil.which("espeak-ng") is None and shutil.which("espeak") is None,
    reason="espeak-ng is not installed: sudo apt-get install espeak-ng",
)

COUNTING = """
import json, pathlib, sys
import numpy, soundfile
jobs = json.load(sys.stdin)
log = pathlib.Path(sys.argv[1])
log.write_text((log.read_text() if log.exists() else "") + "".join(job["text"] + "\\n" for job in jobs))
for job in jobs[: int(sys.argv[2])]:
    soundfile.write(job["path"], numpy.full(2205, 0.3), 22050, format="WAV")
sys.exit("the engine broke" if len(jobs) > int(sys.argv[2]) else 0)
"""


def counting(tmp_path: Path, at_a_time: int = 100) -> tuple[CachedSynthesiser, Path]:
    log = tmp_path / "log"
    return CachedSynthesiser(
        tmp_path / "cache", [sys.executable, "-c", COUNTING, str(log), str(at_a_time)]
    ), log


@needs_espeak
@pytest.mark.speech
def test_every_sentence_becomes_speech_of_its_own_length_however_many_there_are(tmp_path: Path) -> None:
    synthesiser = CachedSynthesiser(tmp_path)
    sentences = [f"Sentence {n} is spoken in full, to its last word." for n in range(8)]
    synthesiser.prepare(sentences, "en", 150)
    seconds = [synthesiser.render(sentence, "en", 150).seconds for sentence in sentences]
    assert min(seconds) > 2.0
    assert max(seconds) - min(seconds) < 0.8
    assert level_db(synthesiser.render(sentences[0], "en", 150).samples) > -30
    assert synthesiser.render(sentences[0], "en", 115).seconds > 1.1 * seconds[0]


@needs_espeak
@pytest.mark.speech
def test_the_padding_around_a_sentence_is_gone(tmp_path: Path) -> None:
    clip = CachedSynthesiser(tmp_path).render("Saved.", "en", 150)
    loud = np.flatnonzero(np.abs(clip.samples.astype(int)) > 200)
    assert loud[0] / clip.rate < 0.03
    assert (len(clip.samples) - loud[-1]) / clip.rate < 0.06


def test_what_was_rendered_once_is_read_from_disk_ever_after(tmp_path: Path) -> None:
    first, log = counting(tmp_path)
    first.prepare(["One.", "Two."], "en", 150)
    second, _ = counting(tmp_path)
    second.prepare(["One.", "Two.", "Three."], "en", 150)
    assert log.read_text().splitlines() == ["One.", "Two.", "Three."]


def test_language_and_pace_are_part_of_what_is_cached(tmp_path: Path) -> None:
    synthesiser, log = counting(tmp_path)
    for language, pace in (("en", 150), ("en", 130), ("es", 150), ("en", 150)):
        synthesiser.render("One.", language, pace)
    assert len(log.read_text().splitlines()) == 3


def test_the_names_of_cached_files_say_nothing(tmp_path: Path) -> None:
    synthesiser, _ = counting(tmp_path)
    synthesiser.render("Dr Lee reads it.", "en", 150)
    assert all("lee" not in path.name.lower() for path in (tmp_path / "cache").iterdir())


def test_a_sentence_that_the_engine_did_not_get_to_is_tried_once_more(tmp_path: Path) -> None:
    synthesiser, log = counting(tmp_path, at_a_time=1)
    synthesiser.prepare(["One.", "Two."], "en", 150)
    assert log.read_text().splitlines() == ["One.", "Two.", "Two."]


def test_an_engine_that_does_not_work_is_an_error_with_its_own_last_words(tmp_path: Path) -> None:
    synthesiser, _ = counting(tmp_path, at_a_time=0)
    with pytest.raises(SynthesisError, match="the engine broke") as caught:
        synthesiser.render("One.", "en", 150)
    assert "espeak-ng" in caught.value.remedy


def test_a_damaged_cache_file_is_rendered_again(tmp_path: Path) -> None:
    first, log = counting(tmp_path)
    first.render("One.", "en", 150)
    for path in (tmp_path / "cache").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    second, _ = counting(tmp_path)
    assert second.render("One.", "en", 150).seconds > 0.05
    assert log.read_text().splitlines() == ["One.", "One."]


def test_a_cache_that_cannot_be_written_costs_only_the_caching(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    synthesiser, _ = counting(tmp_path)
    assert synthesiser.render("One.", "en", 150).seconds > 0.05


def test_a_full_disk_is_said_at_once_because_the_engine_would_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthesiser, log = counting(tmp_path)
    monkeypatch.setattr("voice.adapters.synthesiser.SENTENCE_BYTES", 1 << 60)
    with pytest.raises(SynthesisError, match="No space left") as caught:
        synthesiser.render("One.", "en", 150)
    assert "Free some space" in caught.value.remedy
    assert not log.exists()
