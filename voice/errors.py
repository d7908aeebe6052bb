"""Errors written for the person who reads them: what happened, and what to do about it."""

from __future__ import annotations


class OnebreathError(Exception):
    """Something a person can act on. `cause` says what happened; `remedy` says what to do, or is empty."""

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(f"{cause} {remedy}".strip())
        self.cause = cause
        self.remedy = remedy


class AudioError(OnebreathError):
    """A file or a sound device gave no usable audio."""


class ModelError(OnebreathError):
    """A speech model is missing, damaged, or of another language."""


class EnrolmentError(OnebreathError):
    """A take or a name that would not work."""


class PairingError(OnebreathError):
    """The device is not paired, or a pairing link does not hold."""


class StorageError(OnebreathError):
    """The device's own storage is full, damaged, or not writable."""
