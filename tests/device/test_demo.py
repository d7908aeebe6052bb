"""`onebreath demo`: the whole product once, and what is left of it afterwards."""

from __future__ import annotations

import os
import re
import shutil
import signal
from datetime import date
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.demo_rig import staying
from voice.adapters import programs
from voice.adapters.programs import ProgramError
from voice.adapters.voices import PEOPLE, Speaker, speak, write_clip
from voice.assemble_demo import Demo, demonstrate
from voice.assemble_demo_page import week
from voice.audio import RATE, Clip, level_db
from voice.errors import AudioError, OnebreathError
from voice.scene import Said, scene

SHOWN = (
    "1. A server",
    "2. Dr Okafor makes a pairing link",
    "now paired with Dr Okafor",
    "3. Five synthetic voices",
    "“grumbletron”",
    "4. A scene",
    "heard “the foreman”",
    "a soft tone",
    "played the client's own phrase",
    "said: One line for Dr Okafor",
    "waits for a line",
    "the line, as text:",
    "sealed record",
    "said: Saved.",
    "6. Dr Okafor reads the queue",
    "7. Dr Okafor's page",
    "Page        http://localhost:",
    "Name        okafor",
    "A passkey that you add there stays on your own device",
)
"""What a person sees, in order."""


def test_a_scene_is_its_utterances_where_they_belong_over_a_quiet_room() -> None:
    tone = Clip((np.sin(np.arange(RATE) / 3) * 8_000).astype(np.int16))
    made = scene([Said(1.0, tone), Said(2.5, tone)], 4.0)
    assert made.seconds == 4.0
    assert Said(1.0, tone).end_s == 2.0
    assert -75 < level_db(made.samples[: RATE // 2]) < -60
    for at in (1.0, 2.5):
        first = round(at * RATE)
        heard = made.samples[first : first + RATE].astype(int) - tone.samples
        assert np.abs(heard).max() < 80
    np.testing.assert_array_equal(scene([], 1.0).samples, scene([], 1.0).samples)


def test_utterances_that_overlap_add_up_and_loud_ones_are_clipped_not_wrapped() -> None:
    loud = Clip(np.full(RATE, 30_000, np.int16))
    made = scene([Said(0.0, loud), Said(0.5, loud)], 2.0).samples
    assert made[RATE // 2 + 10 : RATE - 10].min() == 32_767


def test_nothing_is_left_of_a_demo_that_went_well(monkeypatch: pytest.MonkeyPatch) -> None:
    folders: list[Path] = []

    def run(demo: Demo, *, mic: bool) -> None:
        folders.append(demo.folder)
        (demo.folder / "made").write_text("something")

    monkeypatch.setattr(Demo, "run", run)
    said: list[str] = []
    demonstrate(said.append, mic=False, keep=False)
    assert not folders[0].exists()
    assert said == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_of_a_demo_that_is_told_to_end(
    monkeypatch: pytest.MonkeyPatch, how: signal.Signals
) -> None:
    folders: list[Path] = []

    def run(demo: Demo, *, mic: bool) -> None:
        folders.append(demo.folder)
        (demo.folder / "made").write_text("something")
        signal.raise_signal(how)

    before = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)]
    monkeypatch.setattr(Demo, "run", run)
    demonstrate(lambda _: None, mic=False, keep=True)
    assert not folders[0].exists()
    assert [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)] == before


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_nothing_cuts_the_removal_short(monkeypatch: pytest.MonkeyPatch, how: signal.Signals) -> None:
    folders: list[Path] = []
    remove = shutil.rmtree

    def run(demo: Demo, *, mic: bool) -> None:
        folders.append(demo.folder)
        (demo.folder / "passphrase").write_text("something")
        raise KeyboardInterrupt

    def told_to_end(folder: Path, ignore_errors: bool) -> None:
        signal.raise_signal(how)
        remove(folder, ignore_errors=ignore_errors)

    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(one) for one in ends]
    monkeypatch.setattr(Demo, "run", run)
    monkeypatch.setattr(shutil, "rmtree", told_to_end)
    demonstrate(lambda _: None, mic=False, keep=True)
    assert not folders[0].exists()
    assert [signal.getsignal(one) for one in ends] == before


