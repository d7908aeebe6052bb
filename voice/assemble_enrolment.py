"""Enrolment put together: recordings from files or from a led session, to a card that is kept."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from voice import assemble
from voice.adapters import recognisers, word_evidence
from voice.adapters.bank import bank, space
from voice.adapters.card_reports import of_enrolled, reporting
from voice.adapters.cards import CardBox
from voice.adapters.clock import SystemClock
from voice.adapters.consents import FileConsents
from voice.adapters.identity import load_pairing
from voice.adapters.mailbox import DeviceMailbox
from voice.adapters.microphone import CardMicrophone
from voice.adapters.player import CardPlayer
from voice.adapters.prompts import load_wording
from voice.adapters.recorded import REASONS, Recorded, read_phrase
from voice.adapters.takes import TakeMaker
from voice.adapters.uplink import HttpUplink
from voice.adapters.vad import SileroActivity
from voice.assemble_asking import to_be_agreed
from voice.audio import Clip
from voice.audition import Agreement, Refusal
from voice.card import Card, clean_name
from voice.consent import SpokenConsent
from voice.enrolling import Enrolling
from voice.enrolment import Problem
from voice.errors import AudioError, EnrolmentError, StorageError
from voice.leading import Leading
from voice.likeness import Likeness, confusions
from voice.mailbox import asked_for, told_of
from voice.naming import NameRefusedError, refuse_name
from voice.outbox import UnreachableError
from voice.ports import Microphone, Player
from voice.progress import Progress, outcome
from voice.revising import Brought, Revised, revise
from voice.speaking import Speaking


@dataclass(frozen=True)
class Asked:
    """What is to be done. `replace`: start the part anew. `audition`: None leaves it to what there is: a led
    enrolment has one, and True alone is an audition without new takes. `keep_talk`, `forget_talk`: consent
    given, or taken back, on the client's behalf. `anyway`: keep the part whatever its forecast."""

    name: str
    replace: bool = False
    quiet: bool = False
    audition: bool | None = None
    keep_talk: bool = False
    forget_talk: bool = False
    anyway: bool = False


@dataclass(frozen=True)
class Files:
    """Recordings to enrol from."""

    takes: Sequence[Path] = ()
    phrase: Path | None = None
    tries: Sequence[Path] = ()
    talk: Sequence[Path] = ()


@dataclass(frozen=True)
class Enrolled:
    """The card, the one before it, and what is to be told. `kept`: False when its forecast speaks against a
    new part; `keep_anyway` then keeps it all the same. `notes`: what was left out and why, in words.
    `as_before`: the new takes were left out as a whole."""

    card: Card
    before: Card | None
    kept: bool
    refusal: Refusal | None
    alike: tuple[Likeness, ...]
    notes: tuple[str, ...] = ()
    as_before: bool = False


@dataclass(frozen=True)
class Waiting:
    """Parts that the clinician asked for and that are not enrolled, the first asked for in front.

    `clinician`: their name. `reached`: False when the server did not answer, so that there may be newer ones.
    """

    names: tuple[str, ...]
    clinician: str
    reached: bool


def waiting(home: Path) -> Waiting | None:
    """Fetch the clinician's cards, if the server can be reached, and tell which parts wait to be enrolled.

    None on a device that is not paired. Raises StorageError.
    """
    pairing = load_pairing(home)
    if pairing is None:
        return None
    mailbox = DeviceMailbox(home, of_enrolled(home))
    link = HttpUplink.of(home)
    reached = False
    try:
        with suppress(UnreachableError):
            mailbox.collect(link)
            reached = True
    finally:
        link.close()
    cards, damaged = assemble.card_box(home).load()
    known = {card.name for card in cards} | {damage.part for damage in damaged if damage.part}
    names = tuple(told.part.name for told in asked_for(mailbox.state, known))
    return Waiting(names, pairing.name, reached)


def delete(home: Path, name: str) -> bool:
    """Delete a part's takes and phrase: the client agreed to it. Whether there was such a part.

    Raises StorageError.
    """
    try:
        return CardBox(home).remove(clean_name(name))
    except OSError as error:
        raise StorageError(
            f"The part could not be deleted ({error.strerror}).",
            "Check who may write to the device's folder.",
        ) from error


def from_files(home: Path, asked: Asked, files: Files) -> Enrolled:
    """Enrol from recordings. Raises EnrolmentError, AudioError, StorageError; the card before then stays."""
    asked = replace(asked, name=clean_name(asked.name))
    refuse_name(asked.name)
    box = assemble.card_box(home)
    before = None if asked.replace else box.get(asked.name)
    if not files.takes and before is None:
        raise _no_take(asked.name)
    if asked.keep_talk and not files.talk:
        raise EnrolmentError("There is no talk to keep.", "Give --talk FILE, or let the device ask by voice.")
    reading = Recorded(before)
    takes, recordings = reading.takes(files.takes)
    brought = Brought(
        takes=takes,
        recordings=recordings,
        phrase=read_phrase(files.phrase) if files.phrase is not None else None,
        tries=reading.tries(files.tries),
        talk=reading.talk(files.talk),
        keep_talk=asked.keep_talk,
        forget_talk=asked.forget_talk,
        quiet=asked.quiet,
        anyway=asked.anyway,
    )
    if asked.forget_talk and before is not None and not before.talk:
        reading.notes.append("No talk was kept of this part.")
    with reporting(home, asked.name) as progress:
        progress.from_files(len(takes))
        return _keep(home, box, asked.name, before, brought, reading.notes, progress)


