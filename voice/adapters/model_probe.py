"""Lets libvosk read a model in a process of its own, since a damaged one can abort or crash the process.

Seen with vosk 0.3.45 and one damaged file at a time: most give a NULL handle; an empty model.conf aborts with
a failed assertion, a short disambig_tid.int is a segmentation fault, and an empty words.txt loads and then
knows no word. `python -m voice.adapters.model_probe FOLDER WORD...` prints one JSON object.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from voice.errors import ModelError

PATIENCE_S = 120
"""Seconds for a model to load; a large one on a slow card takes a while."""


@dataclass(frozen=True)
class Probe:
    """What libvosk made of a model: which of the asked words it knows."""

    knows: tuple[str, ...]


def probe(folder: Path, words: tuple[str, ...]) -> Probe:
    """Load the model, decode half a second, freely and with a grammar. ModelError when any of it fails."""
    command = [sys.executable, "-m", "voice.adapters.model_probe", str(folder), *words]
    try:
        ran = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        raise _damaged(folder, f"reading it did not end within {PATIENCE_S} s") from None
    if ran.returncode != 0:
        how = "crashed" if ran.returncode < 0 else "could not load it"
        raise _damaged(folder, f"libvosk {how}")
    answer = json.loads(ran.stdout)
    if not answer["any"]:
        raise _damaged(folder, "it knows no words")
    return Probe(tuple(answer["knows"]))


def _damaged(folder: Path, why: str) -> ModelError:
    return ModelError(
        f"The speech model in {folder} is damaged: {why}.",
        "Remove that folder and fetch the model again with `onebreath models fetch`.",
    )


def _main(folder: str, words: list[str]) -> None:
    import vosk

    vosk.SetLogLevel(-1)
    model = vosk.Model(folder)
    knows = [word for word in words if model.vosk_model_find_word(word) >= 0]
    silence = bytes(16_000)
    free = vosk.KaldiRecognizer(model, 16_000)
    free.AcceptWaveform(silence)
    free.FinalResult()
    common = knows or [word for word in ("[unk]", "<unk>", "a", "i", "o") if _has(model, word)]
    if common:
        restricted = vosk.KaldiRecognizer(model, 16_000, json.dumps(common[:4], ensure_ascii=False))
        restricted.AcceptWaveform(silence)
        restricted.FinalResult()
    sys.stdout.write(json.dumps({"knows": knows, "any": bool(common)}))


def _has(model: object, word: str) -> bool:
    return bool(model.vosk_model_find_word(word) >= 0)  # type: ignore[attr-defined]


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2:])
