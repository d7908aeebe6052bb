"""Makes tests/vectors/consent.json: `python -m tests.vectors.make_consent_vectors`. A test compares.

Written from FORMAT.md with the second hand of tests/wire/wire_reference.py, and no code of voice/wire.
`expect` is "holds", or the step that refuses: parse, verify, open; decode of a content.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from tests.vectors.make_box_vectors import LABEL, Plan, signed, unsigned
from tests.vectors.make_vectors import HERE, b64, flip, text
from tests.wire import wire_reference as ref

Vector = dict[str, Any]

NAME: Final = "consent.json"
AGREED: Final = '{"agreed":["The device hears the name.","Read on Thursdays."],"on":"2026-03-02","v":1}'
LONG: Final = '{"agreed":[' + ",".join(['"' + "\U0001f9f1" * 200 + '"'] * 20) + '],"on":"2024-02-29","v":1}'


def boxes() -> list[Vector]:
    plan = Plan(content=AGREED, purpose=4, size_code=2, size=16384, record=bytes(16), number=2)
    whole = signed(unsigned(plan))
    out: list[Vector] = []

    def add(name: str, box: bytes, expect: str) -> None:
        out.append(
            {
                "name": name,
                "expect": expect,
                "identity": b64(ref.raw(ref.signing("identity"))),
                "private": b64(ref.seed("reading")),
                "box": b64(box),
            }
        )

    add("what was agreed", whole, "holds")
    out[-1] |= {"content": AGREED, "number": plan.number}
    add("the longest", signed(unsigned(replace(plan, content=LONG))), "holds")
    out[-1] |= {"content": LONG, "number": plan.number}
    add("one byte short", whole[:-1], "parse")
    for code, size in ((0, 256), (1, 1024)):
        add(f"size code {code}", signed(unsigned(replace(plan, size_code=code, size=size))), "parse")
    add("a label of this size", signed(unsigned(replace(plan, purpose=2))), "parse")
    add("about a record", signed(unsigned(replace(plan, record=ref.ident("record")))), "parse")
    add("another version", flip(whole, 63), "verify")
    other = unsigned(replace(plan, number=3))[:80]
    add("sealed for another version", signed(unsigned(plan, other)), "open")
    part = unsigned(replace(plan, purpose=3, record=ref.ident("card")))[:80]
    add("sealed as a note on a part", signed(unsigned(plan, part)), "open")
    return out


def contents() -> list[Vector]:
    def on(day: str) -> str:
        return AGREED.replace("2026-03-02", day)

    points = '["The device hears the name.","Read on Thursdays."]'
    good = {
        "what was agreed": AGREED,
        "the longest": LONG,
        "one point": AGREED.replace(points, '["Withdrawn."]'),
        "the first day": on("0001-01-01"),
        "a leap day of a whole century": on("2000-02-29"),
    }
    bad = {
        "a label's": LABEL,
        "a space": AGREED.replace(",", ", ", 1),
        "a key missing": AGREED.replace(',"v":1', ""),
        "another key": AGREED.replace('"v":1', '"v":1,"z":1'),
        "a key twice": AGREED.replace('"v":1', '"v":1,"v":1'),
        "keys out of order": f'{{"on":"2026-03-02","agreed":{points},"v":1}}',
        "version 2": AGREED.replace('"v":1', '"v":2'),
        "version true": AGREED.replace('"v":1', '"v":true'),
        "no points": AGREED.replace(points, "[]"),
        "points that are one text": AGREED.replace(points, '"Read on Thursdays."'),
        "a point that is empty": AGREED.replace("Read on Thursdays.", ""),
        "a point that is a number": AGREED.replace('"Read on Thursdays."', "4"),
        "a point of two lines": AGREED.replace("Read on", "Read\\non"),
        "a point that reorders": AGREED.replace("Read on", "Read \u202eon"),
        "a point that is too long": AGREED.replace("Read on Thursdays.", "n" * 201),
        "too many points": AGREED.replace(points, "[" + ",".join(['"n"'] * 21) + "]"),
        "no day": AGREED.replace('"2026-03-02"', "null"),
        "a day that is not": on("2026-02-29"),
        "a leap day of another century": on("1900-02-29"),
        "a month that is not": on("2026-13-01"),
        "a day nought": on("2026-03-00"),
        "the year nought": on("0000-03-01"),
        "a day with a time": on("2026-03-02T10:00"),
        "a day without dashes": on("20260302"),
        "a week": on("2026-W10-1"),
        "digits of another script": on("２０２６-03-02"),
    }
    vectors: list[Vector] = [{"name": name, "expect": "holds", "text": said} for name, said in good.items()]
    return vectors + [{"name": name, "expect": "decode", "text": said} for name, said in bad.items()]


def everything() -> dict[str, list[Vector]]:
    """What the file holds."""
    return {"boxes": boxes(), "contents": contents()}


if __name__ == "__main__":
    (HERE / NAME).write_text(text(everything()), encoding="ascii")
