"""From scores and words to "this part was named", and what is embedded for it, on marked blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice.audio import BLOCK_S, HOP, Samples
from voice.ports import Embeddings, Evidence, Hearing
from voice.space import CONTEXT, Floats, Space
from voice.spotting import (
    HOLD_BLOCKS,
    LEAD_BLOCKS,
    MEMORY_BLOCKS,
    PEAK_BLOCKS,
    REST_S,
    VETO,
    Decision,
    NameSpotter,
    Voiceprint,
)
from voice.words import WordsHeard

REST_BLOCKS = round(REST_S / BLOCK_S)
FOREMAN, GIANT = "the foreman", "the small giant"


def known(part: str, threshold: float = 4.0, *, first_mark: int = 10, tail_s: float = 0.0) -> Voiceprint:
    """A part whose two takes are the marks `first_mark` to `first_mark` + 5 in order."""
    name = [direction(first_mark + index) for index in range(6)]
    take = np.stack([*[direction(1)] * CONTEXT, *name])
    usual, spread = np.full(2, 0.9, np.float32), np.full(2, 0.1, np.float32)
    return Voiceprint(part, (take, take), usual, spread, threshold, tail_s)


def direction(mark: int) -> Floats:
    """One fixed unit vector for each mark."""
    vector = np.random.default_rng(mark).normal(size=96)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def decide(decision: Decision, scores: Sequence[float | None], first: int = 1) -> list[Hearing]:
    """One part's scores, block after block."""
    heard = [
        decision.push(block, None if score is None else np.array([score], np.float32))
        for block, score in enumerate(scores, first)
    ]
    return [hearing for hearing in heard if hearing]


def test_a_name_is_heard_once_when_its_score_has_passed_its_peak() -> None:
    (hearing,) = decide(Decision([known(FOREMAN)]), [1, 3, 4.5, 6, 5.5, 5, 2, 1])
    assert hearing.part == FOREMAN
    assert hearing.evidence is Evidence.OWN_VOICE
    assert hearing.score == 6
    assert hearing.name_end_s == pytest.approx(4 * BLOCK_S)
    assert hearing.decided_s == pytest.approx((4 + PEAK_BLOCKS) * BLOCK_S)


def test_what_stays_below_the_threshold_is_not_heard() -> None:
    assert decide(Decision([known(FOREMAN)]), [3.99] * 40) == []


def test_the_threshold_itself_is_enough() -> None:
    assert len(decide(Decision([known(FOREMAN)]), [4.0, 3, 3, 3])) == 1


def test_silence_after_the_name_ends_the_waiting_for_a_better_score() -> None:
    (hearing,) = decide(Decision([known(FOREMAN)]), [3, 5, None, None])
    assert hearing.decided_s == pytest.approx(3 * BLOCK_S)


def test_a_score_that_goes_on_rising_is_heard_at_its_top() -> None:
    (hearing,) = decide(Decision([known(FOREMAN)]), [4, 4.2, 4.4, 4.6, 4.8, 5.0, 1, 1])
    assert hearing.score == 5.0


def test_after_a_hearing_there_is_rest_and_then_the_next_name() -> None:
    decision = Decision([known(FOREMAN)])
    scores = [5, *([1] * PEAK_BLOCKS), *([5] * (REST_BLOCKS - 1)), 1, 1, 1]
    assert len(decide(decision, scores)) == 1
    assert len(decide(decision, [5, 1, 1], first=len(scores) + REST_BLOCKS)) == 1


def test_the_end_of_the_name_lies_before_the_tail_of_the_takes_and_never_before_the_beginning() -> None:
    (hearing,) = decide(Decision([known(FOREMAN, tail_s=0.16)]), [1, 1, 1, 1, 5, 1, 1])
    assert hearing.name_end_s == pytest.approx(3 * BLOCK_S)
    (early,) = decide(Decision([known(FOREMAN, tail_s=9.0)]), [5, 1, 1])
    assert early.name_end_s == 0.0


def test_of_two_parts_the_one_furthest_above_its_own_threshold_is_meant() -> None:
    decision = Decision([known(FOREMAN, threshold=3.0), known(GIANT, threshold=8.0)])
    scores = np.array([[5.0, 9.0], [1, 1], [1, 1]], np.float32)
    heard = [decision.push(block, row) for block, row in enumerate(scores, 1)]
    assert [hearing.part for hearing in heard if hearing] == [FOREMAN]


