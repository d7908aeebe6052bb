"""The page's files as the server gives them, what they may hold, and the command that compares them."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from posixpath import dirname, join, normpath
from urllib.parse import urlsplit

import httpx
import pytest

from server.errors import ServerError
from server.page_files import HASHES, POLICY, TYPES, hashes, page_files
from server.page_verify import compare
from tests.clinic_rig import serving
from tests.server.server_rig import Rig
from voice import cli

PAGE = Path(__file__).resolve().parents[2] / "server" / "page"
OURS = {name: one for name, one in page_files().items() if not name.startswith("vendor/")}
SCRIPTS = {name: one.body.decode("utf-8") for name, one in OURS.items() if name.endswith(".js")}


def test_every_file_is_given_as_it_is(file_rig: Rig) -> None:
    assert len(page_files()) > 40
    for address, digest in hashes().items():
        answer = file_rig.call("GET", address)
        assert answer.status_code == 200, address
        assert hashlib.sha256(answer.content).hexdigest() == digest
        assert answer.headers["etag"] == f'"{digest}"'
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers.get_list("content-security-policy") == [POLICY]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        ending = "." + address.rpartition(".")[2] if address.startswith("/page/") else ".html"
        assert answer.headers.get_list("content-type") == [TYPES[ending]]


def test_nothing_else_is_given(file_rig: Rig) -> None:
    for path in (
        "/page",
        "/page/",
        "/page/jsconfig.json",
        "/page/vendor/noble-hashes/LICENSE",
        "/page/vendor/noble-hashes/argon2.d.ts",
        "/page/..%2Fapp.py",
        "/page/wire/../../app.py",
        "/page/%2e%2e/app.py",
        "/page//app.js",
        "/page/APP.JS",
        "/page/app.js%00",
        "/page/app.js/",
        "/index.html",
        "/pair",
        "/set-up/",
    ):
        answer = file_rig.call("GET", path)
        assert answer.status_code in (307, 404), path
        assert POLICY not in answer.headers["content-security-policy"]
    assert file_rig.call("POST", "/", b"{}").status_code == 405


def test_the_policy_lets_nothing_in_that_is_not_the_server_s_own() -> None:
    directives = dict(one.split(" ", 1) for one in POLICY.split("; "))
    assert directives.pop("trusted-types") == "onebreath-workers"
    assert directives.pop("require-trusted-types-for") == "'script'"
    assert directives.pop("default-src") == "'none'"
    assert set(directives.values()) == {"'self'", "'none'"}
    assert [name for name, value in directives.items() if value == "'self'"] == [
        "script-src", "style-src", "connect-src", "worker-src", "img-src",
    ]  # fmt: skip


def test_a_pairing_link_that_is_opened_in_a_browser_says_what_it_is_for(file_rig: Rig) -> None:
    answers = [file_rig.call("GET", f"/pair/{pairing}") for pairing in ("x", "faptZGfao-hmx7ewBa4bvA")]
    assert answers[0].content == answers[1].content
    assert "onebreath pair" in answers[0].text
    assert "<script" not in answers[0].text
    assert answers[0].headers["content-security-policy"] == POLICY


def test_the_hashes_are_published(file_rig: Rig) -> None:
    answer = file_rig.call("GET", HASHES)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["sha256"] == dict(hashes())
    assert (
        hashes()["/"] == hashes()["/set-up"] == hashlib.sha256((PAGE / "index.html").read_bytes()).hexdigest()
    )


# What the files may hold.


@pytest.mark.parametrize("name", [name for name in OURS if name.endswith(".html")])
def test_markup_has_no_inline_script_or_style_and_names_only_our_files(name: str) -> None:
    text = OURS[name].body.decode("utf-8")
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|<base|<iframe|<form", text, re.IGNORECASE)
    for script in re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL):
        assert script == ""
    for address in re.findall(r'(?:src|href)="([^"#]+)"', text):
        assert address in hashes(), address


def test_text_reaches_the_page_as_text_alone() -> None:
    sinks = re.compile(
        r"\b(innerHTML|outerHTML|insertAdjacentHTML|srcdoc|document\.write|DOMParser|createContextualFragment"
        r"|setHTMLUnsafe|new Function|importScripts|cssText|javascript:)\b|\beval\(|\.style\b"
    )
    found = {name: sinks.findall(text) for name, text in SCRIPTS.items() if sinks.search(text)}
    assert found == {}


def test_one_place_starts_workers_and_makes_the_one_policy() -> None:
    for what, places in (
        (r"\bnew Worker\(", ["workers.js"]),
        (r"\bcreatePolicy\(", ["workers.js"]),
        (r"\bfetch\(", ["api.js"]),
        (r"\b(XMLHttpRequest|WebSocket|EventSource|sendBeacon|sessionStorage|caches|serviceWorker)\b", []),
    ):
        assert [name for name, text in SCRIPTS.items() if re.search(what, text)] == places
    [policy] = re.findall(r'POLICY = "([^"]+)"', SCRIPTS["workers.js"])
    assert f"trusted-types {policy}" in POLICY
    for address in re.findall(r'"(/page/[^"]+)"', SCRIPTS["workers.js"]):
        assert address in hashes(), address


def test_every_script_imports_only_files_that_are_given() -> None:
    for name, text in SCRIPTS.items():
        for wanted in re.findall(r'(?:\bfrom|^import) "([^"]+)"', text, re.MULTILINE):
            assert wanted.startswith("."), (name, wanted)
            assert normpath(join(dirname(name), wanted)) in page_files(), (name, wanted)
        assert len(text.splitlines()) <= 400, f"{name} has grown long"


def test_nothing_comes_from_another_place() -> None:
    for name, one in OURS.items():
        text = one.body.decode("utf-8")
        # The names of code systems in FHIR documents look like addresses; nothing asks there.
        named = r'www\.w3\.org/2000/svg\b|loinc\.org"|terminology\.hl7\.org/CodeSystem/v3-ObservationValue"'
        elsewhere = re.findall(rf"\bhttps?://(?!{named})[\w.-]*\w", text)
        assert elsewhere == [], name
        assert "@import" not in text
        assert not re.search(r"\burl\(", text)


# onebreath page verify.


def over(change: Callable[[str, httpx.Response], httpx.Response]) -> httpx.Client:
    """A server of this release, but for `change`, which is given each path and the honest answer."""

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == HASHES:
            honest = httpx.Response(200, json={"release": "1.0", "sha256": dict(hashes())})
        else:
            name = "index.html" if path in ("/", "/set-up") else path.removeprefix("/page/")
            body = page_files()[name].body
            honest = httpx.Response(200, content=body, headers={"Content-Security-Policy": POLICY})
        return change(path, honest)

    return httpx.Client(transport=httpx.MockTransport(answer))


def test_verify_finds_whatever_differs() -> None:
    everything = compare("https://clinic.example", over(lambda _, honest: honest))
    assert everything.holds
    assert everything.same == len(hashes())

    def tampered(path: str, honest: httpx.Response) -> httpx.Response:
        policy = {"Content-Security-Policy": POLICY}
        if path == "/page/app.js":
            return httpx.Response(200, content=honest.content + b"\n", headers=policy)
        if path == "/page/style.css":
            return httpx.Response(404, headers=policy)
        if path == "/page/api.js":
            return httpx.Response(200, content=honest.content, headers={"Content-Security-Policy": "none"})
        if path == "/page/wire/hpke.js":
            return httpx.Response(302, headers={"Location": "https://elsewhere.example/hpke.js"})
        if path == HASHES:
            more = {"/page/extra.js": "0" * 64}
            return httpx.Response(200, json={"release": "\x1b[2J9", "sha256": {**hashes(), **more}})
        return honest

    found = compare("https://clinic.example/", over(tampered))
    assert not found.holds
    assert found.other == ("/page/app.js",)
    assert found.missing == ("/page/style.css", "/page/wire/hpke.js")
    assert found.policy == ("/page/api.js",)
    assert found.more == ("/page/extra.js",)
    assert found.release == "[2J9"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"release": 1, "sha256": {}}', b"\xff", b'{"release": "1"}']
)
def test_what_is_no_list_of_files_is_refused(body: bytes) -> None:
    with pytest.raises(ServerError, match="no list"):
        compare(
            "https://x.example",
            over(lambda path, one: httpx.Response(200, content=body) if path == HASHES else one),
        )


@pytest.mark.parametrize(
    "url",
    ["clinic.example", "ftp://clinic.example", "http://clinic.example", "https://a@b", "https://x:port", ""],
)
def test_only_an_address_that_can_be_trusted_is_asked(url: str) -> None:
    with pytest.raises(ServerError):
        compare(url, over(lambda _, honest: honest))


def test_the_command_against_a_running_server(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def typed(*arguments: str) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["onebreath", "page", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return ended.value.code, out + err

    with serving(tmp_path / "server.db") as url:
        assert typed("verify", url) == (0, f"All {len(hashes())} files are those of release {release()}.\n")
        monkeypatch.setattr("server.page_verify.hashes", lambda: {**hashes(), "/page/app.js": "0" * 64})
        status, said = typed("verify", url)
        assert status == 1
        assert "/page/app.js: differs from this release" in said
        host = urlsplit(url).netloc
    status, said = typed("verify", f"http://{host}")
    assert status == 1
    assert "does not answer" in said
    status, said = typed("hashes")
    assert status == 0
    assert f"{hashes()['/page/app.js']}  /page/app.js\n" in said


def release() -> str:
    from importlib.metadata import version

    return version("onebreath")


def test_the_manifest_is_what_the_command_prints(file_rig: Rig) -> None:
    assert json.loads(file_rig.call("GET", HASHES).content)["release"] == release()
