"""The whole product once, with the commands that a person would type: server, device, client, reader."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import soundfile

from voice.adapters.prompts import load_wording
from voice.adapters.voices import PEOPLE, speak
from voice.audio import Clip
from voice.errors import OnebreathError
from voice.scene import Said, scene

CLINICIAN: Final = "Dr Okafor"
FIRST: Final = "the foreman"
INVENTED: Final = "grumbletron"
PHRASE: Final = "I see you, foreman. I am here, and I am breathing."
LINE: Final = "he was afraid we would be late again"
BEFORE: Final = "The soup is almost ready, and the bus was late again this morning."
AFTER: Final = "Could you bring the washing in before it rains?"

ASKED_AFTER_S: Final = 14.0
"""From the end of the name to the line in the scene: tone, window, phrase and question take less."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Demo:
    """One run. `say` prints for the person watching; `folder` holds everything that the run makes."""

    folder: Path
    say: Say

    @property
    def home(self) -> Path:
        """The device's folder."""
        return self.folder / "device"

    def run(self, *, mic: bool) -> None:
        """Everything, step by step."""
        with self._server() as address:
            self._pair(address)
            if mic:
                self._with_own_voice()
            else:
                self._enrol(FIRST, PHRASE)
                self._enrol(INVENTED, None)
                self._play_scene()
            self.say(f"\n6. {CLINICIAN} reads the queue, opened with the passphrase")
            self.say(self._onebreath("read", "--server", address).stdout)

    def _pair(self, address: str) -> None:
        self.say(f"\n2. {CLINICIAN} makes a pairing link, and the device takes it")
        link = self._onebreath("clinician", "link", "--server", address).stdout.strip().splitlines()
        found = next(text.strip() for text in link if "/pair/" in text)
        self.say(f"   {found.split('#')[0]}#…  (the secret after the # never reaches the server)")
        self._show(self._onebreath("pair", "-", "--home", str(self.home), stdin=found).stdout)

    def _enrol(self, name: str, phrase: str | None) -> None:
        self.say(f"\n3. Five synthetic voices teach the device “{name}”")
        files: list[str] = []
        for index, person in enumerate(PEOPLE[:5]):
            path = self.folder / f"take-{name.replace(' ', '-')}-{index + 1}.wav"
            _write(path, speak(name, person))
            files += ["--take", str(path)]
        if phrase is not None:
            path = self.folder / "phrase.wav"
            _write(path, speak(phrase, PEOPLE[0]))
            files += ["--phrase", str(path)]
        self._show(self._onebreath("enrol", "--name", name, *files, "--home", str(self.home)).stdout)

    def _play_scene(self) -> None:
        client = PEOPLE[5]
        name_at = 7.0
        name = speak(FIRST, client)
        line_at = name_at + name.seconds + ASKED_AFTER_S
        line = speak(LINE, client)
        said = [
            Said(1.5, speak(BEFORE, PEOPLE[7])),
            Said(name_at, name),
            Said(line_at, line),
            Said(line_at + line.seconds + 12.0, speak(AFTER, PEOPLE[7])),
        ]
        microphone, speaker = self.folder / "microphone.wav", self.folder / "speaker.wav"
        _write(microphone, scene(said, said[-1].end_s + 4.0))
        self.say("\n4. A scene is played to the device, in a voice that it has never heard")
        self.say(f"   “{BEFORE}” … “{FIRST}” … “{LINE}” … “{AFTER}”")
        self.say("\n5. What the device heard, played and said (seconds of audio)")
        done = self._onebreath(
            "replay", str(microphone), "--speaker-out", str(speaker), "--home", str(self.home), "--json"
        )
        prompts = load_wording("en")
        values = {"clinician": CLINICIAN}
        for event in map(json.loads, done.stdout.splitlines()):
            self.say(f"   {event['at']:6.2f}  {_plain(event, said[1].end_s, prompts.sentences, values)}")
        heard = f"   The microphone heard {microphone}\n   The speaker played {speaker}"
        self.say(heard)

    def _with_own_voice(self) -> None:
        self.say(f"\n3. The device asks for the name you use. Here it is kept as “{FIRST}”.")
        self._onebreath("enrol", "--name", FIRST, "--home", str(self.home), quiet=False)
        self.say("\n4. Say the name whenever you like, then a line if you like. Ctrl-C when you are done.")
        listening = subprocess.Popen([*_COMMAND, "listen", "--home", str(self.home)], env=self._environment())
        try:
            listening.wait()
        except KeyboardInterrupt:
            listening.send_signal(signal.SIGINT)
            listening.wait(20)

    @contextmanager
    def _server(self) -> Iterator[str]:
        self.say(f"1. A server with an empty database, and {CLINICIAN}, whose keys are made here")
        database = str(self.folder / "server.db")
        self._show(
            self._onebreath("clinician", "add", "--name", CLINICIAN, "--database", database).stdout, first=1
        )
        port = self.folder / "server.log"
        with port.open("w") as log:
            server = subprocess.Popen(
                [*_COMMAND, "serve", "--port", "0", "--database", database],
                stdout=log, stderr=subprocess.STDOUT, env=self._environment(),
            )  # fmt: skip
            try:
                yield _address(server, port)
            finally:
                server.terminate()
                server.wait(10)

    def _onebreath(
        self, *arguments: str, stdin: str = "", quiet: bool = True
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*_COMMAND, *arguments],
            input=stdin if quiet else None, text=True, capture_output=quiet, env=self._environment(),
            check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise OnebreathError(
                f"`onebreath {arguments[0]}` ended with {done.returncode}: {done.stderr or ''}".strip(),
                f"Everything it made is in {self.folder}.",
            )
        return done

    def _environment(self) -> dict[str, str]:
        passphrase = self.folder / "passphrase"
        if not passphrase.exists():
            passphrase.write_text(secrets.token_urlsafe(18))
        return {
            **os.environ,
            "ONEBREATH_PASSPHRASE": passphrase.read_text(),
            "ONEBREATH_KEY_FILE": str(self.folder / "clinician.key.json"),
            "COLUMNS": str(shutil.get_terminal_size((110, 24)).columns),
        }

    def _show(self, text: str, first: int | None = None) -> None:
        for shown in text.strip().splitlines()[:first]:
            self.say(f"   {shown}")


