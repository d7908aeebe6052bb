"""Rotations cut short anywhere, and keys destroyed: no key is lost, none is left that should be gone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from server import keyfile_disk, rotating
from server.clinician_client import ClinicianClient
from server.clinician_keys import Clinician
from server.errors import ServerError
from server.keyfile import change
from server.keys_client import KeysClient
from server.reader import Trust, read
from server.reader_sequence import Kind, Memory
from server.settings import database_url
from tests.clinic_rig import Clinic, noticing, send, serving
from tests.server.rotating_rig import NOW, Server, made, opened
from tests.server.server_rig import Rig
from voice.adapters.identity import load_pairing
from voice.adapters.uplink import HttpUplink
from voice.wire.keys import unwrap_private
from voice.wire.pairing import sign_approval


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "okafor.key.json"


@pytest.fixture
def server(file_rig: Rig) -> Server:
    return Server(file_rig)


@pytest.fixture
def first(path: Path, server: Server) -> Clinician:
    """A fresh key file, and its clinician on the server."""
    return server.knows(made(path))


def test_a_rotation_keeps_what_was_and_uses_what_is_new(path: Path, server: Server, first: Clinician) -> None:
    done = server.rotate(path, first)
    assert (done.resumed, done.copied) == (False, False)
    again = opened(path)
    assert again.stated.epoch == 2
    assert [epoch.number for epoch in again.epochs] == [1, 2]
    held = [key.private_bytes_raw() for key in again.readings]
    assert held == [again.reading.private_bytes_raw(), first.reading.private_bytes_raw()]
    assert again.upcoming is None
    assert server.epochs[2].statement == again.statement
    assert server.epochs[2].wrapped is None
    assert again.rotation_due_at() == NOW + 60 + 30 * 86_400
    for _ in range(10):
        server.rotate(path, opened(path))
    assert len(opened(path).readings) == 12


def test_copies_on_the_server_open_with_the_files_key_and_go_on(
    path: Path, server: Server, first: Clinician
) -> None:
    server.rotate(path, first, copy=True)
    assert all(server.epochs[epoch].wrapped for epoch in (0, 1, 2))
    assert server.rotate(path, opened(path)).copied
    assert server.client(opened(path)).keys().slots == ("recovery",)
    now = opened(path)
    raw = unwrap_private(
        server.epochs[3].wrapped or b"",
        key=now.key,
        clinician_id=now.id,
        epoch=3,
        public_raw=now.reading.public_key().public_bytes_raw(),
    )
    assert raw == now.reading.private_bytes_raw()


def test_a_rotation_on_another_machine_is_taken_over_from_its_copy(
    path: Path, server: Server, first: Clinician
) -> None:
    server.rotate(path, first, copy=True)
    elsewhere = path.with_name("laptop.json")
    elsewhere.write_bytes(path.read_bytes())
    server.rotate(elsewhere, opened(elsewhere))
    server.rotate(path, opened(path))
    here = opened(path)
    assert [epoch.number for epoch in here.epochs] == [1, 2, 3, 4]
    assert here.readings[1].private_bytes_raw() == opened(elsewhere).reading.private_bytes_raw()


def test_an_epoch_that_nobody_here_holds_stops_the_rotation(
    path: Path, server: Server, first: Clinician
) -> None:
    elsewhere = path.with_name("laptop.json")
    elsewhere.write_bytes(path.read_bytes())
    server.rotate(elsewhere, opened(elsewhere))
    before = path.read_bytes()
    with pytest.raises(ServerError, match="does not have"):
        server.rotate(path, first)
    assert path.read_bytes() == before


@pytest.mark.parametrize("copy", [False, True])
def test_a_server_that_was_restored_is_brought_up_to_date(
    path: Path, server: Server, first: Clinician, copy: bool
) -> None:
    server.rotate(path, first, copy=copy)
    server.forgets_after(1)
    server.rotate(path, opened(path))
    assert sorted(one for one in server.epochs if one) == [1, 2, 3]


@pytest.mark.parametrize("copy", [False, True])
def test_a_server_that_met_the_clinician_later_has_only_what_was_since(
    path: Path, server: Server, first: Clinician, tmp_path: Path, copy: bool
) -> None:
    later = server.rotate(path, first).clinician
    another = Server(Rig(database_url(str(tmp_path / "another.db"))))
    another.knows(later)
    another.rotate(path, later, copy=copy)
    assert sorted(one for one in another.epochs if one) == [2, 3]
    held = opened(path)
    rotating.shred(path, held, another.client(held), 1, now=NOW)
    assert len(opened(path).readings) == 2
    another.rig.close()


class Cut(BaseException):
    """The process ends here."""


DISK_STEPS = ["_beside", "remove_backup", "_sync", "link", "replace"]


def cut_at(monkeypatch: pytest.MonkeyPatch, step: str, nth: int) -> None:
    """End the process at the nth use of a step of the disk, before it is done."""
    seen = {"count": 0}
    real: Callable[..., Any]
    owner, name = {
        "link": (os, "link"),
        "replace": (Path, "replace"),
    }.get(step, (keyfile_disk, step))
    real = getattr(owner, name)

    def cutting(*given: Any, **named: Any) -> Any:
        seen["count"] += 1
        if seen["count"] == nth:
            raise Cut
        return real(*given, **named)

    monkeypatch.setattr(owner, name, cutting)


@pytest.mark.parametrize("step", DISK_STEPS)
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_rotation_cut_short_at_any_step_on_disk_goes_on_and_loses_no_key(
    path: Path, server: Server, first: Clinician, step: str, nth: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        cut_at(patch, step, nth)
        with suppress(Cut):
            server.rotate(path, first)
    between = opened(path)
    held = {key.public_key().public_bytes_raw() for key in between.readings}
    for one in server.epochs.values():
        stated = [e for e in (*between.epochs, between.upcoming) if e and e.number == one.epoch]
        assert stated, "devices may seal to it already, so it must be held"
        assert stated[0].stated.reading.public_bytes_raw() in held
    done = server.rotate(path, between) if between.stated.epoch == 1 else None
    after = opened(path)
    assert after.stated.epoch == 2
    assert after.upcoming is None
    assert server.epochs[2].statement == after.statement
    assert first.reading.private_bytes_raw() in {key.private_bytes_raw() for key in after.readings}
    change(path, after, rotation_days=20)
    assert [one.name for one in path.parent.iterdir() if ".before" in one.name] == []
    assert done is None or done.clinician.stated.epoch == 2


@pytest.mark.parametrize("fails", ["GET /v1/keys", "PUT /v1/keys/2", "PUT /v1/keys/0"])
@pytest.mark.parametrize("lost", [False, True])
def test_a_rotation_without_an_answer_goes_on(
    path: Path, server: Server, first: Clinician, fails: str, lost: bool
) -> None:
    if lost:
        server.loses_answer_of = fails
    else:
        server.fails_at = fails
    with pytest.raises(ServerError, match="did not answer"):
        server.rotate(path, first, copy=True)
    server.fails_at = server.loses_answer_of = None
    between = opened(path)
    assert between.stated.epoch == 1
    made_before = between.upcoming
    done = server.rotate(path, between, copy=True)
    assert done.resumed is (made_before is not None)
    after = opened(path)
    assert after.stated.epoch == 2
    assert server.epochs[2].statement == after.statement
    assert all(server.epochs[epoch].wrapped for epoch in (0, 1, 2))
    if made_before is not None:
        assert after.statement == made_before.statement, "the very key that was made first"


def test_a_destroyed_key_is_in_the_file_no_more(path: Path, server: Server, first: Clinician) -> None:
    server.rotate(path, first, copy=True)
    server.rotate(path, opened(path))
    held = opened(path)
    fields = json.loads(path.read_text())
    wrapped = fields["epochs"][0]["wrapped"]
    inode = os.open(path, os.O_RDONLY)
    try:
        after = rotating.shred(path, held, server.client(held), 1, now=NOW + 99)
        old_file = os.pread(inode, 1 << 20, 0)
    finally:
        os.close(inode)
    text = path.read_text()
    assert wrapped not in text
    assert json.loads(text)["epochs"][0] == {
        "epoch": 1,
        "statement": fields["epochs"][0]["statement"],
        "shredded_at": NOW + 99,
    }
    assert old_file == bytes(len(old_file)), "the file of before is overwritten, not only unlinked"
    assert list(path.parent.iterdir()) == [path]
    assert server.epochs[1].wrapped is None
    again = opened(path)
    assert [epoch.private is None for epoch in again.epochs] == [True, False, False]
    assert again.destroyed == {again.epochs[0].key_id: NOW + 99}
    assert len(again.readings) == 2
    assert after.stamp == again.stamp
    # Once more changes nothing, not even the day.
    rotating.shred(path, again, server.client(again), 1, now=NOW + 999)
    assert opened(path).destroyed == again.destroyed


def test_shredding_cut_short_is_done_again(path: Path, server: Server, first: Clinician) -> None:
    server.rotate(path, first)
    held = opened(path)
    server.loses_answer_of = "DELETE /v1/keys/1"
    with pytest.raises(ServerError, match="did not answer"):
        rotating.shred(path, held, server.client(held), 1, now=NOW)
    assert len(opened(path).readings) == 2
    server.loses_answer_of = None
    with pytest.MonkeyPatch.context() as patch:
        cut_at(patch, "remove_backup", 2)
        with pytest.raises(Cut):
            rotating.shred(path, held, server.client(held), 1, now=NOW)
    assert keyfile_disk.backup_path(path).exists()
    again = opened(path)
    rotating.shred(path, again, server.client(again), 1, now=NOW)
    assert list(path.parent.iterdir()) == [path]
    assert len(opened(path).readings) == 1


def test_after_a_shredding_cut_short_keys_are_still_rotated(
    path: Path, server: Server, first: Clinician
) -> None:
    server.rotate(path, first, copy=True)
    held = opened(path)
    server.loses_answer_of = "DELETE /v1/keys/1"
    with pytest.raises(ServerError, match="did not answer"):
        rotating.shred(path, held, server.client(held), 1, now=NOW)
    server.loses_answer_of = None
    server.rotate(path, opened(path), copy=True)
    assert opened(path).stated.epoch == 3
    assert opened(path).destroyed == {}


def test_a_hard_link_of_the_owners_is_not_overwritten(path: Path, server: Server, first: Clinician) -> None:
    server.rotate(path, first)
    mine = path.with_name("my-backup.json")
    os.link(path, mine)
    before = mine.read_bytes()
    held = opened(path)
    rotating.shred(path, held, server.client(held), 1, now=NOW)
    assert mine.read_bytes() == before


def test_the_epoch_in_use_and_one_that_is_not_there_are_not_destroyed(
    path: Path, server: Server, first: Clinician
) -> None:
    for epoch, said in ((1, "in use"), (7, "no epoch 7")):
        with pytest.raises(ServerError, match=said):
            rotating.shred(path, first, server.client(first), epoch, now=NOW)


# With the real server and a real device.


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    folder = tmp_path_factory.mktemp("clinic")
    with serving(folder / "server.db") as url:
        yield Clinic(folder, url)


def test_a_device_seals_to_the_new_key_and_all_of_it_is_read(clinic: Clinic) -> None:
    home = clinic.device("home")
    late = clinic.device("late")
    send(home, noticing(0, "before"))
    with clinic.client() as client:
        done = rotating.rotate(clinic.key_file, clinic.clinician, KeysClient(client), now=NOW + 60)
    send(home, noticing(1, "not", "yet", "known"))
    uplink = HttpUplink.of(home)
    uplink.device_state()
    uplink.close()
    pairing = load_pairing(home)
    assert pairing is not None
    assert pairing.clinician.epoch == 2
    send(home, noticing(2, "after"))
    with ClinicianClient(clinic.url, done.clinician) as client:
        devices, listing = client.devices(), client.records()
        reading = read(done.clinician, devices, listing, Memory())
        said = [record.line.text for record in reading.records if record.line]
        assert said == ["after", "not yet known", "before"]
        assert reading.flags == ()
        # A device that was paired by a link of the first epoch, and not approved, still proves it.
        assert {device.trust for device in reading.devices} == {Trust.PROOF}
        gone = rotating.shred(clinic.key_file, done.clinician, KeysClient(client), 1, now=NOW + 120)
        entries = tuple(
            replace(entry, approval=approval_of(done.clinician, entry)) for entry in client.devices()
        )
    reading = read(gone, entries, listing, Memory())
    assert [record.line.text for record in reading.records if record.line] == ["after"]
    [flag] = reading.flags
    assert (flag.kind, flag.sequence) == (Kind.DESTROYED, 1)
    assert flag.message.startswith("2 records sealed under a key that was destroyed on 2026-02-25")
    assert late.exists()


def approval_of(clinician: Clinician, entry: Any) -> bytes:
    return sign_approval(clinician.identity, entry.signing, entry.encryption, NOW)
