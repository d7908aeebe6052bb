"""Makes tests/vectors/box.json: `python -m tests.vectors.make_box_vectors`. Deterministic; a test compares.

Written from FORMAT.md with the second hand of tests/wire/wire_reference.py, and no code of voice/wire.
`expect` is "holds", or the step that refuses: parse, verify, open or content.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from tests.vectors.make_vectors import HERE, b64, flip, put, text
from tests.wire import wire_reference as ref

Vector = dict[str, Any]

DISCUSSED = '{"at":1790000000,"mark":"discussed","v":1}'
LABEL = '{"name":"Ana Ñandú","v":1}'
NAME = "box.json"


@dataclass(frozen=True)
class Plan:
    """One note; every field as it goes on the wire."""

    content: str = DISCUSSED
    version: int = 1
    suite: int = 1
    purpose: int = 1
    size_code: int = 0
    size: int = 256
    clinician: bytes = ref.ident("clinician")
    device: bytes = ref.ident("device")
    record: bytes = ref.ident("record")
    number: int = 3
    reader: str = "reading"
    domain: bytes = b"onebreath box v1\x00"
    padded: bytes | None = None


def header(plan: Plan) -> bytes:
    fixed = b"1BBx" + bytes((plan.version, plan.suite, plan.purpose, plan.size_code))
    named = plan.clinician + plan.device + plan.record + plan.number.to_bytes(8, "big")
    return fixed + named + ref.short(ref.raw(ref.agreement(plan.reader)))


def unsigned(plan: Plan, info: bytes | None = None) -> bytes:
    padded = plan.padded if plan.padded is not None else ref.pad(plan.content.encode(), plan.size)
    first = header(plan)
    public = ref.raw(ref.agreement(plan.reader))
    bound = plan.domain + (first if info is None else info)
    return first + ref.hpke_seal(padded, public, bound, ref.seed("ephemeral box"))


def signed(
    body: bytes, identity: str = "identity", domain: bytes = b"onebreath box signature v1\x00"
) -> bytes:
    return body + ref.signing(identity).sign(domain + body)


def boxes() -> list[Vector]:
    plan = Plan()
    whole = signed(unsigned(plan))
    out: list[Vector] = []

    def add(name: str, box: bytes, expect: str, reader: str = "reading", identity: str = "identity") -> None:
        out.append(
            {
                "name": name,
                "expect": expect,
                "identity": b64(ref.raw(ref.signing(identity))),
                "private": b64(ref.seed(reader)),
                "box": b64(box),
            }
        )

    def holds(name: str, changed: Plan) -> None:
        add(name, signed(unsigned(changed)), "holds")
        out[-1]["content"] = changed.content
        out[-1]["number"] = changed.number

    label = replace(plan, purpose=2, record=bytes(16), content=LABEL)
    long_name = replace(label, content='{"name":"' + "ผู้เฝ้า" * 19 + '","v":1}', size=1024, size_code=1)
    holds("a mark", plan)
    holds("a mark taken back", replace(plan, content='{"at":1790000000,"mark":"none","v":1}', number=4))
    holds("a mark in a larger size than needed", replace(plan, size=1024, size_code=1))
    holds("the last version", replace(plan, number=2**53 - 1))
    holds("a client's name", label)
    holds("a long name in another script", long_name)

    add("nothing", b"", "parse")
    add("a header alone", whole[:80], "parse")
    add("one byte short", whole[:-1], "parse")
    add("one byte too many", whole + b"\x00", "parse")
    add("another magic", put(whole, 0, b"1BRc"), "parse")
    for version in (0, 2):
        add(f"version {version}", signed(unsigned(replace(plan, version=version))), "parse")
    add("suite 2", signed(unsigned(replace(plan, suite=2))), "parse")
    for purpose in (0, 5):
        add(f"purpose {purpose}", signed(unsigned(replace(plan, purpose=purpose))), "parse")
    add("a size code that is not known", signed(unsigned(replace(plan, size_code=2))), "parse")
    add("a size code that disagrees with the size", signed(unsigned(replace(plan, size_code=1))), "parse")
    add("version number 0", signed(unsigned(replace(plan, number=0))), "parse")
    add("version number 2^53", signed(unsigned(replace(plan, number=2**53))), "parse")
    add("a mark on no record", signed(unsigned(replace(plan, record=bytes(16)))), "parse")
    add("a label on a record", signed(unsigned(replace(label, record=ref.ident("record")))), "parse")

    add("another clinician's identity", whole, "verify", identity="another")
    add("signed by another", signed(unsigned(plan), "another"), "verify")
    add("signed as a statement", signed(unsigned(plan), domain=b"onebreath statement v1\x00"), "verify")
    add("signed by the text of its sealing", signed(unsigned(plan), domain=plan.domain), "verify")
    for name, at in (("clinician", 8), ("device", 24), ("record", 40), ("version", 63), ("reading key", 64)):
        add(f"another {name}", flip(whole, at), "verify")
    add("a flipped bit in what is sealed", flip(whole, 200), "verify")
    add("a flipped bit in the signature", flip(whole, len(whole) - 1), "verify")

    add("for another reader", whole, "open", reader="recovery")
    add(
        "sealed as a record's key", signed(unsigned(replace(plan, domain=b"onebreath record v1\x00"))), "open"
    )
    for name, other in (
        ("purpose", replace(label, content=DISCUSSED)),
        ("clinician", replace(plan, clinician=ref.ident("another"))),
        ("device", replace(plan, device=ref.ident("another"))),
        ("record", replace(plan, record=ref.ident("another"))),
        ("version", replace(plan, number=2)),
    ):
        add(f"sealed for another {name}", signed(unsigned(plan, header(other))), "open")
    add("no padding mark", signed(unsigned(replace(plan, padded=bytes(256)))), "open")
    add("another padding mark", signed(unsigned(replace(plan, padded=b"{}\x40" + bytes(253)))), "open")

    for name, content in (
        ("no JSON", "discussed"),
        ("not UTF-8", "\udcff"),
        ("a space", '{"at":1790000000, "mark":"discussed","v":1}'),
        ("keys out of order", '{"mark":"discussed","at":1790000000,"v":1}'),
        ("another key", '{"at":1790000000,"by":"x","mark":"discussed","v":1}'),
        ("a key missing", '{"mark":"discussed","v":1}'),
        ("a key twice", '{"at":1790000000,"at":1790000000,"mark":"discussed","v":1}'),
        ("an unknown mark", '{"at":1790000000,"mark":"important","v":1}'),
        ("a time before all", '{"at":-1,"mark":"discussed","v":1}'),
        ("a time that is true", '{"at":true,"mark":"discussed","v":1}'),
        ("a content of version 2", '{"at":1790000000,"mark":"discussed","v":2}'),
        ("a label's content", LABEL),
    ):
        padded = ref.pad(content.encode("utf-8", "surrogateescape"), 256)
        add(f"content: {name}", signed(unsigned(replace(plan, padded=padded))), "content")
    for name, content in (
        ("an empty name", '{"name":"","v":1}'),
        ("a name with a space before it", '{"name":" Ana","v":1}'),
        ("a name with a control", '{"name":"A\\u0007na","v":1}'),
        ("a name that is a number", '{"name":1,"v":1}'),
        ("a name that is too long", json.dumps({"name": "a" * 401, "v": 1}, separators=(",", ":"))),
    ):
        long = len(content) > 255
        wide = replace(label, content=content, size=1024 if long else 256, size_code=int(long))
        add(f"content: {name}", signed(unsigned(wide)), "content")
    return out


if __name__ == "__main__":
    (HERE / NAME).write_text(text(boxes()), encoding="ascii")
