"""Looks for what a client said or named: as text in any usual writing, and as sound in any usual form."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote, quote_plus

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from voice.audio import RATE, Samples

Sound = npt.NDArray[np.float64]

BETWEEN = (" ", '", "', '","', "', '", "_", "-", "+", "%20", ", ", "\n", "\x00", "")
"""What may stand between two words: in text, in a list of JSON or Python, in a file's name, in a URL."""

LONG_WORD = 6
"""A word of so many letters is looked for by itself too."""

PIECE_S = 0.5
"""Sound is looked for in pieces of this length."""

SAME_SOUND = 0.8
"""A piece that correlates so well with some stretch of a file is in it; by chance it is below 0.6."""

FORMS = (("<i2", 2, 32767), ("<f4", 4, 2), ("<f4", 4, 32768))
"""Bare samples: their type, bytes, and largest value."""

LONGEST_S = 600
"""Of each file, this much is listened to in each form."""


def needles(text: str) -> set[bytes]:
    """The text as it may stand in a file: each pair of neighbouring words and each long word,
    in small letters, in UTF-8 and UTF-16, URL-encoded, in hexadecimal."""
    words = text.lower().split()
    plain = {first + between + second for first, second in pairwise(words) for between in BETWEEN}
    plain |= {word for word in words if len(word) >= LONG_WORD}
    found: set[bytes] = set()
    for phrase in plain:
        for form in (phrase, quote(phrase), quote_plus(phrase)):
            found |= {form.lower().encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be")}
        found.add(phrase.encode().hex().encode())
    return found


def base64_needles(text: str) -> set[bytes]:
    """The same in base64, in each usual case, from each of the three places in which it may begin."""
    words, found = text.split(), set()
    plain = {" ".join(pair) for pair in pairwise(words)} | {word for word in words if len(word) >= LONG_WORD}
    plain |= {f'{first}","{second}' for first, second in pairwise(words)}
    for phrase in plain:
        for form in (phrase, phrase.lower(), phrase.upper(), phrase.title(), phrase.capitalize()):
            for code in ("utf-8", "utf-16-le"):
                for lead in range(3):
                    data = form.encode(code)
                    coded = base64.b64encode(b"\x00" * lead + data)
                    # Without the letters that the neighbouring bytes take part in.
                    first, last = (0, 2, 3)[lead], (lead + len(data)) * 8 // 6
                    found |= {coded[first:last], base64.urlsafe_b64encode(b"\x00" * lead + data)[first:last]}
    return found


def text_in(data: bytes, *texts: str) -> str | None:
    """The first of the texts of which a trace is in the data; None when there is none."""
    low = data.lower()
    for text in texts:
        if any(needle in low for needle in needles(text)) or any(n in data for n in base64_needles(text)):
            return text
    return None


def texts_in_files(files: Iterable[Path], *texts: str) -> list[tuple[Path, str]]:
    """Every file with a trace of a text, in its content or its name."""
    found = ((path, text_in(path.read_bytes() + b"\n" + str(path).encode(), *texts)) for path in files)
    return [(path, text) for path, text in found if text is not None]


def files_in(*folders: Path) -> list[Path]:
    """Every file below the folders."""
    return sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())


def pieces(samples: Samples) -> list[Sound]:
    """The louder pieces of some speech, without their mean."""
    size = round(PIECE_S * RATE)
    whole = [samples[at : at + size].astype(np.float64) for at in range(0, len(samples) - size + 1, size)]
    assert whole, "too short to be looked for"
    usual = np.median([piece.std() for piece in whole])
    return [piece - piece.mean() for piece in whole if piece.std() >= usual]


def sound_in(data: bytes, wanted: Sequence[Sound]) -> float:
    """How well the best piece is found in the data, read as a sound file, and as bare samples that
    begin at any byte: 0 to 1."""
    best = 0.0
    for heard in _readings(data):
        best = max([best, *(likeness(heard, piece) for piece in wanted)])
    return best


def likeness(recorded: Sound, wanted: Sound) -> float:
    """The highest normalised correlation of `wanted` with any stretch of the recording, 0 to 1."""
    if len(recorded) < len(wanted):
        return 0.0
    size = 1 << (len(recorded) + len(wanted)).bit_length()
    product = np.fft.irfft(np.fft.rfft(recorded, size) * np.conj(np.fft.rfft(wanted, size)), size)
    sums = np.concatenate([[0.0], np.cumsum(recorded**2)])
    power = sums[len(wanted) :] - sums[: -len(wanted)]
    # A stretch of near silence has no likeness to anything.
    least = max(1e-9, 1e-6 * float(power.max(initial=0.0)))
    scale = np.sqrt(np.maximum(power, least) * (wanted**2).sum())
    return float((np.abs(product[: len(power)]) / scale).max())


def _readings(data: bytes) -> Iterator[Sound]:
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float64", always_2d=True)
    except (soundfile.LibsndfileError, TypeError, ValueError):
        pass
    else:
        mono = samples.mean(axis=1)[: LONGEST_S * rate]
        yield np.asarray(mono if rate == RATE else soxr.resample(mono, rate, RATE))
        return
    for kind, width, most in FORMS:
        for start in range(width):
            whole = (len(data) - start) // width
            if whole > 0:
                read = np.frombuffer(data, kind, whole, start)[: LONGEST_S * RATE]
                # What is no sample in this form must not drown what is one.
                good = np.isfinite(read) & (np.abs(np.nan_to_num(read)) <= most)
                yield np.where(good, read, 0).astype(np.float64)
