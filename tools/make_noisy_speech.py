"""Make what the denoiser learns from: the same synthetic speech without noise and three times with it, embedded.

    python tools/make_noisy_speech.py noisy.npz [--utterances 3500] [--jobs 2]

Needs espeak-ng and flite, and the words that PocketSphinx knows. Every voice is synthetic; nobody's recording
is used. Takes about half an hour on two cores. `tools/train_denoiser.py` reads the file.
"""

from __future__ import annotations

import argparse
import random
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pocketsphinx
import soxr
from make_negatives import ENDINGS, MIDDLES, OPENERS, Audio, speak_espeak, speak_flite, tones

from voice.adapters.embedding import SpeechEmbedder
from voice.audio import HOP, RATE

ENGLISH = "en-us en-us en-us en-gb en-gb-x-rp en-gb-scotland en-029 en-gb-x-gbcwmd en-gb-x-gbclan".split()
FOREIGN = "es fr-fr de it pt-br pl tr nl sv ro id cs fi hi".split()
VARIANTS = """m1 m2 m3 m4 m5 m6 m7 m8 f1 f2 f3 f4 f5 Alex Alicia Andrea Andy Annie Denis Diogo Gene Henrique Hugo
Jacky Lee Marco Mario Michael Mike adam anika antonio aunty belinda benjamin boris caleb david ed edward gustave
iven john linda marcelo max michel miguel norbert pablo paul pedro quincy rob robert sandro shelby steph travis
victor zac klatt klatt2 klatt3 klatt4""".split()
FLITE = "slt rms awb kal16 kal".split()
NOISY = 3
LONGEST_S = 4.0

_embedder: SpeechEmbedder | None = None
_voices: list[Audio] = []


def texts(count: int) -> list[str]:
    """Sentences, and one to five words that need not make sense."""
    rng = random.Random(11)
    dictionary = Path(pocketsphinx.get_model_path("en-us")) / "cmudict-en-us.dict"
    known = [line.split()[0] for line in dictionary.read_text().splitlines()]
    known = [word for word in known if word.isalpha() and 3 <= len(word) <= 11]
    return [
        f"{rng.choice(OPENERS)} {rng.choice(MIDDLES)} {rng.choice(ENDINGS)}."
        if rng.random() < 0.5
        else " ".join(rng.choice(known) for _ in range(rng.randint(1, 5)))
        for _ in range(count)
    ]


def speech(text: str, rng: random.Random) -> Audio:
    """The text in some voice, at some speed and vocal-tract length."""
    if rng.random() < 0.36:
        audio = speak_flite(text, rng.choice(FLITE), rng.uniform(0.75, 1.35))
    else:
        voice = rng.choice(FOREIGN if rng.random() < 0.2 else ENGLISH)
        if rng.random() < 0.9:
            voice += "+" + rng.choice(VARIANTS)
        audio = speak_espeak(text, voice, rng.randint(110, 215), rng.randint(15, 85))
    audio = np.asarray(soxr.resample(audio, RATE * rng.uniform(0.9, 1.12), RATE))
    loud = np.flatnonzero(np.abs(audio) > 0.01 * np.abs(audio).max())
    return normal(audio[loud[0] : loud[-1] + 1][: round(LONGEST_S * RATE)])


def normal(audio: Audio) -> Audio:
    return np.asarray(audio / (np.std(audio) + 1e-9))


def filtered(audio: Audio, gain: Audio) -> Audio:
    """`gain`: one factor for each bin of the spectrum."""
    return np.asarray(np.fft.irfft(np.fft.rfft(audio) * gain, len(audio)))


def smooth_gain(n: int, decibels: Audio) -> Audio:
    """A gain for n samples through these levels, at equal steps of pitch from 20 Hz to 8 kHz."""
    frequency = np.fft.rfftfreq(n, 1 / RATE) + 20
    points = np.log(np.geomspace(20, 8020, len(decibels)))
    return np.asarray(10 ** (np.interp(np.log(frequency), points, decibels) / 20))


def microphone(audio: Audio, rng: np.random.Generator) -> Audio:
    """A microphone's colour; and, one time in three, a voice with little above 1 kHz."""
    if rng.random() < 0.8:
        levels = rng.normal(0, 3, 8)
        levels[0] -= rng.uniform(0, 15)
        levels[-1] -= rng.uniform(0, 10) * (rng.random() < 0.5)
        audio = filtered(audio, smooth_gain(len(audio), levels))
    if rng.random() < 0.35:
        frequency = np.fft.rfftfreq(len(audio), 1 / RATE)
        audio = filtered(audio, 1 / np.sqrt(1 + (frequency / rng.uniform(500, 1500)) ** rng.uniform(1, 2.5)))
    return audio


