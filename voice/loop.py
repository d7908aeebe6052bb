"""The shell around the dialogue: read a block, step, perform. `listen` and `replay` run exactly this.

What must not live elsewhere: the order in which a block's news reaches the dialogue, and where a line's audio
is (in the dictation, in memory, and gone when the line is text).
"""

from __future__ import annotations

import logging
import math
from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np

from voice import events as e
from voice import reports
from voice.asking import NOT_ASKED, Asking
from voice.audio import BLOCK_S, HOP, Samples
from voice.dialogue import HEARS_COMMANDS, HEARS_NAMES, Phase, State, step
from voice.ears import Ears, Heard
from voice.errors import OnebreathError
from voice.ports import (
    Back,
    Block,
    Cards,
    Command,
    CommandRecogniser,
    Dictation,
    Gap,
    Hearing,
    Lost,
    Microphone,
    Player,
    Preferences,
    Records,
    Spotter,
    Synthesiser,
    Transcriber,
    VoiceActivity,
    WallClock,
)
from voice.segmenter import Began, Ended
from voice.settings import GAINS, Settings
from voice.speaking import Sounding, Speaking
from voice.transcript import Transcript
from voice.wording import Wording

log = logging.getLogger(__name__)

AROUND_S: Final = 0.3
"""Audio on both sides of an utterance that the command recogniser gets with it."""

SETTLE_S: Final = 1.2
"""After a file's end this much silence is listened to: a name may only just have ended."""

LEAST_LINE_S: Final = 0.5
"""Speech shorter than this that gave no words was a cough or a door, not a line."""

CANCELS: Final = frozenset({Command.STOP, Command.NOT_NOW})
"""What is listened for in the moment before the phrase."""

STANDING_BLOCKS: Final = 25
"""The standing is looked up every 2 s of audio."""

AT_REST: Final = frozenset({Phase.LISTENING, Phase.RESTING, Phase.MUTED, Phase.DEAF})


@dataclass(frozen=True)
class Device:
    """Everything a device is made of; voice.assemble makes one."""

    microphone: Microphone
    player: Player
    activity: VoiceActivity
    spotter: Spotter
    transcriber: Transcriber
    commands: CommandRecogniser
    synthesiser: Synthesiser
    wording: Wording
    cards: Cards
    records: Records
    preferences: Preferences
    clock: WallClock
    observer: reports.Observer
    settings: Settings
    asking: Asking = NOT_ASKED

    def run(self) -> None:
        """Listen until the microphone ends and the exchange under way is over."""
        Loop(self).run()


