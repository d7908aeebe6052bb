"""Make the bank of negatives: embeddings of speech that no client's name is in, spoken by synthesisers.

    python tools/make_negatives.py voice/data/negatives.npz

Speaks everyday sentences and loose words with espeak-ng (several languages and voice variants) and flite,
adds noise, hum, music-like tones and babble, embeds all of it, and stores the embeddings (8 bits a value).
Enrolment sets each name's threshold against this bank (voice/enrolment.py). The same seed gives the same
sentences; the bank changes with the synthesisers' versions, so it is made once and kept in the repository.
"""

from __future__ import annotations

import argparse
import io
import subprocess
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

from voice.adapters.embedding import SpeechEmbedder
from voice.audio import HOP, RATE

OPENERS = """i think|she said|we never|they always|my sister|the neighbours|nobody|could you|have you ever|it looks like
yesterday he|the weather report says|on the radio they|when i was younger i|the driver|after lunch we|please do not
maybe tomorrow you|the children|our teacher|every morning the baker|sometimes my father|if it rains they|the old dog
in the film the captain|a friend of mine|the doctor's office|the people upstairs|at the market you|before the match he""".replace(
    "\n", "|"
).split("|")
MIDDLES = """wanted to buy|forgot about|keeps talking about|is looking for|put away|painted|should have called about
would rather have|is waiting near|brought back|cannot remember|was laughing at|found|paid too much for|wrote down
turned off|cleaned|left behind|is cooking|always carries|heard about|sold|will fix|planted|took a picture of|missed
is afraid of|ordered|moved|dropped""".replace("\n", "|").split("|")
ENDINGS = """the blue bicycle in the hall|some fresh bread and butter|the last train to the city|two tickets for saturday
a letter from the bank|the kitchen window again|those little yellow flowers|his keys under the table|the football results
an umbrella and a warm coat|seven bottles of water|the television in the corner|my grandmother's recipe|the garden gate
a cup of coffee with milk|the new manager at work|the long way home|somebody else's phone|the music from next door
three boxes of old books|the price of petrol|dinner for twelve people|the washing machine|a picture of the lake
the winter holidays|that strange noise outside|a very small island|the piano upstairs|their wedding in june
the bus stop on victoria road""".replace("\n", "|").split("|")
WORDS = """water summer paper doctor window garden orange winter silver number person mother seven yellow camera
animal family holiday together another remember understand tomorrow important chocolate banana potato piano hospital
telephone elephant umbrella butterfly adventure beautiful interesting comfortable market minute moment monster master
sister river dinner finger letter better little middle bottle table able people purple simple sample temple
stone bone phone home moon spoon soon noon June tune rain train brain plane lane game name same blame table cable
green dream cream stream team seam beam night light right fight bright kite white write ride side wide tide book look
cook hook foot put push bush full pull wolf woman dog fog log long song strong wrong thing ring sing king bring spring
yes no okay hello goodbye thanks please sorry maybe never always often sometimes hey wait listen come go stop start""".split()
FOREIGN = {
    "es": ["Mañana vamos a la playa con mis primos.", "No sé dónde dejé las llaves del coche.", "El perro duerme todo el día en la cocina."],
    "fr-fr": ["Il fait très froid dehors ce matin.", "Je voudrais une baguette et du fromage.", "Nous avons regardé le match à la télévision."],
    "de": ["Heute Abend kommen meine Eltern zum Essen.", "Der Zug hat schon wieder zehn Minuten Verspätung.", "Wir haben das Auto gestern verkauft."],
    "it": ["Domani mattina devo andare dal medico.", "Mi piace molto questa canzone.", "Hanno chiuso la strada per due settimane."],
    "pt-br": ["Eu preciso comprar pão e leite.", "A reunião começa às nove horas.", "Ele sempre esquece o guarda-chuva."],
    "pl": ["Jutro pojedziemy nad jezioro.", "Nie pamiętam jego numeru telefonu.", "Proszę zamknąć okno."],
    "vi": ["Hôm nay trời rất đẹp.", "Tôi muốn mua một ít trái cây.", "Ngày mai chúng ta đi chợ."],
    "hi": ["आज मौसम बहुत अच्छा है।", "मुझे एक कप चाय चाहिए।", "वह कल दिल्ली जा रहा है।"],
}  # fmt: skip
ESPEAK = ["en-us", "en-us+m1", "en-us+m3", "en-us+m7", "en-us+f2", "en-us+f4", "en-gb", "en-gb+f3", "en-gb-x-rp+m2",
          "en-gb-scotland+f1", "en-029+m4", "en-us+Annie", "en-us+klatt2", "en-us+f5"]  # fmt: skip
FLITE = ["slt", "rms", "awb", "kal16"]
CONTEXT = RATE  # a second of quiet before each piece, as in a room

