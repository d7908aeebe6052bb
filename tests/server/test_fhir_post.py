"""`onebreath records export --format fhir` and `post-fhir`, from a real server to a FHIR server.

The FHIR server is Medplum's FHIR router and in-memory repository behind some lines of HTTP (fhir_server.mjs):
its conditional create and its validation are Medplum's; storage and network are not those of a product.
"""

from __future__ import annotations

import base64
import json
import socket
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from server import audit
from server.commands.read import command as read
from server.commands.records import command as records
from server.errors import ServerError
from server.fhir import bundle, if_none_exist
from server.fhir_client import FhirServer, Outcome
from server.key_slots import RECOMMENDED
from server.store import Store
from tests.clinic_rig import PASSPHRASE, Clinic, noticing, send, serving
from tests.server.fhir_rig import TOKEN, FhirRig, fhir_server, parsed
from tests.vectors import make_fhir_vectors as made
from voice.adapters.identity import device_keys


class Desk(Clinic):
    """What is typed at the clinician's desk."""

    def typed(self, *words: str, input_: str | None = None) -> Result:
        secret = self.folder / "passphrase"
        secret.write_text(PASSPHRASE + "\n")
        where = ["--key-file", str(self.key_file), "--passphrase-file", str(secret), "--server", self.url]
        command, rest = (read, words[1:]) if words[0] == "read" else (records, words)
        return CliRunner().invoke(command, [*rest, *where], input=input_)

    def exports(self) -> list[str]:
        """The audit log's entries of exports."""
        store = Store.open(f"sqlite:///{self.folder / 'server.db'}")
        try:
            with store.database.read() as connection:
                entries = audit.entries(connection, limit=1000)
        finally:
            store.close()
        return [entry.subject for entry in entries if entry.act == "records.exported"]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.chdir(tmp_path)
    with serving(tmp_path / "server.db") as url:
        yield Desk(tmp_path, url, cost=RECOMMENDED)


@pytest.fixture
def fhir() -> Iterator[FhirRig]:
    with fhir_server() as running:
        yield running


@pytest.fixture
def token(tmp_path: Path) -> str:
    file = tmp_path / "token.txt"
    file.write_text(f"{TOKEN}\nnot this line\n")
    return str(file)


def attached(document: dict[str, Any]) -> str:
    return base64.b64decode(document["content"][0]["attachment"]["data"]).decode("utf-8")


def test_chosen_records_become_a_private_file_of_documents(desk: Desk) -> None:
    home = desk.device("home")
    name = device_keys(home).id.hex()
    send(home, noticing(0, "he", "yelled"), noticing(1), noticing(2, "again"))
    assert desk.typed("read", "--since", "2026-03-04", "--mark").exit_code == 0
    done = desk.typed("export", name[:8], "--format", "fhir", "--not-discussed", "--patient", "Patient/9")
    assert done.exit_code == 0, done.output
    file = desk.folder / f"onebreath-{name}.fhir.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    document = json.loads(file.read_bytes())
    assert len(parsed(file.read_bytes()).entry or ()) == 2
    assert [attached(one["resource"]).splitlines()[1] for one in document["entry"]] == [
        "the foreman: he yelled",
        "the foreman: no line",
    ]
    assert desk.exports()[0].endswith(f"device:{name} count:2")
    only = desk.typed("export", name, "--format", "text", "--since", "2026-03-03", "--until", "2026-03-03")
    assert only.exit_code == 0, only.output
    text = (desk.folder / f"onebreath-{name}.txt").read_text()
    assert "Records: 1 of 3, chosen" in text
    assert "he yelled" not in text
    none = desk.typed("export", name, "--out", "x", "--since", "2030-01-01")
    assert none.exit_code == 1
    assert "No record was chosen, so nothing was exported." in none.output
    assert len(desk.exports()) == 2
    assert desk.typed("export", name, "--patient", "Patient/9").exit_code == 2
    assert desk.typed("export", name, "--format", "fhir", "--patient", "Bob").exit_code == 1


