"""The whole product once, with the commands that a person would type: server, device, client, reader."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from voice.adapters import programs
from voice.adapters.private_file import write_private
from voice.adapters.prompts import load_wording
from voice.adapters.voices import PEOPLE, speak, write_clip
from voice.assemble_demo_page import CLIENT, DISCUSSED, how_to_sign_in, send_week, set_up_account
from voice.common_words import EVERYDAY
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

PASSPHRASE_WORDS: Final = 6

Say = Callable[[str], None]


@dataclass(frozen=True)
class Demo:
    """One run. `say` prints for the person watching; `folder` holds everything that the run makes.

    `stays`: whether it goes on with a page to sign in to, until Ctrl-C.
    """

    folder: Path
    say: Say
    stays: bool = False

    @property
    def home(self) -> Path:
        """The device's folder."""
        return self.folder / "device"

    def run(self, *, mic: bool) -> None:
        """Everything, step by step."""
        with self._server() as server:
            address = server.address
            self._pair(address)
            if self.stays:
                self._make_up_a_week(address)
            if mic:
                self._with_own_voice()
            else:
                self.say("\n3. Five synthetic voices teach the device two names")
                self._enrol(FIRST, PHRASE)
                self._enrol(INVENTED, None)
                self._play_scene()
            self.say(f"\n6. {CLINICIAN} reads the queue, opened with the passphrase")
            self.say(self._onebreath("read", "--server", address))
            if self.stays:
                self._open_page(server)

    def _pair(self, address: str) -> None:
        self.say(f"\n2. {CLINICIAN} makes a pairing link, and the device takes it")
        printed = self._onebreath("clinician", "link", "--server", address).splitlines()
        found = next(text.strip() for text in printed if "/pair/" in text)
        self.say(f"   {found.split('#')[0]}#…  (the secret after the # never reaches the server)")
        self._show(self._onebreath("pair", "-", "--home", str(self.home), stdin=found))

    def _enrol(self, name: str, phrase: str | None) -> None:
        files: list[str] = []
        for index, person in enumerate(PEOPLE[:5]):
            path = self.folder / f"take-{name.replace(' ', '-')}-{index + 1}.wav"
            write_clip(path, speak(name, person))
            files += ["--take", str(path)]
        if phrase is not None:
            path = self.folder / "phrase.wav"
            write_clip(path, speak(phrase, PEOPLE[0]))
            files += ["--phrase", str(path)]
        self._show(self._onebreath("enrol", "--name", name, *files, "--home", str(self.home)))

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
        write_clip(microphone, scene(said, said[-1].end_s + 4.0))
        self.say("\n4. A scene is played to the device, in a voice that it has never heard")
        self.say(f"   “{BEFORE}” … “{FIRST}” … “{LINE}” … “{AFTER}”")
        self.say("\n5. What the device heard, played and said (seconds of audio)")
        printed = self._onebreath(
            "replay", str(microphone), "--speaker-out", str(speaker), "--home", str(self.home), "--json"
        )
        prompts = load_wording("en")
        values = {"clinician": CLINICIAN}
        for event in map(json.loads, printed.splitlines()):
            self.say(f"   {event['at']:6.2f}  {_plain(event, said[1].end_s, prompts.sentences, values)}")
        if self.stays:
            self.say(f"   The microphone heard {microphone}\n   The speaker played {speaker}")

    def _make_up_a_week(self, address: str) -> None:
        """Before the scene, so that what is newer comes later."""

        def discuss() -> None:
            self._onebreath("read", "--server", address, "--mark")

        made = send_week(self.home, (FIRST, INVENTED), discuss)
        device = self._onebreath("read", "--json", "--server", address)
        device_id = json.loads(device)["devices"][0]["device"]
        self._onebreath("clinician", "label", device_id, CLIENT, "--server", address)
        self.say(f"   A week of {made} noticings is made up, so that there is something to look at.")
        self.say(f"   The device seals and sends them as real ones. {DISCUSSED} are marked as discussed.")

    def _open_page(self, server: programs.Server) -> None:
        page = server.address.replace("127.0.0.1", "localhost")
        authenticator = self.folder / "authenticator.txt"
        code = (self.folder / "recovery-code").read_text()
        set_up_account(self._onebreath, page, self.folder / "server.db", authenticator, code)
        self.say(f"7. {CLINICIAN}'s page, for you to sign in to. The older noticings are made up.\n")
        for shown in how_to_sign_in(page, self._environment()["ONEBREATH_PASSPHRASE"], authenticator):
            self.say(f"   {shown}")
        self.say("\n   A passkey that you add there stays on your own device: remove it there yourself.")
        self.say("   Ctrl-C ends it, and removes everything that was made.")
        programs.wait(server)

    def _with_own_voice(self) -> None:
        self.say(f"\n3. The device asks for the name you use. Here it is kept as “{FIRST}”.")
        asked = ("enrol", "--name", FIRST, "--no-audition", "--home", str(self.home))
        programs.show(asked, self._environment())
        # The reader comes right after; at home a record waits a little, so that it can be taken back.
        (self.home / "settings.toml").write_text("hold_s = 0\n")
        self.say("\n4. Say the name whenever you like, then a line if you like. Ctrl-C when you are done.")
        with suppress(KeyboardInterrupt):
            programs.show(("listen", "--home", str(self.home)), self._environment())

    @contextmanager
    def _server(self) -> Iterator[programs.Server]:
        self.say(f"1. A server with an empty database, and {CLINICIAN}, whose keys are made here")
        database = self.folder / "server.db"
        added = self._onebreath("clinician", "add", "--name", CLINICIAN, "--database", str(database))
        self._show(added, first=1)
        write_private(self.folder / "recovery-code", added.strip().splitlines()[-1].strip().encode())
        server = programs.serve(database, self.folder / "server.log", self._environment())
        try:
            yield server
        finally:
            server.stop()

    def _onebreath(self, *arguments: str, stdin: str = "") -> str:
        try:
            return programs.run(arguments, self._environment(), stdin)
        except programs.ProgramError as error:
            raise OnebreathError(error.cause, f"Everything it made is in {self.folder}.") from error

    def _environment(self) -> Mapping[str, str]:
        passphrase = self.folder / "passphrase"
        if not passphrase.exists():
            words = sorted(word for word in EVERYDAY if len(word) > 3 and word.isalpha())
            chosen = " ".join(secrets.choice(words) for _ in range(PASSPHRASE_WORDS))
            write_private(passphrase, chosen.encode())
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("ONEBREATH_") or name == "ONEBREATH_MODELS"
        }
        return {
            **inherited,
            "ONEBREATH_PASSPHRASE": passphrase.read_text(),
            "ONEBREATH_KEY_FILE": str(self.folder / "clinician.key.json"),
            "COLUMNS": str(shutil.get_terminal_size((110, 24)).columns),
        }

    def _show(self, text: str, first: int | None = None) -> None:
        for shown in text.strip().splitlines()[:first]:
            self.say(f"   {shown}")


