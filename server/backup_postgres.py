"""PostgreSQL's own programs for copies of a database: pg_dump and pg_restore."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import make_conninfo
from sqlalchemy.engine import URL

from server.errors import ServerError


def dump(url: URL, snapshot: str, copy: Path) -> None:
    """Write what a snapshot sees, in the custom format, to a new file. Raises ServerError."""
    program = _program("pg_dump")
    name, environment = _connection(url)
    arguments = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}"]
    opened = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(opened, "wb") as file:
        done = subprocess.run(
            [program, *arguments, f"--dbname={name}"],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.PIPE,
            env=environment,
            check=False,
        )
        os.fsync(file.fileno())
    _succeeded("pg_dump", done.returncode, done.stderr)


def restore(url: URL, copy: Path) -> None:
    """Put a copy in place of the same tables of a database, in one transaction. Raises ServerError."""
    program = _program("pg_restore")
    name, environment = _connection(url)
    arguments = ["--clean", "--if-exists", "--no-owner", "--no-privileges", "--single-transaction"]
    done = subprocess.run(
        [program, *arguments, "--exit-on-error", f"--dbname={name}", str(copy)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment,
        check=False,
    )
    _succeeded("pg_restore", done.returncode, done.stderr)


@contextmanager
def script(copy: Path, *tables: str) -> Iterator[Iterator[str]]:
    """The lines of a copy as an SQL script of its data alone; of these tables only, if any are named."""
    chosen = [f"--table={table}" for table in tables]
    command = [_program("pg_restore"), "--data-only", "--no-owner", "--file=-", *chosen, str(copy)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8"
    ) as process:
        assert process.stdout is not None  # noqa: S101
        try:
            yield iter(process.stdout)
        except BaseException:
            process.kill()
            raise
        ended = process.wait()
    _succeeded("pg_restore", ended, b"the copy cannot be read")


def _program(name: str) -> str:
    """Debian keeps the newest version's programs out of the path, and a wrapper in it."""
    found = shutil.which(name)
    if found is None:
        raise ServerError(
            f"{name} is needed for backups of PostgreSQL, and is not installed here.",
            "Install it: sudo apt-get install postgresql-client (of the server's version, or newer)",
        )
    return found


def _connection(url: URL) -> tuple[str, Mapping[str, str]]:
    """The connection for libpq; a password goes by the environment, since others can see arguments."""
    options: dict[str, str] = {
        key: value if isinstance(value, str) else value[-1] for key, value in url.query.items()
    }
    named = {"host": url.host, "port": url.port, "user": url.username, "dbname": url.database}
    said = make_conninfo("", **options, **{key: value for key, value in named.items() if value is not None})
    environment = dict(os.environ)
    if url.password is not None:
        environment["PGPASSWORD"] = str(url.password)
    return said, environment


def _succeeded(program: str, status: int, said: bytes | Sequence[int]) -> None:
    if status == 0:
        return
    lines = bytes(said).decode("utf-8", "replace").strip().splitlines()
    why = next(
        (line for line in lines if "error" in line.lower()), lines[-1] if lines else "it does not say why"
    )
    raise ServerError(
        f"{program} failed: {why}.",
        "Check that the database can be reached, and that this program is not older than its server.",
    )
