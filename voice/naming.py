"""Which names can work at all, told from their spelling: long enough, and not everyday talk. Pure."""

from __future__ import annotations

import unicodedata
from typing import Final

from voice.common_words import EVERYDAY, FUNCTION
from voice.errors import EnrolmentError
from voice.ports import Command

ALPHABETS: Final = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "GEORGIAN")
"""Scripts that write about one sound a letter; in the others a sign is a consonant, a syllable or a word."""

FEWEST_LETTERS: Final = 4
FEWEST_SIGNS: Final = 2
MOST_CHARACTERS: Final = 80

ENOUGH_EVERYDAY_WORDS: Final = 3
"""So many everyday words in a row are said together so seldom that they can be a name ("the little one")."""

ADD_A_WORD: Final = "Add one more word: where it is, what it looks like, or what it does."
"""Reads well after any name, in any language; what the name becomes is the client's own choice (S1)."""


class NameRefusedError(EnrolmentError):
    """This name would not work. `prompt` is the key of what is said about it in a led enrolment."""

    def __init__(self, cause: str, remedy: str, prompt: str) -> None:
        super().__init__(cause, remedy)
        self.prompt = prompt


def refuse_name(name: str) -> None:
    """Raise NameRefusedError, kindly and with a suggestion, for a name that would not work."""
    letters = [char for char in name if unicodedata.category(char)[0] in "LN"]
    if not letters:
        raise NameRefusedError(
            "A name needs at least one letter.", 'For example: --name "the foreman".', "enrol.too_short"
        )
    spelt = all(unicodedata.name(char, "").startswith(ALPHABETS) for char in letters if char.isalpha())
    if len(letters) < (FEWEST_LETTERS if spelt else FEWEST_SIGNS):
        raise NameRefusedError(
            f"“{name}” is too short to be told apart from ordinary talk.", ADD_A_WORD, "enrol.too_short"
        )
    if len(name) > MOST_CHARACTERS:
        raise NameRefusedError(
            f"The name is too long: {len(name)} characters.",
            f"Choose a name of at most {MOST_CHARACTERS}, one that can be said in one breath.",
            "enrol.name_too_long",
        )
    words = _words(name)
    if " ".join(words) in {command.value for command in Command}:
        raise NameRefusedError(
            f"“{name}” is one of the words that always work on the device.", ADD_A_WORD, "enrol.too_common"
        )
    few = len(words) < ENOUGH_EVERYDAY_WORDS
    if all(word in FUNCTION for word in words) or (few and all(word in EVERYDAY for word in words)):
        raise NameRefusedError(
            f"“{name}” is said so often in ordinary talk that the device would answer all evening.",
            ADD_A_WORD,
            "enrol.too_common",
        )


def _words(name: str) -> list[str]:
    plain = name.casefold().replace("’", "'")
    return "".join(char if char.isalnum() or char == "'" else " " for char in plain).split()