def test_the_made_up_week_lies_in_the_seven_days_before_and_comes_in_order() -> None:
    today = date(2026, 3, 29)
    made = list(week(today, ("the foreman", "grumbletron")))
    assert [one.at for one in made] == sorted(one.at for one in made)
    assert date(2026, 3, 22) < made[0].at.date() <= made[-1].at.date() < today
    assert {one.part for one in made} == {"the foreman", "grumbletron"}
    assert {one.line.transcriber for one in made if one.line is not None} == {"made up for the demo"}
    assert any(one.line is None for one in made)
    assert any(one.line is not None and not one.line.words for one in made)
    assert any(word.doubt for one in made if one.line is not None for word in one.line.words)


def test_what_a_failed_demo_made_is_kept_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def run(arguments: tuple[str, ...], environment: object, stdin: str = "") -> str:
        raise ProgramError("`onebreath clinician` ended with exit code 1. Error: no.")

    monkeypatch.setattr(programs, "run", run)
    with pytest.raises(OnebreathError, match="Error: no") as failed:
        demonstrate(said.append, mic=False, keep=False)
    folder = Path(said[-1].removeprefix("Kept in "))
    assert folder.is_dir()
    assert str(folder) in failed.value.remedy
    assert (folder / "passphrase").stat().st_mode & 0o077 == 0
    (folder / "passphrase").unlink()
    folder.rmdir()


def test_the_demo_does_not_touch_the_users_own_device_or_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEBREATH_DATABASE", "postgresql://the.real/one")
    monkeypatch.setenv("ONEBREATH_HOME", "/the/real/home")
    monkeypatch.setenv("ONEBREATH_MODELS", "/models")
    environment = Demo(tmp_path, print)._environment()
    ours = {name for name in environment if name.startswith("ONEBREATH_")}
    assert ours == {"ONEBREATH_PASSPHRASE", "ONEBREATH_KEY_FILE", "ONEBREATH_MODELS"}


def test_a_program_that_fails_says_why() -> None:
    with pytest.raises(ProgramError, match=r"`onebreath replay` ended with exit code 1\. .*no file"):
        programs.run(("replay", "nowhere.wav"), os.environ)


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "server.db").write_text("not a database " * 100)
    with pytest.raises(ProgramError, match="did not start"):
        programs.serve(tmp_path / "server.db", tmp_path / "log", os.environ)


def test_a_voice_that_is_not_installed_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for engine in ("espeak-ng", "flite"):
        with pytest.raises(AudioError, match=f"{engine} is not installed.*apt-get install {engine}"):
            speak("hello", Speaker(engine, "slt"))


def test_a_clip_that_cannot_be_written_is_an_error_for_a_person(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="cannot be written"):
        write_clip(tmp_path / "no folder" / "a.wav", Clip(np.zeros(10, np.int16)))


@pytest.mark.speech
@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.voice)
def test_every_synthetic_person_speaks_at_arms_length(person: Speaker) -> None:
    clip = speak("the foreman", person)
    assert clip.rate == RATE
    assert 0.4 < clip.seconds < 1.5
    assert 10_000 < np.abs(clip.samples.astype(int)).max() <= 12_000
    assert np.abs(clip.samples[:400].astype(int)).max() > 20, "no silence before it"


@pytest.mark.speech
def test_the_whole_product_is_shown_and_stays_when_asked(tmp_path: Path) -> None:
    with staying(tmp_path) as demo:
        text = demo.text
        line = re.search(r"the line, as text: (\w+(?: \w+)+)", text)
        assert line is not None, text
        kept = [path for path in demo.folder.rglob("*") if path.is_file()]
        assert len(kept) > 20
        assert not [path for path in kept if line[1].encode() in path.read_bytes()], "the line is only sealed"
        assert httpx.get(f"{demo.shown('Page')}/health", trust_env=False).status_code == 200
        assert demo.interrupt()[0] == 0
    assert not list(tmp_path.glob("onebreath-demo-*"))
    places = [text.find(piece) for piece in SHOWN]
    assert -1 not in places, SHOWN[places.index(-1)]
    assert places == sorted(places)
    assert text.count("heard “") == 1, "ordinary talk is not a name"
    late = re.search(r"heard “the foreman” \([\w-]+\), (?:(\d\.\d\d) s after|as) the name ended", text)
    assert late is not None
    assert float(late[1] or 0) <= 0.4
