"""The product as people have it: its commands as processes, the device's and the practice's folders apart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import soundfile

from voice.adapters.voices import PEOPLE, speak
from voice.audio import Clip
from voice.scene import Said, scene

T = TypeVar("T")

PASSPHRASE = "four unrelated kettle words"
CLINICIAN = "Dr Okafor"
PART = "captain marigold"
PHRASE = "I see you, captain marigold. I am here."
"""The name is in it: a device that heard itself would go on for ever."""
LINE = "my brother was shouting about the kitchen window"
CLIENT = PEOPLE[5]
"""No take is in this voice. The starter transcriber makes out every word of LINE in it."""
TEACHERS = PEOPLE[:5]

ASKED_AFTER_S = 14.0
"""From the end of the name to the line in a scene: tone, moment, phrase, breath and question take less."""

DEADLINE_S = 120.0
POLL_S = 0.1


def until(ask: Callable[[], T | None], what: str, seconds: float = DEADLINE_S) -> T:
    """Ask until there is an answer. AssertionError when there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = ask()
        if answer is not None:
            return answer
        time.sleep(POLL_S)
    raise AssertionError(f"no {what} within {seconds:.0f} s")


def write(path: Path, clip: Clip) -> Path:
    """A sound as a WAV file."""
    path.parent.mkdir(exist_ok=True)
    soundfile.write(str(path), clip.samples, clip.rate)
    return path


def exchange_scene(line: str | None) -> tuple[Clip, Clip | None]:
    """The client names the part and speaks the line, if any, when asked; the scene, and the line alone."""
    name = Said(2.0, speak(PART, CLIENT))
    if line is None:
        return scene([name], name.end_s + 2.0), None
    spoken = Said(name.end_s + ASKED_AFTER_S, speak(line, CLIENT))
    return scene([name, spoken], spoken.end_s + 2.0), spoken.clip


class Product:
    """One client's device and one clinician, below `folder`. `enter` goes before every command.

    `device` and `practice` each hold all that either side may write: its data, its HOME, its TMPDIR, the
    folder it works in, and what it wrote to its terminal. What the client says is in `said`, beside them.
    """

    def __init__(
        self, folder: Path, *, enter: Sequence[str] = (), env: Mapping[str, str] = os.environ
    ) -> None:
        self.device, self.practice, self.said = (folder / name for name in ("device", "practice", "said"))
        self.home = self.device / "home"
        self.database = self.practice / "server.db"
        self._enter = tuple(enter)
        ours = ("ONEBREATH_", "XDG_DATA", "XDG_CACHE", "XDG_CONFIG", "XDG_STATE")
        plain = {key: value for key, value in env.items() if not key.startswith(ours)}
        self._env = {side: self._settle(side, plain) for side in (self.device, self.practice)}
        self._env[self.practice] |= {
            "ONEBREATH_PASSPHRASE": PASSPHRASE,
            "ONEBREATH_KEY_FILE": str(self.practice / "okafor.key.json"),
        }
        self.said.mkdir()

    @staticmethod
    def _settle(side: Path, env: Mapping[str, str]) -> dict[str, str]:
        places = {"HOME": side / "user", "TMPDIR": side / "tmp"}
        for place in (*places.values(), side / "work"):
            place.mkdir(parents=True)
        return {**env, **{key: str(place) for key, place in places.items()}}

    def start(
        self, side: Path, *arguments: str, before: Sequence[str] = (), **pipes: Any
    ) -> subprocess.Popen[str]:
        """One command under way on one side, `before` it another that runs it."""
        command = [*self._enter, *before, sys.executable, "-m", "voice", *arguments]
        return subprocess.Popen(command, env=self._env[side], cwd=side / "work", text=True, **pipes)

    def run(
        self, side: Path, *arguments: str, stdin: str = "", before: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """One command to its end, which must be a good one. What it wrote to stderr is kept on its side."""
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        with self.start(side, *arguments, before=before, **pipes) as process:
            try:
                out, err = process.communicate(stdin, DEADLINE_S)
            finally:
                process.kill()
        with (side / "stderr").open("a") as kept:
            kept.write(err)
        assert process.returncode == 0, f"onebreath {' '.join(arguments)}: {process.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    @contextmanager
    def serving(self, *, port: int = 0) -> Iterator[str]:
        """The server, which must end well when told to; its address."""
        log = self.practice / "serve.log"
        with log.open("a") as kept:
            begin = log.stat().st_size
            arguments = ("serve", "--port", str(port), "--database", str(self.database))
            with self.start(self.practice, *arguments, stdout=kept, stderr=kept) as server:
                try:
                    yield until(lambda: _address(server, log.read_text()[begin:]), "server")
                finally:
                    server.terminate()
                    ended = server.wait(20)
        assert ended == 0, log.read_text()

    def add_clinician(self) -> None:
        """Make the clinician's keys, with the real cost of the passphrase."""
        self.run(self.practice, "clinician", "add", "--name", CLINICIAN, "--database", str(self.database))

    def pair(self, server: str) -> None:
        """A link from the one side, taken by the other."""
        link = self.run(self.practice, "clinician", "link", "--server", server).stdout
        self.run(self.device, "pair", "-", "--home", str(self.home), stdin=link)

    def enrol(self) -> Clip:
        """PART from five takes in other voices, with a phrase in the client's; the phrase."""
        takes: list[str] = []
        for number, person in enumerate(TEACHERS, 1):
            takes += ["--take", str(write(self.said / f"take-{number}.wav", speak(PART, person)))]
        phrase = speak(PHRASE, CLIENT)
        file = write(self.said / "phrase.wav", phrase)
        self.run(
            self.device, "enrol", "--name", PART, *takes, "--phrase", str(file), "--home", str(self.home)
        )
        return phrase

    def replay(self, sound: Path, *options: str, before: Sequence[str] = ()) -> list[dict[str, Any]]:
        """The device on a sound file; its events."""
        arguments = ("replay", str(sound), "--home", str(self.home), "--json", *options)
        done = self.run(self.device, *arguments, before=before)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def queue(self, server: str) -> dict[str, Any]:
        """What the clinician reads."""
        queue = json.loads(self.run(self.practice, "read", "--server", server, "--json").stdout)
        assert isinstance(queue, dict)
        return queue


def _address(server: subprocess.Popen[str], log: str) -> str | None:
    assert server.poll() is None, log
    found = [word for word in log.split() if word.startswith("http://127.0.0.1:")]
    return found[0] if found else None
