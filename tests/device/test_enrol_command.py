"""`onebreath enrol` and `onebreath replay` on files: good ones of every kind, and bad input said clearly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from click.testing import CliRunner, Result

from tests.device.card_rig import noise_card
from tests.device.hearing_rig import TEACHERS, said
from voice import cli
from voice.adapters.cards import CardBox
from voice.adapters.voices import write_clip
from voice.audio import RATE, Samples
from voice.errors import AudioError, EnrolmentError, OnebreathError, StorageError

NAME = "grumbletron"


def onebreath(*arguments: object) -> Result:
    return CliRunner().invoke(cli.onebreath, [str(argument) for argument in arguments])


def refused(result: Result, kind: type[OnebreathError]) -> str:
    """The cause of the error that a command ended with; it has a remedy too."""
    assert isinstance(result.exception, kind), result.output
    assert result.exception.remedy
    return result.exception.cause


def room(seconds: float, level: float = 4.0) -> Samples:
    return np.random.default_rng(1).normal(0, level, round(seconds * RATE)).astype(np.int16)


def wav(path: Path, sound: Samples, rate: int = RATE) -> Path:
    soundfile.write(path, sound, rate)
    return path


def truncated(path: Path) -> Path:
    wav(path, room(2.0, 900.0))
    path.write_bytes(path.read_bytes()[:20_000])
    return path


BAD_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "no file"),
    "empty": (lambda path: path.write_bytes(b""), "empty"),
    "not audio": (lambda path: path.write_text("dear diary " * 99), "not a sound file"),
    "truncated": (truncated, "cut short"),
    "a folder": (lambda path: path.mkdir(), "folder"),
    "only a header": (lambda path: wav(path, np.empty(0, np.int16)), "no sound"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
@pytest.mark.parametrize("option", ["--take", "--phrase"])
def test_a_file_that_is_no_recording_is_refused_with_the_reason(
    tmp_path: Path, kind: str, option: str
) -> None:
    make, reason = BAD_FILES[kind]
    path = tmp_path / "take.wav"
    make(path)
    if option == "--phrase":
        CardBox(tmp_path / "home").put(noise_card(NAME))
    result = onebreath("enrol", "--name", NAME, option, path, "--home", tmp_path / "home")
    cause = refused(result, AudioError)
    assert reason in cause
    assert "take.wav" in cause


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_file_that_is_no_recording_cannot_be_replayed(tmp_path: Path, kind: str) -> None:
    make, reason = BAD_FILES[kind]
    path = tmp_path / "evening.wav"
    make(path)
    out = tmp_path / "out.wav"
    result = onebreath("replay", path, "--rehearse", "--home", tmp_path / "home", "--speaker-out", out)
    assert reason in refused(result, AudioError)
    assert not out.exists()


@pytest.mark.parametrize(
    ("sound", "reason"),
    [
        (np.zeros(2 * RATE, np.int16), "no speech can be heard"),
        (room(2.0), "no speech can be heard"),
        (np.zeros(10, np.int16), "no speech can be heard"),
    ],
    ids=["silent", "an empty room", "a click"],
)
def test_a_recording_without_a_name_in_it_is_refused_with_the_reason(
    tmp_path: Path, sound: Samples, reason: str
) -> None:
    take = wav(tmp_path / "take.wav", sound)
    result = onebreath("enrol", "--name", NAME, "--take", take, "--home", tmp_path / "home")
    assert reason in refused(result, EnrolmentError)
    assert CardBox(tmp_path / "home").load() == ([], [])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("me", "too short"),
        ("that one", "ordinary talk"),
        ("stop", "always work"),
        ("  ", "letter"),
        ("x" * 99, "long"),
    ],
)
def test_a_name_that_would_not_work_is_refused_before_anything_is_read(
    tmp_path: Path, name: str, reason: str
) -> None:
    result = onebreath("enrol", "--name", name, "--take", "nowhere.wav", "--home", tmp_path / "home")
    assert reason in refused(result, EnrolmentError)


def test_a_phrase_alone_needs_a_name_that_was_taught(tmp_path: Path) -> None:
    phrase = wav(tmp_path / "phrase.wav", room(1.0, 2_000))
    result = onebreath("enrol", "--name", NAME, "--phrase", phrase, "--home", tmp_path / "home")
    assert "no take yet" in refused(result, EnrolmentError)


@pytest.mark.parametrize(
    ("seconds", "level", "reason"),
    [
        (20.0, 2_000.0, "20 s long"),
        (2.0, 0.0, "Nothing can be heard"),
    ],
)
def test_a_phrase_is_one_audible_breath(tmp_path: Path, seconds: float, level: float, reason: str) -> None:
    CardBox(tmp_path / "home").put(noise_card(NAME))
    phrase = wav(tmp_path / "phrase.wav", room(seconds, level))
    result = onebreath("enrol", "--name", NAME, "--phrase", phrase, "--home", tmp_path / "home")
    assert reason in refused(result, AudioError)


def test_a_phrase_that_was_recorded_too_loud_is_not_taken(tmp_path: Path) -> None:
    CardBox(tmp_path / "home").put(noise_card(NAME))
    phrase = wav(tmp_path / "phrase.wav", np.sign(room(2.0, 2_000)).astype(np.int16) * np.int16(32_767))
    result = onebreath("enrol", "--name", NAME, "--phrase", phrase, "--home", tmp_path / "home")
    assert "is clipped" in refused(result, AudioError)


def test_a_damaged_card_is_said_and_replace_is_the_way_out(tmp_path: Path) -> None:
    home = tmp_path / "home"
    CardBox(home).put(noise_card(NAME))
    (path,) = (home / "cards").glob("*/card.json")
    path.write_text("{")
    phrase = wav(tmp_path / "phrase.wav", room(1.0, 2_000))
    result = onebreath("enrol", "--name", NAME, "--phrase", phrase, "--home", home)
    assert "damaged" in refused(result, StorageError)
    assert isinstance(result.exception, StorageError)
    assert "--replace" in result.exception.remedy


def test_without_files_and_without_a_sound_card_the_sound_card_is_asked_for(tmp_path: Path) -> None:
    result = onebreath(
        "enrol",
        "--name",
        NAME,
        "--device",
        "no such thing",
        "--output-device",
        "no such thing",
        "--home",
        tmp_path,
    )
    assert "could be opened" in refused(result, AudioError)


def takes(folder: Path, name: str = NAME, people: int = 4) -> list[object]:
    given: list[object] = []
    for index, person in enumerate(TEACHERS[:people]):
        given += ["--take", wav(folder / f"{name}-{index}.wav", said(name, person).samples)]
    return given


@pytest.mark.speech
def test_a_name_is_taught_from_files_and_says_what_to_expect(tmp_path: Path) -> None:
    home = tmp_path / "home"
    phrase = wav(tmp_path / "phrase.wav", said("I see you, and I am here.", TEACHERS[0]).samples)
    result = onebreath("enrol", "--name", f"  {NAME} ", *takes(tmp_path), "--phrase", phrase, "--home", home)
    assert result.exit_code == 0, result.output
    assert f"“{NAME}”" in result.output
    assert "takes: 4" in result.output
    assert "of 10 tries" in result.output
    assert "false tones: " in result.output
    (card,), _ = CardBox(home).load()
    assert card.name == NAME
    assert card.phrase is not None
    assert len(card.recordings) == 4

    more = onebreath("enrol", "--name", NAME, *takes(tmp_path, people=5)[-2:], "--quiet-part", "--home", home)
    assert more.exit_code == 0, more.output
    (card,), _ = CardBox(home).load()
    # A take that would make the forecast worse is left out, and that is said.
    assert len(card.takes) == 5 or (len(card.takes) == 4 and "were left out" in more.output), more.output
    assert card.phrase is not None, "what was there stays"
    assert card.quiet

    anew = onebreath("enrol", "--name", NAME, *takes(tmp_path, people=2), "--replace", "--home", home)
    assert anew.exit_code == 0, anew.output
    (card,), _ = CardBox(home).load()
    assert (len(card.takes), card.phrase, card.quiet) == (2, None, False)


@pytest.mark.speech
def test_recordings_of_any_rate_and_shape_are_good_and_bad_ones_are_left_out(tmp_path: Path) -> None:
    def at(rate: int, person: int) -> np.ndarray:
        return np.asarray(soxr.resample(said(NAME, TEACHERS[person]).samples / 32_768, RATE, rate))

    files = [
        tmp_path / name for name in ("8k.wav", "48k-stereo.flac", "float.wav", "silent.wav", "clipped.wav")
    ]
    soundfile.write(files[0], at(8_000, 0), 8_000)
    stereo = at(48_000, 1)
    soundfile.write(files[1], np.stack([stereo, 0.5 * stereo], axis=1), 48_000)
    soundfile.write(files[2], at(44_100, 2), 44_100, subtype="FLOAT")
    wav(files[3], room(2.0))
    soundfile.write(files[4], np.clip(at(RATE, 3) * 60, -1, 1), RATE)
    given = [argument for path in files for argument in ("--take", path)]
    result = onebreath("enrol", "--name", NAME, *given, "--home", tmp_path / "home")
    assert result.exit_code == 0, result.output
    assert "takes: 3" in result.output
    assert "silent.wav was left out: no speech" in result.stderr
    assert "clipped.wav was left out: it is clipped" in result.stderr


@pytest.mark.speech
def test_a_take_of_something_else_is_left_out_and_said(tmp_path: Path) -> None:
    other = wav(tmp_path / "other.wav", said("the little one by the window", TEACHERS[1]).samples)
    given = [*takes(tmp_path, people=4), "--take", other]
    result = onebreath("enrol", "--name", NAME, *given, "--home", tmp_path / "home")
    assert result.exit_code == 0, result.output
    assert "Take 5 was left out: it sounds unlike the others" in result.stderr


@pytest.mark.speech
def test_an_enrolment_that_fails_leaves_the_card_before(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert onebreath("enrol", "--name", NAME, *takes(tmp_path), "--home", home).exit_code == 0
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    silent = wav(tmp_path / "silent.wav", room(2.0))
    refused(onebreath("enrol", "--name", NAME, "--take", silent, "--replace", "--home", home), EnrolmentError)
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before


def test_the_same_recording_twice_is_one_take(tmp_path: Path) -> None:
    """Copies agree with each other perfectly, and would promise what the name does not hold."""
    home = tmp_path / "home"
    card = noise_card(NAME)
    CardBox(home).put(card)
    again = tmp_path / "again.wav"
    write_clip(again, card.recordings[0])
    result = onebreath("enrol", "--name", NAME, "--take", again, "--home", home)
    assert "among the takes already" in refused(result, EnrolmentError)