_COMMAND: Final = (sys.executable, "-m", "voice")


def demonstrate(say: Say, *, mic: bool, keep: bool) -> None:
    """Run the demo in a fresh folder, which is removed afterwards unless `keep`."""
    folder = Path(tempfile.mkdtemp(prefix="onebreath-demo-"))
    try:
        Demo(folder, say).run(mic=mic)
    except BaseException:
        keep = True
        raise
    finally:
        if keep:
            say(f"Kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _plain(
    event: dict[str, Any], name_end_s: float,
    sentences: Callable[[str, dict[str, str]], Sequence[str]], values: dict[str, str],
) -> str:  # fmt: skip
    kind = event["event"]
    if kind == "heard":
        late = event["at"] - name_end_s
        return f"heard “{event['part']}” ({event['evidence']}), {late:.2f} s after the name ended"
    if kind == "said":
        return f"said: {' '.join(sentences(event['prompt'], values))}"
    if kind == "line":
        words = " ".join(word["text"] + ("(?)" if word["doubt"] else "") for word in event["words"])
        rough = ", rough" if event["rough"] else ""
        return f"the line, as text: {words}  [{event['transcriber']}{rough}]"
    if kind == "played":
        return f"played the client's own phrase for “{event['part']}”"
    if kind == "sealed":
        return f"sealed record {event['record'][:8]}…, kept, to be sent"
    return _PLAIN.get(str(kind), str(kind))


_PLAIN: Final = {
    "tone": "a soft tone",
    "asked": "waits for a line",
    "listening": "listens",
    "closed": "is done, and listens again",
}


def _address(server: subprocess.Popen[bytes], log: Path) -> str:
    """Where the server listens, read from what it prints; waits until it answers."""
    for _ in range(200):
        for word in log.read_text().split():
            address = word.rstrip("/.,")
            if address.startswith("http://127.0.0.1:"):
                try:
                    if httpx.get(f"{address}/health").status_code == 200:
                        return address
                except httpx.HTTPError:
                    pass
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise OnebreathError(f"The server did not start: {log.read_text().strip()}", "")


def _write(path: Path, clip: Clip) -> None:
    soundfile.write(str(path), clip.samples, clip.rate)
