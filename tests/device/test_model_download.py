"""Fetching a model from a real server on loopback: whole, broken off, forged, and hostile."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.device.model_server import Shop, serve
from tests.device.speaking import TINY
from voice.adapters import model_archive
from voice.adapters.model_download import Fetched, fetch, pinned
from voice.adapters.model_files import FIXTURE, Places, default_places, describe, installed, verify
from voice.errors import ModelError
from voice.models import KnownModel, Manifest

NAME = "vosk-model-small-en-us-0.99"


def archive(
    top: str = NAME, leave_out: str = "", extra: Callable[[zipfile.ZipFile], None] | None = None
) -> bytes:
    """The tiny model as a zip, in a folder `top`."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as opened:
        for path in sorted(TINY.rglob("*")):
            name = path.relative_to(TINY).as_posix()
            if path.is_file() and path.name != FIXTURE and name != leave_out:
                opened.write(path, f"{top}/{name}")
        if extra is not None:
            extra(opened)
    return made.getvalue()


GOOD = archive()


@dataclass
class Bench:
    """A server with an archive, the folders of one machine, and an entry that points at the server."""

    shop: Shop
    places: Places
    model: KnownModel

    def fetch(self, trust_first: bool = False, free: int = 10**12) -> Fetched:
        return fetch(
            self.model,
            self.places,
            Manifest((self.model,)),
            lambda _have, _total: None,
            trust_first,
            lambda _: free,
        )

    def left(self) -> list[str]:
        """Every file under the folders, but the memory of checks."""
        root = self.places.user.parent
        return sorted(
            path.relative_to(root).as_posix()
            for path in root.rglob("*")
            if path.is_file() and self.places.cache not in path.parents
        )


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with serve(GOOD) as shop:
        model = KnownModel(NAME, "en-us", "English", shop.url, "Apache-2.0")
        places = Places((), None, tmp_path / "home" / "models", (), tmp_path / "cache")
        yield Bench(shop, places, stamped(model, GOOD))


