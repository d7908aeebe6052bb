"""The tables of clinicians, devices and records: ciphertext, public keys, and the least metadata that works.

Times are Unix seconds. The tables of people who sign in are in accounts_schema.py, on the same `Base`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import MetaData

STATES = ("active", "paused", "discharged", "revoked")


class Base(DeclarativeBase):
    """Constraint names are fixed, so that migrations can name them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Practice(Base):
    """The organisation that clinicians belong to, and its policies. Its name is no secret."""

    __tablename__ = "practices"

    id: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[int] = mapped_column(BigInteger)
    retention_days: Mapped[int | None] = mapped_column(BigInteger)
    """Records older than this are deleted; null: kept until someone deletes them."""
    rotation_days: Mapped[int] = mapped_column(BigInteger, default=30)
    """How long a reading key is used before clinicians are asked to make the next."""


class Clinician(Base):
    """A licensed reader: their signed statement, as the devices get it."""

    __tablename__ = "clinicians"

    id: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    identity: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    statement: Mapped[bytes] = mapped_column(LargeBinary(512))
    epoch: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[int] = mapped_column(BigInteger)
    practice_id: Mapped[bytes] = mapped_column(LargeBinary(16), ForeignKey(Practice.id), index=True)
    endorsement: Mapped[bytes | None] = mapped_column(LargeBinary(512))
    """The clinician's signed word that devices also seal to the practice's recovery key; null: they don't."""
    last_cursor: Mapped[int] = mapped_column(BigInteger, default=0)
    """Counts this clinician's records in the order of their commits, on every database."""


class ReadingKey(Base):
    """One epoch of a clinician: the statement of then, and the private key, wrapped by the clinician.

    `wrapped` null: it was never kept here, or it was shredded at `shredded_at`; epoch 0 holds the wrapped
    identity key and has no statement.
    """

    __tablename__ = "reading_keys"

    clinician_id: Mapped[bytes] = mapped_column(LargeBinary(16), ForeignKey(Clinician.id), primary_key=True)
    epoch: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    statement: Mapped[bytes | None] = mapped_column(LargeBinary(512))
    wrapped: Mapped[bytes | None] = mapped_column(LargeBinary(512))
    created_at: Mapped[int] = mapped_column(BigInteger)
    shredded_at: Mapped[int | None] = mapped_column(BigInteger)


