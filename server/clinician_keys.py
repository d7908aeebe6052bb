"""A clinician's unlocked keys: one identity, and a reading key for each epoch that was not destroyed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from voice.wire.encoding import key_id
from voice.wire.keys import Statement

ROTATION_DAYS: Final = 30
"""How long a reading key is used when the practice says nothing else."""

_DAY_S: Final = 86_400


@dataclass(frozen=True)
class Epoch:
    """One reading key. `private` None: destroyed at `shredded_at`, in Unix seconds."""

    statement: bytes
    stated: Statement
    private: X25519PrivateKey | None = field(repr=False)
    shredded_at: int | None = None

    @property
    def number(self) -> int:
        """Epochs count from 1."""
        return self.stated.epoch

    @property
    def key_id(self) -> bytes:
        """How records and shares name this reading key, 16 bytes."""
        return key_id(self.stated.reading.public_bytes_raw())


@dataclass(frozen=True)
class Clinician:
    """An unlocked key file. `statement` is the signed bytes of the epoch in use, `stated` what they say."""

    identity: Ed25519PrivateKey
    reading: X25519PrivateKey
    statement: bytes
    stated: Statement
    key: bytes = field(default=b"", repr=False)
    """What the slots hold and everything here is wrapped under."""
    epochs: tuple[Epoch, ...] = ()
    """Every epoch, oldest first; the last one is in use."""
    upcoming: Epoch | None = None
    """An epoch that was made and is not known to have reached the server: devices may seal to it already."""
    colleagues: Mapping[bytes, bytes] = field(default_factory=dict)
    """Fingerprints (32 bytes) that the clinician confirmed with a colleague, by clinician id."""
    endorsement: bytes | None = None
    """The clinician's newest word on who else reads."""
    rotation_days: int = ROTATION_DAYS
    stamp: str = ""

    @property
    def id(self) -> bytes:
        """The clinician id, 16 bytes."""
        return self.stated.clinician_id

    @property
    def name(self) -> str:
        """The name that devices speak."""
        return self.stated.name

    @property
    def public(self) -> Ed25519PublicKey:
        """The identity's public key."""
        return self.identity.public_key()

    @property
    def readings(self) -> tuple[X25519PrivateKey, ...]:
        """Every private reading key that is held, newest first."""
        made = (*self.epochs, *((self.upcoming,) if self.upcoming else ()))
        held = tuple(epoch.private for epoch in reversed(made) if epoch.private is not None)
        return held or (self.reading,)

    @property
    def destroyed(self) -> Mapping[bytes, int]:
        """Key ids of destroyed reading keys, each with its time in Unix seconds."""
        return {epoch.key_id: epoch.shredded_at for epoch in self.epochs if epoch.shredded_at is not None}

    def rotation_due_at(self) -> int:
        """When the next reading key is to be made, in Unix seconds."""
        return self.stated.issued_at + self.rotation_days * _DAY_S

    def __repr__(self) -> str:
        return f"Clinician({self.name!r})"
