"""Backups on both databases: taken under load, checked, brought back, and refused when altered."""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
import stat
import tarfile
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select, text

from server import audit, backup, backup_postgres
from server.backup_contents import ContentError, copied_rows
from server.commands.backup import command
from server.database import connect, open_database
from server.errors import ServerError
from server.schema import AuditEntry
from server.settings import database_url
from server.store import Store
from tests.server.server_rig import NOW, DeviceParty, Rig
from voice.wire.envelope import digest, parse_frame

LATER = NOW + 3600


@pytest.fixture
def elsewhere(rig: Rig, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A place of the same kind of database, with nothing in it."""
    if rig.settings.database_url.startswith("sqlite"):
        return database_url(str(tmp_path / "restored" / "server.db"))
    url: str = request.getfixturevalue("cluster").empty()
    return url


def stored(url: str, clinician_id: bytes) -> list[bytes]:
    store = Store.open(url)
    try:
        return [row.frame for row in store.records(clinician_id, after=0, limit=10_000)]
    finally:
        store.close()


def filled(rig: Rig, count: int = 5) -> list[bytes]:
    device = rig.paired()
    frames = [device.record(rig.clinician, sequence) for sequence in range(1, count + 1)]
    for frame in frames:
        assert rig.deliver(device, frame).status_code == 201
    return frames


def test_what_is_restored_is_what_was_there(rig: Rig, elsewhere: str, tmp_path: Path) -> None:
    frames = filled(rig)
    path, manifest = backup.create(rig.settings.database_url, tmp_path, now=NOW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert manifest.counts["records"] == 5
    assert backup.verify(path) == manifest
    filled(rig, 3)
    backup.restore(path, elsewhere, now=LATER)
    assert stored(elsewhere, rig.clinician.clinician_id) == frames
    database = open_database(elsewhere)
    try:
        with database.read() as connection:
            verdict = audit.verify(connection)
            newest = connection.execute(
                select(AuditEntry.act, AuditEntry.at, AuditEntry.subject)
                .order_by(AuditEntry.sequence.desc())
                .limit(1)
            ).one()
    finally:
        database.close()
    assert verdict.broken_at is None
    assert verdict.last == manifest.audit_sequence + 1
    assert (newest.act, newest.at) == ("backup.restored", LATER)
    assert manifest.sha256.startswith(newest.subject.split()[0].removeprefix("backup:"))


@dataclass
class Load:
    """Devices that deliver without end, each in a thread; what was acknowledged is noted."""

    rig: Rig
    acknowledged: list[bytes] = field(default_factory=list)
    enough: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)

    def deliver(self, device: DeviceParty, wanted: int) -> None:
        store = Store(connect(self.rig.settings.database_url))
        sequence = 0
        try:
            while not self.stop.is_set():
                sequence += 1
                frame = device.record(self.rig.clinician, sequence)
                store.take_record(parse_frame(frame), frame, digest(frame), now=NOW)
                self.acknowledged.append(frame)
                if len(self.acknowledged) >= wanted:
                    self.enough.set()
        finally:
            store.close()


def test_a_restore_drill_under_load(rig: Rig, elsewhere: str, tmp_path: Path) -> None:
    """Every record acknowledged before the backup began is in the restored copy, byte for byte."""
    load = Load(rig)
    threads = [threading.Thread(target=load.deliver, args=(rig.paired(), 60)) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        assert load.enough.wait(60)
        before = list(load.acknowledged)
        path, manifest = backup.create(rig.settings.database_url, tmp_path, now=NOW)
    finally:
        load.stop.set()
        for thread in threads:
            thread.join(60)
    assert len(load.acknowledged) > len(before), "it wrote meanwhile"
    backup.restore(path, elsewhere, now=LATER)
    back = stored(elsewhere, rig.clinician.clinician_id)
    assert set(before) <= set(back) <= set(load.acknowledged)
    assert len(back) == manifest.counts["records"] == len(set(back))


def test_a_database_that_is_not_empty_is_replaced_only_by_force(rig: Rig, tmp_path: Path) -> None:
    url = rig.settings.database_url
    frames = filled(rig)
    path, _ = backup.create(url, tmp_path / "one", now=NOW)
    more = filled(rig, 2)
    with pytest.raises(ServerError, match="not empty") as refusal:
        backup.restore(path, url, now=LATER)
    assert "--force" in refusal.value.remedy
    assert stored(url, rig.clinician.clinician_id) == frames + more
    rig.store.close()
    restored = backup.restore(path, url, now=LATER, force=True)
    assert stored(url, rig.clinician.clinician_id) == frames
    if restored.set_aside is not None:
        assert stored(database_url(str(restored.set_aside)), rig.clinician.clinician_id) == frames + more
    assert (restored.set_aside is not None) == url.startswith("sqlite")


def test_a_file_in_use_is_not_replaced(file_rig: Rig, tmp_path: Path) -> None:
    url = file_rig.settings.database_url
    frames = filled(file_rig)
    path, _ = backup.create(url, tmp_path / "one", now=NOW)
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as user:
        user.execute("BEGIN")
        user.execute("SELECT * FROM records").fetchone()
        with pytest.raises(ServerError, match="in use"):
            backup.restore(path, url, now=LATER, force=True)
    assert stored(url, file_rig.clinician.clinician_id) == frames
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []


def test_the_sign_ins_of_the_past_do_not_come_back(rig: Rig, elsewhere: str, tmp_path: Path) -> None:
    with rig.store.database.write() as connection:
        practice = connection.execute(text("SELECT id FROM practices")).scalar_one()
        values = {"id": b"a" * 16, "practice": practice, "hash": b"h" * 32, "now": NOW}
        connection.execute(
            text(
                "INSERT INTO accounts (id, practice_id, name, role, state, created_at, totp_step, failures,"
                " locked_until, zone) VALUES (:id, :practice, 'ada', 'administrator', 'active', :now,"
                " 0, 0, 0, 'UTC')"
            ),
            values,
        )
        connection.execute(
            text(
                "INSERT INTO sessions (token_hash, account_id, factor, created_at, seen_at, expires_at)"
                " VALUES (:hash, :id, 'totp', :now, :now, :now)"
            ),
            values,
        )
    path, manifest = backup.create(rig.settings.database_url, tmp_path, now=NOW)
    assert manifest.counts["sessions"] == 1
    backup.restore(path, elsewhere, now=LATER)
    database = open_database(elsewhere)
    try:
        with database.read() as connection:
            assert connection.execute(text("SELECT count(*) FROM sessions")).scalar_one() == 0
            assert connection.execute(text("SELECT count(*) FROM accounts")).scalar_one() == 1
    finally:
        database.close()


def test_a_backup_holds_what_was_sealed_and_not_what_was_said(rig: Rig, tmp_path: Path) -> None:
    """The rig's records say "a line": neither it nor any private key is in a backup's bytes."""
    filled(rig)
    device = rig.paired()
    path, _ = backup.create(rig.settings.database_url, tmp_path, now=NOW)
    if not rig.settings.database_url.startswith("sqlite"):
        with backup._extracted(path) as (_, copy), backup_postgres.script(copy) as lines:
            data = "".join(lines).encode()
    else:
        data = path.read_bytes()
    assert b"records" in data
    for secret in (
        b"a line",
        rig.clinician.reading.private_bytes_raw(),
        rig.clinician.key.private_bytes_raw(),
        device.key.private_bytes_raw(),
        device.box.private_bytes_raw(),
    ):
        assert secret not in data
        assert secret.hex().encode() not in data


def inside(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()


def tampered(path: Path, change: Callable[[bytes], bytes], *, member: str = "database") -> Path:
    """A copy of a backup with one member changed; the manifest's digest is made to fit the database."""
    other = path.with_name("tampered")
    with tarfile.open(path) as archive:
        manifest = json.loads(inside(archive, "manifest.json"))
        name = next(one for one in archive.getnames() if one.startswith("database"))
        data = inside(archive, name)
    if member == "database":
        data = change(data)
        manifest |= {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        said = json.dumps(manifest).encode()
    else:
        said = change(json.dumps(manifest).encode())
    with tarfile.open(other, "w") as archive:
        for entry, content in (("manifest.json", said), (name, data)):
            info = tarfile.TarInfo(entry)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return other


def edited(statement: str, tmp_path: Path) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        file = tmp_path / "edited.db"
        file.write_bytes(data)
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute(statement)
        return file.read_bytes()

    return change


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE records SET frame = zeroblob(3000) WHERE sequence = 2", "was altered"),
        ("UPDATE records SET record_id = zeroblob(16) WHERE sequence = 2", "another's place"),
        ("DELETE FROM records WHERE sequence = 2", "other rows"),
        ("UPDATE audit SET actor = 'nobody' WHERE sequence = 1", "audit log is broken at entry 1"),
        ("DELETE FROM audit WHERE sequence = 2", "audit log is broken"),
        ("UPDATE audit_head SET sequence = sequence + 1", "audit log is broken"),
        ("UPDATE devices SET signing = zeroblob(32)", "does not hold"),
        ("DROP TABLE audit_head", "no head"),
    ],
)
def test_a_backup_that_was_altered_is_refused(
    file_rig: Rig, tmp_path: Path, statement: str, why: str
) -> None:
    """Even with its digest made to fit: what is inside has to hold too."""
    filled(file_rig)
    path, _ = backup.create(file_rig.settings.database_url, tmp_path, now=NOW)
    bad = tampered(path, edited(statement, tmp_path))
    with pytest.raises(ServerError, match=why) as refusal:
        backup.verify(bad)
    assert refusal.value.remedy
    with pytest.raises(ServerError, match=why):
        backup.restore(bad, database_url(str(tmp_path / "new" / "x.db")), now=LATER)
    assert not (tmp_path / "new" / "x.db").exists()


