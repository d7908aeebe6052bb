"""Records as FHIR R4: by two validators that nobody here wrote, and by the systems that the codes are from.

fhir.resources holds the models of R4B, which left these resources as R4 has them; Medplum's validator goes by
HL7's own definitions of R4 (4.0.1).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.documentreference import DocumentReference
from pydantic import ValidationError

from server.errors import ServerError
from server.fhir import DoubledError, bundle, device_uri, document_uri, spell, text_of, wrong_with
from server.reader import Line, Reading, Word
from server.reader_sequence import Kind, Memory
from server.reader_tombstones import Deleted
from server.record_export import Choice, Export, choose, to_json, to_text
from tests.page.page_peer import ROOT, node
from tests.server.fhir_rig import FhirRig, fhir_server, medplum, parsed
from tests.vectors import make_fhir_vectors as made

CASES = json.loads(Path(made.__file__).with_name(made.NAME).read_text("ascii"))["cases"]


@pytest.fixture(scope="module")
def fhir() -> Iterator[FhirRig]:
    with fhir_server() as running:
        yield running


def documents(case: dict[str, Any]) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in json.loads(case["document"]).get("entry", ())]


def attached(document: dict[str, Any]) -> str:
    return base64.b64decode(document["content"][0]["attachment"]["data"]).decode("utf-8")


def test_the_vectors_are_what_the_program_makes() -> None:
    assert (Path(made.__file__).with_name(made.NAME)).read_text("ascii") == made.written()
    assert len(CASES) >= 10


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_every_document_holds_by_the_models_of_r4(case: dict[str, Any]) -> None:
    found = parsed(case["document"].encode("utf-8"))
    assert json.loads(found.model_dump_json()) is not None
    assert len(found.entry or ()) == len(case["records"])
    for one in documents(case):
        # What the model gives back is what went in: nothing was dropped, nothing is of another kind.
        kept = json.loads(DocumentReference.model_validate(one).model_dump_json(exclude_none=True))
        assert {**kept, "content": None, "context": None} == {**one, "content": None, "context": None}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_every_document_holds_by_hl7s_definitions_of_r4(fhir: FhirRig, case: dict[str, Any]) -> None:
    assert fhir.validate(json.loads(case["document"])) == []
    for one in documents(case):
        assert fhir.validate(one) == []


def test_both_validators_find_faults(fhir: FhirRig) -> None:
    [good] = documents(CASES[0])
    for bad in (
        {name: one for name, one in good.items() if name != "content"},
        {**good, "date": "yesterday"},
        {**good, "nonsense": 1},
        {**good, "author": {"reference": "Patient/1"}},
        {**good, "context": {"period": {"start": "2026-03-02T23:05:00+15:00"}}},
    ):
        assert fhir.validate(bad) != [], bad
        with pytest.raises(ValidationError):
            DocumentReference.model_validate(bad)


def test_the_codes_are_those_of_their_systems() -> None:
    systems = {one["url"]: one for one in _resources("v3-codesystems.json") + _resources("valuesets.json")}
    values = dict(_concepts(systems["http://terminology.hl7.org/CodeSystem/v3-ObservationValue"]["concept"]))
    types = _included(systems["http://hl7.org/fhir/ValueSet/c80-doc-typecodes"])
    classes = _included(systems["http://hl7.org/fhir/ValueSet/document-classcodes"])
    status = dict(_concepts(systems["http://hl7.org/fhir/document-reference-status"]["concept"]))
    labels = set()
    for case in CASES:
        for one in documents(case):
            assert one["status"] in status
            [kind] = one["type"]["coding"]
            assert types[kind["code"]] == kind["display"]
            [category] = one["category"][0]["coding"]
            assert classes[category["code"]] == category["display"]
            for label in one["securityLabel"]:
                [coding] = label["coding"]
                assert values[coding["code"]] == coding["display"]
                labels.add(coding["code"])
            assert one["securityLabel"][0]["coding"][0]["code"] == "PATAST"
    assert labels == {"PATAST", "UNCERTREL"}


def test_size_and_hash_are_of_the_bytes_before_base64() -> None:
    for case in CASES:
        for one in documents(case):
            attachment = one["content"][0]["attachment"]
            data = base64.b64decode(attachment["data"], validate=True)
            assert attachment["size"] == len(data)
            assert attachment["hash"] == base64.b64encode(hashlib.sha1(data).digest()).decode()  # noqa: S324
            assert attachment["contentType"] == "text/plain; charset=utf-8"


def test_an_identifier_says_nothing_and_stays() -> None:
    first = made.record("2026-03-02T23:05:00+01:00", "he yelled")
    changed = replace(
        first, part="another", line=None, at=datetime.fromisoformat("2026-03-05T00:00:00+00:00")
    )
    assert document_uri(first) == document_uri(changed)
    assert re.fullmatch(
        r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", document_uri(first)
    )
    others = {
        document_uri(replace(first, record_id=bytes(16))),
        document_uri(replace(first, device_id=bytes(16))),
    }
    assert len({document_uri(first), device_uri(first.device_id), *others}) == 4
    for hidden in (first.record_id, first.device_id):
        assert hidden.hex() not in document_uri(first).replace("-", "")
    one, two = (
        bundle([first], [], exported_at=at, patient="Patient/1")["entry"][0]
        for at in (made.AT, "2027-01-01T00:00:00Z")
    )
    assert one["resource"]["date"] != two["resource"]["date"]
    for made_later in (one, two):
        del made_later["resource"]["date"]
    assert one == two


def test_s01_s10_the_line_is_verbatim_marked_and_flagged_and_nothing_is_added() -> None:
    line = Line((Word("he", False), Word("yelled", True), Word("again", True)), "starter", True)
    record = replace(made.record("2026-03-02T23:05:00+01:00", part="Ñandú"), line=line)
    flags = [made.flag(1, made.TWO), made.flag(1, "Missing.", Kind.MISSING), made.flag(2, "Of the next.")]
    assert wrong_with(record, flags) == flags[:1]
    assert text_of(record, flags) == (
        "Monday 2 March 2026, 23:05 (UTC+01:00)\n"
        "Ñandú: he yelled (?) again (?)  [rough]\n"
        f"! {made.TWO}\n"
        "\n"
        "The client said this to their device, which wrote it down. Nothing is corrected.\n"
        "(?) after a word: the recogniser was unsure of it.\n"
        "[rough]: a line of the starter transcriber.\n"
    )
    [document] = [one["resource"] for one in bundle([record], flags, exported_at=made.AT)["entry"]]
    assert attached(document) == text_of(record, flags)
    assert document["description"] == (
        "A noticing with one line, verbatim. 2 words are uncertain, marked (?). "
        f"It was written down by the starter transcriber and is rough. Flag: {made.TWO}"
    )
    said = {**document, "content": None}
    assert not any(word in json.dumps(said, ensure_ascii=False) for word in ("yelled", "Ñandú"))
    assert "subject" not in document
    assert document["author"][0]["identifier"]["value"] == device_uri(record.device_id)


def test_s06_a_noticing_without_a_line_is_a_document_of_its_own() -> None:
    record = made.record("2026-03-02T23:05:00+01:00")
    [document] = [
        one["resource"] for one in bundle([record], [], exported_at=made.AT, patient="Patient/7")["entry"]
    ]
    assert "the foreman: no line\n" in attached(document)
    assert document["description"] == "A noticing without a line."
    assert document["subject"] == document["author"][0] == {"reference": "Patient/7"}
    at = "2026-03-02T23:05:00+01:00"
    assert document["context"]["period"] == {"start": at, "end": at}


def test_two_records_of_one_id_and_number_are_not_told_apart_and_so_refused() -> None:
    record = made.record("2026-03-02T23:05:00+01:00")
    with pytest.raises(DoubledError):
        bundle([record, replace(record, part="another")], [], exported_at=made.AT)


@pytest.mark.parametrize("how", [{"exported_at": "now"}, {"exported_at": made.AT, "patient": "Patient/1\n"}])
def test_what_would_not_be_fhir_is_refused(how: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"export|patient"):
        bundle([], [], **how)


def test_lines_are_chosen_by_the_clients_days_ids_and_marks() -> None:
    days = [made.record(f"2026-03-{day:02}T23:30:00-08:00", sequence=day) for day in (9, 5, 2)]
    days[1] = replace(days[1], discussed=True)
    since, until = date(2026, 3, 2), date(2026, 3, 5)
    assert choose(days, Choice()) == tuple(days)
    assert choose(days, Choice(since, until)) == tuple(days[1:])
    assert choose(days, Choice(discussed=True)) == (days[1],)
    assert choose(days, Choice(discussed=False, until=date(2026, 3, 5))) == (days[2],)
    whole = [one.record_id.hex() for one in days]
    assert choose(days, Choice(ids=(whole[2].upper(), whole[0]))) == (days[0], days[2])
    assert choose(days, Choice(ids=(whole[0],), until=date(2026, 3, 5))) == ()
    for wrong in ("ff", "", "64"):
        with pytest.raises(ServerError):
            choose(days, Choice(ids=(wrong,)))


def test_the_text_of_chosen_lines_counts_marks_and_flags() -> None:
    records = [
        made.record("2026-03-04T08:00:00+01:00", sequence=3),
        made.record("2026-03-03T08:00:00+01:00", "the~ phone", sequence=2),
        made.record("2026-03-02T23:05:00+01:00", "he yelled", sequence=1, rough=True),
    ]
    gap = made.flag(4, "A record is missing.", Kind.MISSING)
    reading = Reading(tuple(records), (made.flag(2, made.TWO), gap), (), Memory())
    export = Export(
        "Dr Okafor", "ab", "Ana", made.AT, reading, Deleted((), None, 0, True), tuple(records[:2])
    )
    assert to_text(export).splitlines()[4:] == [
        "Records: 2 of 3, chosen, each signed by the device and opened with the clinician's key",
        "Without a line: 1",
        "",
        "Tuesday 3 March 2026 08:00  the foreman",
        "    the (?) phone",
        f"    ! {made.TWO}",
        "Wednesday 4 March 2026 08:00  the foreman",
        "    (no line)",
        "",
        "(?) after a word: the recogniser was unsure of it.",
        "",
        "! A record is missing.",
    ]
    document = json.loads(to_json(export))
    assert document["chosen"] == {"records": 2, "of": 3}
    assert [one["sequence"] for one in document["records"]] == [2, 3]
    assert len(document["flags"]) == 2


def test_the_page_and_the_command_line_agree_on_words_that_fuzz_found(tmp_path: Path) -> None:
    """Every character there is but halves, eight hundred at a time, as part and words, spelled by both."""
    letters = [chr(code) for code in range(0x20000) if not 0xD800 <= code < 0xE000]
    texts = ["".join(letters[at : at + 800]) for at in range(0, len(letters), 800)]
    line = Line(tuple(Word(text, doubt=True) for text in texts), "v", False)
    record = replace(made.record("2026-03-02T23:05:00+01:00"), part="".join(letters[:3000]), line=line)
    ours = spell(bundle([record], [], exported_at=made.AT))
    words = [{"text": one, "doubt": True} for one in texts]
    fields = {"device": record.device_id.hex(), "record": record.record_id.hex(), "part": record.part}
    given = {
        "record": {**fields, "line": {"words": words, "transcriber": "v", "rough": False}},
        "at": made.AT,
    }
    file = tmp_path / "given.json"
    file.write_text(json.dumps(given), encoding="ascii")
    page = (ROOT / "server" / "page").as_uri()
    code = f"""
        import {{ readFileSync }} from "node:fs";
        import {{ bundle, spell }} from "{page}/queue/exporting.js";
        import {{ moment }} from "{page}/wire/content.js";
        const {{ record, at }} = JSON.parse(readFileSync(process.argv[1], "ascii"));
        const whole = {{ ...record, sequence: 1n, at: moment("2026-03-02T23:05:00+01:00") }};
        process.stdout.write(spell(await bundle([whole], [], {{ exportedAt: at, patient: null }})));
    """
    done = subprocess.run(
        [node(), "--input-type=module", "-e", code, str(file)], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == ours


def _resources(name: str) -> list[dict[str, Any]]:
    r4 = medplum("definitions") / "dist" / "fhir" / "r4"
    return [entry["resource"] for entry in json.loads((r4 / name).read_text("utf-8"))["entry"]]


def _concepts(concepts: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for one in concepts:
        yield one["code"], one["display"]
        yield from _concepts(one.get("concept", []))


def _included(value_set: dict[str, Any]) -> dict[str, str]:
    loinc = [one for one in value_set["compose"]["include"] if one["system"] == "http://loinc.org"]
    return {one["code"]: one["display"].strip() for part in loinc for one in part["concept"]}
