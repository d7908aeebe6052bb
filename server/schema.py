"""The tables: ciphertext, public keys, and the least metadata that works. Times are Unix seconds."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint
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


class Clinician(Base):
    """A licensed reader: their signed statement, as the devices get it."""

    __tablename__ = "clinicians"

    id: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    identity: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    statement: Mapped[bytes] = mapped_column(LargeBinary(512))
    epoch: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[int] = mapped_column(BigInteger)
    last_cursor: Mapped[int] = mapped_column(BigInteger, default=0)
    """Counts this clinician's records in the order of their commits, on every database."""


class Invitation(Base):
    """A pairing link's public half."""

    __tablename__ = "invitations"

    pairing_id: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    clinician_id: Mapped[bytes] = mapped_column(LargeBinary(16), ForeignKey(Clinician.id), index=True)
    invitation: Mapped[bytes] = mapped_column(LargeBinary(512))
    claim_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    expires_at: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[int] = mapped_column(BigInteger)


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
