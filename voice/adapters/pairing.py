"""Pairing this device: claim the link, believe only the clinician it names, and keep that."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from voice.adapters.identity import (
    DEVICE_FILE,
    PAIRING_FILE,
    STANDING_FILE,
    DeviceKeys,
    Pairing,
    device_keys,
    load_pairing,
    save_pairing,
    sealer,
)
from voice.adapters.private_file import sync_folder
from voice.adapters.recovery import open_store
from voice.adapters.store import NAME as OUTBOX_FILE
from voice.adapters.uplink import HttpUplink, exchange, http_client
from voice.errors import PairingError, StorageError
from voice.outbox import Outbox, UnreachableError
from voice.wire.encoding import b64url, from_b64url
from voice.wire.errors import FrameError, SealError
from voice.wire.pairing import Link, claim_token, device_proof

NEXT_DEVICE_FILE: Final = "device.next.json"
"""The keys of a device that is being paired anew, until its old self is out of the way."""

NEW_LINK: Final = "Ask your clinician for a new link."

_REFUSALS: Final = {
    "used": ("This link has already been used by another device.", NEW_LINK),
    "expired": ("This link has expired.", NEW_LINK),
    "pairing": (
        "The server does not know this link.",
        "Check that it was copied whole, or ask for a new one.",
    ),
    "claim": ("The server does not take this link.", "Check that it was copied whole, or ask for a new one."),
    "known_device": (
        "The server already knows this device under another link.",
        "Pair it anew: onebreath pair --replace LINK",
    ),
}


@dataclass(frozen=True)
class Paired:
    """What pairing did. `left_behind` counts records kept in `kept_in`, sealed for the clinician before."""

    pairing: Pairing
    device_id: bytes
    before: str | None = None
    delivered: int = 0
    left_behind: int = 0
    kept_in: Path | None = None


def pair(home: Path, link_text: str, *, replace: bool = False, client: httpx.Client | None = None) -> Paired:
    """Pair the device in `home` by a clinician's link.

    A device that is paired already is paired anew only with `replace`: it then gets new keys, what is
    unsent is offered to the old server once more, and the rest is moved to `<home>/previous-N`.
    The same link may be tried again after a lost answer. Raises PairingError, StorageError.
    """
    try:
        link = Link.parse(link_text)
    except FrameError as error:
        raise PairingError(
            str(error), "Copy the whole link again, or ask your clinician for a new one."
        ) from error
    before = load_pairing(home)
    if before is not None and not replace:
        raise _already(home, before)
    own_client = client or http_client()
    try:
        return _pair(home, link, before, own_client)
    finally:
        if client is None:
            own_client.close()


def claim(link: Link, keys: DeviceKeys, client: httpx.Client, *, before: Pairing | None = None) -> Pairing:
    """Prove the keys under the link's secret; the pairing, verified. Raises PairingError.

    `before`: the pairing that it replaces; of the same clinician no older reading key is taken.
    """
    signing = keys.signing.public_key().public_bytes_raw()
    encryption = keys.encryption.public_key().public_bytes_raw()
    body = httpx.Request(
        "POST",
        link.server,
        json={
            "claim": b64url(claim_token(link.secret)),
            "signing": b64url(signing),
            "encryption": b64url(encryption),
            "proof": b64url(device_proof(link.secret, link.pairing_id, signing, encryption)),
        },
    ).content
    url = f"{link.server}/v1/pairings/{b64url(link.pairing_id)}"
    try:
        answer = exchange(client, "POST", url, {"Content-Type": "application/json"}, body)
    except UnreachableError as error:
        raise PairingError(
            f"The clinician's server did not answer: {error}.",
            "Check the network and try the same link again; it is still good.",
        ) from error
    if answer.status not in (200, 201):
        refused = answer.refusal()
        cause, remedy = _REFUSALS.get(
            refused.code, (f"The server refused: {refused.message or refused.code}", NEW_LINK)
        )
        raise PairingError(cause, remedy)
    try:
        endorsement = answer.fields.get("endorsement")
        same = before is not None and before.fingerprint == link.fingerprint
        return Pairing.of(
            link.server,
            link.fingerprint,
            from_b64url(str(answer.fields.get("statement"))),
            at_least_epoch=before.clinician.epoch if before is not None and same else 1,
            endorsement=None if endorsement is None else from_b64url(str(endorsement)),
        )
    except (FrameError, SealError) as error:
        raise PairingError(
            f"The server did not show the clinician who made this link: {error}. Nothing was kept.",
            "Tell your clinician, and do not use this server until they have looked.",
        ) from error


def _pair(home: Path, link: Link, before: Pairing | None, client: httpx.Client) -> Paired:
    # Left by a run that was cut short after the old pairing was moved: the claimed keys are these.
    resuming = before is None and (home / NEXT_DEVICE_FILE).exists()
    if before is None and not resuming:
        keys = device_keys(home)
        pairing = claim(link, keys, client)
        save_pairing(home, pairing)
        return Paired(pairing, keys.id)
    keys = device_keys(home, NEXT_DEVICE_FILE)
    pairing = claim(link, keys, client, before=before)
    delivered, left = (0, 0) if before is None else _last_delivery(home, before, client)
    kept = _put_away(home)
    try:
        (home / NEXT_DEVICE_FILE).rename(home / DEVICE_FILE)
        sync_folder(home)
    except OSError as error:
        raise StorageError(
            f"The new keys could not be put in place ({error.strerror}).",
            "Free some space and try the link again.",
        ) from error
    save_pairing(home, pairing)
    return Paired(pairing, keys.id, before.name if before else None, delivered, left, kept)


def _last_delivery(home: Path, before: Pairing, client: httpx.Client) -> tuple[int, int]:
    with open_store(home) as store:
        outbox = Outbox(store, sealer(home), lambda: secrets.token_bytes(16))
        uplink = HttpUplink(before.server, device_keys(home), client=client)
        flushed = outbox.flush(uplink, time.monotonic(), ignore_hold=True)
        return flushed.delivered, flushed.waiting + flushed.set_aside


def _put_away(home: Path) -> Path:
    """Move what belongs to the clinician before into a folder of its own. The pairing goes first."""
    number = 1
    while (home / f"previous-{number}").exists():
        number += 1
    kept = home / f"previous-{number}"
    try:
        kept.mkdir(mode=0o700)
        for path in [
            home / PAIRING_FILE,
            home / STANDING_FILE,
            *sorted(home.glob("outbox.*")),
            *sorted(home.glob("mailbox.*")),
            home / DEVICE_FILE,
        ]:
            if path.exists():
                path.rename(kept / path.name)
        sync_folder(kept)
        sync_folder(home)
    except OSError as error:
        raise StorageError(
            f"The earlier pairing could not be put away ({error.strerror}).",
            "Free some space and try the link again.",
        ) from error
    return kept


def _already(home: Path, before: Pairing) -> PairingError:
    unsent = 0
    if (home / OUTBOX_FILE).exists():
        with open_store(home) as store:
            unsent = sum(store.counts())
    records = f" {_records(unsent)} not yet sent to {before.name}." if unsent else ""
    return PairingError(
        f"This device is already paired with {before.name}.{records}",
        "To pair it anew, add --replace. What is unsent is then offered to the old server once more; "
        f"the rest is kept on this device, sealed for {before.name}, and is sent to nobody else.",
    )


def _records(count: int) -> str:
    return "1 record is" if count == 1 else f"{count} records are"
