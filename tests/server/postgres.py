"""A real PostgreSQL for the tests: a cluster of its own in a temporary folder, stopped at the end."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psycopg

from server.database import open_database


def binaries() -> Path | None:
    """Where PostgreSQL's programs are, if they are here: Debian keeps them out of the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if found:
        return found[-1].parent
    program = shutil.which("pg_ctl")
    return Path(program).resolve().parent if program else None


@dataclass(frozen=True)
class Cluster:
    """A running server; `fresh` makes an empty, migrated database and tells its URL."""

    folder: Path
    programs: Path
    port: int

    @classmethod
    def start(cls, programs: Path, *, fsync: bool = False) -> Cluster:
        """A test's database need not outlive a power cut; a commit is seen by others all the same.

        `fsync`: as in earnest, for measuring.
        """
        folder = Path(tempfile.mkdtemp(prefix="onebreath-pg-"))
        cluster = cls(folder, programs, _free_port())
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        cluster._as_owner(
            "initdb", "-D", str(folder / "data"), "-U", "onebreath", "-A", "trust", "-E", "UTF8"
        )
        options = (
            f"-p {cluster.port} -k {folder} -c listen_addresses=127.0.0.1 -c max_connections=300 "
            f"-c fsync={'on' if fsync else 'off'}"
        )
        log = str(folder / "log")
        cluster._as_owner("pg_ctl", "-D", str(folder / "data"), "-w", "-l", log, "-o", options, "start")
        cluster._make("template1", "migrated")
        open_database(cluster.url("migrated")).close()
        return cluster

    def url(self, name: str) -> str:
        return f"postgresql://onebreath@127.0.0.1:{self.port}/{name}"

    def fresh(self) -> str:
        """The URL of a new database with this version's schema."""
        return self._make("migrated", f"test_{secrets.token_hex(6)}")

    def empty(self) -> str:
        """The URL of a new database with nothing in it."""
        return self._make("template1", f"test_{secrets.token_hex(6)}")

    def stop(self) -> None:
        self._as_owner("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def restart(self) -> None:
        """As after a crash of the database: nobody's call is waited for, nothing is tidied up first."""
        data, log = str(self.folder / "data"), str(self.folder / "log")
        self._as_owner("pg_ctl", "-D", data, "-m", "immediate", "-w", "-l", log, "restart")

    def _make(self, template: str, name: str) -> str:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def _as_owner(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        if os.geteuid() == 0:
            command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
        with (self.folder / f"{program}.out").open("ab") as said:
            done = subprocess.run(command, cwd="/", stdout=said, stderr=said)
        assert done.returncode == 0, (self.folder / f"{program}.out").read_text()


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])
