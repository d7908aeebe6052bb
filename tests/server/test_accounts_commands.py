"""`onebreath practice` and `onebreath account`, and the migration that lets a reader be invited."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from click.testing import CliRunner, Result
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from server.app import create_app
from server.commands import account, practice
from server.database import Database, alembic_config, connect, migrate
from server.settings import Settings, database_url
from server.store import Store
from tests.server.account_rig import Person
from tests.server.server_rig import NOW, ClinicianParty, Rig
from voice.wire.encoding import from_b64url


def run(group: object, database: Path, *arguments: str) -> Result:
    return CliRunner().invoke(group, [*arguments, "--database", str(database)])  # type: ignore[arg-type]


def test_from_an_empty_server_to_somebody_signed_in(tmp_path: Path) -> None:
    database = tmp_path / "onebreath.db"
    nothing = run(practice.command, database, "list")
    assert (nothing.exit_code, database.exists()) == (1, False)
    assert "There is no database" in nothing.output
    none_yet = run(account.command, database, "invite", "--name", "boss", "--role", "administrator")
    assert none_yet.exit_code == 1
    assert "practice add" in none_yet.output
    added = run(practice.command, database, "add", "--name", "North Street")
    assert added.exit_code == 0, added.output
    invite = ("invite", "--practice", "North Street", "--role", "clinician", "--name", "dr.okafor")
    made = run(account.command, database, *invite, "--server", "https://clinic.example/")
    link = made.output.strip().splitlines()[-1]
    assert link.startswith("https://clinic.example/set-up#")
    again = run(account.command, database, *invite)
    assert again.exit_code == 1
    assert "already" in again.output
    renewed = run(account.command, database, *invite, "--again")
    token = from_b64url(renewed.output.strip().rpartition("#")[2], 32)
    rig = Rig.__new__(Rig)
    rig.settings = Settings(database_url(str(database)))
    store = Store.open(rig.settings.database_url)
    with store.database.read() as connection:
        expires = connection.execute(text("SELECT setup_expires_at FROM accounts")).scalar_one()
    rig.clock = type("Fixed", (), {"now": expires - 3600, "__call__": lambda self: self.now})()
    rig.app, rig.store = create_app(rig.settings, clock=rig.clock), store
    person = Person(rig, "dr.okafor", "clinician", b"", token, b"", ClinicianParty.new())
    assert person.set_up().get("/v1/clinician").status_code == 200
    listed = run(account.command, database, "list")
    assert "dr.okafor" in listed.output
    assert "active" in listed.output
    assert run(account.command, database, "close", "Dr.Okafor").exit_code == 0
    assert "closed" in run(account.command, database, "list").output
    missing = run(account.command, database, "close", "dr.okafor")
    assert (missing.exit_code, "no account" in missing.output) == (1, True)
    rig.app.state.context.store.close()
    store.close()


def test_commands_use_the_database_of_the_server_s_own_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, file = tmp_path / "named.db", tmp_path / "server.toml"
    file.write_text(f'database = "{database}"\n')
    monkeypatch.setenv("ONEBREATH_CONFIG", str(file))
    monkeypatch.delenv("ONEBREATH_DATABASE", raising=False)
    added = CliRunner().invoke(practice.command, ["add", "--name", "North Street"])
    assert added.exit_code == 0, added.output
    assert database.exists()
    assert "Street" in CliRunner().invoke(practice.command, ["list"]).output


def test_policies_and_several_practices(tmp_path: Path) -> None:
    database = tmp_path / "onebreath.db"
    for name in ("North", "South"):
        assert run(practice.command, database, "add", "--name", name).exit_code == 0
    unclear = run(practice.command, database, "policy", "--rotation-days", "7")
    assert (unclear.exit_code, "--practice" in unclear.output) == (1, True)
    changed = run(practice.command, database, "policy", "--practice", "south", "--retention-days", "2190")
    assert "2190 days" in changed.output
    back = run(practice.command, database, "policy", "--practice", "South", "--retention-days", "0")
    assert "without end" in back.output
    wrong = run(practice.command, database, "policy", "--practice", "South", "--rotation-days", "0")
    assert wrong.exit_code == 1
    nowhere = run(practice.command, database, "policy", "--practice", "East")
    assert (nowhere.exit_code, "no such practice" in nowhere.output) == (1, True)
    assert "North" in run(practice.command, database, "list").output
    assert run(practice.command, database, "add", "--name", " ").exit_code == 1


def at_revision(url: str, revision: str) -> Database:
    database = connect(url)
    with database.schema_change() as connection:
        command.upgrade(alembic_config(connection), revision)
    return database


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return database_url(str(tmp_path / "server.db"))
    made: Callable[[], str] = request.getfixturevalue("cluster").empty
    return made()


def test_accounts_and_what_hangs_on_them_are_carried_over(empty_url: str) -> None:
    database = at_revision(empty_url, "0004")
    row = {"p": b"p" * 16, "a": b"a" * 16, "now": NOW}
    with database.write() as connection:
        connection.execute(
            text("INSERT INTO practices (id, name, created_at, rotation_days) VALUES (:p, 'P', 1, 30)"), row
        )
        columns = "id, practice_id, name, role, state, created_at, totp_step, failures, locked_until, zone"
        insert = f"INSERT INTO accounts ({columns}) VALUES"
        connection.execute(
            text(f"{insert} (:a, :p, 'boss', 'administrator', 'active', :now, 7, 0, 0, 'UTC')"), row
        )
        connection.execute(text("INSERT INTO sessions VALUES (:p, :a, 'totp', 1, 1, 1)"), row)
    migrate(database)
    invited = text(f"{insert} (:a, :p, :name, :role, :state, :now, 0, 0, 0, 'UTC')")
    reader = {**row, "a": b"b" * 16, "name": "reader", "role": "cover", "state": "invited"}
    with database.write() as connection:
        kept = connection.execute(text("SELECT name, totp_step FROM accounts")).one()
        assert tuple(kept) == ("boss", 7)
        assert connection.execute(text("SELECT count(*) FROM sessions")).scalar_one() == 1
        connection.execute(invited, reader)
    for bad in (
        {"state": "active"},
        {"state": "asleep"},
        {"role": "owner"},
        {"name": "boss"},
        {"a": b"a" * 16},
        {"p": b"x" * 16},
    ):
        with pytest.raises(IntegrityError), database.write() as connection:
            connection.execute(invited, {**reader, "a": b"c" * 16, "name": "other", **bad})
    database.close()
