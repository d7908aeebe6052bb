"""Several calls' writes in one commit: each gets its own outcome, and none has another's."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from server.errors import RefusedError
from server.schema import UsedNonce
from server.together import Together
from tests.server.server_rig import Rig


def keep(nonce: str) -> Callable[[Connection], str]:
    def work(connection: Connection) -> str:
        connection.execute(insert(UsedNonce).values(nonce=nonce, expires_at=1))
        return nonce

    return work


def refuse(_: Connection) -> str:
    raise RefusedError(409, "conflict", "No.")


def kept(rig: Rig) -> list[str]:
    with rig.store.database.read() as connection:
        return list(connection.execute(select(UsedNonce.nonce)).scalars())


def outcome(call: Callable[[], str]) -> str:
    try:
        return call()
    except RefusedError:
        return "refused"
    except IntegrityError:
        return "taken"


def test_whoever_waits_is_committed_together_and_gets_its_own_outcome(rig: Rig) -> None:
    """A hundred at once: some refuse, some break the table's rule, the rest are kept, each once."""
    together = Together(rig.store.database)
    names = [secrets.token_hex(4) for _ in range(60)]
    works = [keep(name) for name in names] + [keep(names[0])] * 5 + [refuse] * 35
    with ThreadPoolExecutor(40) as pool:
        found = list(pool.map(lambda work: outcome(lambda: together.run(work)), works))
    assert sorted(kept(rig)) == sorted(names)
    assert found.count("refused") == 35
    assert found.count("taken") == 5
    assert sorted(name for name in found if name not in ("refused", "taken")) == sorted(names)


def test_on_sqlite_one_commit_takes_all_who_waited(file_rig: Rig) -> None:
    together, database = Together(file_rig.store.database), file_rig.store.database
    begun, go = threading.Event(), threading.Event()
    connections: list[int] = []

    def first(connection: Connection) -> str:
        begun.set()
        assert go.wait(30)
        return "first"

    def later(connection: Connection) -> str:
        connections.append(id(connection))
        return "later"

    with ThreadPoolExecutor(9) as pool:
        leader = pool.submit(together.run, first)
        assert begun.wait(30)
        followers = [pool.submit(together.run, later) for _ in range(8)]
        while len(together._waiting) < 8:
            pass
        go.set()
        assert leader.result(30) == "first"
        assert [one.result(30) for one in followers] == ["later"] * 8
    assert len(set(connections)) == 1, "one transaction"
    assert database.engine.dialect.name == "sqlite"


def test_what_fails_at_the_commit_is_told_to_each_and_keeps_nothing(
    file_rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = Together(file_rig.store.database)

    def broken(connection: Connection) -> str:
        keep("half")(connection)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        together.run(broken)
    assert kept(file_rig) == []
    assert together.run(keep("whole")) == "whole"
    assert kept(file_rig) == ["whole"]
