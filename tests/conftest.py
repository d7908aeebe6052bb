"""Shared fixtures. Its being here also lets tests import `fakes` by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from fakes import Rig

if TYPE_CHECKING:
    from room import Room


@pytest.fixture
def rig() -> Rig:
    """A device of fakes around the real loop, dialogue, segmenter and wording."""
    return Rig()


@pytest.fixture(scope="session")
def virtual_room() -> Iterator[Room]:
    """A private sound server with a room and a speaker; skips where there is none to be had."""
    import room  # beside the tests that use it

    if not room.available():
        pytest.skip(room.MISSING)
    with room.virtual_room() as opened:
        yield opened
