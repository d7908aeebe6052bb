"""What the mailbox's tests share: a clinician who sends cards as their own programs do."""

from __future__ import annotations

import time
from pathlib import Path

from server.card_maker import make_card, next_version
from tests.clinic_rig import Clinic
from tests.device.card_rig import FOREMAN
from voice.adapters.identity import device_keys
from voice.wire.card_content import PartCard

PART = PartCard(FOREMAN, tell="jaw set")


def send(clinic: Clinic, home: Path, part: PartCard, version: int | None = None) -> bytes:
    """Send a card as the clinician's programs do; its sealed bytes."""
    keys = device_keys(home)
    with clinic.client() as client:
        listed = [card.version for card in client.cards(keys.id)]
        version = version or next_version(listed, int(time.time()))
        encryption = keys.encryption.public_key().public_bytes_raw()
        card_id, sealed = make_card(clinic.clinician.identity, keys.id, encryption, part, version)
        client.send_card(keys.id, card_id, sealed)
    return sealed


def fetched(clinic: Clinic, home: Path) -> list[bool]:
    with clinic.client() as client:
        return [card.fetched_at is not None for card in client.cards(device_keys(home).id)]
