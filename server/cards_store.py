"""The mailbox: each device's sealed cards, the newest version of each, until the clinician takes them away;
and with each card the newest sealed report of how its enrolment goes.

Time is an argument (Unix seconds).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from server import audit
from server.audit import Act
from server.database import Database
from server.errors import RefusedError, no_device
from server.rows import ClinicianRow, DeviceRow
from server.schema import Card, Device


@dataclass(frozen=True)
class CardRow:
    """A card as listed. `fetched_at` is when the device said that it has this version, or None.

    `report` is the newest sealed report of this version's enrolment, and `reported_at` when it came.
    """

    card_id: bytes
    version: int
    created_at: int
    fetched_at: int | None
    report: bytes | None = None
    reported_at: int | None = None


@dataclass(frozen=True)
class SealedRow:
    """A card as the device gets it, byte for byte as it was sent."""

    card_id: bytes
    version: int
    sealed: bytes


_LISTED = (
    Card.card_id,
    Card.version,
    Card.created_at,
    Card.fetched_at,
    Card.report,
    Card.reported_at,
)
_NO_REPORT = {"report": None, "report_number": None, "reported_at": None}


class CardStore:
    """Every read and write of the mailbox, each one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(
        self,
        clinician: ClinicianRow,
        device_id: bytes,
        card_id: bytes,
        version: int,
        sealed: bytes,
        *,
        now: int,
    ) -> tuple[CardRow, bool]:
        """Keep a card in place of the one before; and whether it is the first of its part.

        Its version must be above that of every card of the device: that is how the device knows what it has
        seen. Raises RefusedError: 404 for a device that is not theirs, 409 `revoked`, 409 `version`.
        """
        with self._database.write() as connection:
            state = _held(connection, clinician, device_id)
            if state == "revoked":
                raise RefusedError(
                    409, "revoked", "This device was revoked, which is final.", "Pair it anew."
                )
            newest = connection.execute(
                select(func.max(Card.version)).where(Card.device_id == device_id)
            ).scalar()
            if newest is not None and version <= newest:
                raise RefusedError(
                    409,
                    "version",
                    "A card with this version or a later one was already sent to this device.",
                    f"Send it with a version above {newest}.",
                )
            this = (Card.device_id == device_id) & (Card.card_id == card_id)
            fresh: dict[str, Any] = {"version": version, "sealed": sealed, "created_at": now}
            fresh |= {"fetched_at": None, **_NO_REPORT}
            replaced = connection.execute(update(Card).where(this).values(fresh)).rowcount
            if not replaced:
                connection.execute(insert(Card).values(device_id=device_id, card_id=card_id, **fresh))
            subject = f"device:{device_id.hex()} card:{card_id.hex()} version:{version}"
            _told(connection, Act.CARD_SENT, clinician, subject, now)
        return CardRow(card_id, version, now, None), not replaced

    def listed(self, clinician: ClinicianRow, device_id: bytes) -> list[CardRow]:
        """A device's cards in the order of their versions. Raises RefusedError 404."""
        with self._database.read() as connection:
            if connection.execute(_theirs(clinician, device_id)).first() is None:
                raise no_device()
            wanted = select(*_LISTED).where(Card.device_id == device_id).order_by(Card.version)
            return [CardRow(*row) for row in connection.execute(wanted)]

    def remove(self, clinician: ClinicianRow, device_id: bytes, card_id: bytes, *, now: int) -> None:
        """Take a card out of the mailbox; what the device has of it stays there. Raises RefusedError 404."""
        with self._database.write() as connection:
            _held(connection, clinician, device_id)
            this = (Card.device_id == device_id) & (Card.card_id == card_id)
            if not connection.execute(delete(Card).where(this)).rowcount:
                raise _no_card()
            subject = f"device:{device_id.hex()} card:{card_id.hex()}"
            _told(connection, Act.CARD_REMOVED, clinician, subject, now)

    def waiting(self, device: DeviceRow, *, after: int, most_bytes: int) -> tuple[list[SealedRow], bool]:
        """A device's cards with versions above `after`, oldest first: one, and more while they are within
        `most_bytes` together; and whether there are more."""
        wanted = (
            select(Card.card_id, Card.version, Card.sealed)
            .where(Card.device_id == device.device_id, Card.version > after)
            .order_by(Card.version)
            .limit(max(1, most_bytes // 2048) + 1)
        )
        with self._database.read() as connection:
            rows = [SealedRow(*row) for row in connection.execute(wanted)]
        page: list[SealedRow] = []
        size = 0
        for row in rows:
            size += len(row.sealed)
            if page and size > most_bytes:
                break
            page.append(row)
        return page, len(page) < len(rows)

    def fetched(self, device: DeviceRow, card_id: bytes, version: int, *, now: int) -> CardRow:
        """Note that the device has this version; the first time counts.

        Raises RefusedError 404: the card was taken away, or a newer one is here.
        """
        this = (Card.device_id == device.device_id) & (Card.card_id == card_id) & (Card.version == version)
        with self._database.write() as connection:
            connection.execute(update(Card).where(this, Card.fetched_at.is_(None)).values(fetched_at=now))
            row: Any = connection.execute(select(*_LISTED).where(this)).one_or_none()
        if row is None:
            raise _no_card()
        return CardRow(*row)

    def report(
        self, device: DeviceRow, card_id: bytes, version: int, number: int, sealed: bytes, *, now: int
    ) -> tuple[CardRow, bool]:
        """Keep how the enrolment of this version goes, in place of what was said before; whether it is new.

        Raises RefusedError: 404 `card`, 409 `version`: a newer card was sent, or none of this version;
        409 `number`: a report with this number or a greater one is here.
        """
        this = (Card.device_id == device.device_id) & (Card.card_id == card_id)
        with self._database.write() as connection:
            wanted = select(Card.version, Card.report_number, Card.report).where(this).with_for_update()
            before: Any = connection.execute(wanted).one_or_none()
            if before is None:
                raise _no_card()
            if before.version != version:
                raise RefusedError(
                    409, "version", "The newest card of this part has another version.", "Fetch it first."
                )
            new = before.report != sealed
            if new and before.report_number is not None and number <= before.report_number:
                raise RefusedError(
                    409,
                    "number",
                    "A report with this number or a greater one is here already.",
                    f"Report with a number above {before.report_number}.",
                    extra={"number": str(before.report_number)},
                )
            if new:
                fresh = {"report": sealed, "report_number": number, "reported_at": now}
                connection.execute(update(Card).where(this).values(fresh))
            row: Any = connection.execute(select(*_LISTED).where(this)).one()
        return CardRow(*row), new


def _theirs(clinician: ClinicianRow, device_id: bytes) -> Any:
    return select(Device.state).where(Device.id == device_id, Device.clinician_id == clinician.clinician_id)


def _held(connection: Connection, clinician: ClinicianRow, device_id: bytes) -> str:
    """The state of the clinician's device, held until the transaction ends: versions are given in turn."""
    state = connection.execute(_theirs(clinician, device_id).with_for_update()).scalar()
    if state is None:
        raise no_device()
    return str(state)


def _told(connection: Connection, act: Act, clinician: ClinicianRow, subject: str, now: int) -> None:
    actor = f"clinician:{clinician.clinician_id.hex()}"
    audit.write(connection, act, now=now, actor=actor, subject=subject, practice_id=clinician.practice_id)


def _no_card() -> RefusedError:
    return RefusedError(404, "card", "There is no such card, or a newer version of it.")
