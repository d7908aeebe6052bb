"""The clinician's side of the calls about what becomes of records; believed in shape alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from server.clinician_client import ClinicianClient, Pages, plain
from server.errors import ServerError
from server.reader_tombstones import Deleted, Stone
from voice.wire.encoding import b64url, from_b64url
from voice.wire.errors import FrameError

PAGE = 500

_SHAPELESS = (KeyError, TypeError, ValueError, AttributeError, FrameError)
"""What an entry without the right shape raises while it is read."""


@dataclass(frozen=True)
class MarkEntry:
    """A mark as the server lists it; nothing of it is verified."""

    device_id: bytes
    record_id: bytes
    version: int
    sealed: bytes


@dataclass(frozen=True)
class Marks:
    """All pages. `broken` counts entries without the right shape; not `whole`: the pages ran in a circle."""

    entries: tuple[MarkEntry, ...] = ()
    broken: int = 0
    whole: bool = True


@dataclass(frozen=True)
class Gone:
    """What a deletion did: how many records, and the state of the device, by the server's word."""

    deleted: int
    state: str = ""


def tombstones(client: ClinicianClient, *, device: str | None = None, page: int = PAGE) -> Deleted:
    """Every tombstone, of one device or of all."""
    of = "" if device is None else f"&device={device}"
    pages = Pages[Stone](client, f"/v1/tombstones?limit={page}{of}", "tombstones", numbered=True)
    stones = tuple(pages.each(_stone))
    days = pages.last.get("retention_days")
    return Deleted(stones, days if type(days) is int and days > 0 else None, pages.broken, pages.whole)


def marks(client: ClinicianClient, *, page: int = PAGE) -> Marks:
    """Every mark."""
    pages = Pages[MarkEntry](client, f"/v1/marks?limit={page}", "marks")
    return Marks(tuple(pages.each(_mark)), pages.broken, pages.whole)


def put_mark(
    client: ClinicianClient, device_id: bytes, record_id: bytes, *, version: int, sealed: bytes
) -> None:
    """Give the server a sealed mark to keep."""
    path = f"/v1/marks/{device_id.hex()}/{record_id.hex()}"
    client.call("PUT", path, {"version": version, "sealed": b64url(sealed)})


def count(client: ClinicianClient, device_id: bytes) -> int:
    """How many records of a device are there."""
    return _number(client.call("GET", f"/v1/devices/{device_id.hex()}/records"), "records")


def erase(client: ClinicianClient, device_id: bytes) -> Gone:
    """Erase a device's client."""
    answer = client.call("DELETE", f"/v1/devices/{device_id.hex()}/records")
    return Gone(_number(answer, "deleted"), plain(str(answer.get("state"))))


def delete(client: ClinicianClient, device_id: bytes, record_id: bytes) -> Gone:
    """Delete one record."""
    answer = client.call("DELETE", f"/v1/records/{device_id.hex()}/{record_id.hex()}")
    return Gone(_number(answer, "deleted"))


def export(client: ClinicianClient, device_id: bytes, *, records: int) -> str:
    """Have an export accounted for; the server's time of it."""
    answer = client.call("POST", "/v1/exports", {"device": device_id.hex(), "count": records})
    return plain(str(answer.get("exported_at")))


def _stone(fields: Any) -> Stone | None:
    try:
        sequence = fields["sequence"]
        if type(sequence) is not int or not 1 <= sequence < 2**63:
            return None
        return Stone(
            _bytes(fields["device"], 16),
            _bytes(fields["record"], 16),
            sequence,
            _bytes(fields["sha256"], 32),
            _time(fields["received_at"]),
            _time(fields["deleted_at"]),
            str(fields["reason"]),
        )
    except _SHAPELESS:
        return None


def _mark(fields: Any) -> MarkEntry | None:
    try:
        version = fields["version"]
        if type(version) is not int:
            return None
        sealed = from_b64url(fields["sealed"])
        return MarkEntry(_bytes(fields["device"], 16), _bytes(fields["record"], 16), version, sealed)
    except _SHAPELESS:
        return None


def _bytes(text: str, size: int) -> bytes:
    data = bytes.fromhex(text)
    if len(data) != size:
        raise ValueError("of the wrong size")
    return data


def _time(text: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return None if at.tzinfo is None else at


def _number(answer: Mapping[str, Any], name: str) -> int:
    found = answer.get(name)
    if type(found) is not int or found < 0:
        raise ServerError(
            "The server's answer is not of this version.", "Update Onebreath, or check --server."
        )
    return found