def test_posted_once_and_known_again(desk: Desk, fhir: FhirRig, token: str) -> None:
    home = desk.device("home")
    name = device_keys(home).id.hex()
    send(home, noticing(0, "he", "yelled"), noticing(1))
    to = ("post-fhir", name, fhir.url, "--patient", "Patient/123", "--token-file", token)
    refused = desk.typed(*to, input_="n\n")
    assert refused.exit_code == 1
    assert f"Post 2 records of device {name[:8]} as Patient/123 to {fhir.url}?" in refused.output
    assert (desk.exports(), fhir.stored()[0]) == ([], [])
    first = desk.typed(*to, "--until", "2026-03-02", "--yes")
    assert first.exit_code == 0, first.output
    assert first.stdout == "Created: 1. There already: 0.\n"
    again = desk.typed(*to, "--yes")
    assert again.stdout == "Created: 1. There already: 1.\n"
    third = desk.typed(*to, "--yes")
    assert third.stdout == "Created: 0. There already: 2.\n"
    stored, asked = fhir.stored()
    assert sorted(attached(one).splitlines()[1] for one in stored) == [
        "the foreman: he yelled",
        "the foreman: no line",
    ]
    assert all(one["subject"] == {"reference": "Patient/123"} for one in stored)
    posts = [one for one in asked if one["method"] == "POST"]
    assert len(posts) == 5
    assert all(
        one["headers"]["if-none-exist"].startswith("identifier=urn:ietf:rfc:3986|urn:uuid:") for one in posts
    )
    assert [entry.rsplit(" ", 1)[1] for entry in desk.exports()] == ["count:1", "count:2", "count:2"]
    # What was saved as a file and taken in by that server is known too.
    desk.typed("export", name, "--format", "fhir", "--patient", "Patient/123", "--out", "all.json")
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/fhir+json"}
    answer = httpx.post(f"{fhir.url}/", content=(desk.folder / "all.json").read_bytes(), headers=headers)
    assert answer.status_code == 200, answer.text
    assert {one["response"]["status"] for one in answer.json()["entry"]} == {"200"}
    assert len(fhir.stored()[0]) == 2


