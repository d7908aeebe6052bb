"""What is costly is made once: the room, and a device's life as processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end import room
from tests.end_to_end.exchange import Exchange, exchange
from tests.end_to_end.malice import World, opened
from tests.server.conftest import cluster, fresh_url

__all__ = ["cluster", "fresh_url"]


@pytest.fixture(scope="session")
def virtual_room() -> Iterator[room.Room]:
    """A private sound server with a room and a speaker; skips where there is none to be had."""
    if not room.available():
        pytest.skip(room.MISSING)
    with room.virtual_room() as opened:
        yield opened


@pytest.fixture(scope="session")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """A device's life from pairing to a read queue, over."""
    with exchange(tmp_path_factory.mktemp("life")) as over:
        yield over


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An honest server, a hostile one before it, and people who use them."""
    with opened(tmp_path_factory.mktemp("malice")) as made:
        yield made
