"""What was agreed with a client, sealed by its clinician: every version kept, and never understood.

They go when the client is erased. Times are Unix seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func, insert, select, update

from server import audit
from server.audit import Act
from server.database import Database
from server.errors import RefusedError, no_device
from server.newest_key import need_newest_key
from server.records_store import practice_of
from server.schema import Consent, Device
from voice.wire.boxes import parse_box

MOST: Final = 100
"""Versions for one client: more is a program that went wrong."""


@dataclass(frozen=True)
class ConsentRow:
    """A version as stored: `sealed` says it to its clinician alone."""

    version: int
    sealed: bytes
    created_at: int


def put_consent(
    database: Database, clinician_id: bytes, device_id: bytes, *, version: int, sealed: bytes, now: int
) -> tuple[ConsentRow, bool]:
    """Keep the next version, and whether it is new. The same bytes again change nothing.

    A version that is here may only be sealed anew, to its clinician's newest reading key. Raises
    RefusedError: 404 for a device that is not theirs; 409 `stale_key`; 409 `version`.
    """
    this = (Consent.device_id == device_id) & (Consent.version == version)
    with database.write() as connection:
        # The device is held: of two that write the same version at once, one waits here.
        if connection.execute(_theirs(clinician_id, device_id).with_for_update()).first() is None:
            raise no_device()
        newest = select(func.max(Consent.version)).where(Consent.device_id == device_id)
        last = int(connection.execute(newest).scalar_one() or 0)
        known: Any = connection.execute(select(Consent.sealed, Consent.created_at).where(this)).one_or_none()
        if known is not None and known.sealed == sealed:
            return ConsentRow(version, sealed, known.created_at), False
        need_newest_key(connection, clinician_id, sealed)
        if known is not None:
            if parse_box(known.sealed).reading_key_id == parse_box(sealed).reading_key_id:
                raise _other_version(last)
            connection.execute(update(Consent).where(this).values(sealed=sealed))
        elif version != last + 1 or version > MOST:
            raise _other_version(last)
        else:
            connection.execute(
                insert(Consent).values(device_id=device_id, version=version, sealed=sealed, created_at=now)
            )
        audit.write(
            connection,
            Act.CONSENT_KEPT,
            now=now,
            actor=f"clinician:{clinician_id.hex()}",
            subject=f"device:{device_id.hex()} version:{version}",
            practice_id=practice_of(connection, clinician_id),
        )
    return ConsentRow(version, sealed, now if known is None else known.created_at), known is None


def consents(database: Database, clinician_id: bytes, device_id: bytes) -> list[ConsentRow]:
    """Every version for a device's client, the oldest first. Raises RefusedError 404."""
    wanted = select(Consent.version, Consent.sealed, Consent.created_at).where(Consent.device_id == device_id)
    with database.read() as connection:
        if connection.execute(_theirs(clinician_id, device_id)).first() is None:
            raise no_device()
        return [ConsentRow(*row) for row in connection.execute(wanted.order_by(Consent.version)).all()]


def _other_version(last: int) -> RefusedError:
    return RefusedError(
        409,
        "version",
        f"The next version is {last + 1}; what was agreed before stays as it was."
        if last < MOST
        else f"There are {MOST} versions, and there can be no more.",
        "Look again at what is here, and write the next version." if last < MOST else "",
        extra={"version": str(last)},
    )


def _theirs(clinician_id: bytes, device_id: bytes) -> Any:
    return select(Device.id).where(Device.id == device_id, Device.clinician_id == clinician_id)
