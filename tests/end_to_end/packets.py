"""Packets to streams, streams to HTTP requests. Just enough of IPv4, IPv6, TCP and HTTP/1.1; pure."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable
from dataclasses import dataclass

TCP = 6
UDP = 17
SYN = 2
SEQUENCES = 1 << 32
ICMP6 = 58
HEADER_END = b"\r\n\r\n"

Side = tuple[str, int, str, int]
"""Source, its port, target, its port."""


@dataclass(frozen=True)
class Packet:
    """One packet. `protocol` is IP's number; ports are 0 where there are none. `raw` is all of it."""

    source: str
    target: str
    protocol: int
    source_port: int
    target_port: int
    sequence: int
    syn: bool
    payload: bytes
    raw: bytes

    @property
    def side(self) -> Side:
        """Which side of which connection sent it."""
        return self.source, self.source_port, self.target, self.target_port

    @property
    def housekeeping(self) -> bool:
        """Whether the kernel sent this of its own accord: IPv6 neighbours and multicast groups."""
        return self.protocol == ICMP6 and bool(self.payload) and 130 <= self.payload[0] <= 143


@dataclass(frozen=True)
class Stream:
    """All that one side of one connection sent."""

    side: Side
    sent: bytes

    @property
    def to_port(self) -> int:
        """The other side's port."""
        return self.side[3]


@dataclass(frozen=True)
class Request:
    """One HTTP request as it was sent. Header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    size: int
    """All of it, head and body, in bytes."""


def packet(raw: bytes) -> Packet:
    """One packet, from its IP header on."""
    if raw[0] >> 4 == 6:
        protocol, rest = raw[6], raw[40:]
        if protocol == 0:  # hop-by-hop options
            protocol, rest = rest[0], rest[8 + 8 * rest[1] :]
        source, target = (str(ipaddress.IPv6Address(raw[at : at + 16])) for at in (8, 24))
    elif raw[0] >> 4 == 4:
        header, length = (raw[0] & 15) * 4, int.from_bytes(raw[2:4])
        protocol, rest = raw[9], raw[header : length or len(raw)]
        source, target = (str(ipaddress.IPv4Address(raw[at : at + 4])) for at in (12, 16))
    else:
        return Packet("", "", -1, 0, 0, 0, False, raw, raw)
    if protocol == TCP:
        source_port, target_port, sequence = struct.unpack_from(">HHI", rest)
        syn, payload = bool(rest[13] & SYN), rest[(rest[12] >> 4) * 4 :]
        return Packet(source, target, protocol, source_port, target_port, sequence, syn, payload, raw)
    source_port, target_port = struct.unpack_from(">HH", rest) if protocol == UDP else (0, 0)
    return Packet(source, target, protocol, source_port, target_port, 0, False, rest, raw)


def streams(packets: Iterable[Packet]) -> list[Stream]:
    """What each side of each TCP connection sent, in order. A connection begins with its SYN: a later one may
    have the same two ports. AssertionError when a piece is missing."""
    begun: list[tuple[Packet, dict[int, bytes]]] = []
    current: dict[Side, int] = {}
    for one in packets:
        if one.protocol != TCP:
            continue
        if one.syn or (one.side not in current and one.payload):
            current[one.side] = len(begun)
            begun.append((one, {}))
        if one.payload:
            first, pieces = begun[current[one.side]]
            at = (one.sequence - first.sequence - first.syn) % SEQUENCES
            pieces[at] = max(pieces.get(at, b""), one.payload, key=len)
    return [Stream(first.side, _joined(pieces)) for first, pieces in begun]


def _joined(pieces: dict[int, bytes]) -> bytes:
    data = bytearray()
    for at in sorted(pieces):
        assert at <= len(data), f"{at - len(data)} bytes of the stream are missing"
        data[at : at + len(pieces[at])] = pieces[at]
    return bytes(data)


def requests(sent: bytes) -> list[Request]:
    """Every request in what one side sent. Raises ValueError for anything that is not such a request."""
    found = []
    while sent:
        head, end, rest = sent.partition(HEADER_END)
        if not end:
            raise ValueError(f"not an HTTP request: {sent[:60]!r}")
        lines = head.decode("ascii").split("\r\n")
        method, path, version = lines[0].split(" ")
        if version != "HTTP/1.1":
            raise ValueError(f"not HTTP/1.1: {lines[0]!r}")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
        if "transfer-encoding" in headers:
            raise ValueError("a request of unknown length")
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            raise ValueError("a request that was cut short")
        found.append(Request(method, path, headers, rest[:length], len(head) + len(end) + length))
        sent = rest[length:]
    return found
