"""A device's own ears on synthetic people: enrolled with some voices, listening to others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from voice.adapters.bank import bank
from voice.adapters.embedding import SpeechEmbedder
from voice.adapters.takes import TakeMaker
from voice.adapters.vad import SileroActivity
from voice.adapters.voices import PEOPLE, Speaker, speak
from voice.audio import BLOCK_S, HOP, Clip
from voice.ears import Ears
from voice.enrolment import Forecast, Take, voiceprint
from voice.ports import Hearing
from voice.scene import Said, scene
from voice.spotting import NameSpotter, Voiceprint

TEACHERS, STRANGERS = PEOPLE[:5], PEOPLE[5:]

TALK = (
    "The soup is almost ready, and the bus was late again this morning.",
    "Could you bring the washing in before it rains?",
    "My sister sold her bicycle to the man who lives next door.",
    "We never found the keys, so he had to climb in through the window.",
    "They say on the radio that tomorrow will be colder than today.",
)


@cache
def said(text: str, person: Speaker) -> Clip:
    """Rendered once a session."""
    return speak(text, person)


@cache
def take(name: str, person: Speaker) -> Take:
    """A usable take."""
    made = TakeMaker().make(said(name, person).samples)
    assert isinstance(made, Take), made
    return made


@cache
def taught(name: str, people: tuple[Speaker, ...] = TEACHERS) -> tuple[Voiceprint, Forecast]:
    """The name as these people taught it."""
    return voiceprint(name, [take(name, person) for person in people], bank())


@dataclass(frozen=True)
class Evening:
    """What was heard in a scene, and when each utterance in it was over, in seconds of audio."""

    hearings: tuple[Hearing, ...]
    ends_s: tuple[float, ...]


def listen(prints: Sequence[Voiceprint], utterances: Sequence[Clip], pause_s: float = 1.6) -> Evening:
    """The utterances one after the other in a quiet room, through the device's own gate, ears and spotter."""
    at, placed = 1.5, []
    for utterance in utterances:
        placed.append(Said(at, utterance))
        at += utterance.seconds + pause_s
    sound = scene(placed, at + 1.5).samples
    ears = Ears(SileroActivity(), NameSpotter(SpeechEmbedder(), bank().space, prints))
    heard: list[Hearing] = []
    for index, start in enumerate(range(0, len(sound) - HOP + 1, HOP), 1):
        block = np.asarray(sound[start : start + HOP])
        heard += ears.hear(block, index * BLOCK_S, names=True).names
    return Evening(tuple(heard), tuple(utterance.end_s for utterance in placed))