Audio = NDArray[np.float64]


def speak_espeak(text: str, voice: str, words_per_minute: int, pitch: int) -> Audio:
    wav = subprocess.run(
        ["espeak-ng", "-v", voice, "-s", str(words_per_minute), "-p", str(pitch), "--stdout", text],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    return _read(wav)


def speak_flite(text: str, voice: str, stretch: float) -> Audio:
    wav = subprocess.run(
        ["flite", "-voice", voice, "--setf", f"duration_stretch={stretch:.2f}", "-t", text, "-o", "/dev/stdout"],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    return _read(wav)


def _read(wav: bytes) -> Audio:
    samples, rate = sf.read(io.BytesIO(wav))
    return np.asarray(soxr.resample(samples, rate, RATE), dtype=np.float64)


def pink(rng: np.random.Generator, n: int) -> Audio:
    spectrum = np.fft.rfft(rng.normal(size=n))
    spectrum /= np.sqrt(np.maximum(1, np.arange(len(spectrum))))
    noise = np.fft.irfft(spectrum, n)
    return np.asarray(noise / np.std(noise))


def tones(rng: np.random.Generator, n: int) -> Audio:
    """Music-like: chords of decaying partials on a steady beat."""
    out = np.zeros(n)
    beat = int(RATE * rng.uniform(0.25, 0.5))
    for start in range(0, n - beat, beat):
        t = np.arange(min(4 * beat, n - start)) / RATE
        root = 110 * 2 ** (rng.integers(0, 24) / 12)
        for ratio in (1, 5 / 4, 3 / 2):
            for harmonic in (1, 2, 3):
                out[start : start + len(t)] += (
                    np.sin(2 * np.pi * root * ratio * harmonic * t) * np.exp(-3 * t) / harmonic
                )
    return out / np.std(out)


def pieces(seed: int, sentences: int) -> list[Audio]:
    """Every piece of sound in the bank, at a level a room microphone gives."""
    rng = np.random.default_rng(seed)

    def sentence() -> str:
        if rng.random() < 0.65:
            return f"{rng.choice(OPENERS)} {rng.choice(MIDDLES)} {rng.choice(ENDINGS)}."
        return " ".join(rng.choice(WORDS, size=int(rng.integers(1, 6)))) + "."

    spoken: list[Audio] = []
    for index in range(sentences):
        if index % 4 == 3:
            audio = speak_flite(sentence(), FLITE[(index // 4) % len(FLITE)], float(rng.uniform(0.8, 1.3)))
        else:
            audio = speak_espeak(
                sentence(),
                ESPEAK[index % len(ESPEAK)],
                int(rng.integers(120, 210)),
                int(rng.integers(20, 80)),
            )
        spoken.append(audio)
    for language, texts in FOREIGN.items():
        spoken += [
            speak_espeak(text, language + variant, 150, 50) for text in texts for variant in ("", "+f3")
        ]

    out: list[Audio] = []
    for audio in spoken:
        level = 10 ** (rng.uniform(-30, -14) / 20)
        audio = audio / (np.std(audio) + 1e-9) * level
        floor = pink(rng, len(audio) + CONTEXT) * level * 10 ** (-rng.choice([8, 15, 25, 45]) / 20)
        floor[CONTEXT:] += audio
        out.append(floor)
    for _ in range(6):
        babble = np.zeros(6 * RATE)
        for voice in rng.choice(len(spoken), size=6, replace=False):
            audio = np.resize(spoken[voice], len(babble))
            babble += audio / (np.std(audio) + 1e-9)
        out.append(babble / np.std(babble) * 0.05)
        out.append(tones(rng, 6 * RATE) * 0.05)
        out.append(pink(rng, 4 * RATE) * 10 ** (rng.uniform(-50, -20) / 20))
        out.append(np.asarray(rng.normal(size=4 * RATE)) * 0.02)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--sentences", type=int, default=440)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    embedder = SpeechEmbedder()
    rows, lengths = [], []
    sound = pieces(options.seed, options.sentences)
    for number, audio in enumerate(sound):
        samples = (np.clip(audio, -1, 1) * 32767).astype(np.int16)
        samples = samples[: len(samples) // HOP * HOP]
        embedder.reset()
        embedding = embedder.push(samples)
        rows.append(embedding)
        lengths.append(len(embedding))
        if number % 50 == 0:
            print(f"{number}/{len(sound)}", flush=True)
    bank = np.concatenate(rows)
    scale = np.abs(bank).max(axis=0) / 127
    np.savez_compressed(
        options.out,
        embeddings=np.round(bank / scale).astype(np.int8),
        scale=scale.astype(np.float32),
        lengths=np.array(lengths, np.int32),
    )
    print(f"{len(bank) * HOP / RATE / 60:.1f} minutes, {options.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