def led(home: Path, asked: Asked, microphone: Microphone, player: Player) -> Enrolled:
    """Enrol with spoken prompts. Raises as `from_files`; what a person should hear of it has been said.

    The clinician whose card asked for the part is told how it goes.
    """
    asked = replace(asked, name=clean_name(asked.name))
    with reporting(home, asked.name) as progress:
        return _led(home, asked, microphone, player, progress)


def _led(home: Path, asked: Asked, microphone: Microphone, player: Player, progress: Progress) -> Enrolled:
    box = assemble.card_box(home)
    before = None if asked.replace else box.get(asked.name)
    if asked.audition and before is None:
        raise _no_take(asked.name)
    settings = assemble.settings_of(home)
    speaking = Speaking(assemble.synthesiser(home), load_wording(settings.language), box, settings)
    model = assemble.model_path(settings)
    session = Enrolling(
        Leading(microphone, player, SileroActivity(), speaking, settings),
        recognisers.commands(settings.language, model),
        TakeMaker(),
        SpokenConsent(recognisers.transcriber(settings.language, model), settings.language),
        progress,
    )
    try:
        refuse_name(asked.name)
    except NameRefusedError as refused:
        progress.refused(refused.prompt)
        session.close(refused.prompt)
        raise
    ask = not asked.keep_talk
    if asked.audition:
        found = session.audition(ask=ask)
    else:
        found = session.lead(Agreement(bank()), audition=asked.audition is None, ask=ask)
    brought = replace(
        found,
        keep_talk=found.keep_talk or (asked.keep_talk and bool(found.talk)),
        forget_talk=asked.forget_talk,
        quiet=asked.quiet,
        anyway=asked.anyway,
    )
    enrolled = _keep(home, box, asked.name, before, brought, [], progress)
    if enrolled.kept and to_be_agreed(home, settings, model) and session.ask_when():
        FileConsents(home).keep_asks_when(True)
    session.close(*_closing(enrolled))
    return enrolled


def led_by_card(home: Path, asked: Asked, device: str | int | None, output: str | int | None) -> Enrolled:
    """`led` through the sound card."""
    try:
        player = CardPlayer(output)
        player.check()
        microphone = CardMicrophone(device, SystemClock(), player.released)
    except AudioError:
        refuse_name(clean_name(asked.name))
        raise
    try:
        return led(home, asked, microphone, player)
    finally:
        microphone.close()
        player.close()


def keep_anyway(home: Path, enrolled: Enrolled) -> Enrolled:
    """Keep a part whose forecast speaks against it: the clinician decided so. Raises StorageError."""
    card = replace(enrolled.card, anyway=True)
    CardBox(home).put(card)
    kept = replace(enrolled, card=card, kept=True)
    with reporting(home, card.name) as progress:
        progress.from_files(len(card.takes))
        _tell(kept, progress)
    return kept


def _keep(
    home: Path,
    box: CardBox,
    name: str,
    before: Card | None,
    brought: Brought,
    notes: Sequence[str],
    progress: Progress,
) -> Enrolled:
    mailbox = DeviceMailbox(home)
    settings = assemble.settings_of(home, mailbox=mailbox)
    newest = told_of(mailbox.state, name)

    def alias(recordings: Sequence[Clip]) -> str | None:
        if newest is not None and newest.part.alias is not None:
            return newest.part.alias
        sounds = [clip.samples for clip in recordings]
        return word_evidence.alias(settings.language, name, sounds, assemble.model_path(settings))

    revised = revise(name, before, brought, bank(), alias)
    # What was learnt about a part that is there already stays; only a new one can still be called otherwise.
    kept = before is not None or revised.refusal is None or revised.card.anyway
    if kept:
        try:
            box.put(revised.card)
        except StorageError:
            progress.stopped("storage")
            raise
    others, _ = box.load()
    alike = confusions(revised.card, others, space())
    anew = [assemble.up_to_date(box.renewed)] if box.renewed else []
    told = (*anew, *notes, *_told(revised))
    enrolled = Enrolled(
        revised.card, before, kept, revised.refusal, tuple(alike), told, revised.worse is not None
    )
    _tell(enrolled, progress)
    return enrolled


def _tell(enrolled: Enrolled, progress: Progress) -> None:
    """Tell the clinician what came of it."""
    prompt = None if enrolled.refusal is None else enrolled.refusal.prompt
    if not enrolled.kept and prompt is not None:
        progress.refused(prompt, enrolled.card.forecast)
        return
    reason = outcome(alike=bool(enrolled.alike), as_before=enrolled.as_before, prompt=prompt)
    progress.done(enrolled.card.forecast, reason)


def _told(revised: Revised) -> list[str]:
    told = []
    if revised.odd is not None:
        told.append(f"Take {revised.odd} was left out: {REASONS[Problem.DIFFERENT]}.")
    if revised.worse is not None:
        told.append(
            f"The new takes were left out, since {revised.worse}. The name is heard as before; "
            "to start anew with new takes, use --replace."
        )
    return told


def _closing(enrolled: Enrolled) -> list[str]:
    """What is said at the end, by key."""
    if not enrolled.kept and enrolled.refusal is not None:
        return [enrolled.refusal.prompt, "enrol.not_kept"]
    said = [enrolled.refusal.prompt] if enrolled.refusal is not None and not enrolled.card.anyway else []
    said += ["enrol.alike"] if enrolled.alike else []
    return [*said, "enrol.as_before" if enrolled.as_before else "enrol.done"]


def _no_take(name: str) -> EnrolmentError:
    return EnrolmentError(f"“{name}” has no take yet.", "Give --take FILE three to five times.")
