"""What the clinician sent to this device: parts that are asked for, parts that rest, settings. Pure.

A card is taken when the pinned clinician signed it, it is sealed to this device, and its version is above
every version taken before: nothing that was once replaced can come again. What the client recorded is not
touched here: a card that asks for a part waits for an enrolment, and one that takes it away lets it rest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from voice.audio import Clip, Samples
from voice.card import Card
from voice.ports import Cards, Hearing, Spotter
from voice.settings import Settings, from_mapping
from voice.wire.card_content import PartCard, decode_card
from voice.wire.card_reports import MAX_NUMBER
from voice.wire.cards import open_card, parse_card
from voice.wire.errors import SealError

Value = str | bool | None

OF_THE_PART: Final = frozenset({"quiet"})
"""Settings of one part; all others are the device's."""

_FIELDS: Final[Mapping[str, str]] = {
    "pace": "timing",
    "quiet_from": "quiet_hours",
    "quiet_until": "quiet_hours",
}
"""Where a setting has another name in `Settings`."""


@dataclass(frozen=True)
class Told:
    """The newest card of one part. `quiet`: None leaves it to the enrolment."""

    card_id: bytes
    version: int
    part: PartCard
    quiet: bool | None = None


@dataclass(frozen=True)
class Reported:
    """The last report on a version of a card: its number, and the sealed bytes until the server has them."""

    card_id: bytes
    version: int
    number: int
    sealed: bytes | None = None


@dataclass(frozen=True)
class Mailbox:
    """All that was taken. `highest` is the highest version so far; `settings` are the device's, as the newest
    card that names each says; `owed` are cards whose arrival the server has not been told of; `reports` says
    how enrolments went, at most one for each card."""

    device_id: bytes
    highest: int = 0
    told: tuple[Told, ...] = ()
    settings: Mapping[str, Value] = field(default_factory=dict)
    owed: tuple[tuple[bytes, int], ...] = ()
    reports: tuple[Reported, ...] = ()


class OlderCardError(SealError):
    """The card is no newer than what was taken before."""


def take(
    mailbox: Mailbox, sealed: bytes, encryption: X25519PrivateKey, identity: Ed25519PublicKey
) -> Mailbox:
    """The mailbox with one more card. `identity` is the pinned clinician's key.

    Raises FrameError when the card is malformed, SealError when it is another's, altered, or (OlderCardError)
    not newer. The mailbox then stays as it was.
    """
    frame = parse_card(sealed)
    plaintext = open_card(frame, encryption, identity)
    if frame.device_id != mailbox.device_id:
        raise SealError("the card is for another device")
    if frame.version <= mailbox.highest:
        raise OlderCardError("the card is not newer than one that was taken")
    part = decode_card(plaintext)
    before = next((told for told in mailbox.told if told.card_id == frame.card_id), None)
    quiet = None if before is None or part.removed else before.quiet
    if "quiet" in part.settings:
        quiet = None if part.settings["quiet"] is None else bool(part.settings["quiet"])
    others = tuple(told for told in mailbox.told if told.card_id != frame.card_id)
    return replace(
        mailbox,
        highest=frame.version,
        told=(*others, Told(frame.card_id, frame.version, part, quiet)),
        settings=_merged(mailbox.settings, part.settings),
        owed=(
            *(owed for owed in mailbox.owed if owed[0] != frame.card_id),
            (frame.card_id, frame.version),
        ),
        reports=tuple(report for report in mailbox.reports if report.card_id != frame.card_id),
    )


def acknowledged(mailbox: Mailbox, card_id: bytes, version: int) -> Mailbox:
    """The mailbox once the server knows, or need not know, that this version arrived."""
    return replace(mailbox, owed=tuple(owed for owed in mailbox.owed if owed != (card_id, version)))


def with_report(mailbox: Mailbox, told: Told, seal: Callable[[int], bytes], *, anew: bool = False) -> Mailbox:
    """The mailbox with a newer report on a card, in place of the one before. `seal` gets its number.

    `anew`: it says again what the server would not take, so one that waits by now is newer and stays. Of a
    card that was replaced meanwhile nothing is told. The mailbox then stays as it was.
    """
    if anew and any(one.card_id == told.card_id and one.sealed is not None for one in mailbox.reports):
        return mailbox
    others = tuple(report for report in mailbox.reports if report.card_id != told.card_id)
    number = 1 + max((one.number for one in mailbox.reports if one.card_id == told.card_id), default=0)
    here = any((one.card_id, one.version) == (told.card_id, told.version) for one in mailbox.told)
    if not here or number > MAX_NUMBER:
        return mailbox
    return replace(mailbox, reports=(*others, Reported(told.card_id, told.version, number, seal(number))))