def test_a_better_part_that_follows_at_once_takes_the_place_of_the_first() -> None:
    decision = Decision([known(FOREMAN), known(GIANT)])
    scores = np.array([[4.5, 1.0], [1.0, 7.0], [1, 1], [1, 1]], np.float32)
    heard = [decision.push(block, row) for block, row in enumerate(scores, 1)]
    assert [hearing.part for hearing in heard if hearing] == [GIANT]


def test_words_and_own_voice_together_are_both() -> None:
    decision = Decision([known(FOREMAN)])
    assert decision.push(1, np.array([5.0], np.float32)) is None
    hearing = decision.push(2, np.array([3.0], np.float32), [FOREMAN])
    assert hearing is not None, "two kinds of evidence need no more waiting"
    assert hearing.evidence is Evidence.BOTH
    assert hearing.score == 5.0


def test_words_for_another_part_do_not_outweigh_a_name_already_heard_in_the_own_voice() -> None:
    decision = Decision([known(FOREMAN), known(GIANT)])
    row = np.array([6.0, 3.5], np.float32)
    heard = [
        decision.push(1, row),
        decision.push(2, np.array([1.0, 3.5], np.float32), [GIANT]),
        decision.push(3, np.ones(2, np.float32)),
    ]
    assert [hearing.part for hearing in heard if hearing] == [FOREMAN]


def test_recognised_words_name_a_part_that_the_own_voice_only_half_knows() -> None:
    decision = Decision([known(FOREMAN)])
    assert decide(decision, [1, 3, 1]) == []
    hearing = decision.push(4, np.array([1.0], np.float32), [FOREMAN])
    assert hearing is not None
    assert hearing.evidence is Evidence.WORDS
    assert hearing.score == 3.0
    assert hearing.name_end_s == pytest.approx(2 * BLOCK_S)


def test_the_own_voice_vetoes_words_that_sound_like_somebody_else() -> None:
    decision = Decision([known(FOREMAN)])
    below = 4.0 * VETO - 0.01
    assert decide(decision, [below] * 3) == []
    assert decision.push(4, np.array([below], np.float32), [FOREMAN]) is None


def test_words_without_any_speech_are_not_believed() -> None:
    decision = Decision([known(FOREMAN)])
    assert decision.push(1, None, [FOREMAN]) is None


def test_words_may_come_late_and_not_too_late() -> None:
    for late, heard in ((MEMORY_BLOCKS - 1, True), (MEMORY_BLOCKS, False)):
        decision = Decision([known(FOREMAN)])
        assert decision.push(1, np.array([3.0], np.float32)) is None
        for block in range(2, 1 + late):
            assert decision.push(block, None) is None
        assert (decision.push(1 + late, None, [FOREMAN]) is not None) is heard


def test_words_late_after_the_own_voice_has_decided_do_not_name_the_part_twice() -> None:
    decision = Decision([known(FOREMAN)])
    assert len(decide(decision, [5, 1, 1])) == 1
    assert [decision.push(block, None, [FOREMAN]) for block in range(4, 40)] == [None] * 36


def test_a_reset_forgets_a_peak_and_what_words_could_lean_on() -> None:
    decision = Decision([known(FOREMAN)])
    assert decide(decision, [3, 5]) == []
    decision.reset()
    assert decide(decision, [None, None, None], first=3) == []
    assert decision.push(6, None, [FOREMAN]) is None


@given(st.lists(st.one_of(st.none(), st.floats(-5, 12)), max_size=120))
@settings(max_examples=60, deadline=None)
def test_hearings_are_above_the_threshold_in_order_and_never_crowded(scores: list[float | None]) -> None:
    heard = decide(Decision([known(FOREMAN)]), scores)
    assert all(hearing.score >= 4.0 - 1e-6 for hearing in heard)
    assert all(0 <= hearing.decided_s - hearing.name_end_s <= 4.0 for hearing in heard)
    between = np.diff([hearing.decided_s for hearing in heard])
    assert (between >= REST_S - BLOCK_S).all()


