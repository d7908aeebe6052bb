"""Statements that the driver runs itself give what SQLAlchemy gives, and are part of its transaction."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.exc import SQLAlchemyError

from server.prepared import Prepared
from server.schema import Clinician, Device, Record
from server.statements import KEEP_RECORD, NEXT_CURSOR, SENDER
from tests.server.server_rig import NOW, Rig, refused

CANARY = b"canary-frame-00001"


def test_the_same_rows_as_sqlalchemy_gives(rig: Rig) -> None:
    device = rig.paired()
    statement = select(Device.state, Device.clinician_id, Device.last_seen_at)
    with rig.store.database.read() as connection:
        theirs = [tuple(row) for row in connection.execute(statement)]
        assert Prepared(statement).rows(connection, {}) == theirs
    with rig.store.database.write() as connection:
        assert SENDER.rows(connection, {"device_id": device.device_id}) == theirs
        assert SENDER.rows(connection, {"device_id": bytes(16)}) == []


def test_what_it_wrote_is_gone_when_the_transaction_fails(rig: Rig) -> None:
    clinician = {"clinician": rig.clinician.clinician_id}

    def cursor() -> int:
        with rig.store.database.read() as connection:
            return int(connection.execute(select(Clinician.last_cursor)).scalar_one())

    def fail() -> None:
        with rig.store.database.write() as connection:
            assert NEXT_CURSOR.rows(connection, clinician) == [(1,)]
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert cursor() == 0
    with rig.store.database.write() as connection:
        NEXT_CURSOR.run(connection, clinician)
    assert cursor() == 1


def test_what_the_driver_refuses_is_told_without_the_values(rig: Rig) -> None:
    """A record of a device that is not there breaks a foreign key; the frame is not in the error."""
    values = {
        "device_id": bytes(16),
        "record_id": bytes(16),
        "clinician_id": rig.clinician.clinician_id,
        "cursor": 1,
        "sequence": 1,
        "sha256": bytes(32),
        "frame": CANARY,
        "received_at": NOW,
    }
    with pytest.raises(SQLAlchemyError) as failed, rig.store.database.write() as connection:
        KEEP_RECORD.run(connection, values)
    assert "canary" not in str(failed.value)
    with rig.store.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(Record)).scalar_one() == 0
    assert rig.call("GET", "/ready").status_code == 200


def test_a_key_in_memory_lets_no_device_in_that_is_gone(rig: Rig) -> None:
    device = rig.paired()
    assert rig.deliver(device, device.record(rig.clinician, 1)).status_code == 201
    with rig.store.database.write() as connection:
        connection.execute(delete(Record))
        connection.execute(delete(Device))
    refused(rig.deliver(device, device.record(rig.clinician, 2)), 401, "unknown_device")
    refused(rig.signed(device, "GET", "/v1/device"), 401, "unknown_device")