def settled(mailbox: Mailbox, report: Reported, number: int = 0) -> Mailbox:
    """The mailbox once the server has this report, or has no use for it; `number`: the greatest that it has
    seen.

    Of a report that is newer than this one only the number can change. One that the server would not take for
    its number is gone with this: whoever knows what it said makes it anew.
    """
    return replace(
        mailbox,
        reports=tuple(
            replace(
                one,
                number=max(one.number, min(number, MAX_NUMBER - 1)),
                sealed=None if one == report else one.sealed,
            )
            if (one.card_id, one.version) == (report.card_id, report.version)
            else one
            for one in mailbox.reports
        ),
    )


def asked_for(mailbox: Mailbox, enrolled: Collection[str]) -> tuple[Told, ...]:
    """Parts that wait to be enrolled, the one that was asked for first at the front."""
    return tuple(
        told for told in _newest(mailbox) if not told.part.removed and told.part.name not in enrolled
    )


def at_rest(mailbox: Mailbox) -> frozenset[str]:
    """The names of parts that the clinician and the client have put to rest."""
    return frozenset(told.part.name for told in _newest(mailbox) if told.part.removed)


def told_of(mailbox: Mailbox, name: str) -> Told | None:
    """What the newest card says of a part."""
    return next((told for told in _newest(mailbox) if told.part.name == name), None)


def with_aliases(mailbox: Mailbox, cards: Sequence[Card]) -> list[Card]:
    """The enrolled cards, each with the alias that it was told, if it was told one."""
    said = {told.part.name: told.part.alias for told in _newest(mailbox) if told.part.alias is not None}
    return [replace(card, alias=said.get(card.name, card.alias)) for card in cards]


def with_settings(settings: Settings, mailbox: Mailbox, speaks: Callable[[str], bool]) -> Settings:
    """The settings with what the cards say. `speaks`: whether there are prompts in a language; one without
    would leave the device mute, and is passed over."""
    said = {key: value for key, value in mailbox.settings.items() if key != "language" or speaks(str(value))}
    new = from_mapping(said)
    changed: dict[str, Any] = {_FIELDS.get(key, key): getattr(new, _FIELDS.get(key, key)) for key in said}
    return replace(settings, **changed)


class ToldCards:
    """The cards in the home as `ports.Cards`, with what was told of each part's quiet."""

    def __init__(self, cards: Cards, mailbox: Callable[[], Mailbox]) -> None:
        self._cards = cards
        self._mailbox = mailbox

    def phrase(self, part: str) -> Clip | None:
        """The client's own phrase, or None."""
        return self._cards.phrase(part)

    def quiet(self, part: str) -> bool:
        """Whether this part is answered with the tone alone."""
        told = told_of(self._mailbox(), part)
        return self._cards.quiet(part) if told is None or told.quiet is None else told.quiet


class RestingSpotter:
    """A spotter that does not hear the parts at rest. They rest from the moment that the card is taken."""

    def __init__(self, spotter: Spotter, mailbox: Callable[[], Mailbox]) -> None:
        self._spotter = spotter
        self._mailbox = mailbox

    def push(self, block: Samples, speech: bool) -> Sequence[Hearing]:
        """Take one block of 1,280 samples; answer with the names it completes, but for those at rest."""
        heard = self._spotter.push(block, speech)
        if not heard:
            return heard
        resting = at_rest(self._mailbox())
        return [hearing for hearing in heard if hearing.part not in resting]

    def reset(self) -> None:
        """Forget the stream so far."""
        self._spotter.reset()

    def skip(self, blocks: int) -> None:
        """Count blocks that were not listened to."""
        self._spotter.skip(blocks)


def _newest(mailbox: Mailbox) -> list[Told]:
    """One for each name, oldest version first: two cards of one name are one part."""
    by_name: dict[str, Told] = {}
    for told in sorted(mailbox.told, key=lambda told: told.version):
        by_name.pop(told.part.name, None)
        by_name[told.part.name] = told
    return list(by_name.values())


def _merged(before: Mapping[str, Value], said: Mapping[str, Value]) -> dict[str, Value]:
    ours = {key: value for key, value in said.items() if key not in OF_THE_PART}
    return {key: value for key, value in {**before, **ours}.items() if value is not None}