def echoes(audio: Audio, rng: np.random.Generator) -> Audio:
    """A room: noise that decays by 60 dB within 0.15 to 0.6 s, under the direct sound."""
    n = int(rng.uniform(0.15, 0.6) * RATE)
    response = rng.normal(size=n) * np.exp(-6.9 * np.arange(n) / n) * rng.uniform(0.05, 0.25)
    response[0] = 1.0
    size = 1 << (len(audio) + n).bit_length()
    return np.asarray(
        np.fft.irfft(np.fft.rfft(audio, size) * np.fft.rfft(response, size), size)[: len(audio)]
    )


def steady(rng: np.random.Generator, n: int) -> Audio:
    """Noise of a random colour: pink, white, or any; some of it swells, some hums."""
    white = rng.normal(size=n)
    kind = rng.random()
    if kind < 0.3:
        noise = filtered(white, (np.fft.rfftfreq(n, 1 / RATE) + 20) ** -0.5)
    elif kind < 0.45:
        noise = white
    else:
        falling = rng.uniform(0, 1.5) * np.arange(9) * 4
        noise = filtered(white, smooth_gain(n, np.cumsum(rng.normal(0, 5, 9)) - falling))
    if rng.random() < 0.3:
        swell = np.interp(np.arange(n), np.linspace(0, n, 12), rng.uniform(-1, 1, 12))
        noise = noise * (1 + 0.6 * swell)
    if rng.random() < 0.2:
        t = np.arange(n) / RATE
        mains = rng.choice([50, 60, 100, 120])
        noise = normal(noise) + sum(
            rng.uniform(0.1, 1) * np.sin(2 * np.pi * k * mains * t) for k in (1, 2, 3)
        )
    return normal(noise)


def babble(rng: np.random.Generator, n: int) -> Audio:
    """Two to six of the voices heard before, some of them backwards."""
    noise = np.zeros(n)
    for index in rng.choice(len(_voices) - 1, int(rng.integers(2, 7))):
        voice = _voices[index][::-1] if rng.random() < 0.5 else _voices[index]
        noise += np.roll(np.resize(voice, n), int(rng.integers(n)))
    return normal(noise)


def noise_of(rng: np.random.Generator, n: int) -> Audio:
    kind = rng.random()
    if kind < 0.5 or len(_voices) < 10:
        return steady(rng, n)
    return babble(rng, n) if kind < 0.9 else tones(rng, n)


def example(job: tuple[int, str]) -> np.ndarray | None:
    """One utterance: shape (1 + NOISY, frames, 96), float16, the first without noise."""
    global _embedder
    number, text = job
    _embedder = _embedder or SpeechEmbedder()
    rng = np.random.default_rng([21, number])
    spoken = speech(text, random.Random(number))
    if len(spoken) < RATE // 4:
        return None
    _voices.append(spoken)
    del _voices[:-80]
    before, after = int(RATE * rng.uniform(0.8, 1.2)), int(RATE * 0.4)
    clean = normal(microphone(np.concatenate([np.zeros(before), spoken, np.zeros(after)]), rng))
    level = 10 ** (rng.uniform(-36, -16) / 20) * 32768
    n = len(clean)
    versions = [clean + steady(rng, n) * 10 ** (-rng.uniform(30, 55) / 20)]
    for _ in range(NOISY):
        voice = echoes(clean, rng) if rng.random() < 0.25 else clean
        versions.append(voice + noise_of(rng, n) * 10 ** (-rng.uniform(2, 20) / 20))
    rows = []
    for version in versions:
        samples = np.clip(version * level, -32768, 32767).astype(np.int16)
        _embedder.reset()
        rows.append(_embedder.push(samples[: n // HOP * HOP]))
    # The first windows still hold the silence before the microphone opened.
    return np.stack(rows)[:, 8:].astype(np.float16)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--utterances", type=int, default=3500)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    made: list[np.ndarray] = []
    jobs = list(enumerate(texts(options.utterances)))
    with ProcessPoolExecutor(options.jobs) as pool:
        for number, rows in enumerate(pool.map(example, jobs, chunksize=10)):
            if rows is not None:
                made.append(rows)
            if number % 100 == 0:
                print(f"{number}/{len(jobs)}", flush=True)
    lengths = [rows.shape[1] for rows in made]
    np.savez_compressed(options.out, embeddings=np.concatenate(made, axis=1), lengths=np.array(lengths))
    print(f"{sum(lengths) * HOP / RATE / 3600:.1f} h of speech, each {1 + NOISY} times: {options.out}")


if __name__ == "__main__":
    main()
