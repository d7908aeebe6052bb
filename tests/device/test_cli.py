"""`onebreath` at the terminal: what it lists, how it says errors, and its exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import click
import pytest

from voice import cli
from voice.adapters.resources import checkout
from voice.errors import OnebreathError

AT_HOME = ["listen", "replay", "enrol", "consent", "check", "models", "pair", "demo"]
AT_THE_PRACTICE = [
    "serve", "backup", "practice", "account", "clinician", "read", "records", "audit", "keys", "page",
]  # fmt: skip


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str


class Terminal:
    """Types commands into this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def type(self, *arguments: str) -> Ran:
        self._monkeypatch.setattr(sys, "argv", ["onebreath", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = self._capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, out, err)

    def add(self, name: str, command: click.Command) -> None:
        """One more command, for a test alone."""
        module = ModuleType(f"tests.command_{name}")
        module.command = command  # type: ignore[attr-defined]
        self._monkeypatch.setitem(sys.modules, module.__name__, module)
        self._monkeypatch.setitem(cli.COMMANDS, name, module.__name__)


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(capsys, monkeypatch)


def commands(group: click.Group, path: Sequence[str] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command, those of groups included."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


EVERY = dict(commands(cli.onebreath))


@pytest.mark.parametrize("asked", ["--help", "-h"])
def test_help_lists_the_ten_commands_each_with_a_whole_sentence(terminal: Terminal, asked: str) -> None:
    ran = terminal.type(asked)
    assert ran.status == 0
    listed = ran.out.split("Commands:\n")[1].rstrip().splitlines()
    assert [row.split()[0] for row in listed] == [*AT_HOME, *AT_THE_PRACTICE]
    assert all(row.rstrip().endswith((".", "?")) and not row.endswith("...") for row in listed)


def examples(text: str) -> str:
    """A help text without its first line, which is the usage."""
    return text.split("\n", 1)[1]


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_command_has_help_with_an_example(terminal: Terminal, path: tuple[str, ...]) -> None:
    ran = terminal.type(*path, "--help")
    assert ran.status == 0
    assert not ran.err
    assert len(ran.out.splitlines()) > 5
    # The subcommands of a group may share the examples in the group's help.
    shown = examples(ran.out) + (examples(terminal.type(path[0], "--help").out) if path[1:] else "")
    assert f"onebreath {path[0]} " in shown or f"onebreath {path[0]}\n" in shown
    for option in EVERY[path].params:
        if isinstance(option, click.Option):
            assert option.help, f"{option.name} says nothing"


def test_the_version_is_that_of_the_distribution(terminal: Terminal) -> None:
    from importlib.metadata import version

    assert version("onebreath") in terminal.type("--version").out


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["check", "--nope"],
        ["enrol"],
        ["replay"],
        ["replay", "one.wav", "two.wav"],
        ["enrol", "--name"],
        ["check", "--home", __file__],
    ],
)
def test_a_usage_error_ends_with_2_and_points_to_the_help(terminal: Terminal, arguments: list[str]) -> None:
    ran = terminal.type(*arguments)
    assert ran.status == 2
    assert "Usage: onebreath" in ran.err or "requires an argument" in ran.err
    assert "Error:" in ran.err
    assert "Traceback" not in ran.err
    assert not ran.out


def test_an_error_says_cause_and_remedy_on_standard_error_and_ends_with_1(terminal: Terminal) -> None:
    @click.command()
    def command() -> None:
        raise OnebreathError("The kettle is cold.", "Put it on.")

    terminal.add("boil", command)
    assert terminal.type("boil") == Ran(1, "", "Error: The kettle is cold.\n       Put it on.\n")


def test_ctrl_c_ends_quietly_with_130(terminal: Terminal) -> None:
    @click.command()
    def command() -> None:
        raise KeyboardInterrupt

    terminal.add("wait", command)
    ran = terminal.type("wait")
    assert ran.status == 130
    assert ran.err.strip().endswith("Stopped.")
    assert "Traceback" not in ran.err


def test_a_command_says_its_own_status(terminal: Terminal) -> None:
    @click.command()
    def command() -> int:
        return 1

    terminal.add("maybe", command)
    assert terminal.type("maybe") == Ran(1, "", "")


@pytest.mark.parametrize(("name", "extra"), [("replay", "device"), ("serve", "server")])
def test_an_extra_that_is_not_installed_is_named(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, name: str, extra: str
) -> None:
    module = cli.COMMANDS[name]

    class Lacking:
        """Finds every module but one, which lacks what it needs."""

        def find_spec(self, wanted: str, path: object, target: object = None) -> None:
            if wanted == module:
                raise ModuleNotFoundError("No module named 'thing'", name="thing")

    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Lacking(), *sys.meta_path])
    ran = terminal.type(name)
    assert ran.status == 1
    assert f"`onebreath {name}` needs thing" in ran.err
    assert f"pip install 'onebreath[{extra}]'" in ran.err
    assert terminal.type("--help").status == 0


def test_listing_help_does_not_start_recognisers_or_sound(tmp_path: Path) -> None:
    """`onebreath --help` must answer at once, and where there is no sound library."""
    program = (
        "import sys\n"
        "sys.argv = ['onebreath', '--help']\n"
        "from voice.cli import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit:\n"
        "    heavy = {'vosk', 'pocketsphinx', 'pyttsx3', 'sounddevice'}\n"
        "    print('loaded:', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=checkout()
    )
    assert done.stdout.rstrip().endswith("loaded: []")


@pytest.mark.parametrize("arguments", [["--help"], ["enrol", "--help"]])
def test_a_reader_that_goes_away_is_no_crash(arguments: list[str]) -> None:
    """`onebreath … | head -0`"""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "voice", *arguments],
            stdout=writing, stderr=subprocess.PIPE, text=True, check=False, cwd=checkout(),
        )  # fmt: skip
    finally:
        os.close(writing)
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 1)
