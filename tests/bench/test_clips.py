"""Any folder of recordings is read, or refused in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from bench.clips import corpus, load


def sound(path: Path, seconds: float = 0.5, rate: int = 16_000, channels: int = 1) -> Path:
    """A file of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(1).normal(0, 0.05, (round(seconds * rate), channels))
    sf.write(str(path), noise, rate)
    return path


def names(folder: Path, *words: str, clips: int = 3) -> Path:
    for word in words:
        for number in range(clips):
            sound(folder / word / f"{number:03}.wav")
    return folder


def test_each_name_has_the_others_and_loose_clips_as_negatives(tmp_path: Path) -> None:
    folder = names(tmp_path / "names", "computer", "smart-mirror")
    loose = sound(tmp_path / "talk" / "a.wav")
    found = corpus([folder, tmp_path / "talk"])
    computer, mirror = found.tasks
    assert (computer.name, computer.kind, len(computer.positives)) == ("computer", "names", 3)
    assert set(computer.negatives) == {*mirror.positives, loose}
    assert mirror.phrase == "smart mirror"
    assert found.notes == []


def test_a_folder_of_folders_is_read_as_all_of_them(tmp_path: Path) -> None:
    names(tmp_path / "names", "computer", "jarvis")
    names(tmp_path / "near-miss", "hey-you", "not-hey-you")
    noise = sound(tmp_path / "noise" / "room.wav", 2.0)
    sound(tmp_path / "talk" / "a.wav")
    found = corpus([tmp_path])
    assert {(task.name, task.kind) for task in found.tasks} == {
        ("computer", "names"),
        ("jarvis", "names"),
        ("hey-you", "near-miss"),
    }
    assert found.noise == [noise]


def test_near_misses_are_kept_apart_from_names_beside_them(tmp_path: Path) -> None:
    found = corpus([names(tmp_path / "x", "hey-you", "not-hey-you", "computer")])
    near, name = found.tasks
    assert (near.name, near.kind, len(near.negatives)) == ("hey-you", "near-miss", 3)
    assert (name.name, name.kind, len(name.negatives)) == ("computer", "names", 6)


def test_speakers_are_told_from_names_by_their_numbered_labels(tmp_path: Path) -> None:
    for label in ("one", "two"):
        for take in range(2):
            sound(tmp_path / "speakers" / "ada" / f"{label}-{take}.wav")
    found = corpus([tmp_path / "speakers"])
    assert [(task.name, task.kind) for task in found.tasks] == [
        ("ada/one", "own-voice"),
        ("ada/two", "own-voice"),
    ]
    assert len(found.tasks[0].negatives) == 2
    for take in range(3):
        sound(tmp_path / "named" / "computer" / f"computer-{take}.wav")
    assert corpus([tmp_path / "named"]).tasks[0].kind == "names", "one label in a folder is no speaker"


def test_damaged_files_are_left_out_with_a_note(tmp_path: Path) -> None:
    folder = names(tmp_path / "names", "computer", "jarvis")
    (folder / "computer" / "bad.wav").write_bytes(b"RIFF and nothing of use")
    (folder / "computer" / "empty.flac").touch()
    sf.write(str(folder / "computer" / "no-sound.wav"), np.zeros(0), 16_000)
    (folder / "computer" / ".hidden.wav").write_bytes(b"not a clip")
    found = corpus([folder])
    assert len(found.tasks[0].positives) == 3
    assert len(found.notes) == 3
    assert all("Left out." in note for note in found.notes)


def test_any_rate_and_any_number_of_channels(tmp_path: Path) -> None:
    for rate in (8_000, 11_025, 44_100, 48_000):
        assert len(load(sound(tmp_path / f"{rate}.wav", 1.0, rate, channels=2))) == pytest.approx(
            16_000, abs=2
        )
    loud = tmp_path / "float.wav"
    sf.write(str(loud), np.full(1_600, 0.5), 16_000, subtype="FLOAT")
    assert load(loud)[800] == 16_384


def test_one_name_and_nothing_else_can_be_missed_but_not_falsely_accepted(tmp_path: Path) -> None:
    found = corpus([names(tmp_path / "names", "computer")])
    assert [task.name for task in found.tasks] == ["computer"]
    assert ["false accepts cannot be counted" in note for note in found.notes] == [True]


def test_clips_without_folders_are_taken_for_a_name(tmp_path: Path) -> None:
    for number in range(3):
        sound(tmp_path / "computer" / f"{number}.wav")
    found = corpus([tmp_path / "computer"])
    assert [task.name for task in found.tasks] == ["computer"]
    assert "taken for a name" in found.notes[0]


def test_what_cannot_be_measured_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    single = names(tmp_path / "single", "computer", clips=1)
    with pytest.raises(SystemExit, match="holds no recordings"):
        corpus([tmp_path / "empty"])
    with pytest.raises(SystemExit, match="has one recording"):
        corpus([single])
    with pytest.raises(SystemExit, match="is not a folder"):
        corpus([tmp_path / "nowhere"])


def test_a_few_clips_of_each_folder(tmp_path: Path) -> None:
    found = corpus([names(tmp_path / "names", "computer", "jarvis")], most=2)
    assert [len(task.positives) for task in found.tasks] == [2, 2]
