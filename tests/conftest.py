"""Shared fixtures. Tests are a package: helpers are imported as `tests.fakes`, `tests.server.server_rig`."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from tests.fakes import Rig

# What decides whether work lands asks the same questions every time; at a desk they are drawn anew.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture
def rig() -> Rig:
    """A device of fakes around the real loop, dialogue, segmenter and wording."""
    return Rig()