@pytest.mark.parametrize(
    ("member", "change", "why"),
    [
        ("manifest", lambda said: said.replace(b'"records": 5', b'"records": 6'), "other rows"),
        (
            "manifest",
            lambda said: said.replace(b'"audit_sequence": ', b'"audit_sequence": 1'),
            "audit log is not",
        ),
        ("manifest", lambda said: said.replace(b"backup 1", b"backup 2"), "not one that this version"),
        ("manifest", lambda said: said.replace(b'"sha256": "', b'"sha256": "x'), "manifest cannot be read"),
        ("manifest", lambda _: b"[]", "manifest cannot be read"),
        ("manifest", lambda said: said.replace(b'"size": ', b'"size": 1'), "not the one"),
        ("database", lambda data: data[:20_000], "cannot be read"),
        ("database", lambda data: b"no database" * 99, "cannot be read"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    file_rig: Rig, tmp_path: Path, member: str, change: Callable[[bytes], bytes], why: str
) -> None:
    filled(file_rig)
    path, _ = backup.create(file_rig.settings.database_url, tmp_path, now=NOW)
    with pytest.raises(ServerError, match=why):
        backup.verify(tampered(path, change, member=member))


def test_a_dump_that_was_cut_or_altered_is_refused(cluster: object, tmp_path: Path) -> None:
    rig = Rig(cluster.fresh())  # type: ignore[attr-defined]
    filled(rig)
    path, _ = backup.create(rig.settings.database_url, tmp_path, now=NOW)
    with pytest.raises(ServerError):
        backup.verify(tampered(path, lambda data: data[: len(data) // 2]))
    with pytest.raises(ServerError):
        backup.verify(tampered(path, lambda data: data.replace(b"\x00\x00\x00", b"\x00\x01\x00")))
    with rig.store.database.write() as connection:
        connection.exec_driver_sql("UPDATE records SET frame = sha256 WHERE sequence = 2")
    with pytest.raises(ServerError, match="was altered"):
        backup.create(rig.settings.database_url, tmp_path / "two", now=NOW)
    rig.close()


def test_rows_of_a_script() -> None:
    script = [
        "SET x;\n",
        'COPY public.things (id, "at", words) FROM stdin;\n',
        "\\\\x00ff\t7\ta\\tb\\\\c\\n\n",
        "\\N\t\\N\t\n",
        "\\.\n",
        "-- end\n",
    ]
    assert list(copied_rows(script)) == [
        ("things", {"id": b"\x00\xff", "at": "7", "words": "a\tb\\c\n"}),
        ("things", {"id": None, "at": None, "words": ""}),
    ]
    for bad in (script[:3], [script[1], "one\ttwo\n", "\\.\n"]):
        with pytest.raises(ContentError):
            list(copied_rows(bad))


def test_backups_are_not_overwritten_and_need_a_database(file_rig: Rig, tmp_path: Path) -> None:
    url = file_rig.settings.database_url
    path, _ = backup.create(url, tmp_path / "one", now=NOW)
    before = path.read_bytes()
    with pytest.raises(ServerError, match="already there"):
        backup.create(url, path, now=NOW)
    assert path.read_bytes() == before
    with pytest.raises(ServerError, match="no database"):
        backup.create(database_url(str(tmp_path / "none.db")), tmp_path, now=NOW)
    (tmp_path / "other.db").write_bytes(b"something else" * 100)
    with pytest.raises(ServerError, match=r"cannot be copied|not the server's"):
        backup.create(database_url(str(tmp_path / "other.db")), tmp_path, now=NOW)
    with pytest.raises(ServerError, match="cannot be written"):
        backup.create(url, tmp_path / "nowhere" / "deep", now=NOW)
    assert sorted(p.name for p in tmp_path.glob("*backup*")) == []
    assert sorted(p.name for p in tmp_path.glob("*partial*")) == []


def test_without_pg_dump_the_remedy_is_named(
    cluster: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerError, match="pg_dump is needed") as refusal:
        backup.create(cluster.fresh(), tmp_path, now=NOW)  # type: ignore[attr-defined]
    assert "postgresql-client" in refusal.value.remedy


def test_a_backup_goes_back_to_its_own_kind(file_rig: Rig, tmp_path: Path) -> None:
    path, _ = backup.create(file_rig.settings.database_url, tmp_path / "one", now=NOW)
    with pytest.raises(ServerError, match="backup of sqlite"):
        backup.restore(path, "postgresql://onebreath@127.0.0.1:1/none", now=LATER)


def test_the_commands(file_rig: Rig, tmp_path: Path) -> None:
    filled(file_rig)
    source = file_rig.settings.database_url.removeprefix("sqlite:///")
    folder = tmp_path / "backups"
    folder.mkdir()
    run = CliRunner()
    made = run.invoke(command, ["create", str(folder), "--database", source], catch_exceptions=False)
    assert made.exit_code == 0, made.output
    [path] = folder.iterdir()
    assert "5 records, 1 devices, 1 clinicians" in made.output
    checked = run.invoke(command, ["verify", str(path)], catch_exceptions=False)
    assert "is whole" in checked.output
    again = run.invoke(command, ["restore", str(path), "--database", source])
    assert again.exit_code == 1
    assert "--force" in again.output
    new = tmp_path / "new.db"
    back = run.invoke(command, ["restore", str(path), "--database", str(new)], catch_exceptions=False)
    assert back.exit_code == 0
    assert "signed out" in back.output
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    assert "onebreath backup create" in run.invoke(command, ["--help"]).output
