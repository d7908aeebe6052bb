"""Cards on disk: exact, private, whole whatever happens, and one damaged card is one damaged card."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.device.card_rig import FOREMAN, LITTLE_ONE, noise_card, same
from tests.device.card_version_1 import put_version_1
from voice.adapters.cards import CardBox, CardDamagedError
from voice.adapters.resources import checkout
from voice.card import clean_name
from voice.errors import StorageError


def place_of(home: Path, name: str) -> Path:
    """The folder of a part's card."""
    for path in (home / "cards").glob("*/card.json"):
        if f'"name": "{name}"' in path.read_text():
            return path.parent
    raise AssertionError(f"no card of {name}")


@pytest.mark.parametrize(("phrase", "audition"), [(True, False), (False, True)])
@pytest.mark.parametrize(
    "name", [FOREMAN, "Großmutters Krähe", "工头", "el pequeño", "צל", 'the "loud" one/2']
)
def test_a_card_comes_back_exactly_as_it_was_kept(
    tmp_path: Path, name: str, phrase: bool, audition: bool
) -> None:
    card = noise_card(name, takes=5, seed=3, phrase=phrase, audition=audition)
    CardBox(tmp_path).put(card)
    (loaded,), damaged = CardBox(tmp_path).load()
    assert not damaged
    assert same(loaded, card)
    got = CardBox(tmp_path).get(name)
    assert got is not None
    assert same(got, card)


def test_a_card_of_version_1_is_read_and_becomes_version_2_when_it_is_kept_again(tmp_path: Path) -> None:
    card = noise_card(takes=4, seed=7)
    put_version_1(tmp_path, card)
    (loaded,), damaged = CardBox(tmp_path).load()
    assert not damaged
    assert same(loaded, card), "without an audition, exactly what the old code wrote"
    (path,) = (tmp_path / "cards").glob("*/card.json")
    assert json.loads(path.read_text())["version"] == 1, "reading changes nothing"
    more = replace(loaded, tries=noise_card(audition=True).tries)
    CardBox(tmp_path).put(more)
    assert json.loads(path.read_text())["version"] == 2
    got = CardBox(tmp_path).get(card.name)
    assert got is not None
    assert same(got, more)


def test_talk_that_is_forgotten_is_nowhere_on_disk(tmp_path: Path) -> None:
    card = noise_card(audition=True)
    CardBox(tmp_path).put(card)
    CardBox(tmp_path).put(replace(card, talk=()))
    with np.load(next(tmp_path.rglob("takes.npz")), allow_pickle=False) as stored:
        assert not [key for key in stored if key.startswith("talk")]
    assert len(list(tmp_path.rglob("takes.npz"))) == 1


def test_a_home_without_cards_has_none(tmp_path: Path) -> None:
    box = CardBox(tmp_path / "not there yet")
    assert box.load() == ([], [])
    assert box.get(FOREMAN) is None
    assert box.remove(FOREMAN) is False
    assert not (tmp_path / "not there yet").exists()


def test_looking_answers_for_the_dialogue(tmp_path: Path) -> None:
    card = noise_card(seed=3)
    CardBox(tmp_path).put(card)
    box = CardBox(tmp_path)
    assert box.phrase(FOREMAN) is None
    box.load()
    phrase = box.phrase(FOREMAN)
    assert phrase is not None
    assert card.phrase is not None
    np.testing.assert_array_equal(phrase.samples, card.phrase.samples)
    assert box.quiet(FOREMAN) is True
    assert box.phrase("another") is None
    assert box.quiet("another") is False


def test_a_card_is_replaced_whole(tmp_path: Path) -> None:
    box = CardBox(tmp_path)
    box.put(noise_card(takes=5, seed=1))
    fewer = noise_card(takes=2, seed=2, phrase=False)
    box.put(fewer)
    (loaded,), _ = CardBox(tmp_path).load()
    assert same(loaded, fewer)
    kept = [path.name for path in place_of(tmp_path, FOREMAN).rglob("*") if path.is_file()]
    assert sorted(kept) == ["card.json", "take-1.flac", "take-2.flac", "takes.npz"]


def test_parts_do_not_touch_each_other_and_come_in_order(tmp_path: Path) -> None:
    box = CardBox(tmp_path)
    cards = {name: noise_card(name, seed=seed) for seed, name in enumerate((LITTLE_ONE, FOREMAN, "工头"))}
    for card in cards.values():
        box.put(card)
    loaded, _ = box.load()
    assert [card.name for card in loaded] == sorted(cards)
    assert all(same(card, cards[card.name]) for card in loaded)
    assert box.remove(FOREMAN) is True
    assert [card.name for card in CardBox(tmp_path).load()[0]] == sorted({LITTLE_ONE, "工头"})


