"""`onebreath enrol` with the audition's recordings as files, what it refuses, and what `check` then shows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.device.card_rig import noise_card
from tests.device.hearing_rig import TALK, said
from tests.device.test_enrol_command import NAME, onebreath, refused, room, wav
from voice import cli
from voice.adapters.cards import CardBox
from voice.adapters.voices import Speaker
from voice.audio import RATE
from voice.errors import AudioError, EnrolmentError

OWN = tuple(Speaker("espeak-ng", "en-us+m3", 140 + 4 * step, 42 + step) for step in range(9))


def files(folder: Path, option: str, first: int, count: int, name: str = NAME) -> list[object]:
    given: list[object] = []
    for person in range(first, first + count):
        path = folder / f"{name.replace(' ', '-')}-{person}.wav"
        given += [option, wav(path, said(name, OWN[person]).samples)]
    return given


def talk(folder: Path) -> Path:
    sound = [np.concatenate([said(text, OWN[1]).samples, room(0.6)]) for text in TALK]
    return wav(folder / "talk.wav", np.concatenate(sound))


def enrol(home: Path, *given: object, name: str = NAME) -> Result:
    result = onebreath("enrol", "--name", name, *given, "--home", home)
    assert result.exit_code == 0, result.output
    return result


def parts(home: Path) -> dict[str, dict[str, object]]:
    result = CliRunner().invoke(
        cli.onebreath, ["check", "--json", "--home", str(home)], standalone_mode=False
    )
    return {part["name"]: part for part in json.loads(result.output)["parts"]}


@pytest.mark.speech
def test_takes_tries_and_talk_make_a_forecast_that_says_where_it_comes_from(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = enrol(home, *files(tmp_path, "--take", 0, 3))
    assert "about 9 of 10 tries  (from the takes against each other, which is cautious)" in first.output
    assert "--audition" in first.output, "what would tell more"

    more = enrol(home, *files(tmp_path, "--try", 3, 5), "--talk", talk(tmp_path))
    assert "of 5 tries, so probably at least" in more.output
    assert "(from 5 tries after the takes)" in more.output
    assert "seconds of ordinary talk here, none in it" in more.output
    assert "found: about 9 of 10 tries before; " in more.output, "what changed is said"
    part = parts(home)[NAME]
    assert part["found_estimated"] == "from 5 tries after the takes"
    assert part["found_range"] in ([6, 10], [4, 10])
    assert part["talk_kept_s"] == 0.0
    assert part["basis"]["tries"] == 5  # type: ignore[index]


@pytest.mark.speech
def test_talk_is_kept_with_consent_and_forgotten_when_that_is_taken_back(tmp_path: Path) -> None:
    home = tmp_path / "home"
    enrol(home, *files(tmp_path, "--take", 0, 3))
    kept = enrol(home, "--talk", talk(tmp_path), "--keep-talk")
    assert "ordinary talk: kept now" in kept.output
    assert "as embeddings, never as sound; --forget-talk takes it back" in kept.output
    assert not list(home.rglob("talk*")), "no sound of it anywhere"
    assert len(list(home.rglob("*.flac"))) == 3
    forgotten = enrol(home, "--forget-talk")
    assert "ordinary talk: forgotten" in forgotten.output
    assert CardBox(home).load()[0][0].talk == ()
    assert "No talk was kept" in enrol(home, "--forget-talk").stderr


def test_there_is_no_talk_to_keep_without_a_file(tmp_path: Path) -> None:
    CardBox(tmp_path).put(noise_card(NAME))
    phrase = wav(tmp_path / "phrase.wav", room(1.0, 2_000))
    result = onebreath("enrol", "--name", NAME, "--phrase", phrase, "--keep-talk", "--home", tmp_path)
    assert "no talk to keep" in refused(result, EnrolmentError)


@pytest.mark.parametrize("option", ["--try", "--talk", "--forget-talk"])
def test_an_audition_needs_a_name_that_was_taught(tmp_path: Path, option: str) -> None:
    given = [option] if option == "--forget-talk" else [option, wav(tmp_path / "x.wav", room(1.0))]
    result = onebreath("enrol", "--name", NAME, *given, "--home", tmp_path / "home")
    assert "no take yet" in refused(result, EnrolmentError)


def test_files_and_an_audition_by_voice_do_not_go_together(tmp_path: Path) -> None:
    result = onebreath("enrol", "--name", NAME, "--try", "x.wav", "--audition", "--home", tmp_path)
    assert result.exit_code == 2
    assert "--try FILE" in result.output


def test_silence_is_no_try_and_no_talk(tmp_path: Path) -> None:
    CardBox(tmp_path).put(noise_card(NAME))
    silent = wav(tmp_path / "silent.wav", room(2.0))
    tried = onebreath("enrol", "--name", NAME, "--try", silent, "--home", tmp_path)
    assert "silent.wav was left out: no speech" in refused(tried, EnrolmentError)
    talked = onebreath("enrol", "--name", NAME, "--talk", silent, "--home", tmp_path)
    assert "No talk can be heard in silent.wav" in refused(talked, AudioError)


@pytest.mark.speech
def test_a_take_is_no_try_a_try_counts_once_and_a_long_one_is_none(tmp_path: Path) -> None:
    home = tmp_path / "home"
    enrol(home, *files(tmp_path, "--take", 0, 3), *files(tmp_path, "--try", 3, 3))
    long = wav(tmp_path / "long.wav", np.concatenate([said(NAME, OWN[4]).samples, room(16.0)]))
    again = onebreath(
        "enrol", "--name", NAME, *files(tmp_path, "--try", 0, 1), *files(tmp_path, "--try", 3, 1),
        "--try", long, "--home", home,
    )  # fmt: skip
    cause = refused(again, EnrolmentError)
    for reason in ("it is one of the takes", "is among the tries already", "a try is the name, said once"):
        assert reason in cause
    assert len(CardBox(home).load()[0][0].tries) == 3


@pytest.mark.speech
def test_a_name_whose_tries_are_not_heard_is_not_kept_unless_the_clinician_decides_so(tmp_path: Path) -> None:
    home = tmp_path / "home"
    given = [*files(tmp_path, "--take", 0, 3), *files(tmp_path, "--try", 3, 4, "the wolf")]
    result = onebreath("enrol", "--name", NAME, *given, "--home", home)
    assert "heard in 0 of 4 tries" in refused(result, EnrolmentError)
    assert isinstance(result.exception, EnrolmentError)
    assert "one more word" in result.exception.remedy
    assert "--anyway" in result.exception.remedy
    assert CardBox(home).load() == ([], [])

    kept = enrol(home, *given, "--anyway")
    assert "Kept all the same, as the clinician decided." in kept.output
    part = parts(home)[NAME]
    assert part["anyway"] is True
    assert "0 of 4" in part["refusal"]["cause"]  # type: ignore[index]


@pytest.mark.speech
def test_a_part_that_is_there_keeps_what_was_learnt_against_it_and_says_so(tmp_path: Path) -> None:
    home = tmp_path / "home"
    enrol(home, *files(tmp_path, "--take", 0, 3))
    result = enrol(home, *files(tmp_path, "--try", 3, 4, "the wolf"))
    assert "! This name was heard in 0 of 4 tries" in result.output
    assert len(CardBox(home).load()[0][0].takes) == 3


@pytest.mark.speech
def test_takes_that_would_make_it_worse_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    home = tmp_path / "home"
    enrol(home, *files(tmp_path, "--take", 0, 3), *files(tmp_path, "--try", 3, 4))
    before = CardBox(home).load()[0][0].print.threshold
    result = enrol(home, *files(tmp_path, "--take", 0, 9, "the wolf"))
    assert "The new takes were left out, since with them" in result.stderr
    assert "--replace" in result.stderr
    assert "takes: 3" in result.output
    assert CardBox(home).load()[0][0].print.threshold == before


@pytest.mark.speech
def test_parts_that_sound_alike_are_told_at_enrolment_and_by_check_and_kept(tmp_path: Path) -> None:
    home = tmp_path / "home"
    enrol(home, *files(tmp_path, "--take", 0, 3, "the foreman"), name="the foreman")
    enrol(home, *files(tmp_path, "--take", 0, 3, "the critic"), name="the critic")
    result = enrol(home, *files(tmp_path, "--take", 0, 3, "the four men"), name="the four men")
    assert "sounds like “the foreman”: " in result.output
    assert "One more word in either name keeps them apart." in result.output
    assert "the critic" not in result.output
    shown = CliRunner().invoke(cli.onebreath, ["check", "--home", str(home)], standalone_mode=False).output
    assert shown.count("sounds like “") == 2
    alike = parts(home)["the foreman"]["alike"]
    assert {pair["other"] for pair in alike} <= {"the foreman", "the four men"}  # type: ignore[attr-defined]
    assert parts(home)["the critic"]["alike"] == []


@pytest.mark.speech
def test_ten_minutes_of_talk_are_enough(tmp_path: Path) -> None:
    CardBox(tmp_path).put(noise_card(NAME))
    long = wav(tmp_path / "long.wav", np.zeros(11 * 60 * RATE, np.int16))
    result = onebreath("enrol", "--name", NAME, "--talk", long, "--home", tmp_path)
    assert "11 minutes long" in refused(result, AudioError)
