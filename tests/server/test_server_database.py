"""The database: migrated, durable, refused with cause and remedy when it cannot be trusted."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from server.accounts_schema import Base
from server.configuration import from_environment
from server.database import alembic_config, open_database
from server.errors import ServerError
from server.settings import Settings, database_url
from server.store import Store
from tests.server.server_rig import NOW, Rig, refused


def url(path: Path) -> str:
    return database_url(str(path))


def test_migrating_from_nothing_makes_the_schema_of_the_models(tmp_path: Path) -> None:
    database = open_database(url(tmp_path / "new" / "server.db"))
    try:
        with database.read() as connection:
            assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
            constraints = "\n".join(
                connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE sql NOT NULL").scalars()
            )
        for table in Base.metadata.tables.values():
            for constraint in table.constraints:
                assert str(constraint.name) in constraints, constraint
    finally:
        database.close()


def test_every_step_is_one_line_from_first_to_last(tmp_path: Path) -> None:
    database = open_database(url(tmp_path / "server.db"))
    try:
        with database.read() as connection:
            scripts = ScriptDirectory.from_config(alembic_config(connection))
            assert len(scripts.get_heads()) == 1
            assert MigrationContext.configure(connection).get_current_revision() == scripts.get_current_head()
    finally:
        database.close()


def test_opening_again_keeps_what_is_there(rig: Rig) -> None:
    device = rig.paired()
    frame = device.record(rig.clinician, 1)
    rig.deliver(device, frame)
    again = Store.open(rig.settings.database_url)
    try:
        assert [row.frame for row in again.records(rig.clinician.clinician_id, after=0, limit=9)] == [frame]
        assert again.nonce_key() == rig.store.nonce_key()
    finally:
        again.close()


def test_it_is_durable_and_for_this_account_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "server.db"
    database = open_database(url(path))
    try:
        with database.write() as connection:
            found = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            ]
    finally:
        database.close()
    assert found == ["wal", 2, 1]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "server.db"
    path.write_bytes(b"a shopping list\n" * 300)
    with pytest.raises(ServerError, match="is damaged") as refusal:
        open_database(url(path))
    assert "backup" in refusal.value.remedy
    assert path.read_bytes() == b"a shopping list\n" * 300


def test_a_damaged_database_is_refused(file_rig: Rig) -> None:
    device = file_rig.paired()
    for sequence in range(1, 30):
        file_rig.deliver(device, device.record(file_rig.clinician, sequence))
    file_rig.close()
    path = Path(file_rig.settings.database_url.removeprefix("sqlite:///"))
    data = bytearray(path.read_bytes())
    for page in range(4096 * 4, len(data) - 4096, 4096 * 2):
        data[page : page + 64] = b"\xa5" * 64
    path.write_bytes(data)
    with pytest.raises(ServerError, match="is damaged"):
        open_database(file_rig.settings.database_url)
    assert path.read_bytes() == data


def test_a_database_of_a_newer_version_is_refused_and_left_alone(file_rig: Rig) -> None:
    path = file_rig.settings.database_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(ServerError, match="another version"):
        open_database(file_rig.settings.database_url)
    assert file_rig.store.clinicians() != []


@pytest.mark.parametrize(
    "bad", ["nonsense://x", "sqlite://", "sqlite:///:memory:", "://", "sqlite+none:///x"]
)
def test_a_url_that_cannot_be_used_is_refused(bad: str) -> None:
    with pytest.raises(ServerError) as refusal:
        open_database(bad)
    assert refusal.value.remedy


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "server.db", tmp_path):
        with pytest.raises(ServerError, match="cannot be written"):
            open_database(url(path))


def test_when_the_database_fails_nothing_is_acknowledged(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    device = rig.paired()
    frame = device.record(rig.clinician, 1)
    with rig.store.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE records RENAME TO gone")
        connection.exec_driver_sql("ALTER TABLE server_keys RENAME TO gone_too")
    answer = rig.deliver(device, frame)
    refused(answer, 503, "storage")
    assert answer.headers["retry-after"] == "30"
    with rig.store.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE alembic_version RENAME TO gone_three")
    refused(rig.call("GET", "/ready"), 503, "storage")
    assert rig.call("GET", "/health").status_code == 200
    assert "/v1/records/{record}" in caplog.text
    assert frame[24:40].hex() not in caplog.text
    assert "INSERT" not in caplog.text
    assert "SELECT" not in caplog.text


def test_a_write_that_fails_half_way_leaves_nothing(rig: Rig) -> None:
    def half() -> None:
        with rig.store.database.write() as connection:
            connection.exec_driver_sql("DELETE FROM server_keys")
            raise RuntimeError

    key = rig.store.nonce_key()
    with pytest.raises(RuntimeError):
        half()
    assert rig.store.nonce_key() == key


def test_settings_from_the_environment(tmp_path: Path) -> None:
    settings = from_environment(
        {
            "ONEBREATH_DATABASE": str(tmp_path / "x.db"),
            "ONEBREATH_PORT": "9000",
            "ONEBREATH_HOST": "0.0.0.0",  # noqa: S104
            "ONEBREATH_PUBLIC_URL": "https://clinic.example",
        }
    )
    assert settings == Settings(
        url(tmp_path / "x.db"),
        "0.0.0.0",  # noqa: S104
        9000,
        "https://clinic.example",
    )
    assert from_environment({}).database_url.endswith("onebreath.db")


@pytest.mark.parametrize(
    "environment",
    [
        {"ONEBREATH_PORT": "x"},
        {"ONEBREATH_PORT": "65536"},
        {"ONEBREATH_PUBLIC_URL": "clinic.example"},
        {"ONEBREATH_PUBLIC_URL": "https://clinic.example/onebreath"},
        {"ONEBREATH_PUBLIC_URL": "https://clinic.example:x"},
    ],
)
def test_settings_that_make_no_sense_are_refused(environment: dict[str, str]) -> None:
    with pytest.raises(ServerError) as refusal:
        from_environment(environment)
    assert refusal.value.remedy


def test_health(rig: Rig) -> None:
    assert rig.call("GET", "/health").json() == {"status": "ok"}
    assert rig.clock.now == NOW
