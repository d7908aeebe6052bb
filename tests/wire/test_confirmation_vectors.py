"""The confirmation's vectors, which the page's tests use, are those that the script makes from FORMAT.md."""

from __future__ import annotations

from pathlib import Path

from tests.vectors import make_confirmation_vectors, make_vectors


def test_the_vectors_are_those_that_the_script_makes() -> None:
    kept = Path(make_vectors.__file__).with_name(make_confirmation_vectors.NAME).read_text("ascii")
    assert kept == make_vectors.text(make_confirmation_vectors.confirmations())
