"""Makes tests/vectors/card_report*.json: `python -m tests.vectors.make_report_vectors`. A test compares.

Written from FORMAT.md with tests/wire/wire_reference.py, and with none of the code that is tested.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tests.vectors.make_vectors import HERE, b64, flip, put, text
from tests.wire import wire_reference as ref

Vector = dict[str, Any]

RECORDING = (
    '{"forecast":null,"of":3,"reason":"too_quiet","stage":"recording","takes":1,"tries":0,"tries_of":5,"v":1}'
)
FORECAST = '{"false_tenths":4,"found":5,"from":"tries","of_ten":[7,10],"tries":5}'
DONE = f'{{"forecast":{FORECAST},"of":3,"reason":null,"stage":"done","takes":3,"tries":5,"tries_of":5,"v":1}}'
FROM_TAKES = DONE.replace(FORECAST, FORECAST.replace('"tries","of_ten":[7,10]', '"takes","of_ten":[9,9]'))
LONGEST = (
    '{"forecast":{"false_tenths":1000000,"found":99,"from":"tries","of_ten":[10,10],"tries":99},"of":99,'
    '"reason":"name_too_short","stage":"refused","takes":99,"tries":99,"tries_of":99,"v":1}'
)


@dataclass(frozen=True)
class Plan:
    """Everything a sealed report is made of; a vector changes one thing."""

    content: bytes = RECORDING.encode()
    padded: bytes | None = None
    magic: bytes = b"1BRp"
    format: int = 1
    suite: int = 1
    size_code: int = 0
    device: str = "device"
    card: str = "card"
    version: int = 7
    number: int = 3
    recipient: str = "reading"
    bound: bytes | None = None
    signer: str = "device"
    purpose: bytes = b"onebreath card report v1\x00"
    domain: bytes = b"onebreath card report signature v1\x00"


def unsigned(plan: Plan) -> bytes:
    """The report without its signature."""
    public = ref.raw(ref.agreement(plan.recipient))
    header = plan.magic + bytes([plan.format, plan.suite, plan.size_code])
    header += ref.short(ref.raw(ref.signing(plan.device))) + ref.ident(plan.card)
    header += plan.version.to_bytes(8, "big") + plan.number.to_bytes(8, "big") + ref.short(public)
    padded = plan.padded
    if padded is None:
        padded = ref.pad(plan.content, {0: 512, 1: 2048}.get(plan.size_code, 512))
    info = plan.purpose + (header[4:] if plan.bound is None else plan.bound)
    return header + ref.hpke_seal(padded, public, info, ref.seed(f"ephemeral report {plan.card}"))


def report(plan: Plan) -> bytes:
    """The whole report."""
    return ref.sign(unsigned(plan), plan.signer, plan.domain)


def reports() -> list[Vector]:
    plan = Plan()
    whole, body = report(plan), unsigned(plan)
    out: list[Vector] = []

    def add(name: str, sealed: bytes, expect: str) -> None:
        out.append({"name": name, "expect": expect, "report": b64(sealed)})

    def holds(name: str, changed: Plan) -> None:
        add(name, report(changed), "holds")
        out[-1] |= {"content": changed.content.decode(), "number": changed.number}

    def resigned(name: str, changed: bytes) -> None:
        add(name, ref.sign(changed, "device", plan.domain), "open")

    holds("a report", plan)
    holds("the end of an enrolment", replace(plan, content=DONE.encode(), number=21))
    holds("the longest report", replace(plan, content=LONGEST.encode()))
    holds("a larger size than needed", replace(plan, size_code=1))
    holds("the first number", replace(plan, number=1))
    holds("the last number", replace(plan, number=2**53 - 1))

    add("nothing", b"", "parse")
    add("a header alone", whole[:71], "parse")
    add("one byte short", whole[:-1], "parse")
    add("one byte too many", whole + b"\x00", "parse")
    add("a flipped bit in the magic", flip(whole, 0), "parse")
    add("a card's magic", report(replace(plan, magic=b"1BCd")), "parse")
    for version in (0, 2):
        add(f"format version {version}", report(replace(plan, format=version)), "parse")
    for suite in (0, 2):
        add(f"suite {suite}", report(replace(plan, suite=suite)), "parse")
    add("a size code that is not known", report(replace(plan, size_code=2)), "parse")
    add("a size code that disagrees with the size", put(whole, 6, b"\x01"), "parse")
    add("card version 0", report(replace(plan, version=0)), "parse")
    add("card version 2^63", report(replace(plan, version=2**63)), "parse")
    add("number 0", report(replace(plan, number=0)), "parse")
    add("number 2^53", report(replace(plan, number=2**53)), "parse")

    add("signed by another device", report(replace(plan, signer="another device")), "verify")
    add("signed for another purpose", report(replace(plan, domain=b"onebreath record v1\x00")), "verify")
    add("of another device, whole", report(replace(plan, device="stranger", signer="stranger")), "verify")
    add("a flipped bit in the signature", flip(whole, len(whole) - 1), "verify")
    add("a flipped bit in the ciphertext", flip(whole, 200), "verify")
    add("another device's id", put(whole, 7, ref.ident("another")), "verify")
    add("another card's id", put(whole, 23, ref.ident("another")), "verify")
    add("another card version", put(whole, 46, b"\x08"), "verify")
    add("a later number", put(whole, 54, b"\x04"), "verify")

    add("about another card, whole", report(replace(plan, card="another card")), "card")
    add("about an older version of the card, whole", report(replace(plan, version=6)), "card")

    add("for another reading key", report(replace(plan, recipient="reading 2")), "open")
    resigned("a later number, signed again", put(body, 54, b"\x04"))
    resigned("a flipped bit in enc, signed again", flip(body, 71))
    resigned("a point of low order for enc", put(body, 71, bytes(32)))
    resigned("a flipped bit in the ciphertext, signed again", flip(body, 200))
    add("sealed for another purpose", report(replace(plan, purpose=b"onebreath card v1\x00")), "open")
    other = unsigned(replace(plan, card="another card"))
    add("sealed for another card", report(replace(plan, bound=other[4:71])), "open")
    later = unsigned(replace(plan, number=4))
    add("sealed with another number", report(replace(plan, bound=later[4:71])), "open")
    add("no padding mark", report(replace(plan, padded=bytes(512))), "open")
    dirty = (RECORDING.encode() + b"\x80\x01").ljust(512, b"\x00")
    add("padding that is not zero", report(replace(plan, padded=dirty)), "open")

    add("content that is not JSON", report(replace(plan, content=b"recording")), "content")
    add("no content", report(replace(plan, content=b"")), "content")
    return out


def contents() -> list[Vector]:
    good = {
        "a recording": RECORDING,
        "the end": DONE,
        "a forecast from the takes": FROM_TAKES,
        "a forecast from one take": FROM_TAKES.replace("[9,9]", "null"),
        "the longest report": LONGEST,
        "the beginning": RECORDING.replace("recording", "waiting").replace('"too_quiet"', "null"),
        "the talk": RECORDING.replace("recording", "talking").replace('"too_quiet"', "null"),
        "the microphone went away": RECORDING.replace("recording", "stopped").replace(
            "too_quiet", "microphone"
        ),
    }
    bad = {
        "empty": "",
        "not JSON": "{",
        "a list": "[]",
        "nesting without end": "[" * 3000,
        "spaces": RECORDING.replace(",", ", "),
        "a newline at the end": RECORDING + "\n",
        "a key twice": RECORDING.replace('"v":1', '"v":1,"v":1'),
        "an unknown key": RECORDING.replace('"v":1', '"v":1,"w":1'),
        "a missing key": RECORDING.replace('"tries":0,', ""),
        "version 2": RECORDING.replace('"v":1', '"v":2'),
        "version true": RECORDING.replace('"v":1', '"v":true'),
        "version 1.0": RECORDING.replace('"v":1', '"v":1.0'),
        "a stage that is not known": RECORDING.replace("recording", "resting"),
        "a stage that is a number": RECORDING.replace('"recording"', "1"),
        "a stage that every object has": RECORDING.replace("recording", "constructor"),
        "a reason that is not known": RECORDING.replace("too_quiet", "too shy"),
        "a reason of another stage": RECORDING.replace("too_quiet", "microphone"),
        "an empty reason": RECORDING.replace("too_quiet", ""),
        "takes below none": RECORDING.replace('"takes":1', '"takes":-1'),
        "no takes, below none": RECORDING.replace('"takes":1', '"takes":-0'),
        "takes in parts": RECORDING.replace('"takes":1', '"takes":1.5'),
        "takes with an exponent": RECORDING.replace('"takes":1', '"takes":1e0'),
        "takes as text": RECORDING.replace('"takes":1', '"takes":"1"'),
        "more takes than are counted": RECORDING.replace('"takes":1', '"takes":100'),
        "more tries than there are": RECORDING.replace('"tries":0', '"tries":6'),
        "a forecast before the end": DONE.replace("done", "talking"),
        "a forecast that is false": DONE.replace(FORECAST, "false"),
        "a forecast without its source": DONE.replace('"from":"tries",', ""),
        "a source that is not known": DONE.replace('"tries","of_ten"', '"guess","of_ten"'),
        "more found than tried": DONE.replace('"found":5', '"found":6'),
        "a range upside down": DONE.replace("[7,10]", "[10,7]"),
        "a range of one": DONE.replace("[7,10]", "[7]"),
        "a range of three": DONE.replace("[7,10]", "[7,8,10]"),
        "a range as an object": DONE.replace("[7,10]", '{"0":7,"1":10}'),
        "eleven of ten": DONE.replace("[7,10]", "[7,11]"),
        "tries without a figure": DONE.replace("[7,10]", "null"),
        "takes with a range": FROM_TAKES.replace("[9,9]", "[8,9]"),
        "false tones beyond measure": DONE.replace('"false_tenths":4', '"false_tenths":1000001'),
        "half a character": RECORDING.replace("too_quiet", "\\ud800"),
    }
    vectors: list[Vector] = [{"name": name, "expect": "holds", "text": said} for name, said in good.items()]
    return vectors + [{"name": name, "expect": "decode", "text": said} for name, said in bad.items()]


def everything() -> dict[str, Any]:
    """Each file's name and what it holds."""
    return {
        "card_report.json": {
            "device": b64(ref.raw(ref.signing("device"))),
            "card": b64(ref.ident("card")),
            "version": 7,
            "private": b64(ref.seed("reading")),
            "reports": reports(),
        },
        "card_report_content.json": contents(),
    }


if __name__ == "__main__":
    for name, vectors in everything().items():
        (HERE / name).write_text(text(vectors), encoding="ascii")
