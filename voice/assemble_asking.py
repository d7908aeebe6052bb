"""The question of S20 put together: the clinician's setting, the client's consent, ears for its answer."""

from __future__ import annotations

from pathlib import Path

from voice.adapters.answers import answers
from voice.adapters.consents import FileConsents
from voice.adapters.mailbox import DeviceMailbox
from voice.adapters.prompts import load_wording
from voice.adapters.settings_file import load_settings
from voice.asking import NOT_ASKED, Asking, spoken_answers
from voice.settings import Settings
from voice.wording import Wording


def asking(
    home: Path, settings: Settings, wording: Wording, mailbox: DeviceMailbox, model: Path | None
) -> Asking:
    """The question as the device in `home` asks it; both yeses are looked up each time. Raises ModelError."""
    heard = answers(settings.language, spoken_answers(wording.prompts), model)
    if heard is None:
        return NOT_ASKED
    consents, by_file = FileConsents(home), load_settings(home).asks_when

    def wanted() -> bool:
        return turned_on(mailbox, by_file) and consents.asks_when()

    return Asking(wanted, heard.recognise)


def to_be_agreed(home: Path, settings: Settings, model: Path | None) -> bool:
    """Whether the clinician wants it and the client has not agreed yet, where an answer could be heard."""
    if not settings.asks_when or FileConsents(home).asks_when():
        return False
    spoken = spoken_answers(load_wording(settings.language).prompts)
    return answers(settings.language, spoken, model) is not None


def turned_on(mailbox: DeviceMailbox, by_file: bool) -> bool:
    """Whether the clinician wants it asked: as the newest card says, or else the settings file."""
    told = mailbox.state.settings.get("asks_when")
    return by_file if told is None else told is True
