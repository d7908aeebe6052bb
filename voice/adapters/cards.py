"""Cards on disk: a folder for each part under `<home>/cards`, for its owner alone, replaced whole.

    <home>/cards/<16 hex digits>/card.json      names the generation that holds; replaced by one rename
    <home>/cards/<16 hex digits>/<generation>/  takes.npz, take-1.flac, ..., phrase.flac

takes.npz holds embeddings: of the takes, of the audition's tries, and of ordinary talk where that was
consented to. Version 1 had neither tries nor talk; it is read as it is, and the next enrolment
writes version 2. A card without `matcher` was made by matcher 1.

Everything of a generation is on disk before card.json names it, and the generation before is removed after
that: whatever moment the power goes, one whole card is there, the old one or the new one.
"""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import shutil
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile

from voice.adapters.private_file import sync_folder, write_private
from voice.audio import Clip
from voice.card import Card
from voice.enrolment import Forecast, Span, Take
from voice.errors import EnrolmentError, StorageError
from voice.spotting import MATCHER, Voiceprint

VERSION: Final = 2
READABLE: Final = (1, VERSION)
LOOK: Final = "Enrol that part again with `onebreath enrol --replace`; the other parts are not affected."


class CardDamagedError(StorageError):
    """A card that cannot be read. `part` is its name where that much is legible; the cause never holds it."""

    def __init__(self, cause: str, remedy: str, part: str | None) -> None:
        super().__init__(cause, remedy)
        self.part = part


Renew = Callable[[Card], Card]
"""Makes a card of another matcher anew; EnrolmentError where it cannot."""


class CardBox:
    """The cards of one device. As `ports.Cards` it answers with a part's phrase and whether it is quiet.

    With `renew`, a card that another matcher made is made anew when it is read, and kept; `renewed` counts
    them. Without, it is read as it is.
    """

    def __init__(self, home: Path, renew: Renew | None = None) -> None:
        self._folder = home / "cards"
        self._renew = renew
        self.renewed = 0
        self._phrases: dict[str, Clip | None] = {}
        self._quiet: dict[str, bool] = {}

    def phrase(self, part: str) -> Clip | None:
        """The client's own phrase for a part that `load` has read."""
        return self._phrases.get(part)

    def quiet(self, part: str) -> bool:
        """Whether this part is answered with the tone alone."""
        return self._quiet.get(part, False)

    def load(self) -> tuple[list[Card], list[CardDamagedError]]:
        """Every card that can be read, by name, and an error for each that cannot.

        The errors name folders, never parts: they may end up in a log. Raises StorageError when the folder of
        the cards itself cannot be read.
        """
        cards: list[Card] = []
        damaged: list[CardDamagedError] = []
        try:
            places = sorted(self._folder.iterdir()) if self._folder.is_dir() else []
        except OSError as error:
            raise StorageError(
                f"{self._folder} cannot be read: {error.strerror}.", "Check who may read it."
            ) from error
        for place in places:
            # A folder without card.json is what a first enrolment that was cut off left behind.
            if (place / "card.json").exists():
                try:
                    cards.append(self._read(place))
                except CardDamagedError as error:
                    damaged.append(error)
        for card in cards:
            self._phrases[card.name] = card.phrase
            self._quiet[card.name] = card.quiet
        return sorted(cards, key=lambda card: card.name), damaged

    def get(self, name: str) -> Card | None:
        """One part's card. Raises CardDamagedError."""
        place = self._place(name)
        return self._read(place) if (place / "card.json").exists() else None

    def put(self, card: Card) -> None:
        """Keep a card in place of the one before. Raises StorageError; the one before then stays."""
        place = self._place(card.name)
        fresh = place / secrets.token_hex(4)
        try:
            for folder in (self._folder.parent, self._folder, place, fresh):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_generation(fresh, card)
            sync_folder(place)
            sync_folder(self._folder)
            write_private(place / "card.json", _fields(card, fresh.name))
        except (OSError, soundfile.LibsndfileError) as error:
            shutil.rmtree(fresh, ignore_errors=True)
            reason = getattr(error, "strerror", None) or str(error)
            raise StorageError(
                f"The card could not be kept: {reason}.", "Free some space and enrol again."
            ) from error
        for folder in place.iterdir():
            if folder.is_dir() and folder != fresh:
                shutil.rmtree(folder, ignore_errors=True)

    def remove(self, name: str) -> bool:
        """Remove a part with its takes and phrase; whether it was there."""
        place = self._place(name)
        if not (place / "card.json").exists():
            return False
        (place / "card.json").unlink()
        shutil.rmtree(place)
        sync_folder(self._folder)
        return True

    def _place(self, name: str) -> Path:
        # The folder's name says nothing: a listing of it, or a log of a failed write, holds no part's name.
        return self._folder / hashlib.sha256(name.encode()).hexdigest()[:16]

    def _read(self, place: Path) -> Card:
        part: str | None = None
        try:
            fields = json.loads((place / "card.json").read_bytes())
            part = str(fields["name"])
            if fields["version"] in READABLE:
                card = _card(fields, place / Path(str(fields["generation"])).name)
                return card if card.matcher == MATCHER else self._up_to_date(card, place)
        except _DAMAGE as error:
            raise CardDamagedError(
                f"The card in {place} is damaged ({type(error).__name__}).", LOOK, part
            ) from error
        raise CardDamagedError(
            f"The card in {place} was written by another version of Onebreath.", LOOK, part
        )

    def _up_to_date(self, card: Card, place: Path) -> Card:
        if self._renew is None:
            return card
        try:
            fresh = self._renew(card)
        except EnrolmentError:
            raise CardDamagedError(
                f"The takes in {place} are from another version of Onebreath and of no use to this one.",
                LOOK,
                card.name,
            ) from None
        self.renewed += 1
        # Where nothing can be written, the part is heard all the same, and made anew at the next start.
        with suppress(StorageError):
            self.put(fresh)
        return fresh


