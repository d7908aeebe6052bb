"""The manifest, the rules a model folder must meet, where models are looked for, and what damage does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.device.speaking import TINY
from voice.adapters import recognisers
from voice.adapters.model_files import FIXTURE, InstalledModel, Places, check, find_model, installed, manifest
from voice.adapters.model_files import describe as describe_folder
from voice.adapters.starter import StarterTranscriber
from voice.adapters.vosk import VoskTranscriber
from voice.commands.models import command
from voice.errors import ModelError
from voice.models import missing_files, parse_manifest, same_language, speaks_another

ENTRY = """
[[model]]
name = "vosk-model-small-xx-0.1"
language = "xx"
title = "Testish"
url = "https://example.org/a.zip"
licence = "MIT"
"""


def test_the_manifest_holds_the_three_known_models() -> None:
    known = {model.name: (model.size_bytes, model.sha256) for model in manifest().models if model.sha256}
    assert known == {
        "vosk-model-small-en-us-0.15": (
            41_205_931,
            "30f26242c4eb449f948e42cb302dd7a686cb29a3423a8367f99ff41780942498",
        ),
        "vosk-model-small-es-0.42": (
            39_817_833,
            "09b239888f633ef2f0b4e09736e3d9936acfd810bc65d53fad45261762c6511f",
        ),
        "vosk-model-small-vn-0.4": (
            33_656_337,
            "efe5c8494212110471a79befc48c79da679e5b1fc52a4ffb500222ff86d622e5",
        ),
    }


def test_every_entry_comes_from_the_models_page_and_has_a_licence() -> None:
    for model in manifest().models:
        assert model.url == f"https://alphacephei.com/vosk/models/{model.name}.zip"
        assert model.licence in {"Apache-2.0", "MIT"}
        assert model.likely_bytes > 20_000_000


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("en", "vosk-model-small-en-us-0.15"),
        ("EN_us", "vosk-model-small-en-us-0.15"),
        ("en-in", "vosk-model-small-en-in-0.4"),
        ("vn", "vosk-model-small-vn-0.4"),
        ("es-mx", "vosk-model-small-es-0.42"),
        ("vosk-model-small-de-0.15", "vosk-model-small-de-0.15"),
    ],
)
def test_a_language_chooses_its_model(wanted: str, name: str) -> None:
    assert manifest().choose(wanted).name == name


def test_an_unknown_language_is_told_with_those_there_are() -> None:
    with pytest.raises(ModelError, match="'tlh'") as error:
        manifest().choose("tlh")
    assert "en-us" in error.value.remedy


@pytest.mark.parametrize(
    ("folder", "language"),
    [
        ("vosk-model-small-vn-0.4", "vi"),
        ("vosk-model-en-us-0.22-lgraph", "en-us"),
        ("vosk-model-ar-mgb2-0.4", "ar"),
        ("vosk-model-small-kz-0.15", "kk"),
        ("vosk-model-nl-spraakherkenning-0.6", "nl"),
        ("spotter-en", None),
    ],
)
def test_a_folders_name_tells_its_language(folder: str, language: str | None) -> None:
    assert manifest().language_of(folder) == language


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[model", "not valid TOML"),
        (ENTRY.replace("https", "http"), "neither https"),
        (ENTRY.replace("vosk-model-small-xx-0.1", "../evil"), "plain folder name"),
        (ENTRY.replace('licence = "MIT"', ""), "licence is missing"),
        (ENTRY + "size = 10\n", "come together"),
        (ENTRY + 'size = 10\nsha256 = "abc"\n', "64 hexadecimal"),
        (ENTRY + 'size = 0\nsha256 = "' + "0" * 64 + '"\n', "positive number"),
        (ENTRY + 'aliases = "yy"\n', "list of texts"),
        (ENTRY + ENTRY, "one name"),
    ],
)
def test_a_manifest_that_does_not_hold_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        parse_manifest(text)


def test_what_a_model_folder_needs() -> None:
    sizes = {
        path.relative_to(TINY).as_posix(): path.stat().st_size for path in TINY.rglob("*") if path.is_file()
    }
    assert missing_files(sizes) == []
    assert missing_files({**sizes, "graph/disambig_tid.int": 0}) != []
    for needed in ("conf/model.conf", "conf/fbank.conf", "graph/HCLr.fst", "graph/Gr.fst", "am/final.mdl"):
        assert missing_files({name: size for name, size in sizes.items() if name != needed}) != [], needed
    old = dict.fromkeys(("final.mdl", "mfcc.conf", "words.txt", "HCLG.fst", "word_boundary.int"), 1)
    assert missing_files(old) == []


def test_language_is_told_by_half_of_the_words() -> None:
    words = ("the", "would", "because", "feel")
    assert not speaks_another(["the", "feel"], words)
    assert speaks_another(["the"], words)
    assert not speaks_another([], ())
    assert same_language("en", "EN_gb")
    assert not same_language("en", "es")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places((), None, tmp_path / "user", (tmp_path / "shared",), tmp_path / "cache")


def copy(folder: Path, fixture: bool = False) -> Path:
    ignore = None if fixture else shutil.ignore_patterns(FIXTURE)
    shutil.copytree(TINY, folder, ignore=ignore)
    return folder


def test_places_are_searched_in_order(places: Places, tmp_path: Path) -> None:
    shared = copy(tmp_path / "shared" / "vosk-model-small-en-us-0.15")
    assert find_model("en", None, places, manifest()) == InstalledModel(shared.name, shared, "en-us")
    users = copy(tmp_path / "user" / "vosk-model-small-en-in-0.4")
    found = find_model("en", None, places, manifest())
    assert found is not None
    assert found.path == users, "an earlier place wins for a plain language"
    exact = find_model("en-us", None, places, manifest())
    assert exact is not None
    assert exact.path == shared, "an exact region wins over an earlier place"
    given = copy(tmp_path / "own")
    named = find_model("en", given, places, manifest())
    assert named is not None
    assert named.path == given
    assert find_model("es", None, places, manifest()) is None


def test_a_place_may_be_a_model_itself(places: Places, tmp_path: Path) -> None:
    folder = copy(tmp_path / "vosk-model-en-us-0.22")
    found = installed(replace(places, given=(folder,)), manifest())
    assert [model.path for model in found] == [folder]


def test_the_fixture_is_never_found_by_searching(places: Places, tmp_path: Path) -> None:
    copy(tmp_path / "user" / "vosk-model-small-en-us-0.15", fixture=True)
    everywhere = replace(places, given=(TINY, TINY.parent))
    assert installed(everywhere, manifest()) == []
    assert isinstance(recognisers.transcriber("en", None, everywhere), StarterTranscriber)
    assert isinstance(recognisers.transcriber("en", TINY, everywhere), VoskTranscriber)


def test_vosk_takes_over_as_soon_as_a_model_is_installed(places: Places, tmp_path: Path) -> None:
    copy(tmp_path / "user" / "vosk-model-small-en-us-0.15")
    chosen = recognisers.transcriber("en", None, places)
    assert isinstance(chosen, VoskTranscriber)
    line = chosen.begin().finish()
    assert (line.transcriber, line.rough) == ("vosk-model-small-en-us-0.15", False)


def test_no_model_and_another_language_says_what_to_fetch(places: Places) -> None:
    for choose in (recognisers.transcriber, recognisers.commands):
        with pytest.raises(ModelError, match="'es'") as error:
            choose("es", None, places)
        assert "onebreath models fetch es" in error.value.remedy


def test_a_path_without_a_model_says_so(places: Places, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model folder at"):
        find_model("en", tmp_path / "nothing", places, manifest())
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="not whole"):
        recognisers.transcriber("en", tmp_path / "empty", places)


def test_a_model_of_another_language_is_told_by_its_words_and_its_name(
    places: Places, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="does not speak 'es'"):
        recognisers.transcriber("es", copy(tmp_path / "model"), places)
    misnamed = copy(tmp_path / "user" / "vosk-model-small-es-0.42")
    with pytest.raises(ModelError, match="does not speak 'en'"):
        recognisers.transcriber("en", misnamed, places)
    with pytest.raises(ModelError, match="does not speak 'es'"):
        recognisers.transcriber("es", None, places)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGE = [
    ("am/final.mdl", halve),
    ("conf/model.conf", Path.unlink),
    ("conf/model.conf", halve),
    ("conf/fbank.conf", empty),
    ("graph/Gr.fst", halve),
    ("graph/HCLr.fst", Path.unlink),
    ("graph/disambig_tid.int", halve),  # a segmentation fault in libvosk
    ("graph/disambig_tid.int", empty),
    ("graph/words.txt", empty),  # loads, and then knows no word
]


@pytest.mark.parametrize(("file", "harm"), DAMAGE)
def test_a_damaged_model_is_a_model_error_and_no_crash(
    places: Places, tmp_path: Path, file: str, harm: Callable[[Path], None], capfd: pytest.CaptureFixture[str]
) -> None:
    folder = copy(tmp_path / "user" / "vosk-model-small-en-us-0.15")
    harm(folder / file)
    with pytest.raises(ModelError):
        recognisers.transcriber("en", None, places)
    assert capfd.readouterr() == ("", "")


def test_a_model_conf_that_aborts_libvosk_is_a_model_error(places: Places, tmp_path: Path) -> None:
    folder = copy(tmp_path / "model")
    (folder / "conf" / "model.conf").write_text("--beam=10.0\n")
    with pytest.raises(ModelError, match="libvosk crashed"):
        check(describe_folder(folder, manifest()), "en", places, manifest())


def test_a_checked_model_is_not_read_twice_until_it_changes(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = describe_folder(copy(tmp_path / "model"), manifest())
    check(model, "en", places, manifest())
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    check(model, "en", places, manifest())
    (model.path / "README").write_text("changed")
    with pytest.raises(FileNotFoundError):
        check(model, "en", places, manifest())


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no models but those in the returned folder."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ONEBREATH_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def test_the_commands_show_verify_and_find_a_model(machine: Path) -> None:
    folder = copy(machine / "vosk-model-small-en-us-0.15")
    run = CliRunner()
    listed = run.invoke(command, ["list"])
    assert listed.exit_code == 0
    assert str(folder) in listed.output
    assert "vosk-model-small-uk-v3-nano" in listed.output
    assert run.invoke(command, ["path", "en"]).output.strip() == str(folder)
    for arguments in (["verify"], ["verify", folder.name], ["verify", str(folder)], ["verify", "en-us"]):
        verified = run.invoke(command, arguments)
        assert verified.exit_code == 0, arguments
        assert "good" in verified.output


def test_the_commands_say_what_is_wrong(machine: Path) -> None:
    run = CliRunner()
    for arguments in (["path", "tr"], ["verify", "nothing"], ["fetch", "tlh"], ["fetch", "de"]):
        failed = run.invoke(command, arguments)
        assert isinstance(failed.exception, ModelError), arguments
        assert failed.exception.remedy
    folder = copy(machine / "vosk-model-small-en-us-0.15")
    halve(folder / "graph" / "Gr.fst")
    assert isinstance(run.invoke(command, ["verify"]).exception, ModelError)


@pytest.mark.parametrize("arguments", [[], ["list"], ["fetch"], ["verify"], ["path"]])
def test_every_command_has_help_with_an_example(arguments: list[str]) -> None:
    shown = CliRunner().invoke(command, [*arguments, "--help"])
    assert shown.exit_code == 0
    assert "Example:" in shown.output
