"""`onebreath check`: what is there, what is missing and what to type; it changes nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.device.card_rig import FOREMAN, LITTLE_ONE, noise_card, pair_by_hand
from voice import cli
from voice.adapters.cards import CardBox
from voice.adapters.recovery import open_store
from voice.assemble_check import Finding, ready

SUBJECTS = ["parts", "pairing", "settings", "words", "prompts", "records", "storage", "sound"]


def check(home: Path, *more: str) -> Result:
    result = CliRunner().invoke(cli.onebreath, ["check", "--home", str(home), *more], standalone_mode=False)
    assert result.exception is None, result.output
    return result


def document(home: Path) -> dict[str, object]:
    """What `--json` says, with the checks by subject."""
    said = json.loads(check(home, "--json").output)
    said["checks"] = {finding["subject"]: finding for finding in said["checks"]}
    return dict(said)


def files(home: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}


def test_an_empty_home_is_not_ready_and_says_what_to_type(tmp_path: Path) -> None:
    result = check(tmp_path / "home")
    assert result.return_value == 1
    assert "0 enrolled" in result.output
    assert "onebreath enrol --name" in result.output
    assert "not paired" in result.output
    assert "onebreath pair LINK" in result.output
    assert not (tmp_path / "home").exists()


def test_the_checks_are_all_there_in_json(tmp_path: Path) -> None:
    said = document(tmp_path / "home")
    checks = said["checks"]
    assert isinstance(checks, dict)
    assert list(checks) == SUBJECTS
    assert str(tmp_path / "home" / "settings.toml") in checks["settings"]["state"]
    assert said["ready"] is False
    assert said["parts"] == []
    assert all(finding["ok"] or finding["remedy"] for finding in checks.values())


@pytest.mark.speech
def test_a_device_with_a_part_and_a_clinician_is_ready(tmp_path: Path) -> None:
    CardBox(tmp_path).put(noise_card())
    pair_by_hand(tmp_path)
    before = files(tmp_path)
    result = check(tmp_path)
    assert result.return_value == 0, result.output
    assert "paired with Dr Okafor" in result.output
    assert f"“{FOREMAN}”" in result.output
    assert "about 9 of 10 tries" in result.output
    assert "starter" in result.output or "vosk" in result.output
    assert files(tmp_path) == before
    said = document(tmp_path)
    assert said["ready"] is True
    assert said["parts"] == [
        {
            "name": FOREMAN,
            "takes": 3,
            "found_of_ten": 9.1,
            "false_tones_a_week": 0.4,
            "basis": {"takes": 3.0, "bank_hours": 0.5, "talk_hours_a_week": 20.0},
            "found_range": None,
            "found_estimated": "from the takes against each other, which is cautious",
            "false_tones_estimated": (
                "a rough figure, from 30 minutes of recorded voices; for 20 hours of talk a week"
            ),
            "talk_kept_s": 0.0,
            "refusal": None,
            "anyway": False,
            "alike": [],
        }
    ]


def test_one_damaged_card_is_named_beside_the_good_ones(tmp_path: Path) -> None:
    CardBox(tmp_path).put(noise_card())
    CardBox(tmp_path).put(noise_card(LITTLE_ONE))
    broken = next(path for path in (tmp_path / "cards").glob("*/card.json") if LITTLE_ONE in path.read_text())
    shutil.rmtree(next(path for path in broken.parent.iterdir() if path.is_dir()))
    result = check(tmp_path)
    assert result.return_value == 1
    assert "1 enrolled, 1 damaged" in result.output
    assert f"“{LITTLE_ONE}”: The card in {broken.parent} is damaged" in result.output
    assert "--replace" in result.output
    assert f"“{FOREMAN}”" in result.output


def test_a_check_beside_a_listening_device_does_not_disturb_it_or_call_it_broken(tmp_path: Path) -> None:
    with open_store(tmp_path):
        records = document(tmp_path)["checks"]["records"]  # type: ignore[index]
    assert records["ok"] is True
    assert "in use" in records["state"]


def test_what_waits_to_be_sent_is_counted(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    records = document(tmp_path)["checks"]["records"]  # type: ignore[index]
    assert records["state"] == "0 waiting to be sent"


def test_a_damaged_outbox_is_said_when_it_is_found_and_afterwards(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    (tmp_path / "outbox.sqlite").write_bytes(b"garbage")
    for words in ("The outbox was damaged", "Damaged before: 1"):
        records = document(tmp_path)["checks"]["records"]  # type: ignore[index]
        assert words in records["state"]
        assert "outbox.damaged-" in records["state"]


@pytest.mark.parametrize(
    ("file", "content", "subject"),
    [
        ("settings.toml", "pace = ", "settings"),
        ("settings.toml", 'pace = "frantic"', "settings"),
        ("pairing.json", "{", "pairing"),
        ("settings.toml", 'language = "tlh"', "prompts"),
    ],
)
def test_a_damaged_file_is_one_finding_and_the_rest_is_still_looked_at(
    tmp_path: Path, file: str, content: str, subject: str
) -> None:
    (tmp_path / file).write_text(content)
    checks = document(tmp_path)["checks"]
    assert isinstance(checks, dict)
    assert list(checks) == SUBJECTS
    assert checks[subject]["ok"] is False
    assert checks[subject]["state"]
    assert checks["storage"]["ok"] is True


def test_only_what_is_needed_decides() -> None:
    good, bad = Finding("a", True, ""), Finding("b", False, "")
    assert ready([good, Finding("c", False, "", needed=False)])
    assert not ready([good, bad])