def test_nothing_leaves_before_the_audit_log_has_it(desk: Desk, fhir: FhirRig, token: str) -> None:
    home = desk.device("home")
    name = device_keys(home).id.hex()
    send(home, noticing(0, "he", "yelled"))
    with sqlite3.connect(desk.folder / "server.db") as database:
        database.execute(
            "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )
    to = ("--patient", "Patient/1", "--token-file", token, "--yes")
    assert desk.typed("post-fhir", name, fhir.url, *to).exit_code == 1
    assert desk.typed("export", name, "--format", "fhir", "--out", "x").exit_code == 1
    assert fhir.stored()[0] == []
    assert not (desk.folder / "x").exists()


def test_what_is_wrong_is_said_beside_the_documents(desk: Desk) -> None:
    home = desk.device("home")
    send(home, *(noticing(day, "he", "yelled") for day in range(3)))
    with sqlite3.connect(desk.folder / "server.db") as database:
        database.execute("DELETE FROM records WHERE sequence = 2")
    done = desk.typed("export", device_keys(home).id.hex(), "--format", "fhir", "--out", "x")
    assert "! A record is missing between Monday 2 March and Wednesday 4 March." in done.stderr


def test_a_failure_in_between_says_how_far_it_came(desk: Desk, fhir: FhirRig, token: str) -> None:
    home = desk.device("home")
    send(home, *(noticing(day, "he", "yelled") for day in range(3)))
    to = (
        "post-fhir",
        device_keys(home).id.hex(),
        fhir.url,
        "--patient",
        "Patient/1",
        "--token-file",
        token,
        "--yes",
    )
    fhir.fail("no", 400)
    done = desk.typed(*to)
    assert done.exit_code == 1
    assert (
        "Created: 1. There already: 0. Not posted: 2; run this again, nothing is created twice."
        in done.output
    )
    assert "refused a document (status 400)" in done.output
    assert desk.typed(*to).stdout == "Created: 2. There already: 1.\n"


def test_the_token_is_wrong_or_none(desk: Desk, fhir: FhirRig) -> None:
    home = desk.device("home")
    name = device_keys(home).id.hex()
    send(home, noticing(0))
    bad = desk.folder / "bad"
    for text in ("two words\n", "", "käse\n", "x\x7f\n"):
        bad.write_text(text)
        refused = desk.typed(
            "post-fhir", name, fhir.url, "--patient", "Patient/1", "--token-file", str(bad), "--yes"
        )
        assert refused.exit_code == 1
        assert "token" in refused.output or "as text" in refused.output
        assert not text.strip() or text.strip() not in refused.output
    bad.write_text("another\n")
    refused = desk.typed(
        "post-fhir", name, fhir.url, "--patient", "Patient/1", "--token-file", str(bad), "--yes"
    )
    assert "does not let you in" in refused.output
    assert desk.exports() == []
    assert desk.typed("post-fhir", name, fhir.url, "--yes").exit_code == 2


# The client by itself, whose waiting is watched.


def posting(fhir: FhirRig, waited: list[float], *, token: str | None = TOKEN) -> FhirServer:
    return FhirServer(fhir.url + "/", token, sleep=waited.append)


def document() -> tuple[dict[str, Any], str]:
    record = made.record("2026-03-02T23:05:00+01:00", "he yelled")
    [entry] = bundle([record], [], exported_at=made.AT, patient="Patient/1")["entry"]
    return entry["resource"], if_none_exist(record)


def test_what_may_pass_is_tried_again_and_creates_nothing_twice(fhir: FhirRig) -> None:
    waited: list[float] = []
    with posting(fhir, waited) as there:
        there.check()
        fhir.fail("drop", "lost")
        # Done the second time, and the answer lost: the third finds it there.
        assert there.create(*document()) is Outcome.THERE
        assert waited == [1.0, 2.0]
        fhir.fail(503, 429)
        assert there.create(*document()) is Outcome.THERE
        assert waited[2:] == [7.0, 7.0]
        fhir.fail("drop", "drop", "drop", "drop")
        with pytest.raises(ServerError, match="did not answer"):
            there.create(*document())
        fhir.fail(502, 502, 502, 502)
        with pytest.raises(ServerError, match="status 502"):
            there.create(*document())
        fhir.fail(412)
        with pytest.raises(ServerError, match="several documents"):
            there.create(*document())
        fhir.fail(403)
        with pytest.raises(ServerError, match="does not let you in"):
            there.create(*document())
        fhir.fail(302)
        with pytest.raises(ServerError, match="status 302"):
            there.create(*document())
    assert len(fhir.stored()[0]) == 1


def test_what_r4_does_not_have_is_refused_by_the_server_in_its_words(fhir: FhirRig) -> None:
    resource, search = document()
    with posting(fhir, []) as there:
        with pytest.raises(ServerError, match=r"status 422: structure DocumentReference.nonsense") as refused:
            there.create({**resource, "nonsense": "he yelled"}, search)
        with pytest.raises(ServerError, match=r"status 422") as other:
            there.create({**resource, "date": "he yelled"}, search)
    assert "yelled" not in f"{refused.value}{other.value}"


def able(**resource: Any) -> dict[str, Any]:
    return {"fhirVersion": "4.0.1", "rest": [{"resource": [resource]}]}


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ({"fhirVersion": "5.0.0", "rest": []}, "of version 5.0.0"),
        (able(type="Patient", conditionalCreate=True), "conditional"),
        (able(type="DocumentReference"), "conditional"),
        ({"hello": 1}, "not a FHIR server"),
        ({"fhirVersion": "4.0.1", "rest": 5}, "not a FHIR server"),
    ],
)  # fmt: skip
def test_a_server_that_cannot_do_it_is_told_before_anything_leaves(
    fhir: FhirRig, statement: dict[str, Any], said: str
) -> None:
    fhir.state(statement)
    with posting(fhir, []) as there, pytest.raises(ServerError, match=said):
        there.check()


@pytest.mark.parametrize(
    "address",
    [
        "http://fhir.example/r4",
        "http://10.0.0.1/r4",
        "http://localhost.example/",
        "ftp://127.0.0.1/",
        "https://me:secret@fhir.example/",
        "https://fhir.example/?token=1",
        "https://fhir.example/#x",
        "https://",
        "fhir.example",
        "http://[::1",
    ],
)
def test_an_address_is_https_or_of_this_machine_and_nothing_more(address: str) -> None:
    with pytest.raises(ServerError) as refused:
        FhirServer(address, None, sleep=lambda _: None)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "address", ["https://fhir.example", "http://127.0.0.9:80/x/", "http://[::1]/r4", "http://localhost:1"]
)
def test_addresses_that_are_taken(address: str) -> None:
    with FhirServer(address, None, sleep=lambda _: None) as there:
        assert there.base == address.rstrip("/")


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    waited: list[float] = []
    there = FhirServer(f"http://127.0.0.1:{port}", None, sleep=waited.append)
    with there, pytest.raises(ServerError, match="did not answer"):
        there.check()
    assert waited == [1.0, 2.0, 4.0]
