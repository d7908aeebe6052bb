"""The wheel as it is built: what it carries, what it needs, and that it runs away from the checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from voice.adapters.resources import checkout

_CHECKOUT = checkout()
assert _CHECKOUT is not None, "the wheel is built from the checkout"
ROOT: Path = _CHECKOUT

CARRIED = (
    "voice/data/prompts/en/prompts.toml",
    "voice/data/models/manifest.toml",
    "voice/data/negatives.npz",
    "voice/data/space.npz",
    "voice/wire/FORMAT.md",
    "server/migrations/env.py",
    "server/migrations/script.py.mako",
    "server/migrations/versions/m0001_first.py",
)

PYTHONS = ("3.11", "3.12", "3.13")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the build system itself, without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def project() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return dict(tomllib.load(file)["project"])


def test_its_only_import_roots_are_voice_and_server(names: list[str]) -> None:
    roots = {name.split("/")[0] for name in names}
    assert {root for root in roots if not root.endswith(".dist-info")} == {"voice", "server"}
    assert len(roots) == 3


@pytest.mark.parametrize("name", CARRIED)
def test_it_carries_what_the_code_reads(names: list[str], name: str) -> None:
    assert name in names


def test_it_carries_every_prompt_and_migration_of_the_checkout(names: list[str]) -> None:
    prompts = [path.relative_to(ROOT / "prompts") for path in (ROOT / "prompts").rglob("*.toml")]
    assert prompts
    assert all(f"voice/data/prompts/{path.as_posix()}" in names for path in prompts)
    migrations = [path.relative_to(ROOT) for path in (ROOT / "server" / "migrations").rglob("*.py")]
    assert len(migrations) >= 4
    assert all(path.as_posix() in names for path in migrations)


def test_it_carries_every_module_and_nothing_that_was_left_lying_about(names: list[str]) -> None:
    sources = [path for root in ("voice", "server") for path in (ROOT / root).rglob("*.py")]
    assert {path.relative_to(ROOT).as_posix() for path in sources} == {n for n in names if n.endswith(".py")}
    stray = re.compile(r"__pycache__|\.pyc$|(^|/)tests?/|\.sqlite|\.db$|\.wav$")
    assert not [name for name in names if stray.search(name)]


def test_it_carries_the_licence_and_the_notice_of_what_others_made(wheel: Path, names: list[str]) -> None:
    for file in ("LICENSE", "NOTICE"):
        (inside,) = [name for name in names if name.endswith(f".dist-info/licenses/{file}")]
        with zipfile.ZipFile(wheel) as archive:
            assert archive.read(inside) == (ROOT / file).read_bytes()
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    notice = (ROOT / "NOTICE").read_text().casefold()
    for used in ("pyopen-wakeword", "silero", "pocketsphinx", "vosk", "espeak"):
        assert used in notice, used


def test_its_metadata_says_what_it_is_and_where_it_starts(wheel: Path, names: list[str]) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        fields = Parser().parsestr(archive.read(metadata).decode())
        (entries,) = [name for name in names if name.endswith(".dist-info/entry_points.txt")]
        assert "onebreath = voice.cli:main" in archive.read(entries).decode()
    assert fields["Name"] == "onebreath"
    assert fields["License-Expression"] == "Apache-2.0"
    assert fields["Requires-Python"] == ">=3.11"
    assert set(fields.get_all("Provides-Extra") or ()) == {"bench", "device", "server", "dev"}


# The lock file.


def pinned() -> dict[str, list[Requirement]]:
    """Every pin, by canonical name: a package may be pinned once for each platform or Python."""
    found: dict[str, list[Requirement]] = {}
    for row in (ROOT / "requirements.lock").read_text().replace("\\\n", " ").splitlines():
        if row.strip() and not row.lstrip().startswith("#"):
            requirement = Requirement(re.split(r"\s--hash", row)[0].strip())
            found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def wanted() -> Iterator[Requirement]:
    """Everything pyproject asks for, in every extra and for the build."""
    described = project()
    extras = [text for texts in described["optional-dependencies"].values() for text in texts]
    for text in (*described["dependencies"], *extras):
        yield Requirement(text)


def test_the_lock_file_names_no_index_and_hashes_everything() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|\bfile:|@ ", text)
    rows = [row for row in text.replace("\\\n", " ").splitlines() if row.strip() and row.strip()[0] != "#"]
    assert len(rows) > 40
    for row in rows:
        assert re.match(r"[A-Za-z0-9._-]+(\[[\w,]+\])?==\S+", row), row
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", row), row


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_lock_file_pins_every_requirement_of_every_extra(python: str, machine: str) -> None:
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": machine,
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "extra": "",
    }

    def applies(marker: Marker | None) -> bool:
        return marker is None or marker.evaluate(environment)

    pins = pinned()
    for requirement in wanted():
        if not applies(requirement.marker):
            continue
        here = [pin for pin in pins.get(canonicalize_name(requirement.name), []) if applies(pin.marker)]
        assert len(here) == 1, f"{requirement} has {len(here)} pins for Python {python} on {machine}"
        (pin,) = here[0].specifier
        assert requirement.specifier.contains(pin.version), f"{requirement} is pinned to {pin.version}"


# Installed.


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtual environment with the wheel, which borrows the packages of this one; its `bin`."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (packages,) = (folder / "lib").glob("python*/site-packages")
    # Its .pth files are not read through this one, so that the editable checkout stays out of the way.
    (packages / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return folder / "bin"


def away(
    program: Path, folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run an installed program in `folder`, with nothing of this run's Python or Onebreath about it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "ONEB"))}
    return subprocess.run(
        [program, *arguments], cwd=folder, env={**clean, "COLUMNS": "100", **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.speech
@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--help"], "clinician"),
        (["--version"], "0."),
        (["models", "list"], "en"),
        (["replay", "--help"], "IN.wav"),
        (["serve", "--help"], "database"),
        (["check", "--home", "nowhere"], "prompts: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_installed_wheel_runs_away_from_the_checkout(
    installed: Path, tmp_path: Path, arguments: list[str], shown: str
) -> None:
    done = away(installed / "onebreath", tmp_path, *arguments)
    assert done.returncode == (1 if arguments[0] == "check" else 0), done.stderr
    assert shown in done.stdout
    where = away(
        installed / "python", tmp_path, "-c", "import voice, server; print(voice.__file__, server.__file__)"
    )
    assert where.returncode == 0, where.stderr
    assert all(path.startswith(str(installed.parent)) for path in where.stdout.split())


@pytest.mark.speech
def test_an_installed_server_makes_its_database_from_its_own_migrations(
    installed: Path, tmp_path: Path
) -> None:
    made = away(
        installed / "onebreath", tmp_path,
        "clinician", "add", "--name", "Dr Okafor", "--database", "clinic.db",
        ONEBREATH_PASSPHRASE="four unrelated kettle words", ONEBREATH_KEY_FILE="okafor.key.json",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "clinic.db").stat().st_size > 0
