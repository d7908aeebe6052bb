"""Shared fixtures. Tests are a package: helpers are imported as `tests.fakes`, `tests.server.server_rig`."""

from __future__ import annotations

import pytest

from tests.fakes import Rig


@pytest.fixture
def rig() -> Rig:
    """A device of fakes around the real loop, dialogue, segmenter and wording."""
    return Rig()
