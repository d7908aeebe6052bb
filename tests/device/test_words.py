"""Word evidence without a recogniser."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.ports import Command
from voice.words import (
    NEAR_COMMANDS,
    HeardWord,
    SpokenName,
    agreed_alias,
    alias_candidates,
    all_known,
    command_of,
    grammar,
    names_in,
    plain_word,
    sayable,
    whole_names,
)

FOREMAN = SpokenName("The Foreman", ("the foreman",))
LITTLE = SpokenName("the little one by the window", ("the little one by the window",))
WINDOW = SpokenName("the window", ("the window",))


def spoken(text: str, gap_s: float = 0.05) -> list[HeardWord]:
    return [
        HeardWord(word, index * (0.3 + gap_s), index * (0.3 + gap_s) + 0.3)
        for index, word in enumerate(text.split())
    ]


def test_a_name_counts_only_whole() -> None:
    assert [h.name for h in whole_names(spoken("i hear the foreman again"), [FOREMAN])] == ["The Foreman"]
    assert whole_names(spoken("foreman"), [FOREMAN]) == []
    assert whole_names(spoken("the [unk] foreman"), [FOREMAN]) == []
    assert whole_names(spoken("foreman the"), [FOREMAN]) == []


def test_words_of_a_name_far_apart_do_not_count() -> None:
    assert whole_names(spoken("the foreman", gap_s=0.6), [FOREMAN]) == []


def test_a_heard_name_carries_the_times_of_its_own_words() -> None:
    (heard,) = whole_names(spoken("now the foreman here"), [FOREMAN])
    assert (heard.start_s, heard.end_s) == pytest.approx((0.35, 1.0))
    assert heard.final


def test_the_longer_of_two_names_is_meant() -> None:
    assert names_in("the little one by the window", [WINDOW, LITTLE]) == ["the little one by the window"]
    assert names_in("by the window", [WINDOW, LITTLE]) == ["the window"]


def test_mixtures_of_two_names_do_not_count() -> None:
    assert names_in("the little foreman", [FOREMAN, LITTLE, WINDOW]) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Foreman!", "the foreman"),
        ("  Little-One ", "little one"),
        ("Don’t, she said", "don't she said"),
        ("Größe", "grösse"),
        ("小さな 子", "小さな 子"),
        ("…", ""),
        ("'quoted'", "quoted"),
    ],
)
def test_sayable_text(text: str, expected: str) -> None:
    assert sayable(text) == expected


@given(st.text())
def test_sayable_text_stays_as_it_is(text: str) -> None:
    once = sayable(text)
    assert sayable(once) == once
    assert once == " ".join(once.split())


def test_the_grammar_keeps_letters_and_repeats_nothing() -> None:
    made = grammar(["niño", "niño", "das kleine"], "[unk]")
    assert made == '["niño", "das kleine", "[unk]"]'
    assert json.loads(grammar(["one"], None)) == ["one"]


def test_known_words() -> None:
    assert all_known("the foreman", {"the", "foreman"}.__contains__)
    assert not all_known("the grumbletron", {"the"}.__contains__)
    assert not all_known("", {"the"}.__contains__)


def test_the_alias_needs_more_than_half_of_the_takes() -> None:
    assert agreed_alias({"grumble tron": 2, "crumble tron": 1}, takes=3) == "grumble tron"
    assert agreed_alias({"grumble tron": 2, "crumble tron": 2}, takes=4) is None
    assert agreed_alias({}, takes=3) is None
    assert agreed_alias({"one two three": 3, "won": 3}, takes=4) == "won"


def test_texts_with_unknown_words_are_no_alias() -> None:
    assert alias_candidates([["grumble [unk]", "grumble tron"], ["grumble tron"], [""]]) == ["grumble tron"]


def test_a_command_is_the_whole_utterance() -> None:
    assert command_of("delete that") is Command.DELETE_THAT
    assert command_of("delete") is None
    assert command_of("please stop") is None
    assert command_of("") is None


def test_no_decoy_is_a_command() -> None:
    assert not set(NEAR_COMMANDS) & {str(command) for command in Command}
    assert len(set(NEAR_COMMANDS)) == len(NEAR_COMMANDS)


@pytest.mark.parametrize(
    ("token", "word"),
    [("the(2)", "the"), ("stop", "stop"), ("<sil>", None), ("[NOISE]", None), ("++UM++", None)],
)
def test_dictionary_tokens(token: str, word: str | None) -> None:
    assert plain_word(token) == word
