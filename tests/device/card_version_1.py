"""A card as version 1 of the format was written: by the code of that time, cut down to its writing half."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from voice.adapters.private_file import write_private
from voice.audio import Clip
from voice.card import Card


def put_version_1(home: Path, card: Card) -> None:
    """Keep a card as the device of that time did."""
    place = home / "cards" / hashlib.sha256(card.name.encode()).hexdigest()[:16]
    fresh = place / "0a1b2c3d"
    fresh.mkdir(mode=0o700, parents=True)
    _write_generation(fresh, card)
    write_private(place / "card.json", _fields(card, fresh.name))


def _fields(card: Card, generation: str) -> bytes:
    known = card.print
    fields = {
        "version": 1,
        "generation": generation,
        "name": card.name,
        "alias": card.alias,
        "quiet": card.quiet,
        "phrase": card.phrase is not None,
        "threshold": known.threshold,
        "tail_s": known.tail_s,
        "usual": known.usual.tolist(),
        "spread": known.spread.tolist(),
        "spans": [[take.span.start_s, take.span.end_s] for take in card.takes],
        "forecast": asdict(card.forecast),
    }
    return json.dumps(fields, ensure_ascii=False, indent=1).encode()


def _write_generation(folder: Path, card: Card) -> None:
    for index, recording in enumerate(card.recordings):
        write_private(folder / f"take-{index + 1}.flac", _sound(recording))
    if card.phrase is not None:
        write_private(folder / "phrase.flac", _sound(card.phrase))
    arrays: dict[str, Any] = {f"take{index}": take.embeddings for index, take in enumerate(card.takes)}
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    write_private(folder / "takes.npz", packed.getvalue())


def _sound(clip: Clip) -> bytes:
    packed = io.BytesIO()
    soundfile.write(packed, clip.samples, clip.rate, format="FLAC", subtype="PCM_16")
    return packed.getvalue()
