"""The statements of the busiest path, built once: building them anew cost more than running them."""

from __future__ import annotations

from typing import Any, Final, cast

from sqlalchemy import Select, Table, bindparam, or_, select, union_all

from server.prepared import Prepared
from server.schema import Clinician, Device, Invitation, Record, Tombstone

_devices: Final[Any] = cast(Table, Device.__table__).c
_invitations: Final[Any] = cast(Table, Invitation.__table__).c
_records: Final[Any] = cast(Table, Record.__table__).c
_tombstones: Final[Any] = cast(Table, Tombstone.__table__).c
_clinicians: Final = cast(Table, Clinician.__table__)


DEVICES: Final = select(
    _devices.id,
    _devices.clinician_id,
    _devices.pairing_id,
    _devices.signing,
    _devices.encryption,
    _devices.proof,
    _invitations.invitation,
    _devices.approval,
    _devices.state,
    _devices.created_at,
    _devices.last_seen_at,
    _devices.outbox_depth,
    _devices.label,
).where(_invitations.pairing_id == _devices.pairing_id)
"""In the order of `rows.DeviceRow`."""

DEVICE: Final = DEVICES.where(_devices.id == bindparam("device_id"))

SENDER: Final = Prepared(
    select(_devices.state, _devices.clinician_id, _devices.last_seen_at)
    .where(_devices.id == bindparam("device_id"))
    .with_for_update()
)
"""The device's state, clinician and last call; held until the transaction ends."""


def _same(columns: Any) -> Select[Any]:
    return select(columns.record_id, columns.sequence, columns.sha256, columns.received_at).where(
        columns.device_id == bindparam("device_id"),
        or_(columns.record_id == bindparam("record_id"), columns.sequence == bindparam("sequence")),
    )


SAME_RECORDS: Final = Prepared(union_all(_same(_records), _same(_tombstones)))
"""A device's records with this id or this sequence number, here or deleted: two at most.

Each is its id, sequence number, SHA-256 and time of arrival.
"""

NEXT_CURSOR: Final = Prepared(
    _clinicians.update()
    .where(_clinicians.c.id == bindparam("clinician"))
    .values(last_cursor=_clinicians.c.last_cursor + 1)
    .returning(_clinicians.c.last_cursor)
)

_RECORDS: Final = cast(Table, Record.__table__)
KEEP_RECORD: Final = Prepared(
    _RECORDS.insert().values({column.name: bindparam(column.name) for column in _RECORDS.columns})
)

SEEN: Final = (
    cast(Table, Device.__table__)
    .update()
    .where(_devices.id == bindparam("device"))
    .values(last_seen_at=bindparam("seen_at"))
)
