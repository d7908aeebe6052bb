"""What `onebreath demo --keep` adds: a made-up week from the demo's device, and an account for the page."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Final

from voice.adapters.clock import SystemClock
from voice.adapters.records import DeviceRecords
from voice.errors import OnebreathError
from voice.noticing import Noticing
from voice.transcript import Transcript, Word

CLIENT: Final = "Demo client (made up)"
ACCOUNT: Final = "okafor"
MADE_UP: Final = "made up for the demo"
"""In place of a transcriber in what no recogniser heard."""

DISCUSSED: Final = 3
"""How many of the week's first noticings the clinician has discussed."""

Run = Callable[..., str]


@dataclass(frozen=True)
class MadeUp:
    """One noticing: days before today, the time by the client's clock, the part as first or second of the
    demo's, and the line.

    None is a noticing without a line, "" one whose line could not be made out. A word that ends in ? is one
    that the recogniser would have doubted.
    """

    days_ago: int
    at: time
    part: int
    line: str | None


WEEK: Final = (
    MadeUp(6, time(18, 5), 0, "the letter from the school came"),
    MadeUp(5, time(22, 10), 0, "nobody had washed? up and it was late"),
    MadeUp(5, time(22, 40), 0, None),
    MadeUp(5, time(23, 15), 1, "he wanted everybody to stop talking"),
    MadeUp(4, time(0, 30), 0, None),
    MadeUp(4, time(8, 20), 1, "before the meeting with the new manager?"),
    MadeUp(2, time(22, 5), 0, "my mother rang twice and i did not answer"),
    MadeUp(2, time(22, 50), 0, ""),
    MadeUp(2, time(23, 30), 1, None),
    MadeUp(1, time(0, 10), 0, "i could not sleep so i made a list again"),
)
"""Two nights stand out, so that the page's sentence has something to say. Oldest first."""


def week(today: date, parts: tuple[str, str]) -> Iterator[Noticing]:
    """The noticings of the seven days before `today`, with this machine's time zone as the client's."""
    for one in WEEK:
        at = datetime.combine(today - timedelta(days=one.days_ago), one.at).astimezone()
        yield Noticing(parts[one.part], at, None if one.line is None else _line(one.line))


def send_week(home: Path, parts: tuple[str, str], between: Callable[[], None]) -> int:
    """Seal the week on the device, and send it from its outbox to the server; how many records.

    `between` is called when the first DISCUSSED have arrived. Raises OnebreathError.
    """
    noticings = list(week(SystemClock().now().date(), parts))
    with DeviceRecords(home, courier=False, ask=True) as records:
        for batch in (noticings[:DISCUSSED], noticings[DISCUSSED:]):
            for one in batch:
                records.save(one)
            if records.flush() > 0:
                raise OnebreathError("The server did not take the made-up week.", "Run the demo again.")
            if batch[0] is noticings[0]:
                between()
    return len(noticings)


def set_up_account(run: Run, address: str, database: Path, authenticator: Path, recovery_code: str) -> None:
    """Invite the demo's clinician to the page, and set the account up with the keys that they have."""
    link = run("account", "invite", "--name", ACCOUNT, "--role", "clinician", "--server", address,
               "--database", str(database))  # fmt: skip
    arguments = ("account", "set-up", "-", "--authenticator", str(authenticator))
    run(*arguments, stdin=f"{link.strip()}\n{recovery_code}\n")


def how_to_sign_in(address: str, passphrase: str, authenticator: Path) -> tuple[str, ...]:
    """What to print: where, who, and the ways to the six digits."""
    key = authenticator.read_text("ascii").partition("secret=")[2].partition("&")[0].strip()
    program = Path(sys.executable).with_name("onebreath")
    command = str(program) if program.exists() else f"{sys.executable} -m voice"
    return (
        f"Page        {address}",
        f"Name        {ACCOUNT}",
        f"Passphrase  {passphrase}",
        f"Six digits  {command} account code {authenticator}",
        f"            (in another terminal; or add this key to an authenticator: {key})",
    )


def _line(text: str) -> Transcript:
    return Transcript(
        tuple(Word(word.rstrip("?"), word.endswith("?")) for word in text.split()), MADE_UP, rough=False
    )
