"""How often an address may make calls that nobody signed: a token bucket for each, bounded in memory.

`Buckets` is pure: the time is an argument. `throttle` puts it before a call as a FastAPI dependency:

    router = APIRouter(prefix="/v1", dependencies=[Depends(throttle)])

The buckets are each worker's own, so that several workers together let through as many times more. What must
not be guessed is counted durably where it is kept (claims.py, accounts), and does not rest on this.
"""

from __future__ import annotations

import ipaddress
import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from server.errors import RefusedError

BURST: Final = 60
"""Calls that an address may make at once: a practice behind one address signs in of a morning."""

PER_SECOND: Final = 1.0
MOST_ADDRESSES: Final = 10_000
LONGEST_FORWARDED: Final = 2_048
"""Characters of X-Forwarded-For that are looked at, from its end."""

_IPV6_PREFIX: Final = 64
"""A household or a host has a whole /64; each address of its own would be no limit."""


@dataclass
class _Bucket:
    tokens: float
    at: float


class Buckets:
    """A bucket of `burst` tokens for each key, refilled by `per_second`; the `most` last used are kept.

    A key that was forgotten starts with a full bucket: whoever can use more addresses than are kept here is
    not limited by address anyway. Not safe for threads.
    """

    def __init__(
        self, *, burst: int = BURST, per_second: float = PER_SECOND, most: int = MOST_ADDRESSES
    ) -> None:
        self._burst = burst
        self._per_second = per_second
        self._most = most
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str, now: float) -> int:
        """Take a token: 0 when there was one, otherwise the whole seconds until there is. `now` in seconds.

        A clock that goes back costs nobody anything: the bucket then fills from the new time on.
        """
        bucket = self._buckets.pop(key, None) or _Bucket(float(self._burst), now)
        gained = max(0.0, now - bucket.at) * self._per_second
        bucket.tokens, bucket.at = min(float(self._burst), bucket.tokens + gained), now
        self._buckets[key] = bucket
        while len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        if bucket.tokens >= 1.0:
            bucket.tokens -= 1.0
            return 0
        return max(1, math.ceil((1.0 - bucket.tokens) / self._per_second))


def caller(peer: str | None, forwarded: str, trusted: Sequence[str]) -> str:
    """Whom a call counts for: the peer's address, or, when the peer is a trusted proxy, the one it names.

    `forwarded` is X-Forwarded-For, to whose end each proxy adds the address that called it: of these the last
    one that is no trusted proxy is believed, and nothing before it, which anyone can write. `trusted`:
    addresses and networks.
    """
    at = _address(peer or "")
    networks = [ipaddress.ip_network(network) for network in trusted]
    if at is None or not _within(at, networks):
        return _key(at, peer)
    for entry in reversed(forwarded[-LONGEST_FORWARDED:].split(",")):
        named = _address(entry.strip())
        if named is None:
            break
        at = named
        if not _within(named, networks):
            break
    return _key(at, peer)


class Throttle:
    """The buckets of one worker. Safe for threads."""

    def __init__(self, trusted: Sequence[str], buckets: Buckets | None = None) -> None:
        self._trusted = tuple(trusted)
        self._buckets = Buckets() if buckets is None else buckets
        self._lock = threading.Lock()

    def check(self, peer: str | None, forwarded: str, now: int) -> None:
        """Count one call, at `now` in Unix seconds. Raises RefusedError 429."""
        key = caller(peer, forwarded, self._trusted)
        with self._lock:
            wait_s = self._buckets.take(key, now)
        if wait_s:
            raise RefusedError(
                429,
                "throttled",
                "Too many calls came from this address.",
                f"Try again in {wait_s} seconds.",
                headers={"Retry-After": str(wait_s)},
            )


_MAKING: Final = threading.Lock()


async def throttle(request: Request) -> None:
    """A dependency: let the call through, or answer 429 `throttled` with Retry-After."""
    state = request.app.state
    with _MAKING:
        if not hasattr(state, "throttle"):
            state.throttle = Throttle(state.context.settings.trusted_proxies)
    peer = None if request.client is None else request.client.host
    forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
    state.throttle.check(peer, forwarded, state.context.clock())


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _address(text: str) -> _Address | None:
    """An address, from how proxies write them: 192.0.2.1, 192.0.2.1:443, 2001:db8::1, [2001:db8::1]:443."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _within(address: _Address, networks: Sequence[_Network]) -> bool:
    return any(address in network for network in networks)


def _key(address: _Address | None, peer: str | None) -> str:
    if address is None:
        # A Unix socket has no address: all that comes by it counts together.
        return f"peer {peer or ''}"[:80]
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))
    return str(address)
