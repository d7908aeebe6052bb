"""The benchmark of record as a person runs it, on a handful of synthetic clips; and its parts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import baseline, ears
from bench.clips import load
from bench.latency import delay, name_end_s, summary
from bench.report import report
from bench.scoring import Witness, hearings
from bench.synthetic import TALK, write
from tests.device.speaking import TINY
from voice.adapters.takes import TakeMaker
from voice.adapters.voices import PEOPLE, speak
from voice.audio import RATE
from voice.enrolment import Take

pytestmark = pytest.mark.speech

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("the foreman", "grumbletron", "little one")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("speech")
    write(made, NAMES, clips=8, talk=TALK[:1])
    (made / "names" / "grumbletron" / "broken.wav").write_bytes(b"not sound")
    return made


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "bench" / "hearing.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


@pytest.fixture(scope="module")
def document(folder: Path) -> dict[str, Any]:
    done = run(
        *(
            folder / "names",
            folder / "talk",
            "--conditions",
            "clean",
            "--takes",
            "1,3",
            "--trials",
            1,
        ),
        *("--words-model", TINY, "--plot", folder / "curve", "--no-cost", "--json"),
    )
    assert done.returncode == 0, done.stderr
    assert "min left" in done.stderr or "counting" in done.stderr
    loaded: dict[str, Any] = json.loads(done.stdout)
    return loaded


def rows(document: dict[str, Any], **wanted: object) -> list[dict[str, Any]]:
    return [row for row in document["rows"] if all(row[key] == value for key, value in wanted.items())]


def test_everything_asked_for_is_in_the_document(document: dict[str, Any]) -> None:
    for takes in (1, 3):
        ours = rows(document, system="onebreath", condition="clean", takes=takes)
        assert [row["name"] for row in ours] == ["grumbletron", "little-one", "the-foreman", "all"]
        assert [row["tried"] for row in ours] == [5, 5, 5, 15], "the same clips whatever the number of takes"
    for system in ("classifier", "PocketSphinx", "words, data/spotter-en", "both, data/spotter-en"):
        assert len(rows(document, system=system, name="all")) == 1, system
    everything = rows(document, system="onebreath", condition="clean", takes=3, name="all")[0]
    assert everything["an_hour_95"][0] <= everything["an_hour"] <= everything["an_hour_95"][1]
    assert everything["miss_95"][0] <= everything["miss"] <= everything["miss_95"][1]
    assert set(everything["picked_by_rate"]) == {"0", "0.5", "1"}
    assert len(everything["thresholds"]) == 3
    assert everything["negative_clips"] == 24 + 4, "each name's clips are negatives for the others"


def test_synthetic_names_are_found_and_the_device_agrees_with_the_clip_scoring(
    document: dict[str, Any],
) -> None:
    assert rows(document, system="onebreath", condition="clean", takes=3, name="all")[0]["miss"] < 0.4
    delays = document["delay_after_name"]
    assert set(delays) == {"the-foreman", "grumbletron", "little-one"}
    assert all(figures["agrees_with_clip_scoring"] >= 0.8 for figures in delays.values())


def test_a_damaged_file_and_an_unknown_word_are_noted(document: dict[str, Any]) -> None:
    assert any("broken.wav" in note for note in document["notes"])
    assert any('no pronunciation for "grumbletron"' in note for note in document["notes"])


def test_the_report_names_what_was_picked_afterwards(document: dict[str, Any]) -> None:
    text = report(document)
    assert "at the threshold that enrolment chose" in text
    assert "picked afterwards" in text
    assert "own voice alone | words alone | both" in text
    assert "cannot be told from none" in text, "an hour is not a minute"


def test_the_plot_is_two_files(folder: Path, document: dict[str, Any]) -> None:
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert "false accepts an hour" in (folder / "curve.svg").read_text()


def test_a_name_alone_with_few_clips_is_measured_as_far_as_it_goes(folder: Path, tmp_path: Path) -> None:
    few = tmp_path / "names" / "the-foreman"
    few.mkdir(parents=True)
    for number in range(3):
        (few / f"{number}.wav").write_bytes(
            (folder / "names" / "the-foreman" / f"{number:02}.wav").read_bytes()
        )
    done = run(few.parent, "--conditions", "pink-10", "--trials", 1, "--no-reference", "--no-cost")
    assert done.returncode == 0, done.stderr
    assert "at most 2 takes were used" in done.stdout
    assert "not measured" in done.stdout


def test_what_cannot_be_done_is_said_without_a_traceback(folder: Path) -> None:
    for arguments, said in [
        ((folder / "nowhere",), "is not a folder"),
        ((folder / "names", "--conditions", "underwater"), "no condition called underwater"),
        ((folder / "names", "--words-model", folder), "model"),
        ((folder / "names", "--takes", "0"), "numbers of takes"),
    ]:
        done = run(*arguments)
        assert done.returncode != 0
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def takes(name: str) -> list[Take]:
    made = [TakeMaker().make(speak(name, person).samples) for person in PEOPLE[:4]]
    return [take for take in made if isinstance(take, Take)]


def heard(name: str, folder: Path, condition: str = "clean") -> ears.Done:
    worker = ears.Worker(ears.Equipment(models=(TINY,), names=(("the foreman", "the foreman"),)))
    path = folder / "names" / name.replace(" ", "-") / "01.wav"
    return worker.hear(ears.Job(path, condition, keyphrase=False, words=True))


def test_words_join_own_voice_as_on_the_device(folder: Path) -> None:
    known = ears.enrol(("the foreman", takes("the foreman")))
    name, other = heard("the foreman", folder), heard("grumbletron", folder)
    assert name.words[str(TINY)]["the foreman"].finals
    assert not other.words[str(TINY)]["the foreman"].finals
    sounds = [
        type(done.sound)(done.sound.embeddings, done.sound.open, done.sound.seconds, done.words[str(TINY)])
        for done in (name, other)
    ]
    assert [outcome.count for outcome in hearings(known, sounds, Witness.BOTH)] == [1, 0]
    assert [outcome.count > 0 for outcome in hearings(known, sounds)] == [True, False]


def test_where_the_gate_is_shut_nothing_is_scored(folder: Path) -> None:
    done = heard("the foreman", folder)
    assert 0.2 < done.sound.open.mean() < 0.95
    shut = type(done.sound)(done.sound.embeddings, np.zeros_like(done.sound.open), done.sound.seconds)
    known = ears.enrol(("the foreman", takes("the foreman")))
    assert hearings(known, [shut])[0].count == 0
    assert hearings(known, [shut])[0].best == -np.inf


def test_the_classifier_tells_what_it_was_taught_from_the_rest() -> None:
    rng = np.random.default_rng(1)
    size = baseline.WINDOW * 96
    pattern = rng.normal(size=size)
    taught = (pattern + rng.normal(size=(40, size))).astype(np.float32)
    rest = rng.normal(size=(600, size)).astype(np.float32)
    network = baseline.fit(taught[:20], rest[:300], seed=0)
    assert network.logits(taught[20:]).min() > network.logits(rest[300:]).max()


def test_a_window_ends_with_its_frame() -> None:
    frames = np.arange(20 * 96, dtype=np.float32).reshape(20, 96)
    every = baseline.windows(frames).reshape(20, baseline.WINDOW, 96)
    last = baseline.windows(frames[-1:]).reshape(baseline.WINDOW, 96)[-1]
    assert (every[-1, -1] == last).all()
    assert (every[-1, 0] == every[4, -1]).all(), "sixteen frames back"
    assert (every[0] == every[0, -1]).all()


def test_the_wheels_own_models_are_found_by_their_words() -> None:
    found = baseline.pretrained("jarvis")
    assert found is not None
    assert found.value == "hey_jarvis"
    assert baseline.pretrained("the foreman") is None


def test_the_end_of_a_name_is_where_the_sound_ends(folder: Path) -> None:
    path = folder / "names" / "grumbletron" / "01.wav"
    clip = load(path)
    loud = np.flatnonzero(np.abs(clip.astype(np.int32)) > 600)[-1] / RATE
    assert name_end_s(clip, TakeMaker()) == pytest.approx(loud, abs=0.08)
    assert name_end_s(np.zeros(RATE, np.int16), TakeMaker()) is None
    measured = delay((ears.enrol(("grumbletron", takes("grumbletron"))), path))
    assert measured is not None
    assert measured.times == 1
    figures = summary([measured, None])
    assert (figures["clips"], figures["heard"]) == (1, 1)
    assert -0.1 < figures["median_s"] <= 0.4
