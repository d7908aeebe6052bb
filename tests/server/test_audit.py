"""The audit chain: nothing can be changed, dropped or put in between unseen."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from server import audit
from server.audit import Act, Entry, Verdict, chained
from server.database import Database, open_database
from tests.server.server_rig import NOW, Rig


@pytest.fixture
def database(fresh_url: str) -> Iterator[Database]:
    database = open_database(fresh_url)
    yield database
    database.close()


def add(database: Database, *times: int) -> None:
    for at in times:
        with database.write() as connection:
            audit.write(connection, Act.SIGNED_IN, now=at, actor="account:00", subject="passkey")


def look(database: Database) -> Verdict:
    with database.read() as connection:
        return audit.verify(connection)


def change(database: Database, statement: str) -> None:
    with database.write() as connection:
        connection.execute(text(statement))


def test_a_chain_that_nobody_touched_verifies(database: Database) -> None:
    assert look(database) == Verdict(0, 1, 0, audit.NOTHING, None)
    add(database, NOW, NOW + 1, NOW + 2)
    found = look(database)
    assert (found.entries, found.first, found.last, found.broken_at) == (3, 1, 3, None)


@pytest.mark.parametrize(
    ("tampering", "broken_at"),
    [
        ("UPDATE audit SET actor = 'account:01' WHERE sequence = 2", 2),
        ("UPDATE audit SET at = at + 1 WHERE sequence = 3", 3),
        ("UPDATE audit SET subject = '' WHERE sequence = 1", 1),
        ("UPDATE audit SET practice_id = digest WHERE sequence = 1", 1),
        ("DELETE FROM audit WHERE sequence = 2", 3),
        ("DELETE FROM audit WHERE sequence = 1", 2),
        ("DELETE FROM audit WHERE sequence = 4", 4),
        ("DELETE FROM audit", 1),
        ("UPDATE audit SET sequence = sequence + 10 WHERE sequence = 4", 14),
        ("UPDATE audit_head SET sequence = 3", 5),
    ],
)
def test_every_tampering_is_found_where_it_is(database: Database, tampering: str, broken_at: int) -> None:
    add(database, NOW, NOW, NOW, NOW)
    change(database, tampering)
    assert look(database).broken_at == broken_at


def test_a_chain_that_was_made_anew_has_another_head(database: Database) -> None:
    add(database, NOW, NOW)
    head = look(database).head
    change(database, "DELETE FROM audit")
    digest = "x'" + "00" * 32 + "'" if database.engine.dialect.name == "sqlite" else "'\\x" + "00" * 32 + "'"
    change(database, f"UPDATE audit_head SET sequence = 0, digest = {digest}")  # noqa: S608
    add(database, NOW, NOW + 1)
    found = look(database)
    assert found.broken_at is None
    assert found.head != head


def test_the_digest_is_over_every_field() -> None:
    first = Entry(1, NOW, b"p" * 16, "system", "account.added", "account:00")
    others = [
        Entry(2, NOW, b"p" * 16, "system", "account.added", "account:00"),
        Entry(1, NOW, None, "system", "account.added", "account:00"),
        Entry(1, NOW, b"p" * 16, 'system","account.added', "account.added", "account:00"),
    ]
    digests = {chained(audit.NOTHING, entry) for entry in (first, *others)}
    assert len(digests) == 4
    assert chained(b"\1" * 32, first) not in digests


def test_age_removes_from_the_beginning_only_and_the_rest_verifies(database: Database) -> None:
    add(database, NOW, NOW + 5, NOW + 3, NOW + 9)
    with database.write() as connection:
        assert audit.prune(connection, before=NOW) == 0
        assert audit.prune(connection, before=NOW + 4) == 1
    found = look(database)
    assert (found.entries, found.first, found.last, found.broken_at) == (3, 2, 4, None)
    with database.write() as connection:
        assert audit.prune(connection, before=NOW + 100) == 3
    add(database, NOW + 200)
    found = look(database)
    assert (found.entries, found.first, found.last, found.broken_at) == (1, 5, 5, None)


def test_many_at_once_make_one_chain(database: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda at: add(database, at), range(40)))
    found = look(database)
    assert (found.entries, found.last, found.broken_at) == (40, 40, None)


def test_an_act_that_fails_leaves_no_entry(database: Database) -> None:
    def fail() -> None:
        with database.write() as connection:
            audit.write(connection, Act.SIGNED_IN, now=NOW, actor="account:00")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert look(database).entries == 0


def test_what_clinicians_and_devices_do_is_in_it(rig: Rig) -> None:
    device = rig.paired()
    rig.set_state(device, "revoked")
    with rig.store.database.read() as connection:
        found = audit.entries(connection)
        assert audit.verify(connection).broken_at is None
    assert [entry.act for entry in found] == [
        "practice.added",
        "clinician.added",
        "device.invited",
        "device.paired",
        "device.state",
    ]
    assert found[-1].actor == f"clinician:{rig.clinician.clinician_id.hex()}"
    assert found[-1].subject == f"device:{device.device_id.hex()} revoked"
    assert {entry.practice_id for entry in found} == {found[0].practice_id}
    assert found[0].practice_id is not None
