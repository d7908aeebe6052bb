"""`onebreath account set-up` and `code`: an account from a key file, at a real server."""

from __future__ import annotations

import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from server.account_client import parse_set_up
from server.accounts import TOKEN_BYTES, invite_account
from server.clinician_client import ClinicianClient
from server.commands import account
from server.errors import ServerError
from server.key_slots import RECOVERY, open_wrapping_slot
from server.keyfile import make_key_file, unlock
from server.keys_client import KeysClient, ServedKeys
from server.practices import add_practice
from server.rotating import rotate
from server.settings import database_url
from server.store import Store
from tests.clinic_rig import PASSPHRASE, serving
from voice.wire.encoding import b64url
from voice.wire.keys import IDENTITY_EPOCH


class Desk:
    """A clinician's folder beside a server, and an invitation."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.key_file = folder / "okafor.key.json"
        self.authenticator = folder / "authenticator.txt"
        self.clinician, self.code = make_key_file(
            self.key_file, name="Dr Okafor", passphrase=PASSPHRASE, issued_at=int(time.time())
        )
        self.store = Store.open(database_url(str(folder / "server.db")))
        self.practice = add_practice(self.store.database, "North Street", now=9).practice_id

    def invite(self, role: str = "clinician", name: str = "okafor") -> str:
        token = secrets.token_bytes(TOKEN_BYTES)
        now = int(time.time())
        invite_account(
            self.store.database, self.practice, name=name, role=role, token=token, now=now, actor="system"
        )
        return f"{self.url}/set-up#{b64url(token)}"

    def run(self, *arguments: str, typed: str = "") -> Result:
        return CliRunner().invoke(
            account.command, arguments, input=typed, env={"ONEBREATH_PASSPHRASE": PASSPHRASE}
        )

    def set_up(self, link: str, code: str | None = None) -> Result:
        where = ("--key-file", str(self.key_file), "--authenticator", str(self.authenticator))
        return self.run("set-up", "-", *where, typed=f"{link}\n{code or self.code}\n")

    @contextmanager
    def client(self) -> Iterator[ClinicianClient]:
        with ClinicianClient(self.url, unlock(self.key_file, PASSPHRASE)) as client:
            yield client

    def served(self) -> ServedKeys:
        with self.client() as client:
            return KeysClient(client).keys()

    def rotate(self, *, copy: bool = False) -> None:
        with self.client() as client:
            clinician = unlock(self.key_file, PASSPHRASE)
            rotate(self.key_file, clinician, KeysClient(client), now=int(time.time()), copy=copy)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with serving(tmp_path / "server.db") as url:
        made = Desk(tmp_path, url)
        yield made
        made.store.close()


def test_the_key_file_s_keys_open_the_page_too(desk: Desk) -> None:
    done = desk.set_up(desk.invite())
    assert done.exit_code == 0, done.output + str(done.exception)
    assert "The account okafor is set up" in done.output
    served = desk.served()
    assert sorted(served.slots) == ["passphrase", RECOVERY]
    assert {one.epoch for one in served.epochs if one.wrapped is not None} == {IDENTITY_EPOCH, 1}
    with desk.client() as client:
        slots = [one["fields"] for one in client.call("GET", "/v1/keys")["slots"]]
    [slot] = [fields for fields in slots if fields["type"] == "passphrase"]
    assert open_wrapping_slot(slot, PASSPHRASE) == desk.clinician.key
    assert stat.S_IMODE(desk.authenticator.stat().st_mode) == 0o600
    shown = desk.run("code", str(desk.authenticator))
    assert re.match(r"[0-9]{6}\n", shown.output)


def test_every_epoch_that_the_server_has_a_place_for_is_given(desk: Desk) -> None:
    desk.store.add_clinician(desk.clinician.id, desk.clinician.statement, now=9, practice_id=desk.practice)
    desk.rotate(copy=True)
    desk.rotate()
    done = desk.set_up(desk.invite())
    assert done.exit_code == 0, done.output + str(done.exception)
    served = desk.served()
    assert sorted(served.slots) == ["passphrase", RECOVERY]
    assert {one.epoch for one in served.epochs if one.wrapped is not None} == {IDENTITY_EPOCH, 1, 2, 3}


def test_what_is_wrong_is_said_and_the_link_still_serves(desk: Desk) -> None:
    link = desk.invite()
    _, another = make_key_file(desk.folder / "other.json", name="Dr Lee", passphrase=PASSPHRASE, issued_at=9)
    for code in (another, "not a code"):
        refused(desk.set_up(link, code), "recovery code")
    assert not desk.authenticator.exists()
    desk.authenticator.write_text("mine already")
    refused(desk.set_up(link), "cannot be made")
    assert desk.authenticator.read_text() == "mine already"
    refused(desk.run("code", str(desk.authenticator)), "no known form")
    desk.authenticator.unlink()
    refused(desk.set_up(desk.invite("administrator", "boss")), "administrator")
    assert desk.set_up(link).exit_code == 0
    refused(desk.set_up(link), "was used")


def refused(done: Result, why: str) -> None:
    assert (done.exit_code, why in done.output) == (1, True), done.output


@pytest.mark.parametrize(
    "link",
    [
        "",
        "https://clinic.example/",
        "https://clinic.example/set-up#",
        "https://clinic.example/set-up#%%%",
        "https://clinic.example/pair/x#abc",
        "ftp://clinic.example/set-up#abcd",
        "http://clinic.example/set-up#abcd",
    ],
)
def test_what_is_no_set_up_link_is_told(link: str) -> None:
    with pytest.raises(ServerError):
        parse_set_up(link)
