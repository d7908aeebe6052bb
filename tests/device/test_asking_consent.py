"""S20 takes two yeses: how the client's is kept and taken back, and how the clinician's arrives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.device.card_rig import noise_card, pair_by_hand
from tests.device.enrol_rig import NO, YES, Session, mark
from tests.fakes import FakePlayer, ListObserver, ScriptMicrophone
from voice import assemble, cli
from voice.adapters.cards import CardBox
from voice.adapters.consents import NAME, FileConsents
from voice.adapters.prompts import load_wording
from voice.assemble_asking import asking, to_be_agreed
from voice.errors import StorageError
from voice.mailbox import Mailbox, with_settings
from voice.settings import Settings


def clinician_wants(home: Path, wants: bool = True) -> None:
    (home / "settings.toml").write_text(f"asks_when = {str(wants).lower()}\n")


def test_a_consent_is_none_until_it_is_given_and_none_when_it_is_taken_back(tmp_path: Path) -> None:
    consents = FileConsents(tmp_path)
    assert not consents.asks_when()
    consents.keep_asks_when(True)
    assert FileConsents(tmp_path).asks_when()
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    consents.keep_asks_when(False)
    assert not consents.asks_when()


def test_a_consent_is_to_one_clinician(tmp_path: Path) -> None:
    consents = FileConsents(tmp_path)
    consents.keep_asks_when(True)
    pair_by_hand(tmp_path)
    assert not consents.asks_when()
    consents.keep_asks_when(True)
    assert consents.asks_when()
    pair_by_hand(tmp_path)
    assert not consents.asks_when()


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b"{}", b'{"asks_when": true}', b"\xff"])
def test_a_damaged_file_is_no_consent(tmp_path: Path, damaged: bytes) -> None:
    pair_by_hand(tmp_path)
    (tmp_path / NAME).write_bytes(damaged)
    assert not FileConsents(tmp_path).asks_when()


def test_a_consent_that_cannot_be_kept_says_so(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="consent could not be kept"):
        FileConsents(tmp_path / "home").keep_asks_when(True)


@pytest.mark.parametrize("clinician", [True, False])
@pytest.mark.parametrize("client", [True, False])
def test_it_is_asked_only_where_both_want_it(tmp_path: Path, clinician: bool, client: bool) -> None:
    clinician_wants(tmp_path, clinician)
    FileConsents(tmp_path).keep_asks_when(client)
    with assemble.device(
        tmp_path,
        microphone=ScriptMicrophone(),
        player=FakePlayer([]),
        observer=ListObserver([]),
        rehearse=True,
    ) as device:
        assert device.asking.wanted() is (clinician and client)
        FileConsents(tmp_path).keep_asks_when(False)
        assert not device.asking.wanted(), "taking it back holds from the next name on"


def test_the_newest_card_of_the_clinician_goes_before_the_settings_file(tmp_path: Path) -> None:
    clinician_wants(tmp_path)
    FileConsents(tmp_path).keep_asks_when(True)
    box = _Box(Mailbox(bytes(16)))
    settings = assemble.settings_of(tmp_path)
    wanted = asking(tmp_path, settings, load_wording("en"), box, None).wanted  # type: ignore[arg-type]
    assert wanted()
    box.state = replace(box.state, settings={"asks_when": False})
    assert not wanted()
    assert not with_settings(Settings(), box.state, {"en"}.__contains__).asks_when
    box.state = replace(box.state, settings={"asks_when": True})
    clinician_wants(tmp_path, False)
    assert wanted()
    assert with_settings(Settings(), box.state, {"en"}.__contains__).asks_when


class _Box:
    """A mailbox of which only the state is looked at."""

    def __init__(self, state: Mailbox) -> None:
        self.state = state


def test_the_consent_is_to_be_asked_for_once_and_where_the_clinician_wants_it(tmp_path: Path) -> None:
    assert not to_be_agreed(tmp_path, Settings(), None)
    assert to_be_agreed(tmp_path, Settings(asks_when=True), None)
    FileConsents(tmp_path).keep_asks_when(True)
    assert not to_be_agreed(tmp_path, Settings(asks_when=True), None)


@pytest.mark.parametrize(("answer", "given"), [(mark(YES), True), (mark(NO), False), (None, False)])
def test_a_yes_by_voice_and_nothing_else_gives_it(answer: object, given: bool) -> None:
    session = Session({"enrol.ask_when": [answer]})  # type: ignore[list-item]
    assert session.enrolling.ask_when() is given
    assert session.prompts == ["enrol.ask_when", "enrol.when_asked" if given else "enrol.when_not_asked"]


def test_where_no_yes_could_be_understood_nothing_is_asked() -> None:
    session = Session({})
    session.consent.asks = False
    assert not session.enrolling.ask_when()
    assert session.prompts == []


def test_the_command_shows_gives_and_takes_back(tmp_path: Path) -> None:
    def said(*options: str) -> list[str]:
        ran = CliRunner().invoke(cli.onebreath, ["consent", *options, "--home", str(tmp_path)])
        assert ran.exit_code == 0, ran.output
        return ran.output.splitlines()

    question = "Asked “Starting, in it, or after?”:"
    assert said() == [
        f"{question} no",
        "  the client has not agreed",
        "  the clinician has not turned it on",
    ]
    clinician_wants(tmp_path)
    assert said("--asks-when") == [
        f"{question} yes",
        "  the client agreed",
        "  the clinician turned it on",
    ]
    assert said()[0] == f"{question} yes"
    assert said("--no-asks-when")[:2] == [f"{question} no", "  the client has not agreed"]


def test_a_part_that_is_enrolled_is_not_touched_by_it(tmp_path: Path) -> None:
    CardBox(tmp_path).put(noise_card())
    FileConsents(tmp_path).keep_asks_when(True)
    ((card,), damaged) = CardBox(tmp_path).load()
    assert (card.name, damaged) == (noise_card().name, [])
