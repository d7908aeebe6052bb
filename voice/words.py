"""Word evidence without a recogniser: the grammar to listen with, and what counts as a whole name. Pure."""

from __future__ import annotations

import itertools
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from voice.ports import Command

UNKNOWN: Final = ("[unk]", "<unk>")
"""How models write a word outside their vocabulary."""

GAP: Final = "…"
"""Stands in a line for speech that was no known word; always marked as doubtful."""

ADJACENT_S: Final = 0.5
"""Two words of one name may lie this many seconds apart."""


@dataclass(frozen=True)
class SpokenName:
    """A name as it is listened for: the exact name, and the ways of saying it in known words.

    Each alias is sayable text: words of the model's vocabulary with single spaces between them.
    """

    name: str
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class HeardWord:
    """One recognised word with its place in the stream, in seconds."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class WordsHeard:
    """A whole name was recognised. Times are seconds of the stream.

    `final` false is a guess from words still being spoken, with approximate times, which may be taken back.
    """

    name: str
    start_s: float
    end_s: float
    final: bool


def sayable(text: str) -> str:
    """`text` as a recogniser writes it: lower case, single spaces, no punctuation but apostrophes."""
    plain = unicodedata.normalize("NFC", text).casefold().replace("’", "'")
    kept = "".join(c if c == "'" or unicodedata.category(c)[0] in "LMN" else " " for c in plain)
    return " ".join(word.strip("'") for word in kept.split() if word.strip("'"))


def all_known(text: str, knows: Callable[[str], bool]) -> bool:
    """Whether every word of the sayable `text` is in the vocabulary; false for no words."""
    return bool(text) and all(knows(word) for word in text.split())


def grammar(phrases: Iterable[str], unknown: str | None) -> str:
    """The JSON grammar that libvosk takes: each phrase once, then its unknown word if the model has one."""
    listed = list(dict.fromkeys(phrases))
    return json.dumps(listed + ([unknown] if unknown is not None else []), ensure_ascii=False)


def whole_names(words: Sequence[HeardWord], names: Sequence[SpokenName]) -> list[WordsHeard]:
    """The names that stand in `words` whole: all words of an alias, in order, next to each other in time.

    libvosk turns a grammar into word pairs, so single words of a name and mixtures of two names come back
    too; they do not count. Where names overlap the longer one is meant ("the little one by the window" is
    not "the window").
    """
    patterns = sorted(
        ((alias.split(), spoken.name) for spoken in names for alias in spoken.aliases),
        key=lambda pattern: -len(pattern[0]),
    )
    heard, at = [], 0
    while at < len(words):
        for pattern, name in patterns:
            here = words[at : at + len(pattern)]
            if pattern and [word.text for word in here] == pattern and _adjacent(here):
                heard.append(WordsHeard(name, here[0].start_s, here[-1].end_s, final=True))
                at += len(pattern)
                break
        else:
            at += 1
    return heard


def names_in(text: str, names: Sequence[SpokenName]) -> list[str]:
    """The names that stand whole in a text without times."""
    untimed = [HeardWord(word, 0.0, 0.0) for word in text.split()]
    return [heard.name for heard in whole_names(untimed, names)]


def _adjacent(words: Sequence[HeardWord]) -> bool:
    return all(b.start_s - a.end_s <= ADJACENT_S for a, b in itertools.pairwise(words))


def agreed_alias(votes: Mapping[str, int], takes: int) -> str | None:
    """The candidate that most takes were recognised as; None unless more than half of them agree.

    Of two with equal votes the one with fewer, then shorter words is taken: it leaves less to mishear.
    """
    counted = [(-count, len(text.split()), len(text), text) for text, count in votes.items() if text]
    if not counted:
        return None
    count, _, _, text = min(counted)
    return text if -count * 2 > takes else None


def alias_candidates(decoded: Sequence[Sequence[str]]) -> list[str]:
    """Texts worth trying as an alias, from each take's decodings (best first), the likeliest in front.

    Unknown words and fillers make a text unsayable; a best decoding counts twice.
    """
    weight: Counter[str] = Counter()
    for texts in decoded:
        for rank, text in enumerate(texts):
            if text and not any(unknown in text for unknown in UNKNOWN):
                weight[text] += 2 if rank == 0 else 1
    return [text for text, _ in sorted(weight.items(), key=lambda item: (-item[1], len(item[0]), item[0]))]


NEAR_COMMANDS: Final = (
    "stopped",
    "stops",
    "top",
    "stock",
    "step",
    "star",
    "shop",
    "swap",
    "got now",
    "what now",
    "not how",
    "not know",
    "note now",
    "no now",
    "shot now",
    "a game",
    "the gain",
    "a gun",
    "agony",
    "ladder",
    "lauder",
    "powder",
    "quiet",
    "quite a",
    "slow",
    "lower",
    "slowed",
    "snow",
    "delete the",
    "delete them",
    "delete than",
    "delete but",
    "delete cut",
    "held",
    "health",
    "hello",
    "helps",
    "helped",
    "yelp",
    "hell",
    "stop listing",
    "top listening",
    "stop listen",
    "star listening",
    "start listing",
    "smart listening",
    "start listen",
)
"""Words that sound like the commands. A grammar of commands alone would hear "stop" in "top"."""


def command_of(text: str) -> Command | None:
    """The command that the sayable `text`, as a whole, is."""
    try:
        return Command(text)
    except ValueError:
        return None


ORDINARY: Final = (
    "against",
    "okay",
    "the flower",
    "flower",
    "slot",
    "help us",
    "not known",
    "listen",
    "listening",
    "we listen",
    "shut",
    "hope",
    "hold",
    "heal",
    "hell",
    "let that",
    "the late",
    "quiet there",
    "quite there",
    "lousy",
    "allow",
    "again today",
    "yes",
    "no",
    "what",
    "why",
    "i",
    "you",
    "he",
    "she",
    "it",
    "we",
    "they",
    "the",
    "a",
    "my",
    "is",
    "was",
    "am",
    "are",
    "and",
    "but",
    "so",
    "not",
    "do",
    "know",
    "see",
    "me",
    "that",
    "this",
    "now",
    "then",
    "here",
    "there",
    "at",
    "to",
    "of",
    "on",
    "in",
    "too",
    "it's",
    "i'm",
    "mother",
    "work",
    "go",
    "come",
    "want",
    "think",
    "feel",
    "tight",
    "late",
    "thank",
    "good",
    "time",
    "day",
    "night",
    "please",
    "really",
    "very",
)
"""Short things people say, for a grammar that has no word for the unknown."""

_AFTER: Final = (
    ("stop", "help", "start", "slow", "delete", "not", "listen", "quiet", "louder", "again"),
    ("it", "me", "this", "the", "down", "please", "yet", "really", "music", "here"),
)

ORDINARY_PAIRS: Final = tuple(f"{first} {then}" for first in _AFTER[0] for then in _AFTER[1])
"""How ordinary talk goes on after a word that also begins a command."""


_VARIANT: Final = re.compile(r"\(\d+\)$")


def plain_word(token: str) -> str | None:
    """A dictionary token as a word: "the(2)" is "the"; None for fillers such as "<sil>" or "[NOISE]"."""
    if not token or token[0] in "<[" or token.startswith("++"):
        return None
    return _VARIANT.sub("", token)
