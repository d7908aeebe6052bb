"""Evidence to "this part was named".

Own-voice evidence is a score for each part and block (voice/alignment.py); word evidence, where a Vosk model
is installed, is a part whose whole name was recognised. `Decision` is the one place where they are fused:

- own voice at or above the part's threshold names the part by itself, once its score has passed its peak or
  the words agree;
- recognised words name the part when own-voice evidence does not veto them, that is, when it reached `VETO`
  of the threshold within the last two seconds;
- words still being spoken, where the whole name has stood for a while, do the same from `GUESSED` on;
- of several parts at once, the one furthest above its threshold.

How these were chosen: docs/words.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol

import numpy as np

from voice.alignment import Alignment, combine
from voice.audio import BLOCK_S, Samples
from voice.ports import Embedder, Embeddings, Evidence, Hearing
from voice.space import CONTEXT, Floats, Space
from voice.words import WordsHeard

LEAD_BLOCKS: Final = 14
"""Blocks before speech was noticed that are embedded once it is: 1.1 s, a whole embedding window and more."""

HOLD_BLOCKS: Final = 8
"""Blocks after speech that are still embedded: 0.64 s, the end of the name and the end of its window."""

PEAK_BLOCKS: Final = 1
"""Blocks without a better score after which a peak is a peak: 80 ms."""

REST_S: Final = 1.0
"""After a hearing, no other one for this long: the end of one name is not the beginning of the next."""

MEMORY_BLOCKS: Final = 25
"""How far back own-voice evidence is remembered for words that arrive late: 2 s."""

VETO: Final = 0.4
"""Recognised words need own-voice evidence of at least this share of the threshold."""

GUESSED: Final = 0.6
"""So do words that are still being spoken and may be taken back: more of it."""

MATCHER: Final = 2
"""The matcher's version. Raise it whenever scores change their meaning (embedding, space, alignment, score,
threshold): cards of another matcher are then made anew from their takes (voice/renewing.py)."""


@dataclass(frozen=True)
class Voiceprint:
    """What own-voice evidence knows of one part.

    `takes`: raw embeddings, each of shape (CONTEXT + frames, 96), cut to the name. `usual` and `spread`: mean
    and standard deviation of the lowest cost of each take in a stretch of negatives, shape (takes,).
    `threshold`: the score from which the part counts as named. `tail_s`: how long after the end of the name
    the takes go on. `with_words`: the share of the threshold that is enough where the words agree; at 1 words
    name nothing.
    """

    part: str
    takes: tuple[Embeddings, ...]
    usual: Floats
    spread: Floats
    threshold: float
    tail_s: float
    with_words: float = VETO


class Words(Protocol):
    """Word evidence in the stream (adapters/vosk.py)."""

    def push(self, block: Samples, loud: bool) -> Sequence[WordsHeard]:
        """Take one block of 1,280 samples; answer with the whole names recognised, guesses among them."""
        ...

    def reset(self) -> None:
        """Forget the stream so far."""
        ...

    def skip(self, blocks: int) -> None:
        """Count blocks that were not listened to."""
        ...


@dataclass(frozen=True)
class _Peak:
    part: int
    score: float
    margin: float
    block: int


class Decision:
    """Scores and words to hearings, block by block. Touches no audio."""

    def __init__(self, prints: Sequence[Voiceprint]) -> None:
        self._prints = tuple(prints)
        self._thresholds = np.array([known.threshold for known in self._prints], np.float32)
        self._rest_until = 0
        self._peak: _Peak | None = None
        self._recent: deque[tuple[int, Floats]] = deque(maxlen=MEMORY_BLOCKS)

    def push(
        self,
        block: int,
        scores: Floats | None,
        spoken: Sequence[str] = (),
        guessed: Sequence[str] = (),
    ) -> Hearing | None:
        """Block number `block` has passed, with these scores, shape (parts,); None where nobody spoke.

        `spoken`: parts whose whole name was recognised; `guessed`: in words that are still being spoken.
        """
        if block < self._rest_until:
            return None
        if scores is not None:
            self._recent.append((block, scores))
            margins = scores - self._thresholds
            part = int(margins.argmax())
            margin = float(margins[part])
            if margin >= 0 and (self._peak is None or margin > self._peak.margin):
                self._peak = _Peak(part, float(scores[part]), margin, block)
        peak = self._peak
        if peak is None:
            return self._words(block, spoken, VETO) or self._words(block, guessed, GUESSED)
        both = self._prints[peak.part].part in (*spoken, *guessed)
        if both or scores is None or block - peak.block >= PEAK_BLOCKS:
            return self._hear(block, peak, Evidence.BOTH if both else Evidence.OWN_VOICE)
        return None

    def reset(self) -> None:
        """Forget the stream so far."""
        self._peak = None
        self._recent.clear()

    def _words(self, block: int, spoken: Sequence[str], least: float) -> Hearing | None:
        recent = [(at, row) for at, row in self._recent if block - at < MEMORY_BLOCKS]
        for part, known in enumerate(self._prints):
            if known.part not in spoken or not recent:
                continue
            at, row = max(recent, key=lambda entry: float(entry[1][part]))
            score = float(row[part])
            if score >= max(least, known.with_words) * known.threshold:
                return self._hear(block, _Peak(part, score, score - known.threshold, at), Evidence.WORDS)
        return None

    def _hear(self, block: int, peak: _Peak, evidence: Evidence) -> Hearing:
        known = self._prints[peak.part]
        self.reset()
        self._rest_until = block + round(REST_S / BLOCK_S)
        return Hearing(
            part=known.part,
            evidence=evidence,
            name_end_s=max(0.0, peak.block * BLOCK_S - known.tail_s),
            decided_s=block * BLOCK_S,
            score=peak.score,
        )


_NOTHING: Final = np.empty((0, 96), np.float32)


class NameSpotter:
    """Listens to the stream for every part at once, as `ports.Spotter`. Constant memory."""

    def __init__(
        self, embedder: Embedder, space: Space, prints: Sequence[Voiceprint], words: Words | None = None
    ) -> None:
        self._embedder = embedder
        self._space = space
        self._prints = tuple(prints)
        self._words = words
        takes = [space.template(take) for known in self._prints for take in known.takes]
        self._alignment = Alignment(takes) if takes else None
        bounds = np.cumsum([0, *(len(known.takes) for known in self._prints)])
        self._slices = [slice(first, last) for first, last in pairwise(bounds)]
        self._decision = Decision(self._prints)
        self._block = 0
        self._held = 0
        self._before: Embeddings = _NOTHING
        self._ring: deque[Samples] = deque(maxlen=LEAD_BLOCKS)

    def push(self, block: Samples, speech: bool) -> Sequence[Hearing]:
        """Take one block of 1,280 samples; answer with the name it completes, if it does."""
        self._block += 1
        words = self._words.push(block, speech) if self._words else ()
        spoken = tuple(heard.name for heard in words if heard.final)
        guessed = tuple(heard.name for heard in words if not heard.final)
        hearing = self._decision.push(self._block, self._scores(block, speech), spoken, guessed)
        return (hearing,) if hearing else ()

    def reset(self) -> None:
        """Forget the stream so far, after the device itself has been speaking; the time keeps counting."""
        self._close()
        self._ring.clear()
        self._decision.reset()
        if self._words:
            self._words.reset()

    def skip(self, blocks: int) -> None:
        """Count blocks that were not listened to, so that times stay true."""
        self._block += blocks
        if self._words:
            self._words.skip(blocks)

    def _close(self) -> None:
        self._held = 0
        self._before = _NOTHING
        self._embedder.reset()
        if self._alignment:
            self._alignment.reset()

    def _scores(self, block: Samples, speech: bool) -> Floats | None:
        """Each part's score, shape (parts,); None while nobody speaks, when nothing is embedded."""
        if self._alignment is None:
            return None
        was_held = self._held > 0
        self._held = HOLD_BLOCKS if speech else max(0, self._held - 1)
        before = tuple(self._ring)
        self._ring.append(block)
        if not self._held:
            if was_held:
                self._close()
            return None
        # After a short pause some of this was embedded before. It is aligned anew, and only the present
        # block's score counts, so that nothing is heard twice.
        heard = block if was_held else np.concatenate([*before, block])
        embeddings = self._embedder.push(heard)
        frames = self._space.place(embeddings, self._before)
        self._before = np.concatenate([self._before, embeddings])[-CONTEXT:]
        costs = [self._alignment.push(frame[None])[0] for frame in frames][-1]
        return np.array(
            [
                combine(costs[part], known.usual, known.spread)
                for part, known in zip(self._slices, self._prints, strict=True)
            ],
            np.float32,
        )
