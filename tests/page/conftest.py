from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.page.page_peer import Peer, running


@pytest.fixture(scope="session")
def peer() -> Iterator[Peer]:
    """The page's own code, running."""
    with running() as made:
        yield made
