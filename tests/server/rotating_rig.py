"""A key file and the real server on a line that can be cut: for rotations and what ends them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import delete, update

from server import rotating
from server.clinician_client import ClinicianClient
from server.clinician_keys import Clinician
from server.keyfile import make_key_file, unlock
from server.keys_client import KeysClient, ServedEpoch
from server.schema import Clinician as ClinicianTable
from server.schema import ReadingKey
from tests.clinic_rig import CHEAP, PASSPHRASE
from tests.server.server_rig import ORIGIN, Rig

NOW = 1_772_000_000


def made(path: Path) -> Clinician:
    clinician, _ = make_key_file(path, name="Dr Okafor", passphrase=PASSPHRASE, issued_at=NOW, cost=CHEAP)
    return clinician


def opened(path: Path) -> Clinician:
    return unlock(path, PASSPHRASE, least=CHEAP)


class Server:
    """The real server, on a line that can be cut before a call or before its answer."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.fails_at: str | None = None
        self.loses_answer_of: str | None = None
        self._clinician: Clinician | None = None

    def knows(self, clinician: Clinician) -> Clinician:
        """Add them with the statement they have now."""
        self.rig.store.add_clinician(clinician.id, clinician.statement, now=NOW)
        self._clinician = clinician
        return clinician

    def answer(self, request: httpx.Request) -> httpx.Response:
        call = f"{request.method} {request.url.path}"
        if call == self.fails_at:
            raise httpx.ConnectError("down")
        answer = self.rig.call(request.method, request.url.path, request.content, request.headers)
        if call == self.loses_answer_of:
            raise httpx.ReadTimeout("lost")
        return httpx.Response(answer.status_code, content=answer.content)

    def client(self, clinician: Clinician) -> KeysClient:
        http = httpx.Client(transport=httpx.MockTransport(self.answer))
        return KeysClient(ClinicianClient(ORIGIN, clinician, client=http, clock=self.rig.clock))

    @property
    def epochs(self) -> dict[int, ServedEpoch]:
        """What the server has."""
        assert self._clinician is not None
        with suspended(self):
            return {one.epoch: one for one in self.client(self._clinician).keys().epochs}

    def forgets_after(self, epoch: int) -> None:
        """It was restored from a backup of that time."""
        assert self._clinician is not None
        clinician_id = self._clinician.id
        statement = self.epochs[epoch].statement
        with self.rig.store.database.write() as connection:
            connection.execute(
                delete(ReadingKey).where(ReadingKey.clinician_id == clinician_id, ReadingKey.epoch > epoch)
            )
            connection.execute(
                update(ClinicianTable)
                .where(ClinicianTable.id == clinician_id)
                .values(epoch=epoch, statement=statement)
            )

    def rotate(self, path: Path, clinician: Clinician, **how: Any) -> rotating.Rotated:
        return rotating.rotate(path, clinician, self.client(clinician), now=NOW + 60, **how)


@contextmanager
def suspended(server: Server) -> Iterator[None]:
    """The line is whole for a moment."""
    cut = server.fails_at, server.loses_answer_of
    server.fails_at = server.loses_answer_of = None
    yield
    server.fails_at, server.loses_answer_of = cut
