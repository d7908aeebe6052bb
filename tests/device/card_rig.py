"""Cards made of noise, whether two are the same to the last bit, and a pairing without a server."""

from __future__ import annotations

import secrets
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from voice.adapters.identity import Pairing, save_pairing
from voice.audio import Clip
from voice.card import Card
from voice.enrolment import Forecast, Span, Take
from voice.ports import Embeddings
from voice.spotting import Voiceprint
from voice.wire.keys import fingerprint, sign_statement

FOREMAN, LITTLE_ONE = "the foreman", "the little one by the window"


def noise_card(
    name: str = FOREMAN, takes: int = 3, seed: int = 1, *, phrase: bool = True, audition: bool = False
) -> Card:
    """A card that no two seeds make alike. `audition`: with tries and talk that were kept."""
    rng = np.random.default_rng(seed)

    def clip(seconds: float, rate: int = 16_000) -> Clip:
        return Clip(rng.integers(-3_000, 3_000, round(seconds * rate)).astype(np.int16), rate)

    def embedded(pieces: int) -> tuple[Embeddings, ...]:
        return tuple(rng.normal(size=(20 + piece, 96)).astype(np.float32) for piece in range(pieces))

    made = tuple(
        Take(rng.normal(size=(30 + index, 96)).astype(np.float32), Span(1.04 + 0.01 * index, 1.9))
        for index in range(takes)
    )
    known = Voiceprint(
        part=name,
        takes=tuple(take.name() for take in made),
        usual=rng.uniform(0.5, 0.7, takes).astype(np.float32),
        spread=rng.uniform(0.02, 0.05, takes).astype(np.float32),
        threshold=float(rng.uniform(3, 6)),
        tail_s=0.0,
    )
    forecast = Forecast(9.1, 0.4, {"takes": float(takes), "bank_hours": 0.5, "talk_hours_a_week": 20.0})
    return Card(
        name=name,
        takes=made,
        recordings=tuple(clip(0.3) for _ in range(takes)),
        print=known,
        forecast=forecast,
        alias="four men" if seed % 2 else None,
        phrase=clip(0.5, 22_050) if phrase else None,
        quiet=bool(seed % 3 == 0),
        tries=embedded(2) if audition else (),
        talk=embedded(3) if audition else (),
        anyway=audition,
    )


def same(one: Card, other: Card) -> bool:
    """Equal in every field, arrays included."""
    mine, theirs = _plain(one), _plain(other)
    return mine == theirs


def _plain(card: Card) -> tuple[object, ...]:
    known = card.print
    sounds = [*card.recordings, *([card.phrase] if card.phrase else [])]
    return (
        card.name,
        card.alias,
        card.quiet,
        card.phrase is None,
        card.anyway,
        [(piece.shape, piece.tobytes()) for piece in card.tries],
        [(piece.shape, piece.tobytes()) for piece in card.talk],
        card.forecast,
        [take.span for take in card.takes],
        [(take.embeddings.shape, take.embeddings.tobytes()) for take in card.takes],
        [(sound.rate, sound.samples.tobytes()) for sound in sounds],
        (known.part, known.threshold, known.tail_s, known.usual.tobytes(), known.spread.tobytes()),
        [take.tobytes() for take in known.takes],
    )


def pair_by_hand(home: Path) -> None:
    """As after `onebreath pair`, with a clinician whose server nobody will ever reach."""
    identity, reading = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()
    statement = sign_statement(
        identity,
        clinician_id=secrets.token_bytes(16),
        name="Dr Okafor",
        epoch=1,
        reading=reading.public_key(),
        issued_at=1_770_000_000,
    )
    save_pairing(home, Pairing.of("http://127.0.0.1:9", fingerprint(identity.public_key()), statement))
