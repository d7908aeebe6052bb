"""What a device makes of its clinician's cards: taken once, in order, from the pinned clinician alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import time
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.device.card_rig import noise_card
from tests.fakes import FakeCards
from voice.audio import HOP, Samples
from voice.mailbox import (
    Mailbox,
    OlderCardError,
    RestingSpotter,
    ToldCards,
    acknowledged,
    asked_for,
    at_rest,
    take,
    told_of,
    with_aliases,
    with_settings,
)
from voice.ports import Evidence, Hearing
from voice.settings import PROFILES, QuietHours, Settings
from voice.wire.card_content import PartCard, encode_card
from voice.wire.cards import seal_card
from voice.wire.errors import ContentError, FrameError, SealError

IDENTITY, BOX = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()
DEVICE = bytes(range(16))
FOREMAN, LITTLE_ONE = PartCard("the foreman", tell="jaw set"), PartCard("the little one by the window")


def sealed(part: PartCard | bytes, version: int, card: int = 1, **changes: Any) -> bytes:
    return seal_card(
        part if isinstance(part, bytes) else encode_card(part),
        **{
            "signer": IDENTITY,
            "device_id": DEVICE,
            "card_id": card.to_bytes(16, "big"),
            "version": version,
            "recipient": BOX.public_key(),
            **changes,
        },
    )


def taken(*cards: bytes, mailbox: Mailbox | None = None) -> Mailbox:
    mailbox = mailbox or Mailbox(DEVICE)
    for card in cards:
        mailbox = take(mailbox, card, BOX, IDENTITY.public_key())
    return mailbox


def test_a_part_is_asked_for_until_it_is_enrolled() -> None:
    mailbox = taken(sealed(LITTLE_ONE, 2, 2), sealed(FOREMAN, 3))
    assert [told.part for told in asked_for(mailbox, ())] == [LITTLE_ONE, FOREMAN]
    assert [told.part for told in asked_for(mailbox, {"the little one by the window"})] == [FOREMAN]
    assert at_rest(mailbox) == frozenset()
    assert mailbox.highest == 3
    assert mailbox.owed == (((2).to_bytes(16, "big"), 2), ((1).to_bytes(16, "big"), 3))
    assert acknowledged(mailbox, *mailbox.owed[0]).owed == mailbox.owed[1:]
    assert acknowledged(mailbox, bytes(16), 9) == mailbox


def test_a_part_rests_and_may_be_woken_again() -> None:
    gone = PartCard("the foreman", removed=True)
    mailbox = taken(sealed(FOREMAN, 1), sealed(gone, 2))
    assert at_rest(mailbox) == {"the foreman"}
    assert asked_for(mailbox, ()) == ()
    assert mailbox.owed == (((1).to_bytes(16, "big"), 2),), "the newer version is the only one to speak of"
    mailbox = taken(sealed(FOREMAN, 3), mailbox=mailbox)
    assert at_rest(mailbox) == frozenset()
    assert len(asked_for(mailbox, ())) == 1


def test_two_cards_of_one_name_are_one_part_and_the_newer_holds() -> None:
    mailbox = taken(sealed(FOREMAN, 1, 1), sealed(PartCard("the foreman", removed=True), 2, 2))
    assert at_rest(mailbox) == {"the foreman"}
    assert asked_for(mailbox, ()) == ()
    mailbox = taken(sealed(FOREMAN, 3, 1), mailbox=mailbox)
    assert at_rest(mailbox) == frozenset()


@pytest.mark.parametrize("version", [1, 4, 5])
@pytest.mark.parametrize("card", [1, 2])
def test_nothing_older_is_taken_whichever_part_it_is_of(version: int, card: int) -> None:
    mailbox = taken(sealed(FOREMAN, 5))
    with pytest.raises(OlderCardError):
        taken(sealed(LITTLE_ONE, version, card), mailbox=mailbox)
    assert taken(sealed(FOREMAN, 6), mailbox=mailbox).highest == 6


def test_only_the_pinned_clinician_s_card_for_this_device_is_taken() -> None:
    stranger = Ed25519PrivateKey.generate()
    for bad in (
        sealed(FOREMAN, 1, signer=stranger),
        sealed(FOREMAN, 1, device_id=bytes(16)),
        sealed(FOREMAN, 1, recipient=X25519PrivateKey.generate().public_key()),
        sealed(FOREMAN, 1)[:-1] + b"\x00",
    ):
        with pytest.raises(SealError):
            taken(bad)
    with pytest.raises(FrameError):
        taken(b"")
    with pytest.raises(ContentError):
        taken(sealed(b'{"v":2}', 1))
    resigned = sealed(FOREMAN, 1, signer=stranger)[:-64]
    with pytest.raises(SealError, match="does not open"):
        taken(resigned + IDENTITY.sign(b"onebreath card signature v1\x00" + resigned))


@hypothesis_settings(deadline=None)
@given(st.binary(max_size=400))
def test_arbitrary_bytes_change_nothing(data: bytes) -> None:
    with pytest.raises((FrameError, SealError)):
        taken(data)


@hypothesis_settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 3), st.booleans()), max_size=12))
def test_whatever_order_a_server_chooses_versions_only_grow(order: list[tuple[int, int, bool]]) -> None:
    mailbox, seen = Mailbox(DEVICE), 0
    for version, card, removed in order:
        part = PartCard(f"part {card}", removed=removed)
        if version > seen:
            mailbox, seen = taken(sealed(part, version, card), mailbox=mailbox), version
            assert (part.name in at_rest(mailbox)) is removed
        else:
            with pytest.raises(OlderCardError):
                taken(sealed(part, version, card), mailbox=mailbox)
        assert mailbox.highest == seen


def test_settings_are_as_the_newest_card_that_names_them_says() -> None:
    mailbox = taken(
        sealed(
            replace(
                FOREMAN,
                settings={"pace": "slow", "quiet_from": "22:30", "quiet_until": "07:00", "quiet": True},
            ),
            1,
        ),
        sealed(replace(LITTLE_ONE, settings={"danger_number": "112", "hears": "client"}), 2, 2),
    )
    own = Settings(danger_number="999", talk_number="111", volume=1)
    settings = with_settings(own, mailbox, {"en"}.__contains__)
    assert settings == replace(
        own,
        timing=PROFILES["slow"],
        quiet_hours=QuietHours(time(22, 30), time(7, 0)),
        danger_number="112",
        hears="client",
    )
    back = {"pace": None, "quiet_from": None, "quiet_until": None}
    mailbox = taken(sealed(replace(LITTLE_ONE, settings=back), 3, 2), mailbox=mailbox)
    settings = with_settings(own, mailbox, {"en"}.__contains__)
    assert settings == replace(own, danger_number="112", hears="client")
    assert "quiet" not in mailbox.settings


def test_a_language_without_prompts_is_passed_over() -> None:
    mailbox = taken(sealed(replace(FOREMAN, settings={"language": "xx", "pace": "brisk"}), 1))
    settings = with_settings(Settings(), mailbox, {"en"}.__contains__)
    assert (settings.language, settings.timing) == ("en", PROFILES["brisk"])
    assert with_settings(Settings(), mailbox, {"en", "xx"}.__contains__).language == "xx"


def test_quiet_is_of_the_part_and_stays_until_it_is_said_otherwise() -> None:
    mailbox = taken(sealed(replace(FOREMAN, settings={"quiet": True}), 1))
    inner = FakeCards()
    cards = ToldCards(inner, lambda: mailbox)
    assert cards.quiet("the foreman")
    assert inner.phrase("the foreman") is not None
    assert cards.phrase("the foreman") is not None
    assert cards.quiet("another") is inner.quiet("another")
    mailbox = taken(sealed(FOREMAN, 2), mailbox=mailbox)
    assert cards.quiet("the foreman")
    mailbox = taken(sealed(replace(FOREMAN, settings={"quiet": None}), 3), mailbox=mailbox)
    told = told_of(mailbox, "the foreman")
    assert told is not None
    assert told.quiet is None


def test_an_alias_that_was_told_is_used() -> None:
    cards = [noise_card("the foreman"), noise_card("another", seed=2)]
    mailbox = taken(sealed(PartCard("the foreman", alias="four man"), 1))
    assert [card.alias for card in with_aliases(mailbox, cards)] == ["four man", cards[1].alias]
    assert with_aliases(Mailbox(DEVICE), cards) == cards


class Names:
    """A spotter that hears both parts in every block."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def push(self, block: Samples, speech: bool) -> Sequence[Hearing]:
        return [
            Hearing(name, next(iter(Evidence)), 0.0, 0.0, 1.0) for name in (FOREMAN.name, LITTLE_ONE.name)
        ]

    def reset(self) -> None:
        self.calls.append("reset")

    def skip(self, blocks: int) -> None:
        self.calls.append(f"skip {blocks}")


def test_a_part_at_rest_is_not_heard_from_the_moment_its_card_is_taken() -> None:
    inner, mailbox = Names(), Mailbox(DEVICE)
    spotter = RestingSpotter(inner, lambda: mailbox)

    def heard() -> list[str]:
        return [hearing.part for hearing in spotter.push(np.zeros(HOP, np.int16), True)]

    assert heard() == [FOREMAN.name, LITTLE_ONE.name]
    mailbox = taken(sealed(PartCard(FOREMAN.name, removed=True), 1))
    assert heard() == [LITTLE_ONE.name]
    mailbox = taken(sealed(FOREMAN, 2), mailbox=mailbox)
    assert heard() == [FOREMAN.name, LITTLE_ONE.name]
    spotter.reset()
    spotter.skip(3)
    assert inner.calls == ["reset", "skip 3"]
