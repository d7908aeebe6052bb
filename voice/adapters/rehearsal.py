"""A rehearsal: whole exchanges, sealed for a key that is forgotten at once. Nothing is kept or sent."""

from __future__ import annotations

import secrets

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from voice.noticing import Noticing
from voice.ports import Deletion, SecondReader, Standing
from voice.wire.content import encode
from voice.wire.envelope import Recipient, seal_record
from voice.wire.keys import device_id


class RehearsalRecords:
    """A `ports.Records` that keeps nothing: a clinician can show the flow without leaving a record."""

    def __init__(self) -> None:
        self._signer = Ed25519PrivateKey.generate()
        self._recipient = Recipient.of(X25519PrivateKey.generate().public_key())
        self._sequence = 0
        self._deletable = False

    def save(self, noticing: Noticing, *, hold: bool = False) -> bytes:
        """Seal, as always, and keep nothing of it; the record id."""
        record_id = secrets.token_bytes(16)
        self._sequence += 1
        seal_record(
            encode(noticing),
            signer=self._signer,
            device_id=device_id(self._signer.public_key()),
            record_id=record_id,
            sequence=self._sequence,
            recipients=[self._recipient],
        )
        self._deletable = True
        return record_id

    def let_go(self, noticing: Noticing | None = None) -> bytes | None:
        """Seal what would take the place of the last one; its record id."""
        if noticing is None:
            return None
        self._sequence -= 1
        return self.save(noticing)

    def delete_last(self) -> Deletion:
        """The last noticing of this rehearsal, once."""
        deleted, self._deletable = self._deletable, False
        return Deletion.DELETED if deleted else Deletion.NOTHING

    def standing(self) -> Standing:
        """Always as with a clinician."""
        return Standing.ACTIVE

    def online(self) -> bool:
        """Nothing is sent, and the words are those of an ordinary evening."""
        return True

    def second_reader(self) -> SecondReader | None:
        """Nobody reads a rehearsal."""
        return None

    def told_second_reader(self) -> None:
        """There is nobody to tell of."""

    def flush(self) -> int:
        """Nothing waits."""
        return 0

    def close(self) -> None:
        """Nothing is open."""


class RehearsalPreferences:
    """A `ports.Preferences` that keeps nothing: what is said in a rehearsal sets no volume and no pace."""

    def keep(self, volume: int, words_per_minute: int) -> None:
        """Both hold until the end of this run."""
