"""Names: which are taken, which are refused, and that a refusal says what to do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice.card import clean_name
from voice.common_words import EVERYDAY, FUNCTION
from voice.errors import EnrolmentError
from voice.naming import NameRefusedError, refuse_name
from voice.ports import Command
from voice.wording import KEYS


@pytest.mark.parametrize(
    "name",
    [
        "the foreman",
        "grumbletron",
        "the little one by the window",
        "Großmutter",
        "La Señora Ñandú",
        "бригадир",
        "Лиса",
        "工头",
        "小さい子",
        "현장감독",
        "الحارس",
        "השומר",
        "पहरेदार",
        "người gác",
        "می\u200cترسم",
        "R2D2",
        "stop sign",
        "the one who waits",
        "the critic",
        "the little one",
        "the wall",
        "hello kitty",
        "don't-you-dare dragon",
    ],
)
def test_names_of_any_script_are_taken(name: str) -> None:
    refuse_name(clean_name(name))


@pytest.mark.parametrize("name", ["", "   ", "!!!", "\x00\x07", "…", "🦊", "\u200b\u200d", "\u0301"])
def test_a_name_without_a_letter_is_refused(name: str) -> None:
    with pytest.raises(EnrolmentError, match="at least one letter"):
        refuse_name(clean_name(name))


@pytest.mark.parametrize("name", ["me", "Leo", "no", "a b", "Bé", "7", "он", "я", "εγώ", "我", "ah!"])
def test_a_name_too_short_to_tell_apart_is_refused_with_a_suggestion(name: str) -> None:
    with pytest.raises(EnrolmentError, match="too short") as refused:
        refuse_name(clean_name(name))
    assert refused.value.remedy


@pytest.mark.parametrize(
    "name",
    [
        "yes you", "you there", "that one", "What is it", "He and she", "they, them!", "the one who is not",
        "hello", "Okay!", "thanks", "thank you", "music", "the phone", "good morning", "my mother",
        "I'm sorry", "I’m sorry", "television", "no name",
    ],
)  # fmt: skip
def test_a_name_of_everyday_words_is_refused_with_a_suggestion(name: str) -> None:
    with pytest.raises(EnrolmentError, match="ordinary talk") as refused:
        refuse_name(clean_name(name))
    assert "one more word" in refused.value.remedy


@pytest.mark.parametrize("name", [*(command.value for command in Command), "Stop!", "DELETE  that", "Help."])
def test_the_words_that_always_work_are_no_names(name: str) -> None:
    with pytest.raises(EnrolmentError, match="always work"):
        refuse_name(clean_name(name))


def test_a_name_that_no_breath_could_say_is_refused() -> None:
    with pytest.raises(EnrolmentError, match="too long"):
        refuse_name("the little one by the window " * 10)


@given(st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_text_is_taken_or_refused_in_words_for_a_person(text: str) -> None:
    name = clean_name(text)
    assert clean_name(name) == name
    assert name == name.strip()
    name.encode()
    refused: EnrolmentError | None = None
    try:
        refuse_name(name)
    except EnrolmentError as error:
        refused = error
    if refused is None:
        assert any(char.isalnum() for char in name)
    else:
        assert refused.cause.endswith(".")
        assert refused.remedy


@pytest.mark.parametrize("name", ["me", "the phone", "hello", "no", "stop", "他", "Leo", "a b", "Mr. O'"])
def test_a_suggestion_reads_well_after_any_name_and_is_no_name_itself(name: str) -> None:
    """Nobody calls a part "the me one" (S1): what the name becomes is left to the client."""
    with pytest.raises(NameRefusedError) as refused:
        refuse_name(name)
    assert refused.value.remedy.startswith("Add one more word")
    assert name not in refused.value.remedy.split()
    assert refused.value.prompt in KEYS


def test_the_everyday_words_are_as_many_as_they_claim() -> None:
    assert FUNCTION < EVERYDAY
    assert 400 < len(EVERYDAY) < 900
    assert all(word == word.casefold() for word in EVERYDAY)
