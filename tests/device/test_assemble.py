"""The device as it is put together, and that it goes on where one part of it is damaged."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from tests.device.card_rig import FOREMAN, LITTLE_ONE, noise_card, pair_by_hand
from tests.device.hearing_rig import STRANGERS, TALK, TEACHERS, said
from tests.fakes import FakePlayer, ListObserver, ScriptMicrophone
from voice import assemble, cli
from voice.adapters.cards import CardBox
from voice.adapters.settings_file import load_settings
from voice.audio import RATE
from voice.errors import StorageError
from voice.loop import Device
from voice.ports import Standing
from voice.scene import Said, scene
from voice.settings import Settings, SettingsError

NAME = "grumbletron"


@contextmanager
def assembled(home: Path, *, rehearse: bool = True) -> Iterator[Device]:
    """A device without a room."""
    with assemble.device(
        home,
        microphone=ScriptMicrophone(),
        player=FakePlayer([]),
        observer=ListObserver([]),
        rehearse=rehearse,
    ) as device:
        yield device


def damage(home: Path, name: str) -> Path:
    """Spoil a card; its folder."""
    place = next(path.parent for path in (home / "cards").glob("*/card.json") if name in path.read_text())
    next(place.rglob("takes.npz")).write_bytes(b"")
    return place


def test_one_damaged_card_does_not_keep_the_device_from_listening_for_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = noise_card(seed=1)
    CardBox(tmp_path).put(good)
    CardBox(tmp_path).put(noise_card(LITTLE_ONE, seed=2))
    place = damage(tmp_path, LITTLE_ONE)
    with caplog.at_level(logging.WARNING), assembled(tmp_path) as device:
        assert device.cards.phrase(FOREMAN) is not None
        assert device.cards.phrase(LITTLE_ONE) is None
    (message,) = [record.getMessage() for record in caplog.records]
    assert str(place) in message
    assert "The other parts are listened for" in message
    assert "little one" not in message, "a log holds no names of parts"


def test_a_device_without_parts_or_pairing_can_be_put_together(tmp_path: Path) -> None:
    with assembled(tmp_path, rehearse=False) as device:
        assert device.records.standing() is Standing.UNPAIRED
        assert device.settings.clinician == ""


def test_only_one_device_lives_in_a_home(tmp_path: Path) -> None:
    pair_by_hand(tmp_path)
    with assembled(tmp_path, rehearse=False) as device:
        assert device.records.standing() is not Standing.UNPAIRED
        with pytest.raises(StorageError, match="in use"), assembled(tmp_path, rehearse=False):
            pass
    with assembled(tmp_path, rehearse=False):
        pass


def test_the_clinicians_name_comes_from_the_settings_then_the_pairing(
    tmp_path: Path,
) -> None:
    assert assemble.settings_of(tmp_path).clinician == ""
    assert assemble.settings_of(tmp_path, rehearse=True).clinician == assemble.REHEARSAL_CLINICIAN
    pair_by_hand(tmp_path)
    assert assemble.settings_of(tmp_path).clinician == "Dr Okafor"
    assert assemble.settings_of(tmp_path, rehearse=True).clinician == "Dr Okafor"
    (tmp_path / "settings.toml").write_text('clinician = "Ada"')
    assert assemble.settings_of(tmp_path).clinician == "Ada"


def test_what_the_client_asked_for_since_wins_over_the_settings_file(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("volume = 1\nwords_per_minute = 130")
    (tmp_path / "preferences.json").write_text('{"volume": 4, "words_per_minute": 115}')
    settings = assemble.settings_of(tmp_path)
    assert (settings.volume, settings.words_per_minute) == (4, 115)


def test_a_settings_file_is_read_and_its_absence_is_no_fault(tmp_path: Path) -> None:
    assert load_settings(tmp_path) == Settings()
    (tmp_path / "settings.toml").write_text('pace = "slow"\nquiet_from = "22:30"\nquiet_until = "07:00"\n')
    settings = load_settings(tmp_path)
    assert settings.timing.end_silence_s == 5.0
    assert settings.quiet_hours is not None


@pytest.mark.parametrize(
    "text", ["pace = ", "\xff", 'pace = "frantic"', "volume = 9", "colour = 1", "clinician = 3"]
)
def test_settings_that_cannot_be_used_say_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings.toml").write_text(text, encoding="latin-1")
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path)
    assert caught.value.cause


def test_a_model_in_the_settings_may_begin_with_the_users_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert assemble.model_path(Settings(model="~/model")) == Path("/somewhere/model")
    assert assemble.model_path(Settings()) is None


@pytest.mark.speech
def test_an_evening_replayed_from_enrolment_to_the_sealed_line(tmp_path: Path) -> None:
    """The commands a person types, on a voice the device has never heard; one card beside is damaged."""
    home, run = tmp_path / "home", CliRunner()
    given: list[str] = []
    for index, person in enumerate(TEACHERS):
        path = tmp_path / f"take-{index}.wav"
        soundfile.write(path, said(NAME, person).samples, RATE)
        given += ["--take", str(path)]
    phrase = said("I see you, and I am here.", TEACHERS[0])
    soundfile.write(tmp_path / "phrase.wav", phrase.samples, RATE)
    given += ["--phrase", str(tmp_path / "phrase.wav"), "--home", str(home)]
    taught = run.invoke(cli.onebreath, ["enrol", "--name", NAME, *given])
    assert taught.exit_code == 0, taught.output
    CardBox(home).put(noise_card(LITTLE_ONE))
    damage(home, LITTLE_ONE)

    name = said(NAME, STRANGERS[0])
    line = Said(20.0, said("he was afraid we would be late again", STRANGERS[0]))
    evening = [Said(1.0, said(TALK[2], STRANGERS[1])), Said(6.0, name), line]
    sound = scene(evening, 34.0).samples
    stereo = np.stack([sound, sound], axis=1)
    soundfile.write(tmp_path / "evening.flac", np.repeat(stereo, 3, axis=0), 48_000)
    out = tmp_path / "speaker.wav"
    replayed = run.invoke(
        cli.onebreath,
        [
            "replay",
            str(tmp_path / "evening.flac"),
            "--home",
            str(home),
            "--json",
            "--rehearse",
            "--speaker-out",
            str(out),
        ],
    )
    assert replayed.exit_code == 0, replayed.output
    events = [json.loads(row) for row in replayed.stdout.splitlines() if row.startswith("{")]
    order = [
        "listening",
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
    assert [event["event"] for event in events] == order
    heard = events[1]
    assert heard["part"] == NAME
    assert -0.1 < heard["at"] - (6.0 + name.seconds) <= 0.4
    assert {"afraid", "late"} & {word["text"] for word in events[7]["words"]}
    assert events[-1]["reason"] == "line"
    played, rate = soundfile.read(out, dtype="int16")
    assert rate == RATE
    begins = round(events[3]["at"] * RATE)
    piece = played[begins : begins + len(phrase.samples)].astype(float)
    alike = np.corrcoef(piece, phrase.samples.astype(float))[0, 1]
    assert alike > 0.99, "the client hears their own phrase"
