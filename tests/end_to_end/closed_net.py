"""A network of its own in which every packet is kept, whatever it is and wherever it was to go.

A Linux network namespace with nothing but the loopback interface. All routes lead there, so that a packet to
any address in the world is sent, seen and lost. Only calls to addresses of this machine are answered.

    python -m tests.end_to_end.closed_net PACKETS   (inside the namespace; ends when standard input does)
"""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from select import select

from tests.end_to_end.packets import Packet, packet

ROOT = Path(__file__).resolve().parents[2]

SETUP = (
    "link set lo up",
    "address add 198.51.100.1/32 dev lo",
    "route add default dev lo src 198.51.100.1",
    "-6 address add fd00::1/128 dev lo",
    "-6 route add default dev lo src fd00::1",
)

ALL_PROTOCOLS = 3
OUTGOING = 4
"""What the loopback interface sends it also receives; one of the two is enough."""
LARGEST = 1 << 17
ROOM_BYTES = 64 << 20
SO_RCVBUFFORCE = 33
PACKET_STATISTICS = 6
SOL_PACKET = 263


class ClosedNet:
    """An open namespace. `enter` goes before a command that is to run in it."""

    def __init__(self, enter: list[str], kept: Path) -> None:
        self.enter = enter
        self._kept = kept

    def packets(self) -> list[Packet]:
        """Every packet so far. What a process sent before it ended is there when it has ended."""
        data, found = self._kept.read_bytes(), []
        at = 0
        while at + 4 <= len(data):
            (size,) = struct.unpack_from(">I", data, at)
            if at + 4 + size > len(data):
                break
            found.append(packet(data[at + 4 : at + 4 + size]))
            at += 4 + size
        return found


def missing() -> str | None:
    """Why there can be no such network here; None when there can."""
    for tool in ("unshare", "nsenter", "ip"):
        if shutil.which(tool) is None:
            return f"needs {tool}: sudo apt-get install util-linux iproute2"
    tried = subprocess.run([*_unshare(), "ip", "link", "set", "lo", "up"], capture_output=True, check=False)
    return None if tried.returncode == 0 else "needs to be allowed to make a network namespace (unshare -n)"


@contextmanager
def closed_net(folder: Path) -> Iterator[ClosedNet]:
    """A network for as long as it is needed; `folder` keeps its packets."""
    kept = folder / "packets"
    kept.touch()
    command = [*_unshare(), sys.executable, "-m", "tests.end_to_end.closed_net", str(kept)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as keeper:
        assert keeper.stdout is not None
        try:
            assert keeper.stdout.readline() == b"ready\n"
            as_root = os.geteuid() == 0
            who = [] if as_root else ["--user", "--preserve-credentials"]
            yield ClosedNet(["nsenter", f"--target={keeper.pid}", *who, "--net", "--"], kept)
        finally:
            assert keeper.stdin is not None
            keeper.stdin.close()
            said = keeper.stdout.read()
            keeper.wait(20)
    assert said == b"0 packets were lost\n", said


def _unshare() -> list[str]:
    return ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]


def _keep(kept: Path) -> None:
    for words in SETUP:
        subprocess.run(["ip", *words.split()], check=True)
    heard = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL_PROTOCOLS))
    heard.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE if os.geteuid() == 0 else socket.SO_RCVBUF, ROOM_BYTES)
    heard.setblocking(False)
    with kept.open("ab", buffering=0) as file:
        print("ready", flush=True)  # noqa: T201 - the word that the starting process waits for
        ended = False
        while not ended:
            ready, _, _ = select([heard, sys.stdin], [], [])
            ended = sys.stdin in ready
            _drain(heard, file)
        statistics = heard.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
        _, lost = struct.unpack("II", statistics)
    print(f"{lost} packets were lost", flush=True)  # noqa: T201


def _drain(heard: socket.socket, file: FileIO) -> None:
    while True:
        try:
            data, address = heard.recvfrom(LARGEST)
        except BlockingIOError:
            return
        if address[2] == OUTGOING:
            file.write(struct.pack(">I", len(data)) + data)


if __name__ == "__main__":
    _keep(Path(sys.argv[1]))
