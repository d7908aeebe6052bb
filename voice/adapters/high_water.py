"""The last sequence number, kept a second time beside the database, in case the database is lost.

Two slots of 16 bytes are written in turn, in place: a write that is cut short spoils one slot, and the other
still holds the number before. In place means that a full disk does not stop it.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Final

_SLOT: Final = struct.Struct(">IQI")
"""Generation, value, CRC-32 of the two."""


class HighWater:
    """A durable number. Raises OSError when the file cannot be read or written."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        slots = [_read(os.pread(self._handle, _SLOT.size, at * _SLOT.size)) for at in (0, 1)]
        self._generation, self.value = max((slot for slot in slots if slot is not None), default=(0, 0))

    def write(self, value: int) -> None:
        """Make `value` durable."""
        if value == self.value:
            return
        generation = self._generation + 1
        head = _SLOT.pack(generation, value, 0)[:-4]
        at = generation % 2 * _SLOT.size
        written = os.pwrite(self._handle, head + struct.pack(">I", zlib.crc32(head)), at)
        if written != _SLOT.size:
            raise OSError("a short write")
        os.fsync(self._handle)
        self._generation, self.value = generation, value

    def close(self) -> None:
        """Give the file back."""
        os.close(self._handle)


def _read(slot: bytes) -> tuple[int, int] | None:
    if len(slot) != _SLOT.size:
        return None
    generation, value, check = _SLOT.unpack(slot)
    return (generation, value) if check == zlib.crc32(slot[:-4]) and generation > 0 else None
