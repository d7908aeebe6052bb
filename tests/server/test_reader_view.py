"""How the queue is shown, and what is remembered of it."""

from __future__ import annotations

import io
import json
import stat
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from server.errors import ServerError
from server.reader import Line, Reading, Record, Word
from server.reader_memory import keep_memory, load_memory, memory_path
from server.reader_sequence import Flag, Kind, Memory
from server.reader_view import chosen, document, safe, show

ZONE = timezone(timedelta(hours=1))


def record(
    sequence: int, line: Line | None = None, *, part: str = "the foreman", new: bool = False
) -> Record:
    at = datetime(2026, 3, 2, 23, 5, tzinfo=ZONE) + timedelta(days=sequence)
    return Record(b"d" * 16, bytes([sequence]) * 16, sequence, at, part, line, "2026-03-03T08:00:00Z", new)


def shown(*records: Record, flags: tuple[Flag, ...] = ()) -> str:
    out = io.StringIO()
    console = Console(file=out, width=120, force_terminal=True, color_system=None, legacy_windows=False)
    show(console, Reading(records, flags, (), Memory()), records)
    return out.getvalue()


def test_the_line_is_shown_verbatim_with_its_doubt() -> None:
    words = (Word("he", False), Word("fucking", False), Word("yield", True))
    text = shown(record(0, Line(words, "pocketsphinx en-us", rough=True)))
    assert "Mon 2 Mar 2026 23:05" in text
    assert "the foreman" in text
    assert "he fucking" in text
    assert "yield (?)" in text
    assert "[rough]" in text


def test_S06_a_noticing_without_a_line_is_as_complete_as_any() -> None:
    text = shown(record(0), record(1, Line((), "vosk", rough=False)))
    assert "no line" in text
    assert "a line was spoken; it could not be made out" in text


def test_S10_nothing_is_added_to_what_the_client_said() -> None:
    fields = document("Dr Okafor", Reading((record(0),), (), (), Memory()), [record(0)])["records"][0]
    assert set(fields) == {
        "device",
        "record",
        "sequence",
        "at",
        "weekday",
        "part",
        "line",
        "received_at",
        "new",
        "discussed",
    }


def test_S20_the_clients_own_word_for_when_is_shown_where_there_is_one() -> None:
    spoken = replace(record(0, Line((Word("work", False),), "vosk", rough=False)), when="starting")
    silent = replace(record(1), when="in")
    text = shown(spoken, silent, record(2))
    assert "work  “starting”" in text
    assert "no line  “in it”" in text
    assert text.count("“") == 2
    reading = Reading((spoken, record(2)), (), (), Memory())
    answered, other = document("Dr Okafor", reading, reading.records)["records"]
    assert answered["when"] == "starting"
    assert "when" not in other


def test_rich_markup_in_a_line_is_only_words() -> None:
    text = shown(record(0, Line((Word("[bold]loud[/bold]", False),), "vosk", rough=False), part="[red]x"))
    assert "[bold]loud[/bold]" in text
    assert "[red]x" in text


def test_a_terminal_obeys_nothing_that_a_client_said() -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202emirrored\r\n"
    text = shown(
        record(0, Line((Word(evil, True),), "vosk", rough=False), part=evil),
        flags=(Flag(Kind.FRAME, evil, evil),),
    )
    plain = text.replace("\x1b[1m", "").replace("\x1b[0m", "").replace("\x1b[2m", "").replace("\x1b[3m", "")
    assert not set(plain) & set("\x1b\x07\x9b\r\u202e")
    assert "mirrored" in plain


@settings(deadline=None)
@given(st.text())
def test_safe_text_has_as_many_characters_and_no_controls(text: str) -> None:
    made = safe(text)
    assert len(made) == len(text)
    assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in made)


def test_names_in_any_script_stay_as_they_are() -> None:
    for name in ("the foreman", "маленькая", "小さい子", "نگهبان\u200cها", "👩‍👧", "ñandú"):
        assert safe(name) == name


def test_what_is_shown_unasked_is_everything_unread_and_the_newest() -> None:
    records = [record(sequence, new=sequence == 1) for sequence in range(80, 0, -1)]
    unasked = chosen(records, since=None, everything=False)
    assert len(unasked) == 51
    assert unasked[-1].new
    assert len(chosen(records, since=None, everything=True)) == 80
    assert [one.sequence for one in chosen(records, since=date(2026, 5, 19), everything=False)] == [
        80,
        79,
        78,
    ]
    text = shown(*unasked)
    assert "new" in text


def test_flags_and_hidden_records_are_said_after_the_table() -> None:
    out = io.StringIO()
    said = "A record is missing between Tuesday 3 March and Thursday 5 March."
    reading = Reading((record(1), record(0)), (Flag(Kind.MISSING, said, "ab" * 16, 3),), (), Memory())
    show(Console(file=out, width=120), reading, [record(1)])
    lines = out.getvalue().splitlines()
    assert lines[-1] == f"! {said} (device abababab)"
    assert "Older records not shown: 1" in lines[-2]


def test_an_empty_queue_says_so() -> None:
    assert "No records." in shown()


def test_the_json_document_is_plain_ascii_and_complete() -> None:
    line = Line((Word("\x9b", True), Word("né", False)), "vosk", rough=False)
    made = document(
        "Dr Okafor",
        Reading((record(0, line, new=True),), (Flag(Kind.LIST, "odd"),), (), Memory()),
        [record(0, line, new=True)],
    )
    text = json.dumps(made)
    assert text.isascii()
    again = json.loads(text)
    assert again["records"][0]["line"] == {
        "text": "\x9b né",
        "words": [{"text": "\x9b", "doubt": True}, {"text": "né", "doubt": False}],
        "made_out": True,
        "rough": False,
        "transcriber": "vosk",
    }
    assert again["records"][0]["weekday"] == "Monday"
    assert again["records"][0]["at"] == "2026-03-02T23:05:00+01:00"
    assert again["flags"] == [{"kind": "list", "message": "odd", "device": None, "sequence": None}]


def test_the_memory_comes_back(tmp_path: Path) -> None:
    path = memory_path(tmp_path / "okafor.key.json")
    assert load_memory(path) == Memory()
    memory = Memory({b"d" * 16: {1: b"h" * 32, 12: b"i" * 32}})
    keep_memory(path, memory)
    assert load_memory(path) == memory
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"version": 2}', '{"version": 1, "devices": {"zz": 3}}']
)
def test_a_damaged_memory_is_known_as_such(tmp_path: Path, content: str) -> None:
    (tmp_path / "m").write_text(content)
    assert load_memory(tmp_path / "m") is None


def test_a_memory_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="could not be noted"):
        keep_memory(tmp_path / "no" / "folder", Memory())
