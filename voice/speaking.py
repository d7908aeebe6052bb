"""From what the dialogue wants played to sound: prompts, sentence by sentence, tones, the client's phrase."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from voice.audio import Clip
from voice.errors import OnebreathError
from voice.events import Pause, Phrase, Prompt, Sound, Tone
from voice.ports import Cards, Synthesiser
from voice.settings import Settings
from voice.tones import pause, tone
from voice.wording import Wording, spoken_number

log = logging.getLogger(__name__)

BETWEEN_SENTENCES_S: Final = 0.6
BEFORE_TONE_S: Final = 0.25


@dataclass(frozen=True)
class Sounding:
    """One sound, ready to play; `lead` is the pause before it."""

    sound: Sound
    lead: tuple[Clip, ...]
    clips: tuple[Clip, ...]

    @property
    def seconds(self) -> float:
        """Its length without the pause before it."""
        return sum(clip.seconds for clip in self.clips)

    @property
    def lead_s(self) -> float:
        """The length of the pause before it."""
        return sum(clip.seconds for clip in self.lead)


class Speaking:
    """Only what wording.py has checked, and what the client recorded, ever becomes sound here (S9)."""

    def __init__(self, synthesiser: Synthesiser, wording: Wording, cards: Cards, settings: Settings) -> None:
        self._synthesiser = synthesiser
        self._wording = wording
        self._cards = cards
        self._values = {
            "clinician": settings.clinician,
            "holder": "",
            "danger": spoken_number(settings.danger_number),
            "talk": spoken_number(settings.talk_number),
            "days": wording.days(settings.reads_on),
        }

    def also_reads(self, holder: str) -> None:
        """Who else can read from now on, as it is spoken; empty for nobody, of whom nothing is said."""
        self._values["holder"] = holder

    def sentences(self) -> tuple[str, ...]:
        """Every sentence of the dialogue, filled in; those of enrolment are not among them, nor what is only
        said within others, or heard."""
        keys = (key for key in self._wording.prompts if not key.startswith(("enrol.", "days.", "when.")))
        return tuple(
            dict.fromkeys(text for key in keys for text in self._wording.sentences(key, self._values))
        )

    def soundings(self, sounds: Sequence[Sound], words_per_minute: int) -> Iterator[Sounding]:
        """The sounds in order. One that cannot be made is left out: an exchange never ends for it."""
        first = True
        for sound in sounds:
            clips = self._clips(sound, words_per_minute)
            if not clips:
                continue
            lead_s = BEFORE_TONE_S if isinstance(sound, Tone) else BETWEEN_SENTENCES_S
            bare = first or isinstance(sound, Pause)
            yield Sounding(sound, () if bare else (pause(lead_s),), clips)
            first = isinstance(sound, Pause)

    def _clips(self, sound: Sound, words_per_minute: int) -> tuple[Clip, ...]:
        if isinstance(sound, Tone):
            return (tone(sound),)
        if isinstance(sound, Pause):
            return (pause(sound.seconds),)
        if isinstance(sound, Phrase):
            clip = self._cards.phrase(sound.part)
            return () if clip is None else (clip,)
        return tuple(self._spoken(sound, words_per_minute))

    def _spoken(self, prompt: Prompt, words_per_minute: int) -> Iterator[Clip]:
        language = self._wording.language
        for index, sentence in enumerate(self._wording.sentences(prompt.key, self._values)):
            try:
                clip = self._synthesiser.render(sentence, language, words_per_minute)
            except OnebreathError as error:
                log.error("the prompt %s could not be spoken: %s", prompt.key, error.cause)
                return
            if index > 0:
                yield pause(BETWEEN_SENTENCES_S)
            yield clip
