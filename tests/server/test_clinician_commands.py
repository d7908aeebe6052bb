"""The clinician's commands as they are typed, against a real server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from server.commands.clinician import command as clinician
from server.commands.read import command as read
from tests.clinic_rig import PASSPHRASE, noticing, send, serving
from voice.adapters.identity import device_keys
from voice.adapters.pairing import pair


class Desk:
    """A clinician's desk: a key file, a passphrase file, and the server's address."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.key_file = folder / "okafor.key.json"
        self.passphrase_file = folder / "passphrase"
        self.passphrase_file.write_text(PASSPHRASE + "\n")
        self.keys = ["--key-file", str(self.key_file), "--passphrase-file", str(self.passphrase_file)]

    def do(self, *words: str) -> Result:
        return CliRunner().invoke(clinician, [*words, *self.keys, "--server", self.url])

    def read(self, *words: str) -> Result:
        return CliRunner().invoke(read, [*words, *self.keys, "--server", self.url])

    def device(self, name: str) -> Path:
        made = self.do("link")
        assert made.exit_code == 0, made.output
        home = self.folder / name
        pair(home, made.stdout.strip())
        return home


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with serving(tmp_path / "server.db") as url:
        made = Desk(tmp_path, url)
        added = CliRunner().invoke(
            clinician, ["add", "--name", "Dr Okafor", "--database", str(tmp_path / "server.db"), *made.keys]
        )
        assert added.exit_code == 0, added.output
        assert "Recovery code, shown this once" in added.output
        made.recovery_code = added.output.split()[-1]  # type: ignore[attr-defined]
        yield made


def test_from_a_link_to_the_queue_and_through_every_state(desk: Desk) -> None:
    home = desk.device("home")
    name = device_keys(home).id.hex()
    assert send(home, noticing(0, "he", "yelled"), noticing(1)) == 2

    shown = desk.read()
    assert shown.exit_code == 0, shown.output
    assert f"Approved device {name}" in shown.stderr
    assert "he yelled" in shown.stdout
    assert "no line" in shown.stdout
    assert "!" not in shown.stdout

    again = desk.read("--json")
    assert "Approved" not in again.stderr
    document = json.loads(again.stdout)
    assert document["devices"] == [
        {
            "device": name,
            "state": "active",
            "trust": "approval",
            "last_seen_at": document["devices"][0]["last_seen_at"],
        }
    ]
    assert [one["new"] for one in document["records"]] == [False, False]
    since = desk.read("--json", "--since", "2026-03-03")
    assert len(json.loads(since.stdout)["records"]) == 1

    for verb, state in (("pause", "paused"), ("resume", "active"), ("discharge", "discharged")):
        done = desk.do(verb, name[:6])
        assert done.output == f"Device {name} is {state}.\n"
    listed = desk.do("devices")
    assert name in listed.stdout
    assert "discharged" in listed.stdout
    assert desk.do("revoke", name).exit_code == 0
    refused = desk.do("resume", name)
    assert refused.exit_code == 1
    assert "revoked" in refused.output


def test_approving_by_hand(desk: Desk) -> None:
    name = device_keys(desk.device("home")).id.hex()
    assert desk.do("approve", name[:8]).output == f"Device {name} is approved.\n"
    assert desk.do("approve", name).exit_code == 0
    unknown = desk.do("approve", "zz")
    assert unknown.exit_code == 1
    assert "no device zz" in unknown.output


def test_a_wrong_passphrase_is_a_clear_error(desk: Desk) -> None:
    desk.passphrase_file.write_text("some other words entirely\n")
    result = desk.read()
    assert result.exit_code == 1
    assert "The passphrase does not open this key file." in result.output


def test_the_recovery_code_opens_it_too(desk: Desk) -> None:
    arguments = ["--recovery", "--key-file", str(desk.key_file), "--server", desk.url]
    result = CliRunner().invoke(read, arguments, input=desk.recovery_code + "\n")  # type: ignore[attr-defined]
    assert result.exit_code == 0, result.output
    assert "No records." in result.output


def test_the_passphrase_is_asked_for_twice_and_its_strength_is_checked(tmp_path: Path) -> None:
    arguments = [
        "add",
        "--name",
        "Dr A",
        "--database",
        str(tmp_path / "db"),
        "--key-file",
        str(tmp_path / "k"),
    ]
    weak = CliRunner().invoke(clinician, arguments, input="short\nshort\n")
    assert weak.exit_code == 1
    assert "easy to remember" in weak.output
    assert not (tmp_path / "k").exists()
    good = CliRunner().invoke(clinician, arguments, input=f"{PASSPHRASE}\n{PASSPHRASE}\n")
    assert good.exit_code == 0, good.output
    assert PASSPHRASE not in good.output
    over = CliRunner().invoke(clinician, arguments, input=f"{PASSPHRASE}\n{PASSPHRASE}\n")
    assert over.exit_code == 1
    assert "already" in over.output


def test_an_existing_clinician_can_be_added_to_another_server(desk: Desk, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with serving(other) as url:
        unknown = CliRunner().invoke(read, [*desk.keys, "--server", url])
        assert unknown.exit_code == 1
        assert "does not know Dr Okafor" in unknown.output
        added = CliRunner().invoke(
            clinician, ["add", "--existing", "--database", str(other), "--key-file", str(desk.key_file)]
        )
        assert added.exit_code == 0, added.output
        assert CliRunner().invoke(read, [*desk.keys, "--server", url]).exit_code == 0


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ("http://127.0.0.1:9", "did not answer"),
        ("http://clinic.example", "not reached over TLS"),
        ("ftp://clinic.example", "is not a server"),
        ("nonsense", "is not a server"),
    ],
)
def test_a_server_that_cannot_be_is_said(desk: Desk, server: str, said: str) -> None:
    result = CliRunner().invoke(read, [*desk.keys, "--server", server])
    assert result.exit_code == 1
    assert said in result.output


def test_damaged_notes_are_kept_and_said(desk: Desk) -> None:
    home = desk.device("home")
    send(home, noticing(0))
    assert desk.read().exit_code == 0
    notes = desk.key_file.with_name("okafor.key.json.read")
    notes.write_text("half")
    result = desk.read()
    assert result.exit_code == 0
    assert "were damaged" in result.stdout.replace("\n", " ")
    assert notes.with_name("okafor.key.json.read.damaged").read_text() == "half"
    assert "damaged" not in desk.read().stdout


def test_a_missing_key_file_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    result = CliRunner().invoke(read, ["--key-file", str(tmp_path / "none")])
    assert result.exit_code == 1
    assert "no key file" in result.output


def test_the_real_command_line_exits_with_one_line_of_cause(desk: Desk) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "voice", "read", *desk.keys, "--server", "http://127.0.0.1:9"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: The server at http://127.0.0.1:9 did not answer")
    assert "Traceback" not in done.stderr
