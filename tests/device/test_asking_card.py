"""S20 from the clinician's command to the clinician's queue, through a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from server.key_slots import RECOMMENDED
from tests.clinic_rig import Clinic, noticing, serving
from tests.device.card_rig import FOREMAN
from tests.device.test_mailbox_commands import Desk
from voice import assemble, cli
from voice.adapters.consents import FileConsents
from voice.adapters.identity import device_keys
from voice.adapters.mailbox import DeviceMailbox
from voice.adapters.pairing import pair
from voice.adapters.prompts import load_wording
from voice.adapters.records import DeviceRecords
from voice.adapters.uplink import HttpUplink
from voice.assemble_asking import asking
from voice.noticing import When


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Clinic]:
    with serving(tmp_path / "server.db") as url:
        yield Clinic(tmp_path, url, cost=RECOMMENDED)


def test_S20_turned_on_asked_answered_read_and_turned_off(clinic: Clinic, tmp_path: Path) -> None:
    home = tmp_path / "device"
    pair(home, clinic.link())
    desk, name = Desk(clinic, tmp_path), device_keys(home).id.hex()
    mailbox, link = DeviceMailbox(home), HttpUplink.of(home)
    wanted = asking(home, assemble.settings_of(home), load_wording("en"), mailbox, None).wanted

    def sent(*options: str) -> None:
        done = desk.do("send", name, "--name", FOREMAN, *options)
        assert done.exit_code == 0, done.output
        mailbox.collect(link)

    assert not wanted()
    sent("--asks-when")
    assert assemble.settings_of(home).asks_when
    assert not wanted(), "the client has not agreed"
    FileConsents(home).keep_asks_when(True)
    assert wanted()
    sent("--tell", "jaw set")
    assert wanted(), "a card that does not name it leaves it as it is"

    with DeviceRecords(home, courier=False) as records:
        plain, asked = noticing(0), noticing(1, "he", "yelled")
        records.save(plain)
        first = records.save(asked, hold=True)
        second = records.let_go(replace(asked, when=When.STARTING))
        assert second is not None
        assert second != first
        assert records.flush() == 0
    read = CliRunner().invoke(cli.onebreath, ["read", "--json", *map(str, desk._options)])
    assert read.exit_code == 0, read.output
    queue = json.loads(read.stdout)
    assert queue["flags"] == [], "no gap is seen where one record took the other's place"
    answered, other = queue["records"]
    assert (answered["record"], answered["sequence"], answered["when"]) == (second.hex(), 2, "starting")
    assert answered["line"]["text"] == "he yelled"
    assert "when" not in other

    sent("--no-asks-when")
    assert not wanted(), "while the device runs"
    assert not assemble.settings_of(home).asks_when
    link.close()
