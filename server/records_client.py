"""The clinician's side of the calls about what becomes of records; believed in shape alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from server.clinician_client import ClinicianClient, plain
from server.errors import ServerError
from server.reader_tombstones import Deleted, Stone
from voice.wire.encoding import b64url, from_b64url
from voice.wire.errors import FrameError

PAGE = 500

T = TypeVar("T")


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
    pages = _Pages(client, f"/v1/tombstones?limit={page}{of}", "tombstones")
    stones = tuple(pages.each(_stone))
    days = pages.last.get("retention_days")
    return Deleted(stones, days if type(days) is int and days > 0 else None, pages.broken, pages.whole)


def marks(client: ClinicianClient, *, page: int = PAGE) -> Marks:
    """Every mark."""
    pages = _Pages(client, f"/v1/marks?limit={page}", "marks")
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


class _Pages:
    """Follows pages until there are no more, or until they do not go on."""

    def __init__(self, client: ClinicianClient, path: str, name: str) -> None:
        self._client, self._path, self._name = client, path, name
        self.broken, self.whole = 0, True
        self.last: Mapping[str, Any] = {}

    def each(self, shaped: Callable[[Mapping[str, Any]], T]) -> Iterator[T]:
        seen, after = set[str](), ""
        while True:
            self.last = self._client.call("GET", self._path + after)
            entries = self.last.get(self._name)
            if not isinstance(entries, list):
                raise _not_ours()
            for fields in entries:
                try:
                    made = shaped(fields)
                except (KeyError, TypeError, ValueError, AttributeError, FrameError):
                    self.broken += 1
                else:
                    yield made
            if self.last.get("more") is not True:
                return
            following = str(self.last.get("next"))
            if following in seen or not entries or not following.isalnum() or not following.isascii():
                self.whole = False
                return
            seen.add(following)
            after = f"&after={following}"


def _stone(fields: Mapping[str, Any]) -> Stone:
    sequence = fields["sequence"]
    if type(sequence) is not int or not 1 <= sequence < 2**63:
        raise ValueError("not a sequence number")
    return Stone(
        _bytes(fields["device"], 16),
        _bytes(fields["record"], 16),
        sequence,
        _bytes(fields["sha256"], 32),
        _time(fields["received_at"]),
        _time(fields["deleted_at"]),
        str(fields["reason"]),
    )


def _mark(fields: Mapping[str, Any]) -> MarkEntry:
    version = fields["version"]
    if type(version) is not int:
        raise ValueError("not a version")
    sealed = from_b64url(fields["sealed"])
    return MarkEntry(_bytes(fields["device"], 16), _bytes(fields["record"], 16), version, sealed)


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
        raise _not_ours()
    return found


def _not_ours() -> ServerError:
    return ServerError("The server's answer is not of this version.", "Update Onebreath, or check --server.")