def stamped(model: KnownModel, content: bytes) -> KnownModel:
    return replace(model, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def test_a_good_model_is_put_in_place_and_can_be_used(bench: Bench) -> None:
    fetched = bench.fetch()
    assert fetched.path == bench.places.user / NAME
    known = Manifest((bench.model,))
    (found,) = installed(bench.places, known)
    assert found.path == fetched.path
    assert "every file is as it was fetched" in verify(found, bench.places, known)
    assert [name for name in bench.left() if "/." in name] == []


def test_a_second_fetch_asks_nothing(bench: Bench) -> None:
    bench.fetch()
    bench.shop.asked.clear()
    assert bench.fetch().already
    assert bench.shop.asked == []


def test_a_damaged_model_is_fetched_anew(bench: Bench) -> None:
    path = bench.fetch().path
    (path / "graph" / "Gr.fst").write_bytes(b"rubbish")
    assert not bench.fetch().already
    assert model_archive.differences(path) == []


def test_a_broken_connection_is_taken_up_again_where_it_stopped(bench: Bench) -> None:
    bench.shop.cut_at = [100_000, 200_000]
    bench.fetch()
    assert bench.shop.asked == [None, "bytes=100000-", "bytes=300000-"]


def test_a_later_command_goes_on_from_what_is_kept(bench: Bench) -> None:
    bench.shop.cut_at = [100_000, 10_000, 10_000]
    with pytest.raises(ModelError, match="broke off") as error:
        bench.fetch()
    assert "0.1 MB are kept" in error.value.remedy
    bench.shop.asked.clear()
    bench.fetch()
    assert bench.shop.asked == ["bytes=120000-"]


def test_a_server_that_ignores_range_starts_over(bench: Bench) -> None:
    bench.shop.ranges = False
    bench.shop.cut_at = [100_000]
    bench.fetch()
    assert bench.shop.asked == [None, "bytes=100000-"]


def test_a_file_that_changed_meanwhile_starts_over(bench: Bench) -> None:
    bench.shop.cut_at = [100_000, 0]
    with pytest.raises(ModelError):
        bench.fetch()
    bench.shop.etag = '"two"'
    bench.fetch()


def test_wrong_bytes_are_refused_and_nothing_is_left(bench: Bench) -> None:
    bench.shop.content = GOOD[:-1] + bytes([GOOD[-1] ^ 1])
    with pytest.raises(ModelError, match="not the expected model"):
        bench.fetch()
    assert bench.left() == []


def test_a_wrong_size_is_refused_before_it_is_fetched(bench: Bench) -> None:
    bench.shop.content = GOOD + b"more"
    with pytest.raises(ModelError, match="were expected; it was refused"):
        bench.fetch()
    assert bench.left() == []


def test_more_than_the_size_is_refused_while_it_comes(bench: Bench) -> None:
    bench.shop.content, bench.shop.length = GOOD + b"more", False
    with pytest.raises(ModelError, match="sends more than"):
        bench.fetch()
    assert bench.left() == []


def test_less_than_the_size_is_refused(bench: Bench) -> None:
    bench.shop.content, bench.shop.length = GOOD[:-10], False
    with pytest.raises(ModelError, match="not the expected model"):
        bench.fetch()
    assert bench.left() == []


@pytest.mark.parametrize("status", [403, 404, 500])
def test_an_answer_without_the_model_says_so(bench: Bench, status: int) -> None:
    bench.shop.status = status
    with pytest.raises(ModelError, match=f"answered {status}"):
        bench.fetch()
    assert bench.left() == []


def test_a_redirect_to_an_address_without_encryption_is_refused(bench: Bench) -> None:
    bench.shop.status, bench.shop.location = 302, "http://models.invalid/model.zip"
    with pytest.raises(ModelError):
        bench.fetch()
    assert bench.left() == []


def test_an_unreachable_server_is_named(bench: Bench) -> None:
    bench.model = replace(bench.model, url="http://127.0.0.1:9/model.zip")
    with pytest.raises(ModelError, match=r"127\.0\.0\.1 cannot be reached"):
        bench.fetch()


def test_too_little_room_is_told_before_anything_is_fetched(bench: Bench) -> None:
    with pytest.raises(ModelError, match="not enough room"):
        bench.fetch(free=1_000_000)
    assert bench.shop.asked == []


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from voice.adapters.model_download import fetch
from voice.adapters.model_files import Places
from voice.errors import ModelError
from voice.models import KnownModel, Manifest
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
url, size, sha, home = sys.argv[1:]
model = KnownModel("vosk-model-small-en-us-0.99", "en-us", "E", url, "L", int(size), sha)
places = Places((), None, Path(home), (), Path(home) / "cache")
try:
    fetch(model, places, Manifest((model,)), lambda have, total: None)
except ModelError as error:
    print(error.cause)
"""


def test_a_disk_that_takes_no_more_leaves_nothing_behind(bench: Bench) -> None:
    """The kernel refuses the write (a file size limit); the same path as a full disk but for the errno."""
    model, home = bench.model, bench.places.user
    command = [
        sys.executable,
        "-c",
        FULL_DISK,
        model.url,
        str(model.size_bytes),
        str(model.sha256),
        str(home),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "cannot be written" in ran.stdout
    assert bench.left() == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_says_so(bench: Bench) -> None:
    bench.places.user.mkdir(parents=True)
    bench.places.user.chmod(0o500)
    with pytest.raises(ModelError, match="cannot be written"):
        bench.fetch()


def test_a_model_without_a_hash_needs_trust_and_is_pinned(bench: Bench) -> None:
    bench.model = replace(bench.model, size_bytes=None, sha256=None)
    with pytest.raises(ModelError, match="has no SHA-256") as error:
        bench.fetch()
    assert "--trust-first-download" in error.value.remedy
    assert bench.shop.asked == []
    assert bench.fetch(trust_first=True).pinned
    pins = bench.places.user / "pins.json"
    assert json.loads(pins.read_text())[NAME]["sha256"] == hashlib.sha256(GOOD).hexdigest()
    assert pinned(bench.model, pins) == stamped(bench.model, GOOD)


def test_what_was_pinned_must_come_again(bench: Bench) -> None:
    bench.model = replace(bench.model, size_bytes=None, sha256=None)
    path = bench.fetch(trust_first=True).path
    shutil.rmtree(path)
    bench.shop.content = archive(leave_out="graph/phones.txt")
    with pytest.raises(ModelError):
        bench.fetch(trust_first=True)
    bench.shop.content = GOOD
    assert not bench.fetch().pinned


def test_two_fetches_at_once_do_not_mix(bench: Bench) -> None:
    inner: list[str] = []

    def meanwhile(_have: int, _total: int | None) -> None:
        if not inner:
            inner.append("")
            with pytest.raises(ModelError, match="by another process"):
                bench.fetch()

    fetch(bench.model, bench.places, Manifest((bench.model,)), meanwhile)
    assert inner == [""]


def link(opened: zipfile.ZipFile) -> None:
    entry = zipfile.ZipInfo(f"{NAME}/graph/link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    opened.writestr(entry, "/etc/passwd")


def named(name: str) -> Callable[[zipfile.ZipFile], None]:
    return lambda opened: opened.writestr(name, "evil")


def bomb(opened: zipfile.ZipFile) -> None:
    opened.writestr(f"{NAME}/graph/zeros", bytes(200_000_000), zipfile.ZIP_DEFLATED)


def crowd(opened: zipfile.ZipFile) -> None:
    for number in range(1_100):
        opened.writestr(f"{NAME}/x{number}", "")


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (named("../evil"), "outside its folder"),
        (named(f"{NAME}/../../evil"), "outside its folder"),
        (named("/tmp/onebreath-evil"), "outside its folder"),  # noqa: S108
        (named("C:/evil"), "outside its folder"),
        (named(f"{NAME}\\..\\evil"), "outside its folder"),
        (named(f"{NAME}/a\x07b"), "outside its folder"),
        (link, "a link or a device"),
        (bomb, "far more than a model"),
        (crowd, "entries"),
    ],
)
def test_a_hostile_archive_is_refused_and_nothing_is_left(
    bench: Bench, extra: Callable[[zipfile.ZipFile], None], reason: str
) -> None:
    bench.shop.content = archive(extra=extra)
    bench.model = stamped(bench.model, bench.shop.content)
    with pytest.raises(ModelError, match=reason):
        bench.fetch()
    assert bench.left() == []
    assert not Path("/tmp/onebreath-evil").exists()  # noqa: S108


def test_a_path_that_comes_twice_is_refused(bench: Bench) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        bench.shop.content = archive(extra=named(f"{NAME}/conf/model.conf"))
    bench.model = stamped(bench.model, bench.shop.content)
    with pytest.raises(ModelError, match="one path twice"):
        bench.fetch()
    assert bench.left() == []


def test_an_archive_that_understates_a_size_is_refused(bench: Bench, tmp_path: Path) -> None:
    """The directory says 10 bytes where the data has 5,000: zipfile or the writer must stop at it."""
    content = archive(extra=lambda opened: opened.writestr(f"{NAME}/big", bytes(range(250)) * 20))
    at = content.rfind(f"{NAME}/big".encode()) - 46
    forged = bytearray(content)
    forged[at + 24 : at + 28] = (10).to_bytes(4, "little")
    bench.shop.content = bytes(forged)
    bench.model = stamped(bench.model, bench.shop.content)
    with pytest.raises(ModelError):
        bench.fetch()
    assert bench.left() == []


@pytest.mark.parametrize("content", [b"", b"<html>not here</html>", GOOD[: len(GOOD) // 2]])
def test_what_is_no_archive_is_refused(bench: Bench, content: bytes) -> None:
    bench.shop.content = content
    bench.model = (
        stamped(bench.model, content) if content else replace(bench.model, size_bytes=None, sha256=None)
    )
    with pytest.raises(ModelError):
        bench.fetch(trust_first=True)
    assert bench.left() == []


@pytest.mark.parametrize(
    "lost", ["am/final.mdl", "conf/model.conf", "graph/Gr.fst", "graph/disambig_tid.int"]
)
def test_an_archive_without_a_whole_model_is_refused(bench: Bench, lost: str) -> None:
    bench.shop.content = archive(leave_out=lost)
    bench.model = stamped(bench.model, bench.shop.content)
    with pytest.raises(ModelError):
        bench.fetch()
    assert bench.left() == []


def test_a_model_of_another_language_is_refused(bench: Bench) -> None:
    bench.model = replace(bench.model, language="es", knows=("porque", "también", "siempre", "ayer"))
    with pytest.raises(ModelError, match="does not speak 'es'"):
        bench.fetch()
    assert bench.left() == []


def test_the_folder_is_named_after_the_model_whatever_the_archive_calls_it(bench: Bench) -> None:
    bench.shop.content = archive(top="something-else")
    bench.model = stamped(bench.model, bench.shop.content)
    assert bench.fetch().path.name == NAME


def test_later_damage_is_seen(bench: Bench) -> None:
    """libvosk itself does not notice a flipped bit in its largest files."""
    path = bench.fetch().path
    weights = path / "am" / "final.mdl"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(ModelError, match=r"am/final\.mdl has changed"):
        verify(describe(path, Manifest((bench.model,))), bench.places, Manifest((bench.model,)))


def test_fetched_models_land_in_the_checkout_or_with_the_user(tmp_path: Path) -> None:
    places = default_places({"ONEBREATH_MODELS": "/one:/two"})
    assert places.given == (Path("/one"), Path("/two"))
    assert places.checkout is not None
    assert places.download == places.checkout
    assert replace(places, checkout=None).download == places.user
    assert [str(place) for place in places.in_order()][:2] == ["/one", "/two"]
    assert places.in_order()[-1] == Path("/usr/share/vosk")
