"""The only place where real adapters meet the core."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from voice.adapters import recognisers, word_evidence
from voice.adapters.bank import bank, space
from voice.adapters.card_reports import of_enrolled
from voice.adapters.cards import CardBox
from voice.adapters.clock import SystemClock
from voice.adapters.dumps import forbid_dumps
from voice.adapters.embedding import SpeechEmbedder
from voice.adapters.identity import load_pairing
from voice.adapters.mailbox import DeviceMailbox
from voice.adapters.preferences import FilePreferences
from voice.adapters.prompts import languages, load_wording
from voice.adapters.records import DeviceRecords
from voice.adapters.rehearsal import RehearsalPreferences, RehearsalRecords
from voice.adapters.settings_file import load_settings
from voice.adapters.synthesiser import CachedSynthesiser
from voice.adapters.vad import SileroActivity
from voice.assemble_asking import asking
from voice.card import Card
from voice.household import listened_for
from voice.loop import Device
from voice.mailbox import RestingSpotter, ToldCards, with_aliases, with_settings
from voice.ports import Microphone, Player
from voice.renewing import renewed
from voice.reports import Observer
from voice.settings import Settings
from voice.spotting import NameSpotter

log = logging.getLogger(__name__)

REHEARSAL_CLINICIAN = "your clinician"


@contextmanager
def device(
    home: Path,
    *,
    microphone: Microphone,
    player: Player,
    observer: Observer,
    live: bool = False,
    rehearse: bool = False,
    offline: bool = False,
) -> Iterator[Device]:
    """The device that lives in `home`. `live`: deliver in the background (`listen`), not only on `flush`.
    `offline`: call nobody, not even to ask how the device stands.

    Raises OnebreathError for whatever in `home` or on this machine keeps it from working.
    """
    forbid_dumps()
    mailbox = DeviceMailbox(home, of_enrolled(home))
    settings = settings_of(home, rehearse=rehearse, mailbox=mailbox)
    box = card_box(home)
    cards, damaged = box.load()
    if box.renewed:
        log.warning("%s", up_to_date(box.renewed))
    for damage in damaged:
        log.error("%s The other parts are listened for. %s", damage.cause, damage.remedy)
    records = (
        RehearsalRecords()
        if rehearse
        else DeviceRecords(
            home, courier=live, ask=not (live or offline), hold_s=settings.hold_s, mailbox=mailbox
        )
    )
    wording = load_wording(settings.language)
    try:
        yield Device(
            microphone=microphone,
            player=player,
            activity=SileroActivity(),
            spotter=RestingSpotter(
                spotter(with_aliases(mailbox.state, cards), settings), lambda: mailbox.state
            ),
            transcriber=recognisers.transcriber(settings.language, model_path(settings)),
            commands=recognisers.commands(settings.language, model_path(settings)),
            synthesiser=synthesiser(home),
            wording=wording,
            cards=ToldCards(box, lambda: mailbox.state),
            records=records,
            preferences=RehearsalPreferences() if rehearse else FilePreferences(home),
            clock=SystemClock(),
            observer=observer,
            settings=settings,
            asking=asking(home, settings, wording, mailbox, model_path(settings)),
        )
    finally:
        records.close()


def card_box(home: Path) -> CardBox:
    """The cards in a home; those of another matcher are brought up to date when they are first read."""
    return CardBox(home, lambda card: renewed(card, bank()))


def up_to_date(count: int) -> str:
    """What is said about so many cards that were made anew; no names, it may end up in a log."""
    cards = "The card of one part was" if count == 1 else f"The cards of {count} parts were"
    return f"{cards} brought up to date; thresholds and forecasts may differ from before."


def synthesiser(home: Path) -> CachedSynthesiser:
    """Speaks the prompts; what it rendered stays in the home."""
    return CachedSynthesiser(home / "cache" / "prompts")


def settings_of(home: Path, *, rehearse: bool = False, mailbox: DeviceMailbox | None = None) -> Settings:
    """The settings file, what the clinician's cards say, what the client asked for since, and the clinician's
    name from the pairing; each goes before the one named before it."""
    told = (mailbox or DeviceMailbox(home)).state
    settings = with_settings(load_settings(home), told, languages().__contains__)
    settings = FilePreferences(home).apply(settings)
    pairing = load_pairing(home)
    if pairing is not None:
        return replace(settings, clinician=settings.clinician or pairing.name)
    return replace(settings, clinician=settings.clinician or REHEARSAL_CLINICIAN) if rehearse else settings


def spotter(cards: list[Card], settings: Settings) -> NameSpotter:
    """Own-voice evidence for every card; word evidence too where a Vosk model is installed."""
    names = [(card.name, card.alias) for card in cards]
    words = word_evidence.words(settings.language, names, model_path(settings))
    prints = [listened_for(card, settings.hears) for card in cards]
    return NameSpotter(SpeechEmbedder(), space(), prints, words)


def model_path(settings: Settings) -> Path | None:
    """The Vosk model that the settings name; None leaves the search to the language."""
    return Path(settings.model).expanduser() if settings.model else None
