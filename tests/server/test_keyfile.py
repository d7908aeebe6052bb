"""The clinician's key file: what opens it, what does not, and what is refused."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import ServerError
from server.key_slots import RECOMMENDED, _grouped, _ungrouped
from server.keyfile import make_key_file, passphrase_problem, read_statement, unlock, unlock_by_code
from tests.clinic_rig import CHEAP, PASSPHRASE

ISSUED_AT = 1_772_000_000


def made(path: Path) -> str:
    _, code = make_key_file(path, name="Dr Okafor", passphrase=PASSPHRASE, issued_at=ISSUED_AT, cost=CHEAP)
    return code


def edited(path: Path, **changes: Any) -> None:
    fields = json.loads(path.read_text())
    fields.update(changes)
    path.write_text(json.dumps(fields))


def edit_slot(path: Path, number: int, **changes: Any) -> None:
    fields = json.loads(path.read_text())
    fields["slots"][number].update(changes)
    path.write_text(json.dumps(fields))


def test_argon2id_is_that_of_rfc_9106() -> None:
    """RFC 9106 section 5.3."""
    tag = Argon2id(
        salt=b"\x02" * 16,
        length=32,
        iterations=3,
        lanes=4,
        memory_cost=32,
        ad=b"\x04" * 12,
        secret=b"\x03" * 8,
    ).derive(b"\x01" * 32)
    assert tag.hex() == "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"


def test_the_recommended_cost_is_that_of_rfc_9106() -> None:
    assert (RECOMMENDED.passes, RECOMMENDED.memory_kib, RECOMMENDED.lanes) == (3, 65_536, 4)


def test_passphrase_and_code_open_the_same_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "okafor.key.json"
    clinician, code = make_key_file(path, name="Dr Okafor", passphrase=PASSPHRASE, issued_at=ISSUED_AT)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    for opened in (unlock(path, PASSPHRASE), unlock_by_code(path, code.lower().replace("-", " "))):
        assert opened.name == "Dr Okafor"
        assert opened.id == clinician.id
        assert opened.identity.private_bytes_raw() == clinician.identity.private_bytes_raw()
        assert opened.reading.private_bytes_raw() == clinician.reading.private_bytes_raw()
    text = path.read_text()
    assert PASSPHRASE not in text
    assert code not in text
    assert read_statement(path)[0] == clinician.statement


def test_the_same_words_from_another_keyboard_open_it(tmp_path: Path) -> None:
    path = tmp_path / "k"
    make_key_file(path, name="Dr É", passphrase="cafe\u0301 kettle lantern", issued_at=ISSUED_AT, cost=CHEAP)
    assert unlock(path, "caf\u00e9 kettle lantern", least=CHEAP).name == "Dr É"


def test_a_wrong_passphrase_or_code_is_a_clear_error(tmp_path: Path) -> None:
    code = made(tmp_path / "k")
    with pytest.raises(ServerError, match="passphrase does not open") as caught:
        unlock(tmp_path / "k", "some other words", least=CHEAP)
    assert caught.value.remedy
    for wrong in ("", "short", code[:-1] + ("0" if code[-1] != "0" else "4"), "U" * 26):
        with pytest.raises(ServerError, match="recovery code does not open"):
            unlock_by_code(tmp_path / "k", wrong)


def test_a_weak_slot_is_not_opened_by_default(tmp_path: Path) -> None:
    made(tmp_path / "k")
    with pytest.raises(ServerError, match="weaker"):
        unlock(tmp_path / "k", PASSPHRASE)


@pytest.mark.parametrize(
    ("name", "value"), [("memory_kib", 2**33), ("passes", 10**9), ("lanes", 10**6), ("passes", 65)]
)
def test_an_absurd_slot_is_refused_before_any_work(tmp_path: Path, name: str, value: int) -> None:
    made(tmp_path / "k")
    edit_slot(tmp_path / "k", 0, **{name: value})
    with pytest.raises(ServerError, match="more memory or time"):
        unlock(tmp_path / "k", PASSPHRASE, least=CHEAP)


@pytest.mark.parametrize(
    "change",
    [
        {"passes": 2},
        {"memory_kib": 64},
        {"passes": True},
        {"passes": "3"},
        {"kdf": "md5"},
        {"salt": "AA"},
        {"note": 1},
    ],
)
def test_a_changed_parameter_does_not_open(tmp_path: Path, change: dict[str, Any]) -> None:
    made(tmp_path / "k")
    edit_slot(tmp_path / "k", 0, **change)
    with pytest.raises(ServerError, match="does not open"):
        unlock(tmp_path / "k", PASSPHRASE, least=CHEAP)


def test_a_slot_of_another_type_does_not_open(tmp_path: Path) -> None:
    code = made(tmp_path / "k")
    edit_slot(tmp_path / "k", 0, type="recovery")
    fields = json.loads((tmp_path / "k").read_text())
    edited(tmp_path / "k", slots=[fields["slots"][0]])
    with pytest.raises(ServerError, match="does not open"):
        unlock_by_code(tmp_path / "k", code)


@pytest.mark.parametrize(
    "change", [{"name": "Dr Evil"}, {"statement": "AAAA"}, {"keys": "AAAA"}, {"kind": "x"}, {"slots": 3}]
)
def test_a_changed_file_is_said_to_be_changed(tmp_path: Path, change: dict[str, Any]) -> None:
    made(tmp_path / "k")
    edited(tmp_path / "k", **change)
    before = (tmp_path / "k").read_bytes()
    with pytest.raises(ServerError, match="not a whole key file"):
        unlock(tmp_path / "k", PASSPHRASE, least=CHEAP)
    assert (tmp_path / "k").read_bytes() == before


def test_another_statement_cannot_be_put_in(tmp_path: Path) -> None:
    made(tmp_path / "k")
    made(tmp_path / "other")
    other = json.loads((tmp_path / "other").read_text())
    edited(tmp_path / "k", statement=other["statement"])
    with pytest.raises(ServerError, match="not a whole key file"):
        unlock(tmp_path / "k", PASSPHRASE, least=CHEAP)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "null"])
def test_what_is_no_key_file_is_said_to_be_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "k").write_text(content)
    with pytest.raises(ServerError, match="not a whole key file"):
        unlock(tmp_path / "k", PASSPHRASE)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="no key file") as caught:
        unlock(tmp_path / "k", PASSPHRASE)
    assert "clinician add" in caught.value.remedy


def test_a_key_file_is_never_written_over(tmp_path: Path) -> None:
    made(tmp_path / "k")
    before = (tmp_path / "k").read_bytes()
    with pytest.raises(ServerError, match="already"):
        made(tmp_path / "k")
    assert (tmp_path / "k").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["k"]


@pytest.mark.parametrize("weak", ["", "short", "elevenchars", "aaaaaaaaaaaaaaaaaa", "abababababababab"])
def test_a_weak_passphrase_is_refused_kindly(tmp_path: Path, weak: str) -> None:
    assert "easy to remember" in (passphrase_problem(weak) or "")
    with pytest.raises(ServerError):
        make_key_file(tmp_path / "k", name="Dr Okafor", passphrase=weak, issued_at=ISSUED_AT, cost=CHEAP)
    assert not (tmp_path / "k").exists()


def test_a_name_that_cannot_be_stated_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="cannot be the clinician's name"):
        make_key_file(tmp_path / "k", name=" ", passphrase=PASSPHRASE, issued_at=ISSUED_AT, cost=CHEAP)
    assert not (tmp_path / "k").exists()


@settings(deadline=None)
@given(st.binary(min_size=16, max_size=16))
def test_a_recovery_code_comes_back_from_paper(code: bytes) -> None:
    printed = _grouped(code)
    assert _ungrouped(printed) == code
    assert _ungrouped(printed.lower().replace("0", "o").replace("1", "l").replace("-", " ")) == code