class Loop:
    """One run of one device."""

    def __init__(self, device: Device) -> None:
        settings = device.settings
        self._device = device
        self._speaking = Speaking(device.synthesiser, device.wording, device.cards, settings)
        self._ears = Ears(device.activity, device.spotter)
        second = device.records.second_reader()
        self._speaking.also_reads("" if second is None else second.name)
        self._telling = False
        """Whether what plays tells who else can read."""
        self._state = State(
            standing=device.records.standing(),
            untold=second is not None and not second.told,
            timing=settings.timing,
            volume=settings.volume,
            words_per_minute=settings.words_per_minute,
        )
        self._blocks = 0
        self._sounding = False
        self._tail = 0
        """Blocks still to be covered after the device has spoken."""
        self._last_sound: e.Sound | None = None
        self._dictation: Dictation | None = None
        self._turn_s = 0.0
        """When the present utterance began."""
        self._spoken_s = 0.0
        """Speech in the present line."""
        self._upcoming: deque[e.Event] = deque()
        self._due: deque[reports.Report] = deque()
        """Reports of sounds that have been asked for and not begun."""

    @property
    def phase(self) -> Phase:
        """Where the dialogue is."""
        return self._state.phase

    def run(self) -> None:
        """Listen until the microphone ends, then through silence until the exchange under way is over."""
        device = self._device
        sentences = self._speaking.sentences()
        device.synthesiser.prepare(sentences, device.wording.language, self._state.words_per_minute)
        self.start()
        self._report(reports.listening(self._now))
        for item in device.microphone:
            self.take(item)
        settle = math.ceil(SETTLE_S / BLOCK_S)
        silence = np.zeros(HOP, np.int16)
        while settle > 0 or self._sounding or self.phase not in AT_REST:
            settle -= 1
            self.take(Block(silence, self._now))

    def start(self) -> None:
        """Begin; `run` does this by itself."""
        self._happened(e.Started())

    def take(self, item: Block | Gap | Lost | Back) -> None:
        """One item from the microphone."""
        if isinstance(item, Lost):
            self._report(reports.microphone(self._now, "lost"))
            self._happened(e.MicrophoneLost())
            return
        if isinstance(item, Back):
            self._report(reports.microphone(self._now, "back"))
            self._ears.cover()
            self._happened(e.MicrophoneBack())
            return
        self._blocks += 1
        self._device.player.tick(self._now)
        self._report_until(self._now)
        if self._blocks % STANDING_BLOCKS == 0:
            self._look_up_standing()
            self._look_up_readers()
        if self._sounding and not self._device.player.playing():
            self._playback_ended()
        if self._sounding or self._tail > 0:
            self._tail = self._tail if self._sounding else self._tail - 1
            self._ears.cover()
        else:
            self._listen(item)
        self._happened(e.Tick())

    @property
    def _now(self) -> float:
        """Seconds of audio until the end of the present block."""
        return self._blocks * BLOCK_S

    def _listen(self, item: Block | Gap) -> None:
        if isinstance(item, Gap):
            heard, samples = self._ears.gap(self._now), np.zeros(HOP, np.int16)
        else:
            names = self.phase in HEARS_NAMES
            heard, samples = self._ears.hear(item.samples, self._now, names=names), item.samples
        self._dictate(samples)
        self._names(heard)
        if isinstance(heard.turn, Began):
            self._turn_s = heard.turn.start_s
            self._happened(e.SpeechStarted())
        elif isinstance(heard.turn, Ended):
            self._utterance(heard.turn)

    def _names(self, heard: Heard) -> None:
        for hearing in heard.names:
            self._report(reports.heard(self._now, hearing))
        if heard.names:
            self._happened(self._named(max(heard.names, key=lambda hearing: hearing.score)))

    def _named(self, hearing: Hearing) -> e.NameHeard:
        device = self._device
        at = device.clock.now()
        phrase = device.cards.phrase(hearing.part)
        hours = device.settings.quiet_hours
        quiet = device.cards.quiet(hearing.part) or (hours is not None and hours.contain(at.time()))
        phrase_s = None if phrase is None else phrase.seconds
        return e.NameHeard(hearing.part, at, phrase_s, quiet, device.asking.wanted())

    def _utterance(self, turn: Ended) -> None:
        self._spoken_s += turn.seconds
        if turn.alone and turn.seconds <= self._state.timing.command_s and self.phase in HEARS_COMMANDS:
            sound = self._ears.between(turn.start_s - AROUND_S, turn.end_s + AROUND_S)
            if self.phase is Phase.HEARING_WHEN and (when := self._device.asking.answer(sound)) is not None:
                self._report(reports.answered(self._now, str(when)))
                self._happened(e.WhenHeard(when))
                return
            # In the moment to say "not now", an unheard "stop" costs more than one that was not said.
            expecting = CANCELS if self.phase is Phase.WINDOW else frozenset[Command]()
            command = self._device.commands.recognise(sound, expecting=expecting)
            if command is not None:
                self._report(reports.command(self._now, command))
                self._happened(e.CommandHeard(command))
        self._happened(e.SpeechEnded(self._now - turn.end_s))

    def _playback_ended(self) -> None:
        settings = self._device.settings
        self._sounding = False
        self._report_until(math.inf)
        tail_s = settings.tone_tail_s if isinstance(self._last_sound, e.Tone) else settings.tail_s
        # What was captured while the device still spoke may not have been taken yet.
        self._tail = math.ceil(tail_s / BLOCK_S - 1e-6) + self._device.microphone.waiting()
        if self._telling:
            self._telling = False
            self._device.records.told_second_reader()
            self._look_up_readers()
        self._happened(e.PlaybackEnded())

    def _look_up_readers(self) -> None:
        second = self._device.records.second_reader()
        self._speaking.also_reads("" if second is None else second.name)
        untold = second is not None and not second.told
        if untold is not self._state.untold:
            self._happened(e.ReadersChanged(untold))

    def _look_up_standing(self) -> None:
        standing = self._device.records.standing()
        if standing is not self._state.standing:
            self._happened(e.StandingChanged(standing))

    def _happened(self, event: e.Event) -> None:
        """Step, perform, and go on with what that brings about, in order."""
        self._upcoming.append(event)
        while self._upcoming:
            self._state, actions = step(self._state, self._upcoming.popleft(), self._now)
            for action in actions:
                self._perform(action)

    def _perform(self, action: e.Action) -> None:
        match action:
            case e.Play(sounds):
                self._play(sounds)
            case e.StopPlaying():
                self._device.player.stop()
                self._due.clear()
                self._telling = False
                self._sounding, self._tail = False, math.ceil(self._device.settings.tail_s / BLOCK_S)
            case e.BeginLine():
                self._begin_line()
            case e.FinishLine():
                self._upcoming.append(e.LineReady(self._finish_line()))
            case e.DropLine():
                self._dictation = None
            case e.Save():
                self._upcoming.append(self._save(action))
            case e.LetGo():
                self._upcoming.append(self._let_go(action))
            case e.DeleteLast():
                outcome = self._device.records.delete_last()
                self._report(reports.deleted(self._now, str(outcome)))
                self._upcoming.append(e.DeletionDone(outcome))
            case e.Remember(volume, words_per_minute):
                self._device.preferences.keep(volume, words_per_minute)
            case e.Closed(reason):
                self._report(reports.closed(self._now, reason))
            case e.Resting(reason):
                self._report(reports.resting(self._now, reason))

    def _play(self, sounds: tuple[e.Sound, ...]) -> None:
        soundings = list(self._speaking.soundings(sounds, self._state.words_per_minute))
        if not soundings:
            self._upcoming.append(e.PlaybackEnded())
            return
        self._last_sound, self._sounding = soundings[-1].sound, True
        self._telling = any(sounding.sound == e.Prompt("help.also_reads") for sounding in soundings)
        clips = [clip for sounding in soundings for clip in (*sounding.lead, *sounding.clips)]
        self._device.player.play(clips, GAINS[self._state.volume])
        self._announce(soundings)

    def _announce(self, soundings: list[Sounding]) -> None:
        """Report each sound when it begins."""
        self._due.clear()
        at = self._now
        for sounding in soundings:
            at += sounding.lead_s
            match sounding.sound:
                case e.Prompt(key):
                    self._due.append(reports.said(at, key))
                case e.Phrase(part):
                    self._due.append(reports.played(at, part, sounding.seconds))
                case e.Tone() as tone:
                    self._due.append(reports.tone(at, str(tone)))
            at += sounding.seconds
        if any(sounding.sound == e.Prompt("ask.line") for sounding in soundings):
            self._due.append(reports.asked(at))
        self._report_until(self._now)

    def _report_until(self, now: float) -> None:
        while self._due and self._due[0].at <= now:
            self._report(self._due.popleft())

    def _begin_line(self) -> None:
        self._spoken_s = 0.0
        try:
            self._dictation = self._device.transcriber.begin()
        except Exception as error:
            self._not_made_out(error)
        self._dictate(self._ears.between(self._turn_s - self._device.settings.preroll_s, self._now))

    def _dictate(self, samples: Samples) -> None:
        if self._dictation is not None:
            try:
                self._dictation.hear(samples)
            except Exception as error:
                self._not_made_out(error)

    def _not_made_out(self, error: Exception) -> None:
        """A recogniser that breaks costs the words, never the noticing."""
        log.error("the line could not be made out: %s", type(error).__name__)
        self._dictation = None

    def _finish_line(self) -> Transcript | None:
        """The line as text; None for what was no line."""
        dictation, transcript = self._dictation, Transcript((), "none")
        try:
            transcript = transcript if dictation is None else dictation.finish()
        except Exception as error:
            self._not_made_out(error)
        self._dictation = None
        if self._state.speaking:
            self._spoken_s += self._now - self._turn_s
        if not transcript.words and self._spoken_s < LEAST_LINE_S:
            return None
        self._report(reports.line(self._now, transcript))
        return transcript

    def _save(self, action: e.Save) -> e.Event:
        records = self._device.records
        try:
            record = records.save(action.noticing, hold=action.hold)
        except (OnebreathError, OSError) as error:
            cause = error.cause if isinstance(error, OnebreathError) else type(error).__name__
            log.error("a noticing could not be kept: %s", cause)
            self._report(reports.not_kept(self._now, cause))
            return e.NotSaved()
        online = records.online()
        self._report(reports.sealed(self._now, record, online))
        return e.Saved(online)

    def _let_go(self, action: e.LetGo) -> e.Event:
        """Whatever fails here, the noticing and its line are on disk: "saved" stays true."""
        records = self._device.records
        record = None
        try:
            record = records.let_go(action.noticing)
        except (OnebreathError, OSError) as error:
            cause = error.cause if isinstance(error, OnebreathError) else type(error).__name__
            log.error("an answer could not be kept: %s", cause)
        online = records.online()
        if record is not None:
            self._report(reports.sealed(self._now, record, online))
        return e.Saved(online)

    def _report(self, report: reports.Report) -> None:
        self._device.observer.saw(report)
