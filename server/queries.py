"""The part of an address after `?`: known names, once each, numbers within their range."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import parse_qsl

from server.errors import RefusedError
from server.records_store import LAST_CURSOR, Span

PAGE = 100
LARGEST_PAGE = 500


def asked(query: str, names: Collection[str]) -> dict[str, str]:
    """What is asked for, by name. Raises RefusedError 400 for another name, or one that comes twice."""
    pairs = parse_qsl(query, keep_blank_values=True)
    wanted = dict(pairs)
    if len(wanted) != len(pairs) or not wanted.keys() <= set(names):
        listed = ", ".join(f"`{name}`" for name in names)
        raise RefusedError(400, "query", f"This is asked for with {listed}, once each.")
    return wanted


def number(name: str, text: str, least: int, most: int) -> int:
    """A whole number within its range. Raises RefusedError 400."""
    if re.fullmatch("[0-9]{1,19}", text, re.ASCII) and least <= int(text) <= most:
        return int(text)
    raise RefusedError(400, "query", f"`{name}` is a number from {least} to {most}.")


def limit_in(wanted: dict[str, str]) -> int:
    """How many at most."""
    return number("limit", wanted.get("limit", str(PAGE)), 1, LARGEST_PAGE)


def span_in(query: str) -> Span:
    """A span of records or tombstones: `after` or `before`, `limit`, `device`. Raises RefusedError 400."""
    wanted = asked(query, ("after", "before", "limit", "device"))
    if "after" in wanted and "before" in wanted:
        raise RefusedError(400, "query", "Give `after`, oldest first, or `before`, newest first; not both.")
    device = wanted.get("device")
    if device is not None and not re.fullmatch("[0-9a-f]{32}", device, re.ASCII):
        raise RefusedError(400, "query", "`device` is 32 hex digits in lower case.")
    before = wanted.get("before")
    return Span(
        after=number("after", wanted.get("after", "0"), 0, LAST_CURSOR),
        before=None if before is None else number("before", before, 1, LAST_CURSOR),
        limit=limit_in(wanted),
        device_id=None if device is None else bytes.fromhex(device),
    )
