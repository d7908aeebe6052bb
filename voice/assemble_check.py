"""What this device has and what it lacks, each with its remedy. Looks, changes nothing."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voice import assemble
from voice.adapters import recognisers
from voice.adapters.bank import space
from voice.adapters.cards import CardDamagedError
from voice.adapters.identity import load_pairing
from voice.adapters.mailbox import DeviceMailbox
from voice.adapters.portaudio import sound_devices
from voice.adapters.prompts import load_wording
from voice.adapters.recovery import open_store
from voice.adapters.settings_file import NAME as SETTINGS_FILE
from voice.adapters.settings_file import load_settings
from voice.adapters.store import NAME as OUTBOX_FILE
from voice.adapters.store import InUseError
from voice.adapters.synthesiser import CachedSynthesiser
from voice.card import Card
from voice.errors import OnebreathError
from voice.likeness import Likeness, confusions
from voice.mailbox import Mailbox, asked_for, at_rest

LEAST_FREE_MB: Final = 50


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `needed`: without it the device cannot do its work."""

    subject: str
    ok: bool
    state: str
    remedy: str = ""
    needed: bool = True


def ready(found: Sequence[Finding]) -> bool:
    """Whether nothing needed is missing."""
    return all(finding.ok for finding in found if finding.needed)


def look(home: Path) -> tuple[list[Finding], list[Card]]:
    """Everything about the device in `home`, and its cards as far as they can be read."""
    cards: list[Card] = []

    def parts() -> Finding:
        box = assemble.card_box(home)
        good, damaged = box.load()
        cards.extend(good)
        return _parts(good, damaged, box.renewed, DeviceMailbox(home).state)

    looks: list[tuple[str, Callable[[], Finding]]] = [
        ("parts", parts),
        ("pairing", lambda: _pairing(home)),
        ("settings", lambda: _settings(home)),
        ("words", lambda: _words(home)),
        ("prompts", lambda: _prompts(home)),
        ("records", lambda: _records(home)),
        ("storage", lambda: _storage(home)),
        ("sound", _sound),
    ]
    return [_guarded(subject, finding) for subject, finding in looks], cards


def alike(cards: Sequence[Card]) -> dict[str, list[Likeness]]:
    """For each part by name, what it is taken for and what is taken for it."""
    return {card.name: confusions(card, cards, space()) if len(cards) > 1 else [] for card in cards}


def _guarded(subject: str, finding: Callable[[], Finding]) -> Finding:
    try:
        return finding()
    except OnebreathError as error:
        return Finding(subject, False, error.cause, error.remedy)


def _parts(
    cards: Sequence[Card], damaged: Sequence[CardDamagedError], renewed: int, mailbox: Mailbox
) -> Finding:
    state = f"{len(cards)} enrolled"
    known = {card.name for card in cards} | {damage.part for damage in damaged if damage.part}
    asked, resting = len(asked_for(mailbox, known)), len(at_rest(mailbox) & known)
    state += f", {asked} asked for: onebreath enrol" if asked else ""
    state += f", {resting} at rest" if resting else ""
    remedy = 'onebreath enrol --name "the foreman"'
    if damaged:
        causes = " ".join(
            f"“{damage.part}”: {damage.cause}" if damage.part else damage.cause for damage in damaged
        )
        state, remedy = f"{state}, {len(damaged)} damaged. {causes}", damaged[0].remedy
    if renewed:
        state = f"{state.rstrip('.')}. {assemble.up_to_date(renewed)}"
    return Finding("parts", bool(cards) and not damaged, state, remedy)


def _pairing(home: Path) -> Finding:
    pairing = load_pairing(home)
    if pairing is None:
        return Finding("pairing", False, "not paired", "onebreath pair LINK, with the clinician's link")
    return Finding("pairing", True, f"paired with {pairing.name}")


def _settings(home: Path) -> Finding:
    load_settings(home)
    path = home / SETTINGS_FILE
    return Finding("settings", True, str(path) if path.exists() else f"as they came; {path} can change them")


def _words(home: Path) -> Finding:
    settings = assemble.settings_of(home)
    model = recognisers.usable_model(settings.language, assemble.model_path(settings))
    if model is None:
        remedy = f"onebreath models fetch {settings.language}"
        return Finding("words", False, "starter transcriber; lines will be rough", remedy, needed=False)
    return Finding("words", True, model.name)


def _prompts(home: Path) -> Finding:
    wording = load_wording(assemble.settings_of(home).language)
    # Rendered afresh, and elsewhere: what the home keeps does not show that the voice still works.
    with tempfile.TemporaryDirectory(prefix="onebreath-") as scratch:
        CachedSynthesiser(Path(scratch)).render(wording.prompts["enrol.done"], wording.language, 150)
    return Finding("prompts", True, f"{len(wording.prompts)} in {wording.language}")


def _records(home: Path) -> Finding:
    if not (home / OUTBOX_FILE).exists():
        return Finding("records", True, "none waiting")
    try:
        with open_store(home) as store:
            waiting, aside = store.counts()
            recovery = store.recovery
    except InUseError:
        return Finding("records", True, "in use by the device, which is listening now")
    state = f"{waiting} waiting to be sent"
    state += f", {aside} set aside" if aside else ""
    before = len(list(home.glob("outbox.damaged-*")))
    if recovery is not None:
        state += f". {recovery}"
    elif before:
        state += (
            f". Damaged before: {before} (outbox.damaged-* in {home}); what is missing shows at the reader"
        )
    return Finding("records", True, state)


def _storage(home: Path) -> Finding:
    folder = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(folder).free // 1_000_000
    return Finding("storage", free >= LEAST_FREE_MB, f"{free:,} MB free", "Free some space on this device.")


def _sound() -> Finding:
    inputs, outputs = sound_devices()
    state = f"{inputs} microphones, {outputs} speakers"
    return Finding(
        "sound", bool(inputs and outputs), state, "Connect a microphone and a speaker.", needed=False
    )
