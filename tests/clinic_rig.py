"""A clinic for tests: a real server on loopback, a clinician with keys, devices that seal and send."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvicorn

from server.app import create_app
from server.clinician_client import ClinicianClient, DeviceEntry, Listing
from server.key_slots import Cost
from server.keyfile import make_key_file
from server.settings import Settings
from server.store import Store
from voice.adapters.identity import sealer
from voice.adapters.pairing import pair
from voice.adapters.recovery import open_store
from voice.adapters.uplink import HttpUplink
from voice.noticing import Noticing
from voice.outbox import Outbox
from voice.transcript import Transcript, Word
from voice.wire.keys import fingerprint
from voice.wire.pairing import Link, make_invitation

PASSPHRASE = "four unrelated kettle words"
CHEAP = Cost(passes=1, memory_kib=32, lanes=1)
MONDAY = datetime(2026, 3, 2, 23, 5, tzinfo=UTC)


@contextmanager
def serving(database: Path) -> Iterator[str]:
    """The real server in a thread, on a free port of loopback; its URL."""
    app = create_app(Settings(f"sqlite:///{database}"))
    bound = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, access_log=False, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        bound.close()


class Clinic:
    """One clinician on one server, in `folder`."""

    def __init__(self, folder: Path, url: str, *, cost: Cost = CHEAP) -> None:
        self.url = url
        self.folder = folder
        self.key_file = folder / "okafor.key.json"
        self.clinician, self.recovery_code = make_key_file(
            self.key_file, name="Dr Okafor", passphrase=PASSPHRASE, issued_at=int(time.time()), cost=cost
        )
        store = Store.open(f"sqlite:///{folder / 'server.db'}")
        store.add_clinician(self.clinician.id, self.clinician.statement, now=int(time.time()))
        store.close()

    def client(self) -> ClinicianClient:
        return ClinicianClient(self.url, self.clinician)

    def link(self, *, minutes: int = 60) -> str:
        """A pairing link, its invitation with the server."""
        pairing_id, secret = secrets.token_bytes(16), secrets.token_bytes(16)
        invitation = make_invitation(
            self.clinician.identity,
            self.clinician.reading.public_key(),
            pairing_id=pairing_id,
            secret=secret,
            expires_at=int(time.time()) + minutes * 60,
        )
        with self.client() as client:
            client.invite(invitation)
        print_of_key = fingerprint(self.clinician.identity.public_key())
        return str(Link(self.url, pairing_id, secret, print_of_key))

    def device(self, name: str) -> Path:
        """The home of a freshly paired device."""
        home = self.folder / name
        pair(home, self.link())
        return home

    def listed(self) -> tuple[tuple[DeviceEntry, ...], Listing]:
        with self.client() as client:
            return client.devices(), client.records()


def noticing(days: int, *words: str, part: str = "the foreman") -> Noticing:
    """A noticing that many days after Monday 2 March; without words, without a line."""
    line = Transcript(tuple(Word(word) for word in words), "vosk") if words else None
    return Noticing(part, MONDAY + timedelta(days=days), line)


def send(home: Path, *noticings: Noticing) -> int:
    """Save and deliver them; how many were delivered."""
    uplink = HttpUplink.of(home)
    with open_store(home) as store:
        outbox = Outbox(store, sealer(home), lambda: secrets.token_bytes(16))
        for one in noticings:
            outbox.save(one)
        flushed = outbox.flush(uplink, 0.0, ignore_hold=True)
    uplink.close()
    return flushed.delivered
