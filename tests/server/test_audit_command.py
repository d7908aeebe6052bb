"""`onebreath audit` as it is typed on the server's machine, on both databases."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from server.commands.audit import command
from server.housekeeping import housekeep
from tests.server.server_rig import NOW, Rig
from tests.server.test_housekeeping import arrived, keep_for
from tests.server.test_records_store import DAY, asked, erase


def typed(rig: Rig, *words: str, input_: str | None = None) -> Result:
    return CliRunner().invoke(command, [*words, "--database", rig.settings.database_url], input=input_)


def test_it_shows_who_did_what(rig: Rig) -> None:
    device = rig.paired()
    asked(rig, "/v1/records")
    lines = [json.loads(line) for line in typed(rig, "show", "--json").stdout.splitlines()]
    assert [line["act"] for line in lines] == [
        "practice.added",
        "clinician.added",
        "device.invited",
        "device.paired",
        "records.fetched",
    ]
    assert lines[3]["actor"] == f"device:{device.device_id.hex()}"
    assert lines[3]["at"] == "2026-09-21T14:13:20Z"
    after = typed(rig, "show", "--after", "3", "--json").stdout.splitlines()
    assert [json.loads(line)["sequence"] for line in after] == [4, 5]
    last = typed(rig, "show", "--last", "1", "--practice", lines[0]["practice"][:6])
    assert "records.fetched" in last.stdout.replace("\n", "")
    assert "device.paired" not in last.stdout
    assert typed(rig, "show", "--last", "1", "--after", "1").exit_code == 2
    assert typed(rig, "show", "--practice", "zz").exit_code == 1


def test_a_noted_head_verifies_later_and_another_does_not(rig: Rig) -> None:
    head = typed(rig, "head").stdout.strip()
    number, digest = head.split()
    assert number == "2"
    rig.paired()
    for noted in (head, digest):
        verified = typed(rig, "verify", "--head", noted)
        assert verified.exit_code == 0, verified.output
        assert "4 entries, 1 to 4" in verified.stdout
        assert "The noted head is one of them." in verified.stdout
    other = typed(rig, "verify", "--head", "0f" * 32)
    assert other.exit_code == 1
    assert "not the one whose head was noted" in other.output
    for nonsense in ("x", "ab", "1 2 3", ""):
        assert "64 hex digits" in typed(rig, "verify", "--head", nonsense).output


@pytest.mark.parametrize(
    ("tampering", "said"),
    [
        ("UPDATE audit SET actor = 'account:01' WHERE sequence = 2", "entry 2 does not follow"),
        ("DELETE FROM audit WHERE sequence = 2", "entry 3 does not follow"),
        ("DELETE FROM tombstones WHERE sequence = 1", "tells of 2 deleted records; their 1 tombstones"),
        ("UPDATE tombstones SET sequence = 9 WHERE sequence = 1", ""),
        ("UPDATE tombstones SET sha256 = record_id WHERE sequence = 1", "tombstones are not the same"),
    ],
)
def test_it_finds_what_was_changed(rig: Rig, tampering: str, said: str) -> None:
    device = rig.paired()
    for sequence in (1, 2):
        arrived(rig, device, sequence, NOW)
    keep_for(rig, 1)
    housekeep(rig.store.database, NOW + 9 * DAY)
    arrived(rig, device, 3, NOW + 9 * DAY)
    erase(rig, device)
    whole = typed(rig, "verify")
    assert whole.exit_code == 0, whole.output
    assert "Tombstones and entries agree" in whole.stdout
    with rig.store.database.write() as connection:
        connection.execute(text(tampering))
    found = typed(rig, "verify")
    assert (found.exit_code, said in found.output) == (1 if said else 0, True)


def test_pruning_asks_first_and_the_rest_verifies(rig: Rig) -> None:
    refused = typed(rig, "prune", "--keep-days", "1", input_="n\n")
    assert refused.exit_code == 1
    assert typed(rig, "verify").stdout.startswith("2 entries, 1 to 2")
    # These entries are of 2026-09-21; the command goes by this machine's clock.
    done = typed(rig, "prune", "--keep-days", "36500", "--yes")
    assert done.output == "Removed 0 entries.\n"
    assert typed(rig, "verify").exit_code == 0