@given(st.lists(st.floats(-5, 12), max_size=60))
@settings(max_examples=60, deadline=None)
def test_every_stretch_above_the_threshold_that_stands_alone_is_heard(scores: list[float]) -> None:
    quiet: list[float | None] = [None] * (REST_BLOCKS + 2)
    heard = decide(Decision([known(FOREMAN)]), [*scores, *quiet])
    above = [score for score in scores if score >= 4.0]
    assert bool(heard) == bool(above)
    if above:
        assert heard[0].score <= max(above) + 1e-5


class MarkEmbedder:
    """Answers with each block's mark as a direction, and notes what it was given."""

    def __init__(self) -> None:
        self.pushed: list[int] = []
        self.resets = 0

    def push(self, samples: Samples) -> Embeddings:
        marks = [int(mark) for mark in samples[::HOP]]
        self.pushed += marks
        return np.stack([direction(mark) for mark in marks])

    def reset(self) -> None:
        self.resets += 1


class SaidWords:
    """Recognises the part in the blocks it is told."""

    def __init__(self, at: dict[int, tuple[str, bool]]) -> None:
        self.at = at
        self.blocks = 0
        self.resets = 0

    def push(self, block: Samples, loud: bool) -> Sequence[WordsHeard]:
        self.blocks += 1
        if self.blocks not in self.at:
            return ()
        part, final = self.at[self.blocks]
        return (WordsHeard(part, 0.0, 0.5, final),)

    def reset(self) -> None:
        self.resets += 1

    def skip(self, blocks: int) -> None:
        self.blocks += blocks


class Stream:
    """A spotter and the blocks it has been given; marks below 10 are not speech."""

    def __init__(self, *prints: Voiceprint, words: SaidWords | None = None) -> None:
        self.embedder = MarkEmbedder()
        space = Space(np.zeros(96, np.float32), np.eye(96, dtype=np.float32))
        self.spotter = NameSpotter(self.embedder, space, prints, words)
        self.heard: list[Hearing] = []

    def hear(self, marks: Sequence[int]) -> list[Hearing]:
        """Push marked blocks; the hearings they brought."""
        heard: list[Hearing] = []
        for mark in marks:
            heard += self.spotter.push(np.full(HOP, mark, np.int16), speech=mark >= 10)
        self.heard += heard
        return heard


NAME = [10, 11, 12, 13, 14, 15]
TALK = [50, 51, 52, 53, 54, 55, 56, 57]
QUIET = [0] * 30


def test_the_name_is_heard_in_the_stream_with_the_time_of_its_end() -> None:
    stream = Stream(known(FOREMAN, 7.0))
    (hearing,) = stream.hear([*QUIET, *TALK, *NAME, *QUIET])
    assert hearing.part == FOREMAN
    assert hearing.name_end_s == pytest.approx((len(QUIET) + len(TALK) + len(NAME)) * BLOCK_S)
    assert hearing.decided_s - hearing.name_end_s <= 0.4


def test_talk_without_the_name_is_not_heard() -> None:
    stream = Stream(known(FOREMAN, 7.0), known(GIANT, 7.0, first_mark=30))
    assert stream.hear([*QUIET, *TALK, *TALK[::-1], *NAME[3:], *TALK, *NAME[:3], *QUIET]) == []


def test_each_part_is_heard_by_its_own_takes() -> None:
    stream = Stream(known(FOREMAN, 7.0), known(GIANT, 7.0, first_mark=30))
    giant = [30, 31, 32, 33, 34, 35]
    heard = stream.hear([*QUIET, *giant, *QUIET, *NAME, *QUIET])
    assert [hearing.part for hearing in heard] == [GIANT, FOREMAN]


def test_nothing_is_embedded_while_nobody_speaks() -> None:
    stream = Stream(known(FOREMAN, 7.0))
    stream.hear([0] * 500)
    assert stream.embedder.pushed == []


def test_when_speech_starts_what_came_just_before_is_embedded_first() -> None:
    stream = Stream(known(FOREMAN, 7.0))
    before = [1 + index % 8 for index in range(40)]
    stream.hear([*before, *NAME])
    assert stream.embedder.pushed == [*before[-LEAD_BLOCKS:], *NAME]


def test_a_little_after_speech_is_still_embedded_and_then_no_more() -> None:
    stream = Stream(known(FOREMAN, 7.0))
    stream.hear([*TALK, *QUIET])
    assert stream.embedder.pushed == [*TALK, *([0] * (HOLD_BLOCKS - 1))]


