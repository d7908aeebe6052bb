"""Every step is walked with data in it, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from server import audit
from server.accounts_schema import Base
from server.cards_store import CardRow, CardStore, SealedRow
from server.database import Database, alembic_config, connect, migrate, open_database
from server.settings import database_url
from server.store import Store
from tests.server.server_rig import NOW, ClinicianParty, DeviceParty


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return database_url(str(tmp_path / "server.db"))
    made: Callable[[], str] = request.getfixturevalue("cluster").empty
    return made()


def at_revision(url: str, revision: str) -> Database:
    database = connect(url)
    with database.schema_change() as connection:
        command.upgrade(alembic_config(connection), revision)
    return database


def test_the_models_are_what_the_migrations_make(empty_url: str) -> None:
    database = open_database(empty_url)
    try:
        with database.read() as connection:
            context = MigrationContext.configure(connection)
            assert compare_metadata(context, Base.metadata) == []
    finally:
        database.close()


def test_clinicians_devices_and_records_of_the_first_schema_are_carried_over(empty_url: str) -> None:
    clinicians, device = [ClinicianParty.new(), ClinicianParty.new()], DeviceParty.new()
    database = at_revision(empty_url, "0001")
    with database.write() as connection:
        for clinician in clinicians:
            connection.execute(
                text("INSERT INTO clinicians VALUES (:id, :identity, :statement, 1, :now, 1)"),
                {
                    "id": clinician.clinician_id,
                    "identity": clinician.key.public_key().public_bytes_raw(),
                    "statement": clinician.statement(),
                    "now": NOW,
                },
            )
        theirs = {"clinician": clinicians[0].clinician_id, "pairing": b"p" * 16, "device": device.device_id}
        connection.execute(
            text("INSERT INTO invitations VALUES (:pairing, :clinician, :i, :h, 9, 9)"),
            {**theirs, "i": b"i", "h": b"h"},
        )
        connection.execute(
            text(
                "INSERT INTO devices (id, clinician_id, pairing_id, signing, encryption, proof, state,"
                " created_at) VALUES (:device, :clinician, :pairing, :key, :key, :key, 'active', 9)"
            ),
            {**theirs, "key": b"k" * 32},
        )
        frame = device.record(clinicians[0], 1)
        connection.execute(
            text("INSERT INTO records VALUES (:device, :record, :clinician, 1, 1, :sha, :frame, 9)"),
            {**theirs, "record": frame[24:40], "sha": b"s" * 32, "frame": frame},
        )
    migrate(database)
    database.close()
    store = Store.open(empty_url)
    try:
        assert {row.clinician_id for row in store.clinicians()} == {c.clinician_id for c in clinicians}
        assert [row.frame for row in store.records(clinicians[0].clinician_id, after=0, limit=9)] == [frame]
        with store.database.read() as connection:
            practices = connection.execute(text("SELECT id, name, rotation_days FROM practices")).all()
            belong = connection.execute(text("SELECT DISTINCT practice_id FROM clinicians")).scalars().all()
            kept = connection.execute(text("SELECT epoch, statement FROM reading_keys ORDER BY 2")).all()
            assert audit.verify(connection).entries == 0
        assert [tuple(row)[1:] for row in practices] == [("Practice", 30)]
        assert belong == [practices[0].id]
        assert [tuple(row) for row in kept] == sorted((1, c.statement()) for c in clinicians)
        store.add_clinician(clinicians[0].clinician_id, clinicians[0].statement(epoch=2), now=NOW)
        with store.database.read() as connection:
            assert audit.verify(connection).entries == 1
    finally:
        store.close()


def test_an_empty_first_schema_gets_no_practice(empty_url: str) -> None:
    database = at_revision(empty_url, "0001")
    migrate(database)
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM practices")).scalar_one() == 0
    database.close()


def test_cards_of_the_fifth_schema_are_carried_over_and_have_no_report_yet(empty_url: str) -> None:
    clinician, device = ClinicianParty.new(), DeviceParty.new()
    database = at_revision(empty_url, "0005")
    with database.write() as connection:
        theirs = {
            "practice": b"q" * 16,
            "clinician": clinician.clinician_id,
            "pairing": b"p" * 16,
            "device": device.device_id,
            "signing": device.signing,
            "card": b"c" * 16,
            "identity": clinician.key.public_key().public_bytes_raw(),
            "sealed": bytes(range(256)),
        }
        for said in (
            "INSERT INTO practices (id, name, rotation_days, created_at) VALUES (:practice, 'North', 30, 9)",
            "INSERT INTO clinicians (id, practice_id, identity, statement, epoch, last_cursor, created_at)"
            " VALUES (:clinician, :practice, :identity, :sealed, 1, 0, 9)",
            "INSERT INTO invitations (pairing_id, clinician_id, invitation, claim_hash, expires_at,"
            " created_at) VALUES (:pairing, :clinician, :sealed, :signing, 9, 9)",
            "INSERT INTO devices (id, clinician_id, pairing_id, signing, encryption, proof, state,"
            " created_at) VALUES (:device, :clinician, :pairing, :signing, :signing, :signing, 'active', 9)",
            "INSERT INTO cards (device_id, card_id, version, sealed, created_at, fetched_at)"
            " VALUES (:device, :card, 7, :sealed, 8, 9)",
        ):
            connection.execute(text(said), theirs)
    migrate(database)
    database.close()
    store = Store.open(empty_url)
    try:
        [owner] = store.clinicians()
        cards = CardStore(store.database)
        kept = CardRow(theirs["card"], 7, 8, 9)
        assert cards.listed(owner, device.device_id) == [kept]
        row = store.device_of(owner.clinician_id, device.device_id)
        assert cards.waiting(row, after=0, most_bytes=9)[0] == [
            SealedRow(theirs["card"], 7, theirs["sealed"])
        ]
        reported, new = cards.report(row, theirs["card"], 7, 1, b"a report", now=NOW)
        assert (reported, new) == (replace(kept, report=b"a report", reported_at=NOW), True)
    finally:
        store.close()
