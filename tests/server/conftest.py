"""One server for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.server_rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


@pytest.fixture(scope="module")
def rig_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One server for all examples of a property."""
    rig = Rig(tmp_path_factory.mktemp("server"))
    yield rig
    rig.close()
