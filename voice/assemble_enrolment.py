"""Enrolment put together: recordings from files or from a led session, to a card that is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from voice import assemble
from voice.adapters import recognisers, word_evidence
from voice.adapters.bank import bank
from voice.adapters.cards import CardBox
from voice.adapters.clock import SystemClock
from voice.adapters.files import read_clip
from voice.adapters.microphone import CardMicrophone
from voice.adapters.player import CardPlayer
from voice.adapters.prompts import load_wording
from voice.adapters.takes import TakeMaker
from voice.adapters.vad import SileroActivity
from voice.audio import Clip, level_db
from voice.card import Card, clean_name
from voice.enrolling import Enrolling, Led
from voice.enrolment import Problem, Take, clipped, odd_one_out, refuse_name, voiceprint
from voice.errors import AudioError, EnrolmentError
from voice.ports import Microphone, Player
from voice.speaking import Speaking

T = TypeVar("T")

LED_TAKES: Final = 4
LONGEST_PHRASE_S: Final = 15.0
MOST_TAKES: Final = 12

REASONS: Final = {
    Problem.TOO_QUIET: "no speech can be heard in it",
    Problem.TOO_LOUD: "it is clipped; record it a little further from the microphone",
    Problem.TOO_SHORT: "the speech in it is shorter than a quarter of a second",
    Problem.TOO_LONG: "the speech in it is longer than four seconds",
    Problem.CUT_OFF: "it begins or ends in the middle of speech",
    Problem.DIFFERENT: "it sounds unlike the others",
}


@dataclass(frozen=True)
class Enrolled:
    """The card as kept, and what was left out of it and why, in words for a person."""

    card: Card
    left_out: tuple[str, ...] = ()


def from_files(
    home: Path, name: str, takes: Sequence[Path], phrase: Path | None, *, replace_card: bool, quiet: bool
) -> Enrolled:
    """Enrol from recordings. Raises EnrolmentError, AudioError, StorageError; the card before then stays."""
    name = clean_name(name)
    refuse_name(name)
    box = CardBox(home)
    before = None if replace_card else box.get(name)
    if not takes and before is None:
        raise EnrolmentError(f'"{name}" has no take yet.', "Give --take FILE three to five times.")
    maker = TakeMaker()
    known = before.recordings if before else ()
    made: list[Take] = []
    recordings: list[Clip] = []
    left_out: list[str] = []
    for path in takes:
        clip = read_clip(path)
        if any(np.array_equal(clip.samples, other.samples) for other in (*known, *recordings)):
            left_out.append(f"{path.name} was left out: this recording is among the takes already.")
            continue
        take = maker.make(clip.samples)
        if isinstance(take, Problem):
            left_out.append(f"{path.name} was left out: {REASONS[take]}.")
        else:
            made.append(take)
            recordings.append(clip)
    if takes and not made:
        raise EnrolmentError(f"No take could be used. {' '.join(left_out)}", "Record the name again.")
    sound = _phrase(phrase) if phrase is not None else None
    enrolled = _keep(box, name, before, Led(tuple(made), tuple(recordings), sound), home, quiet=quiet)
    return replace(enrolled, left_out=(*left_out, *enrolled.left_out))


def led(
    home: Path, name: str, microphone: Microphone, player: Player, *, replace_card: bool, quiet: bool
) -> Enrolled:
    """Enrol with spoken prompts. Raises as `from_files`."""
    name = clean_name(name)
    refuse_name(name)
    box = CardBox(home)
    before = None if replace_card else box.get(name)
    settings = assemble.settings_of(home)
    wording = load_wording(settings.language)
    speaking = Speaking(assemble.synthesiser(home), wording, box, settings)
    recognise = recognisers.commands(settings.language, assemble.model_path(settings))
    activity = SileroActivity()
    session = Enrolling(microphone, player, activity, speaking, recognise, TakeMaker(), settings)
    return _keep(box, name, before, session.lead(LED_TAKES, bank().space), home, quiet=quiet)


def led_by_card(
    home: Path,
    name: str,
    device: str | int | None,
    output: str | int | None,
    *,
    replace_card: bool,
    quiet: bool,
) -> Enrolled:
    """`led` through the sound card."""
    player = CardPlayer(output)
    player.check()
    microphone = CardMicrophone(device, SystemClock(), lambda: not player.playing())
    try:
        return led(home, name, microphone, player, replace_card=replace_card, quiet=quiet)
    finally:
        microphone.close()
        player.close()


def _keep(box: CardBox, name: str, before: Card | None, new: Led, home: Path, *, quiet: bool) -> Enrolled:
    takes = ((*before.takes, *new.takes) if before else new.takes)[-MOST_TAKES:]
    recordings = ((*before.recordings, *new.recordings) if before else new.recordings)[-MOST_TAKES:]
    left_out: tuple[str, ...] = ()
    odd = odd_one_out(takes, bank().space)
    if odd is not None:
        takes, recordings = (_without(takes, odd), _without(recordings, odd))
        left_out = (f"Take {odd + 1} was left out: {REASONS[Problem.DIFFERENT]}.",)
    known, forecast = voiceprint(name, takes, bank())
    settings = assemble.settings_of(home)
    sounds = [clip.samples for clip in recordings]
    card = Card(
        name=name,
        takes=takes,
        recordings=recordings,
        print=known,
        forecast=forecast,
        alias=word_evidence.alias(settings.language, name, sounds, assemble.model_path(settings)),
        phrase=new.phrase or (before.phrase if before else None),
        quiet=quiet or (before.quiet if before else False),
    )
    box.put(card)
    return Enrolled(card, left_out)


def _phrase(path: Path) -> Clip:
    clip = read_clip(path)
    if clip.seconds > LONGEST_PHRASE_S:
        raise AudioError(
            f"{path.name} is {clip.seconds:.0f} s long; a phrase is one breath.",
            f"Give a recording of at most {LONGEST_PHRASE_S:.0f} s.",
        )
    if level_db(clip.samples) < -60.0:
        raise AudioError(f"Nothing can be heard in {path.name}.", "Record the phrase again.")
    if clipped(clip.samples):
        raise AudioError(
            f"{path.name} is clipped: it was recorded too loud.",
            "Record the phrase again, a little further from the microphone.",
        )
    return clip


def _without(items: tuple[T, ...], index: int) -> tuple[T, ...]:
    return items[:index] + items[index + 1 :]
