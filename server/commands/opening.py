"""What commands on the server's machine share: its database, a practice by its name, refusals as errors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy.engine import make_url

from server.configuration import load, read_document
from server.errors import RefusedError, ServerError
from server.practices import PracticeRow, practices
from server.store import Store

DATABASE = click.option(
    "--database",
    envvar="ONEBREATH_DATABASE",
    show_envvar=True,
    help="The server's database: a URL, or the path of an SQLite file. [default: as `onebreath serve`]",
)


def url_of(database: str | None, config: Path | None = None) -> str:
    """The database that `onebreath serve` uses: as told here, in the environment, or in its file."""
    return load(os.environ, read_document(os.environ, config), {"database": database}).database_url


@contextmanager
def opened(database: str | None, *, made: bool = False) -> Iterator[Store]:
    """The server's store, given back at the end.

    Raises ServerError; unless it may be `made`, for an SQLite file that is not there too: of an empty
    database that a mistyped path made, every check would say that all is well.
    """
    url = url_of(database)
    path = make_url(url).database if url.startswith("sqlite") else None
    if path and not made and not Path(path).exists():
        raise ServerError(
            f"There is no database at {path}.",
            'Give the server\'s own with --database, or begin: onebreath practice add --name "North Street"',
        )
    store = Store.open(url)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def told_here() -> Iterator[None]:
    """What a caller would be refused with is said to the person at this machine."""
    try:
        yield
    except RefusedError as refused:
        raise ServerError(refused.message, refused.remedy) from refused


def named_practice(store: Store, start: str | None) -> PracticeRow:
    """The practice whose id begins so, or has this name; None: the only one. Raises ServerError."""
    with store.database.read() as connection:
        known = practices(connection)
    if start is None:
        found = known
    else:
        wanted = start.strip().lower()
        found = [
            row
            for row in known
            if wanted and (row.practice_id.hex().startswith(wanted) or row.name.lower() == wanted)
        ]
    if len(found) == 1:
        return found[0]
    if not known:
        raise ServerError(
            "There is no practice yet.", 'Add one: onebreath practice add --name "North Street"'
        )
    raise ServerError(
        "There are several practices here." if found else "There is no such practice.",
        "Name one with --practice; see: onebreath practice list",
    )