class KeySlot(Base):
    """A way to unlock the key that wraps a clinician's private keys. The server checks its shape alone."""

    __tablename__ = "key_slots"

    id: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    clinician_id: Mapped[bytes] = mapped_column(LargeBinary(16), ForeignKey(Clinician.id), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    fields: Mapped[bytes] = mapped_column(LargeBinary(2048))
    created_at: Mapped[int] = mapped_column(BigInteger)


class Invitation(Base):
    """A pairing link's public half."""

    __tablename__ = "invitations"

    pairing_id: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    clinician_id: Mapped[bytes] = mapped_column(LargeBinary(16), ForeignKey(Clinician.id), index=True)
    invitation: Mapped[bytes] = mapped_column(LargeBinary(512))
    claim_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    expires_at: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[int] = mapped_column(BigInteger)
    wrong_claims: Mapped[int] = mapped_column(BigInteger, default=0)
    """Claims with another secret: after a few of them the link is void."""


class Device(Base):
    """A box at a client's home: its public keys and its state."""

    __tablename__ = "devices"
    __table_args__ = (CheckConstraint(f"state IN {STATES!r}", name="state"),)

    id: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    clinician_id: Mapped[bytes] = mapped_column(LargeBinary(16), ForeignKey(Clinician.id), index=True)
    pairing_id: Mapped[bytes] = mapped_column(LargeBinary(16), ForeignKey(Invitation.pairing_id), unique=True)
    signing: Mapped[bytes] = mapped_column(LargeBinary(32))
    encryption: Mapped[bytes] = mapped_column(LargeBinary(32))
    proof: Mapped[bytes] = mapped_column(LargeBinary(32))
    approval: Mapped[bytes | None] = mapped_column(LargeBinary(512))
    state: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[int] = mapped_column(BigInteger)
    last_seen_at: Mapped[int | None] = mapped_column(BigInteger)
    outbox_depth: Mapped[int | None] = mapped_column(BigInteger)
    """How many sealed records the device said it still holds."""
    label: Mapped[bytes | None] = mapped_column(LargeBinary(2048))
    """The client's name as the clinician wrote it, sealed to the clinician."""


class Card(Base):
    """What a clinician sent to a device for one part: sealed to the device, signed, newest version only.

    `report` is the device's newest sealed word on how this version's enrolment goes, for the clinician alone.
    """

    __tablename__ = "cards"

    device_id: Mapped[bytes] = mapped_column(LargeBinary(16), ForeignKey(Device.id), primary_key=True)
    card_id: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    sealed: Mapped[bytes] = mapped_column(LargeBinary(65536))
    created_at: Mapped[int] = mapped_column(BigInteger)
    fetched_at: Mapped[int | None] = mapped_column(BigInteger)
    report: Mapped[bytes | None] = mapped_column(LargeBinary(4096))
    report_number: Mapped[int | None] = mapped_column(BigInteger)
    reported_at: Mapped[int | None] = mapped_column(BigInteger)
    note: Mapped[bytes | None] = mapped_column(LargeBinary(32768))
    """What the clinician keeps of the part, sealed to themselves."""


class Consent(Base):
    """What was agreed with a client, sealed by the clinician to themselves; every version is kept."""

    __tablename__ = "consents"

    device_id: Mapped[bytes] = mapped_column(LargeBinary(16), ForeignKey(Device.id), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    sealed: Mapped[bytes] = mapped_column(LargeBinary(32768))
    created_at: Mapped[int] = mapped_column(BigInteger)


class Record(Base):
    """A sealed record, byte for byte as the device sent it."""

    __tablename__ = "records"
    __table_args__ = (
        UniqueConstraint("device_id", "sequence"),
        Index("ix_records_clinician_id_cursor", "clinician_id", "cursor", unique=True),
    )

    device_id: Mapped[bytes] = mapped_column(LargeBinary(16), ForeignKey(Device.id), primary_key=True)
    record_id: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    clinician_id: Mapped[bytes] = mapped_column(LargeBinary(16), ForeignKey(Clinician.id))
    cursor: Mapped[int] = mapped_column(BigInteger)
    sequence: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    frame: Mapped[bytes] = mapped_column(LargeBinary(65536))
    received_at: Mapped[int] = mapped_column(BigInteger)


class Tombstone(Base):
    """What is left of a deleted record: enough to show that it was here and why it is not."""

    __tablename__ = "tombstones"
    __table_args__ = (
        UniqueConstraint("device_id", "sequence"),
        Index("ix_tombstones_clinician_id_cursor", "clinician_id", "cursor", unique=True),
    )

    device_id: Mapped[bytes] = mapped_column(LargeBinary(16), ForeignKey(Device.id), primary_key=True)
    record_id: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    clinician_id: Mapped[bytes] = mapped_column(LargeBinary(16), ForeignKey(Clinician.id))
    cursor: Mapped[int] = mapped_column(BigInteger)
    sequence: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    received_at: Mapped[int] = mapped_column(BigInteger)
    deleted_at: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(String(16))


class Mark(Base):
    """A clinician's own note on a record ("discussed"), sealed to themselves, newest version only."""

    __tablename__ = "marks"

    clinician_id: Mapped[bytes] = mapped_column(LargeBinary(16), ForeignKey(Clinician.id), primary_key=True)
    device_id: Mapped[bytes] = mapped_column(LargeBinary(16), ForeignKey(Device.id), primary_key=True)
    record_id: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    sealed: Mapped[bytes] = mapped_column(LargeBinary(2048))
    updated_at: Mapped[int] = mapped_column(BigInteger)


class Share(Base):
    """A record's data key, sealed anew by its clinician for a colleague of the same practice, and signed."""

    __tablename__ = "shares"
    __table_args__ = (
        ForeignKeyConstraint(["device_id", "record_id"], ["records.device_id", "records.record_id"]),
    )

    device_id: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    record_id: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    to_id: Mapped[bytes] = mapped_column(
        LargeBinary(16), ForeignKey(Clinician.id), primary_key=True, index=True
    )
    from_id: Mapped[bytes] = mapped_column(LargeBinary(16), ForeignKey(Clinician.id))
    share: Mapped[bytes] = mapped_column(LargeBinary(512))
    created_at: Mapped[int] = mapped_column(BigInteger)


class AuditEntry(Base):
    """One link of the audit chain (audit.py). Never updated; deleted from its beginning only, by age."""

    __tablename__ = "audit"

    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[int] = mapped_column(BigInteger)
    practice_id: Mapped[bytes | None] = mapped_column(LargeBinary(16), index=True)
    actor: Mapped[str] = mapped_column(String(80))
    act: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(200))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))


class AuditHead(Base):
    """The chain's newest link, in one row that writers take in turn."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    sequence: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    first_sequence: Mapped[int] = mapped_column(BigInteger)
    first_digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    """The digest before the oldest entry that is kept: zeros, or that of the last one that age removed."""


class UsedNonce(Base):
    """A nonce that must not serve again before it has expired."""

    __tablename__ = "used_nonces"

    nonce: Mapped[str] = mapped_column(String(256), primary_key=True)
    expires_at: Mapped[int] = mapped_column(BigInteger, index=True)


class ServerKey(Base):
    """A key that all workers of this server share; it guards nonces and opens no record."""

    __tablename__ = "server_keys"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary(64))
