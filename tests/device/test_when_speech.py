"""S20 on real speech: what is heard of the three answers, one whole evening, and the spoken consent."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tests.device.enrol_rig import Client, RecordingPlayer
from tests.device.hearing_rig import TEACHERS, said
from tests.device.test_led_speech import Prompts, Session, willing
from tests.fakes import ListObserver, Log
from voice import assemble
from voice.adapters.answers import VoskAnswers, answers
from voice.adapters.consents import FileConsents
from voice.adapters.identity import Pairing, save_pairing
from voice.adapters.prompts import load_wording
from voice.adapters.recovery import open_store
from voice.adapters.voices import PEOPLE, Speaker, speak
from voice.asking import spoken_answers
from voice.assemble_enrolment import Asked, Files, from_files
from voice.audio import BLOCK_S, HOP, RATE, Samples
from voice.noticing import When
from voice.ports import Back, Block, Gap, Lost
from voice.wire.content import decode
from voice.wire.envelope import open_frame, parse_frame
from voice.wire.keys import fingerprint, sign_statement

pytestmark = pytest.mark.speech

NAME = "grumbletron"
LINE = "he was afraid we would be late again"
SPOKEN = spoken_answers(load_wording("en").prompts)
ROOM = np.random.default_rng(3)


def room(samples: int) -> Samples:
    return ROOM.normal(0, 12, samples).astype(np.int16)


def within_room(text: str, person: Speaker) -> Samples:
    """As the loop gives it: an utterance with a little of the room on both sides."""
    return np.concatenate([room(6_400), said(text, person).samples, room(6_400)])


@pytest.fixture(scope="module")
def recogniser() -> VoskAnswers:
    heard = answers("en", SPOKEN)
    assert heard is not None
    return heard


@pytest.mark.parametrize(("text", "when"), SPOKEN.items())
def test_the_answers_are_heard_in_most_voices_and_never_taken_for_one_another(
    recogniser: VoskAnswers, text: str, when: When
) -> None:
    """Of eight voices: "starting" 8, "in it" 7, "after" 8 (docs/words.md)."""
    heard = [recogniser.recognise(within_room(text, person)) for person in PEOPLE]
    assert sum(one is when for one in heard) >= 6
    assert set(heard) <= {when, None}


@pytest.mark.parametrize(
    "text",
    ["not now", "stop", "delete that", "help", "I don't remember", "not really", "it was starting", "dinner"],
)
def test_other_words_are_no_answer(recogniser: VoskAnswers, text: str) -> None:
    assert [recogniser.recognise(within_room(text, person)) for person in PEOPLE] == [None] * len(PEOPLE)


def test_silence_and_nothing_are_no_answer(recogniser: VoskAnswers) -> None:
    assert recogniser.recognise(room(RATE)) is None
    assert recogniser.recognise(np.empty(0, np.int16)) is None


def test_a_language_whose_answers_no_model_knows_is_not_asked() -> None:
    assert answers("ka", {"დაწყება": When.STARTING, "შიგნით": When.IN, "მერე": When.AFTER}) is None
    assert answers("en", {"grumbletron": When.STARTING, "in it": When.IN, "after": When.AFTER}) is None


class Evening(Client):
    """Says the name after three seconds, and then answers what the device asks."""

    def __iter__(self) -> Iterator[Block | Gap | Lost | Back]:
        name = np.concatenate([room(3 * RATE), said(NAME, PEOPLE[5]).samples])
        whole = len(name) // HOP
        for index in range(whole):
            yield Block(name[index * HOP : (index + 1) * HOP], index * BLOCK_S)
        yield from super().__iter__()

    def _turn(self) -> bool:
        """Only what was asked is answered; the tone after a name is no question."""
        prompted = len(self.prompts) > self._heard
        self._heard = len(self.prompts)
        return prompted


def paired(home: Path) -> X25519PrivateKey:
    """A device of a clinician whose server nobody will ever reach; the reading key."""
    identity, reading = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()
    statement = sign_statement(
        identity, clinician_id=secrets.token_bytes(16), name="Dr Okafor", epoch=1,
        reading=reading.public_key(), issued_at=1_770_000_000,
    )  # fmt: skip
    save_pairing(home, Pairing.of("http://127.0.0.1:9", fingerprint(identity.public_key()), statement))
    return reading


@pytest.mark.parametrize(("agreed", "answer"), [(True, "starting"), (True, "I don't remember"), (False, "")])
def test_an_evening_with_the_question_ends_in_one_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agreed: bool, answer: str
) -> None:
    home = tmp_path / "home"
    reading = paired(home)
    # The name by which the rig knows the prompts.
    (home / "settings.toml").write_text('asks_when = true\nclinician = "x"\n')
    if agreed:
        FileConsents(home).keep_asks_when(True)
    takes = []
    for index, person in enumerate(TEACHERS):
        takes.append(tmp_path / f"take-{index}.wav")
        soundfile.write(takes[-1], said(NAME, person).samples, RATE)
    from_files(home, Asked(NAME), Files(takes=takes))

    log: Log = []
    player, observer = RecordingPlayer(log), ListObserver(log)
    synthesiser = Prompts(log, tmp_path / "prompts")
    monkeypatch.setattr(assemble, "synthesiser", lambda home: synthesiser)
    spoken = {"ask.line": [said(LINE, PEOPLE[5]).samples]}
    if answer:
        spoken["ask.when"] = [said(answer, PEOPLE[5]).samples]
    client = Evening(player, synthesiser, spoken, room=room, after_s=0.8, patience_s=45.0)
    with assemble.device(home, microphone=client, player=player, observer=observer, offline=True) as device:
        device.run()
        assert device.records.flush() == 1

    prompts = [report.fields["prompt"] for report in observer.reports if report.event == "said"]
    assert prompts == (["ask.line", "ask.when"] if agreed else ["ask.line"]) + ["close.saved_offline"]
    (row,) = _rows(home)
    noticing = decode(open_frame(parse_frame(row), reading))
    assert noticing.part == NAME
    assert noticing.line is not None
    assert noticing.line.words
    assert noticing.when is (When.STARTING if answer == "starting" else None)


def _rows(home: Path) -> list[bytes]:
    with open_store(home) as store:
        return [row.sealed for row in store.rows()]


@pytest.mark.parametrize(("answer", "given"), [("yes", True), ("no", False)])
def test_the_consent_is_asked_for_when_a_part_is_led_and_given_by_a_yes_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, given: bool
) -> None:
    home = tmp_path / "home"
    paired(home)
    (home / "settings.toml").write_text("asks_when = true\n")
    yes = Speaker("espeak-ng", "en-us+f4", 160, 60)  # the starter hears its "yes" surely
    said_of_it = {"enrol.ask_when": [speak(answer, yes).samples]}
    session = Session(home, monkeypatch, {**willing(), **said_of_it})
    session.lead(Asked(NAME, audition=False))
    end = ["enrol.ask_when", "enrol.when_asked" if given else "enrol.when_not_asked", "enrol.done"]
    assert session.client.prompts[-3:] == end
    assert FileConsents(home).asks_when() is given
    if given:
        again = Session(home, monkeypatch, willing())
        again.lead(Asked(NAME, audition=False))
        assert "enrol.ask_when" not in again.client.prompts, "an agreement is asked for once"


def test_nothing_is_asked_for_where_the_clinician_did_not_turn_it_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paired(tmp_path / "home")
    session = Session(tmp_path / "home", monkeypatch, willing())
    session.lead(Asked(NAME, audition=False))
    assert "enrol.ask_when" not in session.client.prompts
