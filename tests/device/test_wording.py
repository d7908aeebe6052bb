"""The prompts: every language whole, and nothing in them that is never said to a client."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from voice.adapters.prompts import languages, load_wording
from voice.adapters.resources import resource
from voice.wording import KEYS, NEVER_SAID, WordingError, faults, spoken_number, wording

GOOD = dict.fromkeys(KEYS, "Yes.")


def test_every_language_has_exactly_the_same_keys_and_no_faults() -> None:
    assert "en" in languages()
    for language in languages():
        assert load_wording(language).prompts.keys() == KEYS.keys()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("You missed it.", "S13"),
        ("Please relax now.", "S11"),
        ("Go inside for a moment.", "S11"),
        ("Did it help?", "S14"),
        ("Your protector is here.", "S3"),
        ("A Self-led moment.", "S3"),
        ("You are blended now.", "S3"),
        ("Your streak goes on.", "S4"),
        ("One two three four five six seven eight nine ten eleven twelve thirteen.", "more than 12 words"),
        ("Hello {client}.", "placeholder"),
        ("Hello {.", "brace"),
        ("  ", "empty"),
    ],
)
def test_a_prompt_that_must_not_be_said_is_refused(text: str, fault: str) -> None:
    assert any(fault in found for found in faults({**GOOD, "ask.line": text}))


def test_a_missing_and_an_unknown_key_are_refused() -> None:
    short = {key: text for key, text in GOOD.items() if key != "ask.line"}
    assert list(faults(short)) == ["ask.line is not there"]
    assert list(faults({**GOOD, "ask.more": "Yes."})) == ["ask.more is not a prompt of this device"]


def test_an_error_names_what_is_wrong_with_the_file() -> None:
    with pytest.raises(WordingError, match=r"ask\.line says 'relax', which S11 forbids"):
        wording("en", {**GOOD, "ask.line": "Relax."})


def test_no_prompt_holds_a_forbidden_word_even_within_the_comments_of_the_english_file() -> None:
    text = (resource("prompts") / "en" / "prompts.toml").read_text().lower()
    for phrase in (phrase for principle in ("S3", "S11", "S14") for phrase in NEVER_SAID[principle]):
        assert f" {phrase} " not in text


def test_a_name_with_a_full_stop_ends_no_sentence() -> None:
    spoken = load_wording("en").sentences("close.saved", {"clinician": "Dr. Lee"})
    assert spoken == ("Saved.", "Dr. Lee reads it before your next visit.")


def test_a_prompt_that_needs_an_empty_value_is_not_spoken() -> None:
    assert load_wording("en").sentences("help.reads", {"clinician": " "}) == ()


def test_a_number_is_spoken_digit_by_digit() -> None:
    assert spoken_number("1-800 273") == "1 8 0 0 2 7 3"


def test_a_language_without_prompts_and_a_broken_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(WordingError, match="no prompts for the language 'xx'"):
        load_wording("xx")
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "prompts.toml").write_text("[ask\nline")
    with pytest.raises(WordingError, match="not valid TOML"):
        load_wording("en", tmp_path)


def test_the_english_file_is_one_table_of_keys() -> None:
    tables = tomllib.loads((resource("prompts") / "en" / "prompts.toml").read_text())
    assert {f"{table}.{key}" for table, keys in tables.items() for key in keys} == KEYS.keys()
