"""Names heard, and not heard, in synthesised speech by the device's own gate, ears and embeddings."""

from __future__ import annotations

import numpy as np
import pytest

from tests.device.hearing_rig import STRANGERS, TALK, listen, said, take, taught
from voice.adapters.bank import bank
from voice.adapters.voices import Speaker
from voice.alignment import align, combine
from voice.spotting import Voiceprint

pytestmark = pytest.mark.speech

INVENTED, LONG, FOREIGN = "grumbletron", "the little one by the window", "Tante Hilde"
OTHERS = ("the soldier", "blueberry", "the child in the attic", "Onkel Hans")


def client(*manners: tuple[int, int]) -> tuple[Speaker, ...]:
    """One voice, at these rates and pitches."""
    return tuple(Speaker("espeak-ng", "en-us+m3", rate, pitch) for rate, pitch in manners)


CLIENT = client((138, 42), (146, 48), (155, 45), (163, 50))
TONIGHT = client((130, 40), (172, 46))
"""The client again, slower and faster than in any take."""


def score(known: Voiceprint, text: str, person: Speaker) -> float:
    """The best own-voice score anywhere in an utterance."""
    placed = bank().space.templates(known.takes)
    (costs,) = align(placed, [bank().space.place(take(text, person).embeddings)])
    return float(combine(costs, known.usual, known.spread).max())


@pytest.mark.parametrize("name", [INVENTED, LONG, "Brother Thunder"])
def test_a_threshold_lies_between_other_names_and_the_name_in_unheard_voices(name: str) -> None:
    known, _ = taught(name)
    unheard = [score(known, name, person) for person in STRANGERS]
    others = [score(known, other, person) for other in OTHERS for person in STRANGERS]
    assert np.median(unheard) > known.threshold
    assert max(others) < known.threshold
    assert np.median(unheard) > max(others) + 1.0, "standard deviations"


@pytest.mark.parametrize("name", [INVENTED, LONG, FOREIGN])
def test_the_clients_own_takes_put_the_name_far_above_the_threshold(name: str) -> None:
    known, forecast = taught(name, CLIENT)
    for person in TONIGHT:
        assert score(known, name, person) > 1.2 * known.threshold
    assert forecast.found_of_ten is not None
    assert forecast.found_of_ten > 7


def test_the_client_is_heard_each_time_and_for_the_right_part() -> None:
    names = (INVENTED, LONG, FOREIGN)
    prints = [taught(name, CLIENT)[0] for name in names]
    for person in TONIGHT:
        utterances = [said(text, person) for pair in zip(TALK[2:], names, strict=True) for text in pair]
        evening = listen(prints, utterances)
        assert [hearing.part for hearing in evening.hearings] == list(names)
        for hearing, end_s in zip(evening.hearings, evening.ends_s[1::2], strict=True):
            assert -0.1 < hearing.decided_s - end_s <= 0.4, (
                "the end of the name to the tone (design section 14)"
            )
            assert hearing.name_end_s == pytest.approx(end_s, abs=0.3)


def test_names_are_heard_in_voices_that_never_taught_them() -> None:
    """What the demo shows; a client's own takes do better."""
    prints = [taught(name)[0] for name in (INVENTED, LONG)]
    for person in STRANGERS:
        evening = listen(prints, [said(TALK[2], person), said(INVENTED, person), said(LONG, person)])
        assert [hearing.part for hearing in evening.hearings] == [INVENTED, LONG]
        late = np.subtract([hearing.decided_s for hearing in evening.hearings], evening.ends_s[1:])
        assert (late <= 0.4).all()


def test_ordinary_talk_is_not_heard_as_a_name() -> None:
    prints = [taught(name)[0] for name in (INVENTED, LONG, FOREIGN)]
    for person in STRANGERS:
        assert listen(prints, [said(text, person) for text in TALK]).hearings == ()


@pytest.mark.parametrize("pause_s", [0.25, 0.5, 0.8, 1.0, 1.3])
def test_a_name_is_heard_after_a_pause_of_any_length(pause_s: float) -> None:
    person = TONIGHT[0]
    utterances = [said(TALK[2], person), said(INVENTED, person), said(TALK[3], person)]
    evening = listen([taught(INVENTED, CLIENT)[0]], utterances, pause_s)
    assert [hearing.part for hearing in evening.hearings] == [INVENTED]


def test_a_name_said_twice_is_heard_twice() -> None:
    person = TONIGHT[1]
    evening = listen([taught(INVENTED, CLIENT)[0]], [said(INVENTED, person)] * 2, pause_s=1.5)
    assert len(evening.hearings) == 2
