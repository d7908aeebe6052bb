"""`onebreath keys ...` as it is typed, against a real server: rotate, destroy, share, recover."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from server import audit
from server.commands.clinician import command as clinician
from server.commands.keys import command as keys
from server.commands.keys import rotation_notice
from server.commands.read import command as read
from server.database import open_database
from server.errors import ServerError
from server.keyfile import change, unlock
from server.recovery_key import make_recovery_key, unlock_recovery_key, unlock_recovery_key_by_code
from server.settings import database_url
from tests.clinic_rig import CHEAP, PASSPHRASE, noticing, send, serving
from voice.adapters.identity import device_keys, load_pairing
from voice.adapters.pairing import pair
from voice.adapters.uplink import HttpUplink


class Desk:
    """One clinician's desk on a server that others use too."""

    def __init__(self, folder: Path, url: str, name: str) -> None:
        self.folder, self.url, self.name = folder, url, name
        self.key_file = folder / f"{name}.key.json"
        passphrase = folder / f"{name}.passphrase"
        passphrase.write_text(PASSPHRASE + "\n")
        self.keys = ["--key-file", str(self.key_file), "--passphrase-file", str(passphrase)]
        database = str(folder / "server.db")
        added = CliRunner().invoke(clinician, ["add", "--name", name, "--database", database, *self.keys])
        assert added.exit_code == 0, added.output

    def do(self, *words: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(keys, [*words, *self.keys, "--server", self.url], input=typed)

    def done(self, *words: str, typed: str | None = None) -> str:
        result = self.do(*words, typed=typed)
        assert result.exit_code == 0, result.output
        return result.output

    def read(self, *words: str) -> dict[str, Any]:
        result = CliRunner().invoke(read, [*words, "--json", *self.keys, "--server", self.url])
        assert result.exit_code == 0, result.output
        document: dict[str, Any] = json.loads(result.stdout)
        return document

    def lines(self, *words: str) -> list[str]:
        return [one["line"]["text"] for one in self.read(*words)["records"] if one["line"]]

    def device(self, name: str) -> Path:
        link = CliRunner().invoke(clinician, ["link", *self.keys, "--server", self.url])
        assert link.exit_code == 0, link.output
        home = self.folder / name
        pair(home, link.stdout.strip())
        return home

    def fingerprint(self) -> str:
        found = re.search(r"Your fingerprint, for colleagues: +([0-9a-f ]{39})", self.done("list"))
        assert found is not None
        return found[1]


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[tuple[Desk, Desk]]:
    with serving(tmp_path / "server.db") as url:
        yield Desk(tmp_path, url, "Dr Okafor"), Desk(tmp_path, url, "Dr Lee")


def call_home(home: Path) -> None:
    uplink = HttpUplink.of(home)
    uplink.device_state()
    uplink.close()


def test_rotating_and_destroying(desks: tuple[Desk, Desk]) -> None:
    desk, _ = desks
    home = desk.device("home")
    send(home, noticing(0, "the", "first"))
    assert "Epoch 2 is in use." in desk.done("rotate")
    call_home(home)
    send(home, noticing(1, "the", "second"))
    assert desk.lines() == ["the second", "the first"]
    assert "wrapped copies" in desk.done("rotate", "--copy")
    listed = desk.done("list")
    assert "copies: recovery" in listed
    assert re.search(r"^3 .* in use +. wrapped", listed, re.MULTILINE)
    assert re.search(r"^2 .* in this file, for older records +. wrapped", listed, re.MULTILINE)
    refused = desk.do("shred", "3", "--yes")
    assert refused.exit_code == 1
    assert "in use" in refused.output
    stopped = desk.do("shred", "1", typed="2\n")
    assert stopped.exit_code == 1
    assert desk.lines() == ["the second", "the first"]
    assert "destroyed" in desk.done("shred", "1", typed="1\n")
    document = desk.read()
    assert [one["line"]["text"] for one in document["records"]] == ["the second"]
    [flag] = document["flags"]
    assert (flag["kind"], flag["sequence"]) == ("destroyed", 1)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert flag["message"].startswith(f"1 record sealed under a key that was destroyed on {today}")
    assert re.search(rf"^1 .* destroyed on {today} +. none", desk.done("list"), re.MULTILINE)


def test_names_and_marks_outlive_the_key_they_were_sealed_to(desks: tuple[Desk, Desk]) -> None:
    desk, _ = desks
    home = desk.device("home")
    name = device_keys(home).id.hex()
    server = ["--server", desk.url]
    send(home, noticing(0, "the", "first"))
    assert CliRunner().invoke(read, ["--mark", *desk.keys, *server]).exit_code == 0
    named = CliRunner().invoke(clinician, ["label", name[:8], "Ada L.", *desk.keys, *server])
    assert named.exit_code == 0, named.output
    part = ["send", name[:8], "--name", "the foreman", *desk.keys, *server]
    assert CliRunner().invoke(clinician, part).exit_code == 0
    desk.done("rotate")
    call_home(home)
    send(home, noticing(1, "the", "second"))
    assert CliRunner().invoke(read, ["--mark", *desk.keys, *server]).exit_code == 0
    assert "sealed to the key in use: 3." in desk.done("shred", "1", "--yes")
    assert "foreman" in CliRunner().invoke(clinician, ["cards", name[:8], *desk.keys, *server]).stdout
    assert "Ada L." in CliRunner().invoke(clinician, ["devices", *desk.keys, *server]).stdout
    document = desk.read()
    assert [one["discussed"] for one in document["records"]] == [True]
    assert {flag["kind"] for flag in document["flags"]} == {"destroyed"}


def test_sharing_with_a_colleague_who_confirmed_and_ending_it(desks: tuple[Desk, Desk]) -> None:
    me, colleague = desks
    home = me.device("home")
    send(home, noticing(0, "monday"), noticing(1, "tuesday"), noticing(2, "wednesday"))
    assert me.do("share", "--to", "Dr Lee").exit_code == 2
    nobody = me.do("share", "--to", "Dr Nobody", "--all")
    assert nobody.exit_code == 1
    assert "Dr Lee" in nobody.output
    wrong = me.do("share", "--to", "Dr Lee", "--all", typed="ab " * 16 + "\n")
    assert wrong.exit_code == 1
    assert "share nothing" in " ".join(wrong.output.split())
    short = me.do("share", "--to", "Dr Lee", "--all", "--fingerprint", colleague.fingerprint()[:10])
    assert short.exit_code == 1
    typed = colleague.fingerprint().upper().replace(" ", "-")
    said = me.done("share", "--to", "dr lee", "--since", "2026-03-03", typed=typed + "\n")
    assert "Dr Lee can read 2 records of yours; 2 of them are new." in said
    # It is pinned now: nothing more is asked.
    assert "3 records of yours; 1 of them" in me.done("share", "--to", "Dr Lee", "--all")
    unknown = colleague.read("--shared")
    assert unknown["records"] == []
    assert "Shared by Dr Okafor: 3. Not shown" in unknown["flags"][0]["message"]
    colleague.done("confirm", "Dr Okafor", "--fingerprint", me.fingerprint())
    document = colleague.read("--shared")
    assert [one["line"]["text"] for one in document["records"]] == ["wednesday", "tuesday", "monday"]
    assert {one["shared_by"] for one in document["records"]} == {"Dr Okafor"}
    assert document["flags"] == []
    assert colleague.lines() == []
    # The colleague's older key still opens what was shared to it; a new share goes to the new key.
    colleague.done("rotate")
    assert len(colleague.lines("--shared")) == 3
    me.done("share", "--to", "Dr Lee", "--record", document["records"][0]["record"])
    assert len(colleague.lines("--shared")) == 3
    me.done("rotate")
    me.done("share", "--to", "Dr Lee", "--device", device_keys(home).id.hex()[:6], "--until", "2026-03-02")
    assert "Taken back: 3 records." in me.done("unshare", "--to", "Dr Lee")
    assert colleague.lines("--shared") == []
    table = CliRunner().invoke(read, ["--shared", *colleague.keys, "--server", me.url])
    assert "No records." in table.output


def test_a_colleague_whose_identity_changed_is_left_out(desks: tuple[Desk, Desk]) -> None:
    me, colleague = desks
    me.done("confirm", "Dr Lee", "--fingerprint", colleague.fingerprint())
    opened = unlock(me.key_file, PASSPHRASE)
    change(me.key_file, opened, colleagues=dict.fromkeys(opened.colleagues, bytes(32)))
    refused = me.do("share", "--to", "Dr Lee", "--all")
    assert refused.exit_code == 1
    assert "another identity than you confirmed" in refused.output


def test_a_recovery_key_from_its_making_to_its_use(desks: tuple[Desk, Desk], tmp_path: Path) -> None:
    desk, _ = desks
    home = desk.device("home")
    send(home, noticing(0, "for", "one"))
    file = tmp_path / "elm.recovery.json"
    holder = ["--recovery-file", str(file), "--passphrase-file", str(tmp_path / "Dr Okafor.passphrase")]
    made = CliRunner().invoke(keys, ["recovery", "new", "--holder", "Elm Street practice", *holder])
    assert made.exit_code == 0, made.output
    public = re.search(r"--key (\S+)", made.output)
    assert public is not None
    said = desk.done("recovery", "set", "--holder", "Elm Street practice", "--key", public[1])
    noted = said.splitlines()[-1].split(": ")[1]
    assert noted == desk.fingerprint()
    assert "Elm Street practice, from epoch 1" in desk.done("list")
    call_home(home)
    pairing = load_pairing(home)
    assert pairing is not None
    assert pairing.second_reader is not None
    send(home, noticing(1, "for", "both"))
    desk.read()  # approves the device, which the holder goes by
    desk.done("recovery", "withdraw")
    call_home(home)
    send(home, noticing(2, "for", "one", "again"))
    assert desk.lines() == ["for one again", "for both", "for one"]

    out = tmp_path / "sealed.json"
    database = str(tmp_path / "server.db")
    exported = CliRunner().invoke(
        keys, ["recovery", "export", "Dr Okafor", "--out", str(out), "--database", database]
    )
    assert exported.exit_code == 0, exported.output
    assert "3 sealed records" in exported.output
    opening = ["recovery", "open", str(out), *holder, "--json"]
    stranger = CliRunner().invoke(keys, [*opening, "--fingerprint", "ab" * 16])
    assert stranger.exit_code == 1
    assert noted in stranger.output
    opened = CliRunner().invoke(keys, [*opening, "--fingerprint", noted])
    assert opened.exit_code == 0, opened.output
    document = json.loads(opened.output)
    assert [one["line"]["text"] for one in document["records"]] == ["for both"]
    assert [flag["kind"] for flag in document["flags"]] == ["unopenable", "unopenable"]
    table = CliRunner().invoke(keys, ["recovery", "open", str(out), *holder, "--fingerprint", noted])
    assert "for both" in table.output
    again = CliRunner().invoke(
        keys, ["recovery", "export", "Dr Okafor", "--out", str(out), "--database", database]
    )
    assert again.exit_code == 1
    opened_database = open_database(database_url(database))
    with opened_database.read() as connection:
        acts = [entry.act for entry in audit.entries(connection, limit=1000)]
        assert audit.verify(connection).broken_at is None
    opened_database.close()
    assert acts.count("records.exported") == 1
    assert acts.count("key.recovery_set") == 2


@pytest.mark.parametrize("public", ["", "x", "A" * 43, "A" * 42])
def test_a_key_that_cannot_be_endorsed_is_refused(desks: tuple[Desk, Desk], public: str) -> None:
    refused = desks[0].do("recovery", "set", "--holder", "Elm Street practice", "--key", public)
    assert refused.exit_code == 1
    assert "cannot be endorsed" in refused.output
    assert desks[0].do("recovery", "withdraw").exit_code == 1


def test_the_printed_code_opens_the_recovery_key(tmp_path: Path) -> None:
    path = tmp_path / "elm"
    made, code = make_recovery_key(path, holder="Elm Street", passphrase=PASSPHRASE, cost=CHEAP)
    for key in (
        unlock_recovery_key(path, PASSPHRASE, least=CHEAP),
        unlock_recovery_key_by_code(path, code),
    ):
        assert key.private.private_bytes_raw() == made.private.private_bytes_raw()
    text = path.read_text()
    path.write_text(text.replace("Elm Street", "Oak Street"))
    with pytest.raises(ServerError, match="not a whole key file"):
        unlock_recovery_key_by_code(path, code)


def test_reading_says_when_a_rotation_is_due(desks: tuple[Desk, Desk]) -> None:
    desk, _ = desks
    opened = unlock(desk.key_file, PASSPHRASE)
    assert rotation_notice(opened, opened.rotation_due_at() - 1) == ""
    assert "onebreath keys rotate" in rotation_notice(opened, opened.rotation_due_at())
    shown = CliRunner().invoke(read, [*desk.keys, "--server", desk.url])
    assert "due" not in shown.stderr
