"""Makes tests/vectors/part_note.json: `python -m tests.vectors.make_part_note_vectors`. A test compares.

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

NAME: Final = "part_note.json"
NOTE: Final = (
    '{"age":"about nine","alias":null,"image":"a tall man with a ledger","name":"the foreman",'
    '"removed":false,"role":"keeps everything going","settings":{"pace":"slow","reads_on":"monday,thursday"},'
    '"tell":"jaw set, shoulders up","v":1,"whom":"the little one by the window"}'
)
SHORT: Final = (
    '{"age":"","alias":null,"image":"","name":"me","removed":false,"role":"","settings":{},"tell":"","v":1,'
    '"whom":""}'
)
LONG: Final = (
    f'{{"age":"{"ก" * 800}","alias":"{"ข" * 80}","image":"{"ค" * 800}","name":"{"ง" * 80}","removed":true,'
    f'"role":"{"จ" * 800}","settings":{{}},"tell":"{"ฉ" * 500}","v":1,"whom":"{"ช" * 800}"}}'
)


def boxes() -> list[Vector]:
    plan = Plan(content=NOTE, purpose=3, size_code=2, size=16384, record=ref.ident("card"), number=1790000000)
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

    add("a note on a part", whole, "holds")
    out[-1] |= {"content": NOTE, "number": plan.number}
    add("one byte short", whole[:-1], "parse")
    for code, size in ((0, 256), (1, 1024)):
        short = replace(plan, content=SHORT, size_code=code, size=size)
        add(f"size code {code}", signed(unsigned(short)), "parse")
    add("a mark of this size", signed(unsigned(replace(plan, purpose=1))), "parse")
    add("a note on no card", signed(unsigned(replace(plan, record=bytes(16)))), "parse")
    add("another card", flip(whole, 40), "verify")
    another = unsigned(replace(plan, record=ref.ident("another")))[:80]
    add("sealed for another card", signed(unsigned(plan, another)), "open")
    return out


def contents() -> list[Vector]:
    good = {"a note on a part": NOTE, "nothing told": SHORT, "the longest texts, at rest": LONG}
    bad = {
        "a label's": LABEL,
        "a space": NOTE.replace(",", ", ", 1),
        "a key missing": NOTE.replace('"alias":null,', ""),
        "another key": NOTE.replace('"v":1', '"type":"x","v":1'),
        "a key twice": NOTE.replace('"v":1', '"v":1,"v":1'),
        "version 2": NOTE.replace('"v":1', '"v":2'),
        "version true": NOTE.replace('"v":1', '"v":true'),
        "removed as a number": NOTE.replace("false", "0"),
        "no name": NOTE.replace("the foreman", ""),
        "a name with a control": NOTE.replace("the foreman", "the\\u0007foreman"),
        "an empty alias": NOTE.replace("null", '""'),
        "an age that is a number": NOTE.replace('"about nine"', "9"),
        "an age with two spaces": NOTE.replace("about nine", "about  nine"),
        "an image that reorders": NOTE.replace("a tall man", "a \u202etall man"),
        "a role that is too long": NOTE.replace("keeps everything going", "n" * 801),
        "a setting that is not known": NOTE.replace('"pace":"slow"', '"pace":"fast"'),
        "days out of order": NOTE.replace("monday,thursday", "thursday,monday"),
    }
    vectors: list[Vector] = [{"name": name, "expect": "holds", "text": said} for name, said in good.items()]
    return vectors + [{"name": name, "expect": "decode", "text": said} for name, said in bad.items()]


def everything() -> dict[str, list[Vector]]:
    """What the file holds."""
    return {"boxes": boxes(), "contents": contents()}


if __name__ == "__main__":
    (HERE / NAME).write_text(text(everything()), encoding="ascii")
