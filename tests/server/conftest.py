"""One server for each test, on each of the two databases."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.settings import database_url
from tests.server.postgres import Cluster, binaries
from tests.server.server_rig import Rig

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A real PostgreSQL; where it is not installed its tests are skipped, but never in CI."""
    programs = binaries()
    if programs is None:
        assert not os.environ.get("CI"), "CI installs PostgreSQL"
        pytest.skip("PostgreSQL is not installed")
    cluster = Cluster.start(programs)
    yield cluster
    cluster.stop()


@pytest.fixture(params=DATABASES)
def fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new database."""
    if request.param == "sqlite":
        return database_url(str(tmp_path / "server.db"))
    made: Callable[[], str] = request.getfixturevalue("cluster").fresh
    return made()


@pytest.fixture
def rig(fresh_url: str) -> Iterator[Rig]:
    rig = Rig(fresh_url)
    yield rig
    rig.close()


@pytest.fixture
def file_rig(tmp_path: Path) -> Iterator[Rig]:
    """A server on SQLite alone, for what is about the file."""
    rig = Rig(database_url(str(tmp_path / "server.db")))
    yield rig
    rig.close()


@pytest.fixture(scope="module", params=DATABASES)
def rig_of_module(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One server for all examples of a property."""
    if request.param == "sqlite":
        url = database_url(str(tmp_path_factory.mktemp("server") / "server.db"))
    else:
        url = request.getfixturevalue("cluster").fresh()
    rig = Rig(url)
    yield rig
    rig.close()
