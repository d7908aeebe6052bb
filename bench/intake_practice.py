"""A practice for measuring: clinicians, paired devices, signed records to send, records long since kept."""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, cast

from sqlalchemy import Table, func, select, update
from sqlalchemy.exc import DBAPIError

from server.rows import DeviceRow, InvitationRow
from server.schema import Clinician, Record
from server.store import Store
from tests.server.server_rig import ClinicianParty, DeviceParty, record_path
from voice.wire.pairing import claim_hash, device_proof
from voice.wire.requests import sign_headers

CASELOAD: Final = 10
"""Devices of one clinician."""

PAGE: Final = 100
BATCH: Final = 2_000
FRAME_BYTES: Final = 128 + 96 + 2048


@dataclass
class Practice:
    """Clinicians and devices in a database, and the next sequence number of each device."""

    clinicians: list[ClinicianParty]
    devices: list[DeviceParty]
    following: dict[bytes, int] = field(default_factory=dict)

    def clinician_of(self, number: int) -> ClinicianParty:
        """The clinician of device number so-and-so."""
        return self.clinicians[number // CASELOAD]

    @classmethod
    def found(cls, url: str, devices: int) -> Practice:
        """A new practice in a migrated database, through the server's own store."""
        now = int(time.time())
        store = Store.open(url)
        clinicians = [ClinicianParty.new() for _ in range(-(-devices // CASELOAD))]
        practice = cls(clinicians, [DeviceParty.new() for _ in range(devices)])
        for clinician in clinicians:
            store.add_clinician(clinician.clinician_id, clinician.statement(), now=now)
        for number, device in enumerate(practice.devices):
            clinician = practice.clinician_of(number)
            link = clinician.link()
            expires_at = now + 3600
            invitation = clinician.invitation(link, expires_at)
            store.add_invitation(
                InvitationRow(
                    link.pairing_id, clinician.clinician_id, invitation, claim_hash(link.secret), expires_at
                ),
                now=now,
            )
            store.pair_device(
                DeviceRow(
                    device_id=device.device_id,
                    clinician_id=clinician.clinician_id,
                    pairing_id=link.pairing_id,
                    signing=device.signing,
                    encryption=device.encryption,
                    proof=device_proof(link.secret, link.pairing_id, device.signing, device.encryption),
                    invitation=invitation,
                    approval=None,
                    state="active",
                    created_at=now,
                    last_seen_at=now,
                ),
                expired=False,
            )
            practice.following[device.device_id] = 1
        store.close()
        return practice

    def deliveries(self, origin: str, devices: int, each: int) -> list[list[bytes]]:
        """`each` fresh records of each of the first devices, sealed, signed, as HTTP requests."""
        return [
            [self._delivery(origin, number, device) for _ in range(each)]
            for number, device in enumerate(self.devices[:devices])
        ]

    def _delivery(self, origin: str, number: int, device: DeviceParty) -> bytes:
        sequence = self.following[device.device_id]
        self.following[device.device_id] = sequence + 1
        frame = device.record(self.clinician_of(number), sequence)
        assert len(frame) == FRAME_BYTES
        path = record_path(frame)
        signed = sign_headers(
            device.key,
            device.key_id,
            "PUT",
            origin + path,
            frame,
            created=int(time.time()),
            nonce=secrets.token_urlsafe(18),
        )
        return spelt("PUT", origin, path, signed, frame)

    def pages(self, origin: str, count: int, seed: int, last: int) -> list[bytes]:
        """`count` requests of random clinicians for a page, each from a random place before cursor `last`."""
        chance = random.Random(seed)  # noqa: S311 - a reproducible load
        found = []
        for _ in range(count):
            clinician = chance.choice(self.clinicians)
            path = f"/v1/records?after={chance.randrange(max(1, last - PAGE))}&limit={PAGE}"
            signed = sign_headers(
                clinician.key,
                clinician.key_id,
                "GET",
                origin + path,
                b"",
                created=int(time.time()),
                nonce=secrets.token_urlsafe(18),
            )
            found.append(spelt("GET", origin, path, signed, b""))
        return found

    def fill(self, url: str, total: int) -> int:
        """Bring the stored records to `total`, evenly over the devices; the lowest of all cursors.

        The rows have a record's exact shape and size; nobody sealed them.
        """
        store = Store.open(url)
        try:
            with store.database.read() as connection:
                here = int(connection.execute(select(func.count()).select_from(Record)).scalar_one())
            each = -(-max(0, total - here) // len(self.devices))
            records = cast(Table, Record.__table__).insert()
            with store.database.read() as connection:
                cursors = connection.execute(select(Clinician.id, Clinician.last_cursor)).all()
            last = {bytes(row.id): int(row.last_cursor) for row in cursors}
            for rows in _batches(self._stored(each, last)):
                with store.database.write() as connection:
                    connection.execute(records, rows)
                    for clinician in self.clinicians:
                        at = last[clinician.clinician_id]
                        connection.execute(
                            update(Clinician)
                            .where(Clinician.id == clinician.clinician_id)
                            .values(last_cursor=at)
                        )
            self._settle(store)
            return min(last.values())
        finally:
            store.close()

    def _stored(self, each: int, last: dict[bytes, int]) -> Iterator[dict[str, Any]]:
        """Devices take turns, as they would."""
        now = int(time.time())
        for _ in range(each):
            for number, device in enumerate(self.devices):
                clinician_id = self.clinician_of(number).clinician_id
                last[clinician_id] += 1
                sequence = self.following[device.device_id]
                self.following[device.device_id] = sequence + 1
                record_id = os.urandom(16)
                header = b"1BRc\x01\x01\x01\x00" + device.device_id + record_id + sequence.to_bytes(8, "big")
                yield {
                    "device_id": device.device_id,
                    "record_id": record_id,
                    "clinician_id": clinician_id,
                    "cursor": last[clinician_id],
                    "sequence": sequence,
                    "sha256": os.urandom(32),
                    "frame": header + os.urandom(FRAME_BYTES - len(header)),
                    "received_at": now,
                }

    def _settle(self, store: Store) -> None:
        """Let the database do at once what it would do in the course of weeks."""
        if store.database.engine.dialect.name == "sqlite":
            raw = store.database.engine.raw_connection()
            raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            raw.close()
            return
        with store.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE records")
            with suppress(DBAPIError):  # an account of its own may not; then the first minutes are slower
                connection.exec_driver_sql("CHECKPOINT")


def spelt(method: str, origin: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
    """One HTTP/1.1 request."""
    host = origin.partition("://")[2]
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines.append("Content-Type: application/octet-stream")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