def test_a_name_after_a_short_pause_has_as_much_before_it_as_after_a_long_one() -> None:
    """The windows that hold a name's beginning reach back into the pause; they must find the room in it."""
    for pause in (HOLD_BLOCKS + 1, HOLD_BLOCKS + 5, 60):
        stream = Stream(known(FOREMAN, 7.0))
        stream.hear([*QUIET, *TALK, *([2] * pause)])
        stream.embedder.pushed.clear()
        stream.hear(NAME)
        lead = stream.embedder.pushed[: -len(NAME)]
        assert lead[-min(pause, LEAD_BLOCKS) :] == [2] * min(pause, LEAD_BLOCKS)


def test_a_name_heard_once_is_not_heard_again_in_what_is_kept_from_before() -> None:
    stream = Stream(known(FOREMAN, 7.0))
    assert len(stream.hear([*QUIET, *NAME, *([0] * (HOLD_BLOCKS + 1))])) == 1
    assert stream.hear([*TALK, *QUIET]) == []


def test_time_counts_through_resets_and_what_was_skipped() -> None:
    stream = Stream(known(FOREMAN, 7.0))
    stream.hear([*QUIET, *TALK])
    stream.spotter.skip(100)
    stream.spotter.reset()
    (hearing,) = stream.hear([*QUIET, *NAME, *QUIET])
    blocks = len(QUIET) + len(TALK) + 100 + len(QUIET) + len(NAME)
    assert hearing.name_end_s == pytest.approx(blocks * BLOCK_S)


def test_no_name_is_put_together_across_a_reset() -> None:
    for cut in range(2, len(NAME) - 1):
        stream = Stream(known(FOREMAN, 7.0))
        stream.hear([*QUIET, *NAME[:cut]])
        stream.spotter.reset()
        assert stream.hear([*NAME[cut:], *QUIET]) == []


def test_a_peak_from_before_a_reset_is_not_heard_after_it() -> None:
    stream = Stream(known(FOREMAN, 7.0))
    assert stream.hear([*QUIET, *NAME]) == []
    stream.spotter.reset()
    assert stream.hear([*QUIET, *TALK, *QUIET]) == []


def test_what_came_before_a_reset_is_not_embedded_after_it() -> None:
    stream = Stream(known(FOREMAN, 7.0))
    stream.hear([3] * 40)
    stream.spotter.reset()
    stream.hear(NAME)
    assert stream.embedder.pushed == NAME


def test_words_and_guesses_reach_the_decision_and_words_hear_every_block() -> None:
    half = [10, 11, 12, 13]
    for final in (True, False):
        words = SaidWords({len(QUIET) + len(half) + 3: (FOREMAN, final)})
        stream = Stream(known(FOREMAN, 8.9), words=words)
        heard = stream.hear([*QUIET, *NAME[:5], *QUIET])
        assert [hearing.evidence for hearing in heard] == [Evidence.WORDS]
        assert words.blocks == 2 * len(QUIET) + 5


def test_a_guess_with_little_own_voice_behind_it_is_not_believed() -> None:
    words = SaidWords({len(QUIET) + 7: (FOREMAN, False)})
    stream = Stream(known(FOREMAN, 20.0), words=words)
    assert stream.hear([*QUIET, *NAME[:5], *QUIET]) == []


def test_words_are_told_of_resets_and_skips() -> None:
    words = SaidWords({})
    stream = Stream(known(FOREMAN, 7.0), words=words)
    stream.spotter.skip(7)
    stream.spotter.reset()
    assert (words.blocks, words.resets) == (7, 1)


def test_a_device_without_parts_hears_nothing_and_embeds_nothing() -> None:
    stream = Stream()
    assert stream.hear([*QUIET, *NAME, *QUIET]) == []
    assert stream.embedder.pushed == []


def test_hours_of_listening_keep_no_more_than_a_few_seconds() -> None:
    stream = Stream(known(FOREMAN, 7.0))
    for _ in range(20):
        stream.hear([*QUIET, *TALK * 4])
    kept = [value for value in vars(stream.spotter).values() if hasattr(value, "maxlen")]
    kept += [value for value in vars(stream.spotter._decision).values() if hasattr(value, "maxlen")]
    assert len(kept) == 2
    assert all(value.maxlen is not None and len(value) <= value.maxlen <= 40 for value in kept)
