"""Cards on disk: a folder for each part under `<home>/cards`, for its owner alone, replaced whole."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile

from voice.adapters.private_file import sync_folder, write_private
from voice.audio import Clip
from voice.card import Card
from voice.enrolment import Forecast, Span, Take
from voice.errors import StorageError
from voice.spotting import Voiceprint

VERSION: Final = 1
LOOK: Final = "Run `onebreath enrol` for this part again; the other parts are not affected."


class CardBox:
    """The cards of one device. As `ports.Cards` it answers with a part's phrase and whether it is quiet."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "cards"
        self._phrases: dict[str, Clip | None] = {}
        self._quiet: dict[str, bool] = {}

    def phrase(self, part: str) -> Clip | None:
        """The client's own phrase for a part that `load` has read."""
        return self._phrases.get(part)

    def quiet(self, part: str) -> bool:
        """Whether this part is answered with the tone alone."""
        return self._quiet.get(part, False)

    def load(self) -> list[Card]:
        """Every card, by name. Raises StorageError for a damaged one, naming it."""
        if not self._folder.is_dir():
            return []
        cards = [self._read(path) for path in sorted(self._folder.glob("*/card.json"))]
        for card in cards:
            self._phrases[card.name] = card.phrase
            self._quiet[card.name] = card.quiet
        return sorted(cards, key=lambda card: card.name)

    def get(self, name: str) -> Card | None:
        """One part's card."""
        path = self._place(name) / "card.json"
        return self._read(path) if path.is_file() else None

    def put(self, card: Card) -> None:
        """Keep a card in place of the one before. Raises StorageError; the one before then stays."""
        place = self._place(card.name)
        fresh, old = place.with_suffix(".new"), place.with_suffix(".old")
        try:
            for leftover in (fresh, old):
                shutil.rmtree(leftover, ignore_errors=True)
            fresh.mkdir(mode=0o700, parents=True)
            self._write(fresh, card)
            if place.exists():
                place.rename(old)
            fresh.rename(place)
            sync_folder(self._folder)
            shutil.rmtree(old, ignore_errors=True)
        except (OSError, soundfile.LibsndfileError) as error:
            if old.exists() and not place.exists():
                old.rename(place)
            shutil.rmtree(fresh, ignore_errors=True)
            reason = getattr(error, "strerror", None) or str(error)
            raise StorageError(
                f"The card could not be kept: {reason}.", "Free some space and enrol again."
            ) from error

    def remove(self, name: str) -> bool:
        """Remove a part with its takes and phrase; whether it was there."""
        place = self._place(name)
        if not place.is_dir():
            return False
        shutil.rmtree(place)
        sync_folder(self._folder)
        return True

    def _place(self, name: str) -> Path:
        # The folder's name says nothing: a listing of it, or a log of a failed write, holds no part's name.
        return self._folder / hashlib.sha256(name.encode()).hexdigest()[:16]

    def _write(self, folder: Path, card: Card) -> None:
        known = card.print
        fields = {
            "version": VERSION,
            "name": card.name,
            "alias": card.alias,
            "quiet": card.quiet,
            "threshold": known.threshold,
            "tail_s": known.tail_s,
            "usual": known.usual.tolist(),
            "spread": known.spread.tolist(),
            "spans": [[take.span.start_s, take.span.end_s] for take in card.takes],
            "forecast": asdict(card.forecast),
        }
        for index, recording in enumerate(card.recordings):
            _write_sound(folder / f"take-{index + 1}.flac", recording)
        if card.phrase is not None:
            _write_sound(folder / "phrase.flac", card.phrase)
        arrays: dict[str, Any] = {f"take{index}": take.embeddings for index, take in enumerate(card.takes)}
        np.savez(folder / "takes.npz", **arrays)
        write_private(folder / "card.json", json.dumps(fields, ensure_ascii=False, indent=1).encode())

    def _read(self, path: Path) -> Card:
        folder = path.parent
        with _damage_named(path):
            fields = json.loads(path.read_bytes())
            if fields["version"] != VERSION:
                raise StorageError(
                    f"A card was written by another version of Onebreath ({fields['version']}).", LOOK
                )
            with np.load(folder / "takes.npz", allow_pickle=False) as stored:
                takes = tuple(
                    Take(stored[f"take{index}"], Span(float(start), float(end)))
                    for index, (start, end) in enumerate(fields["spans"])
                )
            phrase = folder / "phrase.flac"
            return Card(
                name=str(fields["name"]),
                takes=takes,
                recordings=tuple(_read_sound(folder / f"take-{n + 1}.flac") for n in range(len(takes))),
                print=Voiceprint(
                    part=str(fields["name"]),
                    takes=tuple(take.name() for take in takes),
                    usual=np.array(fields["usual"], np.float32),
                    spread=np.array(fields["spread"], np.float32),
                    threshold=float(fields["threshold"]),
                    tail_s=float(fields["tail_s"]),
                ),
                forecast=Forecast(**fields["forecast"]),
                alias=fields["alias"],
                phrase=_read_sound(phrase) if phrase.exists() else None,
                quiet=bool(fields["quiet"]),
            )
        raise AssertionError  # the context manager returns or raises


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, soundfile.LibsndfileError) as error:
        raise StorageError(f"The card in {path.parent} is damaged ({type(error).__name__}).", LOOK) from error


def _write_sound(path: Path, clip: Clip) -> None:
    soundfile.write(str(path), clip.samples, clip.rate, format="FLAC", subtype="PCM_16")
    path.chmod(0o600)


def _read_sound(path: Path) -> Clip:
    samples, rate = soundfile.read(str(path), dtype="int16")
    return Clip(samples, rate)
