"""The two ways in which bytes from the other side can fail."""

from __future__ import annotations


class FrameError(Exception):
    """The peer's bytes are malformed: wrong magic, version, size or field. Nothing was verified yet."""


class SealError(Exception):
    """The bytes are well formed and do not verify or do not open: forged, altered, or for another key."""


class ClockError(SealError):
    """A request's signature holds; its `created` time is outside the window."""


class ContentError(FrameError):
    """What was inside a record is not the canonical content of this version."""


class RecordTooLongError(ValueError):
    """Our own mistake: more than the largest bucket holds was to be sealed. Nothing was sealed."""
