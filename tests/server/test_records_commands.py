"""`onebreath records` and `read --mark` as they are typed, against a real server."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select, update

from server import audit, records_client
from server.commands.read import command as read
from server.commands.records import command as records
from server.housekeeping import housekeep
from server.key_slots import RECOMMENDED
from server.schema import Practice, Record, ServerKey
from server.store import Store
from tests.clinic_rig import PASSPHRASE, Clinic, noticing, send, serving
from voice.adapters.identity import device_keys
from voice.wire.boxes import Purpose, encode_label, seal_box

YEAR = 366 * 86_400


class Desk(Clinic):
    """A clinic, and what is typed at its clinician's desk and on its server's machine."""

    @property
    def database(self) -> Path:
        return self.folder / "server.db"

    def typed(self, *words: str, keys: bool = True, input_: str | None = None) -> Result:
        secret = self.folder / "passphrase"
        secret.write_text(PASSPHRASE + "\n")
        with_keys = ["--key-file", str(self.key_file), "--passphrase-file", str(secret), "--server", self.url]
        where = with_keys if keys else ["--database", str(self.database)]
        command = read if words[0] == "read" else records
        rest = words[1:] if words[0] == "read" else words
        return CliRunner().invoke(command, [*rest, *where], input=input_)

    def acts(self) -> list[audit.Entry]:
        store = Store.open(f"sqlite:///{self.database}")
        try:
            with store.database.read() as connection:
                return audit.entries(connection, limit=1000)
        finally:
            store.close()

    def age(self, *sequences: int, seconds: int) -> None:
        """Let records have come earlier."""
        store = Store.open(f"sqlite:///{self.database}")
        with store.database.write() as connection:
            old = update(Record).where(Record.sequence.in_(sequences))
            connection.execute(old.values(received_at=Record.received_at - seconds))
        store.close()

    def housekeep(self) -> None:
        store = Store.open(f"sqlite:///{self.database}")
        with store.database.read() as connection:
            now = (
                connection.execute(select(Record.received_at).order_by(Record.cursor.desc()))
                .scalars()
                .first()
            )
        assert now is not None
        housekeep(store.database, now)
        store.close()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.chdir(tmp_path)
    with serving(tmp_path / "server.db") as url:
        yield Desk(tmp_path, url, cost=RECOMMENDED)


def test_what_was_shown_is_marked_and_shown_as_marked(desk: Desk) -> None:
    home = desk.device("home")
    send(home, noticing(0, "he", "yelled"), noticing(3))
    marked = desk.typed("read", "--since", "2026-03-04", "--mark")
    assert marked.exit_code == 0, marked.output
    assert "Marked as discussed: 1." in marked.stderr
    shown = json.loads(desk.typed("read", "--json").stdout)
    assert [one["discussed"] for one in shown["records"]] == [True, False]
    assert "discussed" in desk.typed("read").stdout
    assert "Marked as discussed: 1." in desk.typed("read", "--mark").stderr
    assert "Marked as discussed: 0." in desk.typed("read", "--mark").stderr
    stored = desk.database.read_bytes() + Path(f"{desk.database}-wal").read_bytes()
    assert b'"mark"' not in stored


def test_a_server_that_brings_an_earlier_mark_back_is_told_of(desk: Desk) -> None:
    send(desk.device("home"), noticing(0))
    assert desk.typed("read", "--mark").exit_code == 0
    assert desk.typed("read").exit_code == 0
    notes = desk.key_file.with_name(desk.key_file.name + ".read")
    document = json.loads(notes.read_text())
    assert list(document["marks"].values()) == [1]
    notes.write_text(json.dumps({**document, "marks": dict.fromkeys(document["marks"], 2)}))
    assert "brought earlier ones back: 1" in " ".join(desk.typed("read").stdout.split())


def test_a_clients_export_is_whole_private_and_accounted_for(desk: Desk) -> None:
    home, other = desk.device("home"), desk.device("other")
    name = device_keys(home).id.hex()
    send(home, noticing(0, "he", "yelled"), noticing(1))
    send(other, noticing(2, "another", "client"))
    label = seal_box(
        encode_label("Ana"),
        purpose=Purpose.LABEL,
        identity=desk.clinician.identity,
        reading=desk.clinician.reading.public_key(),
        clinician_id=desk.clinician.id,
        device_id=device_keys(home).id,
        version=1,
    )
    with desk.client() as client:
        client.label(device_keys(home).id, label)
    desk.typed("read", "--mark")
    out = desk.folder / "ana.json"
    done = desk.typed("export", name[:8], "--out", str(out))
    assert done.exit_code == 0, done.output
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    made = json.loads(out.read_text())
    assert (made["client"], made["device"], made["flags"], made["deleted"]) == ("Ana", name, [], [])
    assert [(one["sequence"], one["discussed"]) for one in made["records"]] == [(1, True), (2, True)]
    assert made["records"][0]["line"]["text"] == "he yelled"
    assert "another" not in out.read_text()
    [entry] = [entry for entry in desk.acts() if entry.act == "records.exported"]
    assert entry.subject.endswith(f"device:{name} count:2")
    assert made["exported_at"].endswith("Z")
    text = desk.typed("export", name, "--format", "text")
    assert text.exit_code == 0, text.output
    written = (desk.folder / f"onebreath-{name}.txt").read_text()
    assert "Client: Ana\n" in written
    assert "Monday 2 March 2026 23:05  the foreman  [discussed]\n    he yelled\n" in written
    assert "    (no line)\n" in written
    assert stat.S_IMODE((desk.folder / f"onebreath-{name}.txt").stat().st_mode) == 0o600


def test_an_export_is_never_written_over_anything(desk: Desk) -> None:
    home = desk.device("home")
    name = device_keys(home).id.hex()
    out = desk.folder / "there"
    out.write_text("mine")
    refused = desk.typed("export", name, "--out", str(out))
    assert refused.exit_code == 1
    assert "is there already" in refused.output
    assert out.read_text() == "mine"
    dangling = desk.folder / "link"
    dangling.symlink_to(desk.folder / "nowhere")
    assert desk.typed("export", name, "--out", str(dangling)).exit_code == 1
    assert not (desk.folder / "nowhere").exists()
    nowhere = desk.typed("export", name, "--out", str(desk.folder / "no" / "file"))
    assert "could not be written" in nowhere.output
    assert desk.typed("export", "zz").exit_code == 1


def test_an_export_says_what_is_missing(desk: Desk) -> None:
    home = desk.device("home")
    name = device_keys(home).id.hex()
    send(home, noticing(0, "he", "yelled"), noticing(1), noticing(2))
    assert desk.typed("read").exit_code == 0
    store = Store.open(f"sqlite:///{desk.database}")
    with store.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM records WHERE sequence = 2")
    store.close()
    assert desk.typed("export", name, "--format", "text", "--out", "x").exit_code == 0
    written = (desk.folder / "x").read_text()
    assert "! A record is missing between Monday 2 March and Wednesday 4 March." in written
    assert "! A record that you had read has been taken out." in written


def test_erasing_asks_for_the_whole_id(desk: Desk) -> None:
    home = desk.device("home")
    name = device_keys(home).id.hex()
    send(home, noticing(0, "he", "yelled"), noticing(1))
    assert desk.typed("read").exit_code == 0
    for wrong in (name[:8], "yes", name[:-1]):
        refused = desk.typed("erase", name[:8], input_=wrong + "\n")
        assert refused.exit_code == 1
        assert "nothing was erased" in refused.output
    done = desk.typed("erase", name[:8], input_=name.upper() + "\n")
    assert done.exit_code == 0, done.output
    assert "has 2 records on the server" in done.stderr
    assert f"Erased 2 records. Device {name} is discharged." in done.stdout
    after = desk.typed("read")
    assert "!" not in after.stdout
    said = " ".join(after.stdout.split())
    assert "2 records of" in said
    assert "were deleted by you, or with your key, when their client was erased" in said
    assert "You had read all of them." in said
    again = json.loads(desk.typed("read", "--json").stdout)
    assert [flag["kind"] for flag in again["flags"]] == ["deleted"]


def test_one_record_is_deleted_by_the_beginning_of_its_id(desk: Desk) -> None:
    home = desk.device("home")
    name = device_keys(home).id.hex()
    send(home, noticing(0, "he", "yelled"), noticing(1))
    [newest, _] = json.loads(desk.typed("read", "--json").stdout)["records"]
    kept = desk.typed("delete", name, newest["record"][:10], input_="n\n")
    assert kept.exit_code == 1
    done = desk.typed("delete", name, newest["record"][:10], input_="y\n")
    assert done.exit_code == 0, done.output
    assert "Tuesday 3 March 23:05" in done.stdout
    assert desk.typed("delete", name, newest["record"], "--yes").exit_code == 1
    assert "!" not in desk.typed("read").stdout


def test_the_running_server_takes_its_turn_at_once(tmp_path: Path) -> None:
    database = tmp_path / "server.db"
    with serving(database):
        pass
    store = Store.open(f"sqlite:///{database}")
    try:
        with store.database.read() as connection:
            assert "housekeeping" in connection.execute(select(ServerKey.name)).scalars().all()
    finally:
        store.close()


def test_retention_is_set_shown_and_carried_out(desk: Desk) -> None:
    home = desk.device("home")
    send(home, *(noticing(day) for day in range(4)))
    assert desk.typed("read").exit_code == 0
    assert "until someone deletes them" in desk.typed("retention", keys=False).stdout
    assert desk.typed("retention", "--days", "30", "--keep", keys=False).exit_code == 2
    assert "for 365 days" in desk.typed("retention", "--days", "365", keys=False).stdout
    desk.age(1, 2, seconds=YEAR)
    done = desk.typed("housekeep", keys=False)
    assert done.exit_code == 0, done.output
    assert "Deleted 2 records by policy." in done.stdout
    said = " ".join(desk.typed("read").stdout.split())
    assert "were deleted by the practice's retention policy, the server says. You had read all" in said
    assert "!" not in said
    # A policy that was longer all along would not have let them go.
    store = Store.open(f"sqlite:///{desk.database}")
    with store.database.write() as connection:
        connection.execute(update(Practice).values(retention_days=3650))
    store.close()
    said = " ".join(desk.typed("read").stdout.split())
    assert "! 2 records are missing before Wednesday 4 March." in said
    assert "younger than the practice's retention policy says now (3650 days)" in said
    assert "until someone deletes them" in desk.typed("retention", "--keep", keys=False).stdout


def test_every_page_of_marks_and_tombstones_is_fetched(desk: Desk) -> None:
    home = desk.device("home")
    send(home, *(noticing(day) for day in range(5)))
    assert desk.typed("read", "--mark").exit_code == 0
    with desk.client() as client:
        assert len(records_client.marks(client, page=2).entries) == 5
    desk.typed("retention", "--days", "1", keys=False)
    desk.age(1, 2, 3, seconds=YEAR)
    desk.housekeep()
    with desk.client() as client:
        found = records_client.tombstones(client, page=2)
        assert [one.sequence for one in found.stones] == [1, 2, 3]
        assert (found.retention_days, found.broken, found.whole) == (1, 0, True)
        assert records_client.count(client, device_keys(home).id) == 2
        assert len(records_client.marks(client).entries) == 2


def test_a_server_whose_pages_run_in_a_circle_is_left(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with desk.client() as client:
        answer = {"marks": [{"device": "x"}], "next": "ab", "more": True}
        monkeypatch.setattr(client, "call", lambda *_: answer)
        found = records_client.marks(client)
        assert (found.entries, found.broken, found.whole) == ((), 2, False)
        monkeypatch.setattr(client, "call", lambda *_: {"marks": [], "next": "&x=1", "more": True})
        assert not records_client.marks(client).whole