def demonstrate(say: Say, *, mic: bool, keep: bool) -> None:
    """Run the demo in a fresh folder, and leave nothing of it, unless something went wrong.

    `keep`: go on with a page to sign in to, until Ctrl-C.
    """
    folder = Path(tempfile.mkdtemp(prefix="onebreath-demo-"))
    failed = False
    with programs.ends_alike():
        try:
            with suppress(KeyboardInterrupt):
                Demo(folder, say, keep).run(mic=mic)
        except Exception:
            failed = True
            raise
        finally:
            if failed:
                say(f"Kept in {folder}")
            else:
                with _undisturbed():
                    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Within it nothing ends the program: cut short, the removal would leave keys and a passphrase behind."""
    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(one, signal.SIG_IGN) for one in ends]
    try:
        yield
    finally:
        for one, handler in zip(ends, before, strict=True):
            signal.signal(one, handler)


def _plain(
    event: dict[str, Any], name_end_s: float,
    sentences: Callable[[str, dict[str, str]], Sequence[str]], values: dict[str, str],
) -> str:  # fmt: skip
    kind = event["event"]
    if kind == "heard":
        late = event["at"] - name_end_s
        # Words may settle it while the last sound of the name still rings.
        when = f"{late:.2f} s after the name ended" if late > 0 else "as the name ended"
        return f"heard “{event['part']}” ({event['evidence']}), {when}"
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