def test_everything_is_for_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        CardBox(tmp_path / "home").put(noise_card())
    finally:
        os.umask(before)
    paths = [tmp_path / "home", *(tmp_path / "home").rglob("*")]
    assert len(paths) > 6
    for path in paths:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_no_file_or_folder_is_named_after_the_part(tmp_path: Path) -> None:
    CardBox(tmp_path).put(noise_card())
    names = " ".join(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")).casefold()
    assert "foreman" not in names
    assert "four" not in names


@pytest.mark.parametrize(
    ("file", "spoilt"),
    [
        ("card.json", b""),
        ("card.json", b"{}"),
        ("card.json", b"[1, 2]"),
        ("card.json", b"\xff\xfe"),
        ("takes.npz", b""),
        ("takes.npz", b"PK\x03\x04 not a zip at all"),
        ("takes.npz", None),
        ("take-2.flac", b""),
        ("take-2.flac", b"fLaC and then nothing of the kind"),
        ("take-2.flac", None),
        ("phrase.flac", None),
    ],
)
def test_one_damaged_card_is_named_and_the_others_are_read(
    tmp_path: Path, file: str, spoilt: bytes | None
) -> None:
    box = CardBox(tmp_path)
    good, bad = noise_card(LITTLE_ONE, seed=4), noise_card(seed=5)
    box.put(good)
    box.put(bad)
    place = place_of(tmp_path, FOREMAN)
    (path,) = place.rglob(file)
    if spoilt is None:
        path.unlink()
    else:
        path.write_bytes(spoilt)

    (loaded,), (damage,) = CardBox(tmp_path).load()
    assert same(loaded, good)
    assert str(place) in damage.cause
    assert "enrol" in damage.remedy
    assert "foreman" not in str(damage), "the error may end up in a log"
    assert damage.part == (None if file == "card.json" else FOREMAN)
    with pytest.raises(CardDamagedError):
        CardBox(tmp_path).get(FOREMAN)
    box.put(bad)
    assert len(CardBox(tmp_path).load()[0]) == 2, "enrolling again is the remedy"


def test_a_file_cut_short_anywhere_is_damage_and_nothing_worse(tmp_path: Path) -> None:
    CardBox(tmp_path).put(noise_card(takes=2))
    place = place_of(tmp_path, FOREMAN)
    for path in [path for path in place.rglob("*") if path.is_file()]:
        whole = path.read_bytes()
        for share in (0.1, 0.5, 0.9):
            path.write_bytes(whole[: round(len(whole) * share)])
            cards, damaged = CardBox(tmp_path).load()
            assert len(cards) + len(damaged) == 1, "FLAC alone may still decode when only its end is gone"
            assert damaged or path.suffix == ".flac"
        path.write_bytes(whole)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 3),
        ("tries", 1),
        ("talk", "many"),
        ("spans", [[1.0, 2.0]]),
        ("usual", [0.1]),
        ("generation", "../.."),
        ("forecast", {"x": 1}),
    ],
)
def test_fields_that_do_not_fit_are_damage(tmp_path: Path, field: str, value: object) -> None:
    CardBox(tmp_path).put(noise_card())
    path = place_of(tmp_path, FOREMAN) / "card.json"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({**fields, field: value}))
    cards, (damage,) = CardBox(tmp_path).load()
    assert not cards
    assert damage.part == FOREMAN


def test_arrays_that_would_run_code_are_refused(tmp_path: Path) -> None:
    CardBox(tmp_path).put(noise_card(takes=1))
    (path,) = place_of(tmp_path, FOREMAN).rglob("takes.npz")
    np.savez(path, take0=np.array([{"an": "object"}], dtype=object), allow_pickle=True)
    assert len(CardBox(tmp_path).load()[1]) == 1


def test_a_process_killed_at_any_step_leaves_one_whole_card(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.device.card_deaths", str(tmp_path)],
        cwd=checkout(),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    first, replaced, removed = (line.split() for line in done.stdout.splitlines())
    assert len(replaced) > 20, "every step on disk is one death"
    for found, before, after in ((first, "none", "new"), (replaced, "old", "new"), (removed, "old", "none")):
        assert set(found) == {before, after}
        assert found == sorted(found, key=[before, after].index), "it turns over once, at one step"


def test_a_full_disk_keeps_the_card_before(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk: the same write fails."""
    box = CardBox(tmp_path)
    before = noise_card(seed=1)
    box.put(before)
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from tests.device.card_rig import noise_card\n"
        "from voice.adapters.cards import CardBox\n"
        "from voice.errors import StorageError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000))\n"
        "try:\n"
        "    CardBox(Path(sys.argv[1])).put(noise_card(takes=4, seed=2))\n"
        "except StorageError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=checkout(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "could not be kept" in done.stdout
    assert "Free some space" in done.stdout
    (loaded,), damaged = CardBox(tmp_path).load()
    assert same(loaded, before)
    assert not damaged
    folders = [path for path in place_of(tmp_path, FOREMAN).iterdir() if path.is_dir()]
    assert len(folders) == 1, "what could not be kept takes no room"


def test_a_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(StorageError, match="could not be kept"):
        CardBox(tmp_path / "home").put(noise_card())


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  the   foreman\n", "the foreman"),
        ("The  FOREMAN", "The FOREMAN"),
        ("the\x00 fore\x07man", "the foreman"),
        ("cafe\u0301 lady", "caf\u00e9 lady"),
        ("\u202ethe foreman\u202c", "the foreman"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("工头", "工头"),
        ("\t\x1b[31m", "[31m"),
    ],
)
def test_S01_a_name_is_kept_as_the_client_has_it(typed: str, kept: str) -> None:
    assert clean_name(typed) == kept
    assert clean_name(kept) == kept
