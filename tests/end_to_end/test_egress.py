"""S19: nothing leaves the device but sealed records. Seen in a network of its own that keeps every packet."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.closed_net import closed_net, missing
from tests.end_to_end.exchange import NO_STRACE, Exchange
from tests.end_to_end.packets import TCP
from tests.end_to_end.product import CLINICIAN, LINE, PART
from voice.wire.envelope import BUCKETS, parse_frame

pytestmark = pytest.mark.speech

EXCHANGES = ("noticing", "line", "long line")
RECORD = re.compile(r"/v1/records/[0-9a-f]{32}")
AROUND_BYTES = 2_500
"""Heads, signatures and the device's other question, beside the padded record: an upper bound."""


@pytest.fixture
def life(life: Exchange) -> Exchange:
    if life.closed is not None:
        pytest.skip(life.closed)
    return life


def test_S19_every_packet_is_between_device_and_server(life: Exchange) -> None:
    for name in ("pair", *EXCHANGES):
        for packet in life.steps[name].packets:
            assert {packet.source, packet.target} == {"127.0.0.1"}, (name, packet)
            assert packet.protocol == TCP, (name, packet)
            assert life.port in (packet.source_port, packet.target_port), (name, packet)
        assert life.steps[name].packets, name


def test_S19_enrolment_sends_nothing(life: Exchange) -> None:
    assert life.steps["enrol"].packets == ()


def test_S19_the_requests_are_the_known_ones(life: Exchange) -> None:
    for name in EXCHANGES:
        asked = life.steps[name].sent_to(life.port)
        puts = [one for one in asked if one.method == "PUT"]
        assert len(puts) == 1, name
        assert all(
            (one.method, one.path, one.body) == ("GET", "/v1/device", b"") for one in asked if one not in puts
        )
        (put,) = puts
        assert RECORD.fullmatch(put.path)
        frame = parse_frame(put.body)
        assert frame.record_id.hex() == put.path.rsplit("/", 1)[1]
        assert set(put.headers) == {
            "host", "accept", "accept-encoding", "connection", "user-agent", "content-type", "content-length",
            "content-digest", "signature-input", "signature",
        }  # fmt: skip


def test_S19_what_is_sent_is_of_one_size_whatever_was_spoken(life: Exchange) -> None:
    spoken = {name: life.steps[name] for name in EXCHANGES}
    assert len(spoken["long line"].told["words"]) > 3 * len(spoken["line"].told["words"])
    sent = {name: sum(one.size for one in step.sent_to(life.port)) for name, step in spoken.items()}
    assert len(set(sent.values())) == 1, sent
    assert BUCKETS[0] < sent["line"] < BUCKETS[0] + AROUND_BYTES


def test_S19_no_other_connection_is_even_tried(life: Exchange) -> None:
    """Local sockets are no packets: these are seen where the system is asked for them."""
    if life.called is None:
        pytest.skip(NO_STRACE)
    server = f'sin_port=htons({life.port}), sin_addr=inet_addr("127.0.0.1")'
    elsewhere = [called for called in life.called if server not in called]
    # The speech synthesiser's library looks for a sound server of this machine when it starts.
    assert [
        called for called in elsewhere if not re.search(r'AF_UNIX, sun_path=".*/pulse[^/]*/native"', called)
    ] == []
    assert len(life.called) > len(elsewhere)


def test_the_clinician_reads_it_all(life: Exchange) -> None:
    assert life.queue["clinician"] == CLINICIAN
    assert life.queue["flags"] == []
    assert [one["part"] for one in life.queue["records"]] == [PART] * 3
    assert [one["sequence"] for one in life.queue["records"]] == [3, 2, 1]
    assert life.queue["records"][1]["line"]["text"] == LINE
    assert life.queue["records"][2]["line"] is None


STRAY = """
import socket
for family, address in ((socket.AF_INET, "192.0.2.9"), (socket.AF_INET6, "2001:db8::9")):
    with socket.socket(family, socket.SOCK_DGRAM) as datagram:
        datagram.sendto(b"a whisper", (address, 53))
    with socket.socket(family, socket.SOCK_STREAM) as stream:
        stream.settimeout(0.2)
        stream.connect_ex((address, 443))
"""


def test_a_stray_packet_would_be_seen(tmp_path: Path) -> None:
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with closed_net(tmp_path) as net:
        subprocess.run([*net.enter, sys.executable, "-c", STRAY], check=True, timeout=60)
        packets = [packet for packet in net.packets() if not packet.housekeeping]
    assert {(one.target, one.target_port) for one in packets} >= {("192.0.2.9", 53), ("192.0.2.9", 443)}
    assert any(b"a whisper" in one.raw and one.target == "192.0.2.9" for one in packets)
    # Over IPv6 the kernel answers its own packet with "unreachable", which carries it.
    assert any(bytes.fromhex("20010db8000000000000000000000009") in one.raw for one in packets)
