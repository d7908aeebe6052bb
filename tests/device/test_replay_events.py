"""What `replay` prints: documented to the last field, and the same for the same sound."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from tests.fakes import ANSWERS, CODES, NAME, SILENCE, SPEECH, FakeCommands, Rig
from voice.adapters.files import FileMicrophone
from voice.adapters.player import TimelinePlayer
from voice.adapters.resources import checkout
from voice.adapters.synthesiser import CachedSynthesiser
from voice.adapters.vad import SileroActivity
from voice.audio import BLOCK_S, RATE, Samples
from voice.commands.printing import Printer
from voice.ports import Back, Command, Deletion, Evidence, Gap, Hearing, Lost, Standing
from voice.reports import CONTENT, Report

ROOM, NAMED, ASKED, LINE, AFTER = (
    (SILENCE, 2.0),
    (NAME, 0.08),
    (SILENCE, 14.0),
    (SPEECH, 2.0),
    (SILENCE, 40.0),
)


WHEN = next(iter(ANSWERS))


def documented() -> dict[str, set[str]]:
    """Each event and its fields, as the table in docs/replay.md has them."""
    root = checkout()
    assert root is not None
    rows = re.findall(
        r"^\| `(\w+)` \|([^|]*)\|[^|]*\|$", (root / "docs" / "replay.md").read_text(), re.MULTILINE
    )
    return {
        event: set(re.findall(r"`(\w+)`", re.sub(r"`\{.*?\}`", "", fields)))
        for event, fields in rows
        if event not in ("event", "at")
    }


def every_report() -> list[Report]:
    """Runs that between them report everything there is."""
    reports: list[Report] = []
    for trouble in ("", "full", "resting", "lost", "delete", "when"):
        rig = Rig()
        rig.asks_when = trouble == "when"
        rig.records.full = trouble == "full"
        rig.records.stands = Standing.PAUSED if trouble == "resting" else Standing.ACTIVE
        rig.records.deletion = Deletion.DELIVERED
        if trouble == "lost":
            rig.hear(ROOM, Lost(), *([Gap(0.0)] * 60), Back(), AFTER)
        elif trouble == "delete":
            rig.hear(ROOM, NAMED, AFTER, (CODES[Command.DELETE_THAT], 0.8), AFTER)
        elif trouble == "when":
            rig.hear(ROOM, NAMED, ASKED, LINE, (SILENCE, 6.2), (WHEN, 0.8), AFTER)
        else:
            rig.hear(ROOM, NAMED, ASKED, LINE, AFTER)
        reports += rig.observer.reports
    return reports


def test_every_event_and_every_field_is_documented_and_nothing_else_is() -> None:
    printed: dict[str, set[str]] = {}
    for report in every_report():
        printed.setdefault(report.event, set()).update(report.fields)
    assert printed == documented()


def test_every_event_is_one_line_of_json_and_one_readable_line(capsys: pytest.CaptureFixture[str]) -> None:
    reports = every_report()
    for report in reports:
        Printer(as_json=True).saw(report)
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["event"] for line in lines] == [report.event for report in reports]
    assert all(list(json.loads(line))[:2] == ["event", "at"] for line in lines)
    for report in reports:
        Printer(as_json=False).saw(report)
    assert len(capsys.readouterr().out.splitlines()) == len(reports)


def test_listen_prints_nothing_of_what_was_said_or_named(capsys: pytest.CaptureFixture[str]) -> None:
    for as_json in (True, False):
        for report in every_report():
            Printer(as_json, content=False).saw(report)
    out = capsys.readouterr().out
    assert "foreman" not in out
    assert "word0" not in out
    assert "starting" not in out
    assert {"part", "words", "text", "when"} == CONTENT


class TimedSpotter:
    """Hears the name at a given second of audio; everything else around it is real."""

    def __init__(self, at_s: float) -> None:
        self._at = round(at_s / BLOCK_S)
        self._blocks = 0

    def push(self, samples: Samples, speech: bool) -> Sequence[Hearing]:
        self._blocks += 1
        now = self._blocks * BLOCK_S
        return (
            (Hearing("the foreman", Evidence.OWN_VOICE, now, now, 1.0),) if self._blocks == self._at else ()
        )

    def reset(self) -> None:
        pass

    def skip(self, blocks: int) -> None:
        self._blocks += blocks


needs_espeak = pytest.mark.skipif(
    shutil.which("espeak-ng") is None, reason="espeak-ng is not installed: sudo apt-get install espeak-ng"
)


@needs_espeak
@pytest.mark.speech
def test_a_spoken_scene_through_the_real_voice_activity_prompts_and_speaker(tmp_path: Path) -> None:
    """A sentence spoken after the tone is captured whole; the speaker's file lines up with the events."""
    speech = CachedSynthesiser(tmp_path / "scene")
    spoken = speech.render("He wanted the work to be done before I sat down to eat.", "en", 150)
    sentence = np.asarray(soxr.resample(spoken.samples.astype(np.float32) / 32768, spoken.rate, RATE))
    scene = np.random.default_rng(7).normal(0, 0.001, 60 * RATE)
    scene[4 * RATE - 16_000 : 4 * RATE - 16_000 + len(sentence)] += sentence * 0.5
    answer = 18 * RATE
    scene[answer : answer + len(sentence)] += sentence * 0.5
    soundfile.write(tmp_path / "in.flac", scene, RATE)

    rig = Rig()
    player = TimelinePlayer(tmp_path / "out.wav")
    device = replace(
        rig.device(),
        microphone=FileMicrophone(tmp_path / "in.flac"),
        player=player,
        activity=SileroActivity(),
        spotter=TimedSpotter(5.6),
        commands=FakeCommands(),
        synthesiser=CachedSynthesiser(tmp_path / "prompts"),
    )
    device.run()
    player.close()

    assert rig.events == [
        "heard",
        "tone",
        "played",
        "said",
        "tone",
        "asked",
        "line",
        "sealed",
        "said",
        "closed",
    ]
    assert rig.times("asked")[0] < 18.0
    line_s = rig.times("line")[0]
    assert line_s == pytest.approx(18.0 + spoken.seconds + 3.0, abs=0.5)
    blocks = next(entry[1] for entry in rig.log if entry[0] == "transcribed")
    assert line_s - blocks * BLOCK_S <= 18.0 - 0.3, (
        "half a second from before the first word belongs to the line"
    )

    out, rate = soundfile.read(tmp_path / "out.wav")
    assert rate == RATE
    assert len(out) == len(scene) + round(1.2 * RATE)
    cue = round(rig.times("tone")[0] * RATE)
    assert np.abs(out[: cue - 10]).max() == 0
    assert np.abs(out[cue : cue + 2_000]).max() > 0.05
    asked = round(rig.times("asked")[0] * RATE)
    assert np.abs(out[asked + 100 : round(line_s * RATE) - 10]).max() == 0