_DAMAGE: Final = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    EOFError,
    IndexError,
    zipfile.BadZipFile,
    soundfile.LibsndfileError,
)
"""What reading a file that is absent, cut short or full of something else can raise."""


def _fields(card: Card, generation: str) -> bytes:
    known = card.print
    fields = {
        "version": VERSION,
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
        "tries": len(card.tries),
        "talk": len(card.talk),
        "anyway": card.anyway,
        "matcher": card.matcher,
    }
    return json.dumps(fields, ensure_ascii=False, indent=1).encode()


def _card(fields: dict[str, Any], folder: Path) -> Card:
    # From memory: given a path, numpy leaves the file open when it turns out not to be an archive.
    packed = io.BytesIO((folder / "takes.npz").read_bytes())
    with np.load(packed, allow_pickle=False) as stored:
        takes = tuple(
            Take(stored[f"take{index}"], Span(float(start), float(end)))
            for index, (start, end) in enumerate(fields["spans"])
        )
        # Version 1 had none of these.
        tries = tuple(stored[f"try{index}"] for index in range(fields.get("tries", 0)))
        talk = tuple(stored[f"talk{index}"] for index in range(fields.get("talk", 0)))
    usual, spread = np.array(fields["usual"], np.float32), np.array(fields["spread"], np.float32)
    if not len(takes) == len(usual) == len(spread) or any(
        embedded.ndim != 2 for embedded in (*(take.embeddings for take in takes), *tries, *talk)
    ):
        raise ValueError("takes and their statistics do not match")
    return Card(
        name=str(fields["name"]),
        takes=takes,
        recordings=tuple(_read_sound(folder / f"take-{n + 1}.flac") for n in range(len(takes))),
        print=Voiceprint(
            part=str(fields["name"]),
            takes=tuple(take.name() for take in takes),
            usual=usual,
            spread=spread,
            threshold=float(fields["threshold"]),
            tail_s=float(fields["tail_s"]),
        ),
        forecast=Forecast(**fields["forecast"]),
        alias=fields["alias"],
        phrase=_read_sound(folder / "phrase.flac") if fields["phrase"] else None,
        quiet=bool(fields["quiet"]),
        tries=tries,
        talk=talk,
        anyway=bool(fields.get("anyway", False)),
        matcher=int(fields.get("matcher", 1)),
    )


def _write_generation(folder: Path, card: Card) -> None:
    for index, recording in enumerate(card.recordings):
        write_private(folder / f"take-{index + 1}.flac", _sound(recording))
    if card.phrase is not None:
        write_private(folder / "phrase.flac", _sound(card.phrase))
    arrays: dict[str, Any] = {f"take{index}": take.embeddings for index, take in enumerate(card.takes)}
    arrays |= {f"try{index}": embeddings for index, embeddings in enumerate(card.tries)}
    arrays |= {f"talk{index}": embeddings for index, embeddings in enumerate(card.talk)}
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    write_private(folder / "takes.npz", packed.getvalue())


def _sound(clip: Clip) -> bytes:
    packed = io.BytesIO()
    soundfile.write(packed, clip.samples, clip.rate, format="FLAC", subtype="PCM_16")
    return packed.getvalue()


def _read_sound(path: Path) -> Clip:
    samples, rate = soundfile.read(io.BytesIO(path.read_bytes()), dtype="int16")
    return Clip(samples, rate)
