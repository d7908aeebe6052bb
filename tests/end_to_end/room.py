"""A room without hardware: a private PulseAudio whose null sinks are the air and the speaker.

`room` is the air: what is played into it reaches the microphone, a source called `mic`. `speaker` is the
device's loudspeaker: what the device plays can be recorded from its monitor. The two are connected by `echo`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MISSING = "needs PulseAudio: sudo apt-get install pulseaudio pulseaudio-utils libasound2-plugins"

ALSA = """
</usr/share/alsa/alsa.conf>
pcm.pulse { type pulse }
ctl.pulse { type pulse }
pcm.!default { type pulse }
ctl.!default { type pulse }
"""

ECHO = [
    "module-loopback",
    "source=speaker.monitor",
    "sink=room",
    "latency_msec=60",
    "source_dont_move=true",
    "sink_dont_move=true",
]
MICROPHONE = ["module-remap-source", "master=room.monitor", "source_name=mic", "rate=16000", "channels=1"]


def available() -> bool:
    """Whether a room can be set up here."""
    tools = all(shutil.which(tool) for tool in ("pulseaudio", "pactl", "pacat", "parec"))
    return tools and any(Path("/usr/lib").glob("**/alsa-lib/libasound_module_pcm_pulse.so"))


class Room:
    """One private sound server. `env` is what a process needs to be in the room."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        alsa = folder / "asound.conf"
        alsa.write_text(ALSA)
        self.env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("PULSE_")},
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_RUNTIME_PATH": str(folder / "pulse"),
            "PULSE_STATE_PATH": str(folder / "state"),
            "PULSE_COOKIE": str(folder / "cookie"),
            "PULSE_SERVER": f"unix:{folder}/native",
            "ALSA_CONFIG_PATH": str(alsa),
            "SDL_AUDIODRIVER": "dummy",
        }

    @contextmanager
    def open(self) -> Iterator[Room]:
        """Start the server, set up the room, and end only what was started."""
        log = (self._folder / "pulseaudio.log").open("wb")
        server = subprocess.Popen(
            [
                "pulseaudio",
                "-n",
                "--daemonize=no",
                "--exit-idle-time=-1",
                "--use-pid-file=no",
                "--disallow-exit",
                "--realtime=no",
                f"--load=module-native-protocol-unix auth-anonymous=1 socket={self._folder}/native",
                "--load=module-null-sink sink_name=room rate=16000 channels=1",
                "--load=module-null-sink sink_name=speaker rate=22050 channels=1",
            ],
            env={key: value for key, value in self.env.items() if key != "PULSE_SERVER"},
            stdout=log,
            stderr=log,
        )
        try:
            self._until_ready(server)
            self._pactl("load-module", *MICROPHONE)
            self._pactl("set-default-sink", "speaker")
            self._pactl("set-default-source", "mic")
            yield self
        finally:
            server.terminate()
            server.wait(10)
            log.close()

    @contextmanager
    def echo(self) -> Iterator[None]:
        """Let the microphone hear the speaker, as in any real room."""
        module = self._pactl("load-module", *ECHO).strip()
        try:
            yield
        finally:
            self._pactl("unload-module", module)

    def silence_microphone(self) -> None:
        """Let the microphone give nothing more. (If it were removed, the server would move whoever listens
        to it to another source, and nobody would notice.)"""
        self._pactl("suspend-source", "mic", "1")

    def revive_microphone(self) -> None:
        """Let it give sound again."""
        self._pactl("suspend-source", "mic", "0")

    def play(self, wav: Path) -> None:
        """Play a WAV into the room, in real time, to its end."""
        subprocess.run(["paplay", "--device=room", str(wav)], env=self.env, check=True, timeout=120)

    @contextmanager
    def recording(self, wav: Path) -> Iterator[None]:
        """Record what comes out of the speaker."""
        recorder = subprocess.Popen(
            ["parec", "--device=speaker.monitor", "--rate=16000", "--channels=1", "--format=s16le",
             "--file-format=wav", "--latency-msec=50", str(wav)],
            env=self.env,
        )  # fmt: skip
        try:
            yield
        finally:
            recorder.terminate()
            recorder.wait(10)

    def _pactl(self, *words: str) -> str:
        done = subprocess.run(
            ["pactl", *words], env=self.env, check=True, capture_output=True, text=True, timeout=20
        )
        return done.stdout

    def _until_ready(self, server: subprocess.Popen[bytes]) -> None:
        for _ in range(100):
            if server.poll() is not None:
                break
            if (
                subprocess.run(["pactl", "info"], env=self.env, capture_output=True, check=False).returncode
                == 0
            ):
                return
            time.sleep(0.1)
        raise RuntimeError((self._folder / "pulseaudio.log").read_text())


@contextmanager
def virtual_room() -> Iterator[Room]:
    """A room for as long as it is needed. Its folder's name is short: a socket's path has a limit."""
    with tempfile.TemporaryDirectory(prefix="room-") as folder:
        (Path(folder) / "pulse").mkdir(mode=0o700)
        (Path(folder) / "state").mkdir(mode=0o700)
        with Room(Path(folder)).open() as room:
            yield room
