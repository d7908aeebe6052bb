"""Makes tests/vectors/card*.json: `python -m tests.vectors.make_card_vectors`. A test compares.

Written from FORMAT.md with tests/wire/wire_reference.py, and with none of the code that is tested.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tests.vectors.make_vectors import HERE, b64, flip, put, text
from tests.wire import wire_reference as ref

Vector = dict[str, Any]

CARD = '{"alias":null,"name":"the foreman","settings":{},"tell":"jaw set, shoulders up","v":1}'
REMOVED = '{"name":"the foreman","removed":true,"v":1}'
SETTINGS = (
    '{"asks_when":true,"danger_number":"112","hears":"client","language":"es-MX","pace":"slow","quiet":true,'
    '"quiet_from":"22:30","quiet_until":"07:00","reads_on":"monday,thursday",'
    '"talk_number":"+49 (0) 800-1110111"}'
)
FULL = f'{{"alias":"four man","name":"người gác cổng","settings":{SETTINGS},"tell":"","v":1}}'
LONG = CARD.replace("jaw set, shoulders up", "ก" * 500).replace("the foreman", "ข" * 80)


@dataclass(frozen=True)
class Plan:
    """Everything a sealed card is made of; a vector changes one thing. `bound`: whose identity info names."""

    content: bytes = CARD.encode()
    padded: bytes | None = None
    magic: bytes = b"1BCd"
    version: int = 1
    suite: int = 1
    size_code: int = 0
    device: str = "device"
    card: str = "card"
    counted: int = 7
    recipient: str = "device encryption"
    bound: str = "identity"
    signer: str = "identity"
    domain: bytes = b"onebreath card signature v1\x00"


def unsigned(plan: Plan) -> bytes:
    """The card without its signature."""
    public = ref.raw(ref.agreement(plan.recipient))
    header = plan.magic + bytes([plan.version, plan.suite, plan.size_code])
    header += ref.short(ref.raw(ref.signing(plan.device))) + ref.ident(plan.card)
    header += plan.counted.to_bytes(8, "big") + ref.short(public)
    sizes = {0: 2048, 1: 8192, 2: 32768}
    padded = plan.padded
    if padded is None:
        padded = ref.pad(plan.content, sizes.get(plan.size_code, 2048))
    info = b"onebreath card v1\x00" + header[4:] + ref.raw(ref.signing(plan.bound))
    return header + ref.hpke_seal(padded, public, info, ref.seed(f"ephemeral {plan.card}"))


def card(plan: Plan) -> bytes:
    """The whole card."""
    return ref.sign(unsigned(plan), plan.signer, plan.domain)


def cards() -> list[Vector]:
    plan = Plan()
    whole, body = card(plan), unsigned(plan)
    out: list[Vector] = []

    def add(name: str, sealed: bytes, expect: str) -> None:
        out.append({"name": name, "expect": expect, "card": b64(sealed)})

    def holds(name: str, changed: Plan) -> None:
        add(name, card(changed), "holds")
        out[-1]["content"] = changed.content.decode()

    def resigned(name: str, changed: bytes) -> None:
        add(name, ref.sign(changed, "identity", plan.domain), "open")

    holds("a card", plan)
    holds("every setting", replace(plan, content=FULL.encode()))
    holds("the longest texts", replace(plan, content=LONG.encode()))
    holds("a part removed", replace(plan, content=REMOVED.encode()))
    holds("a larger size than needed", replace(plan, size_code=1))
    holds("the largest size", replace(plan, size_code=2))
    holds("the first version", replace(plan, counted=1))
    holds("the last version", replace(plan, counted=2**63 - 1))

    add("nothing", b"", "parse")
    add("a header alone", whole[:63], "parse")
    add("one byte short", whole[:-1], "parse")
    add("one byte too many", whole + b"\x00", "parse")
    add("a flipped bit in the magic", flip(whole, 0), "parse")
    add("a record's magic", card(replace(plan, magic=b"1BRc")), "parse")
    for version in (0, 2):
        add(f"format version {version}", card(replace(plan, version=version)), "parse")
    for suite in (0, 2):
        add(f"suite {suite}", card(replace(plan, suite=suite)), "parse")
    add("a size code that is not known", card(replace(plan, size_code=3)), "parse")
    add("a size code that disagrees with the size", put(whole, 6, b"\x01"), "parse")
    add("version 0", card(replace(plan, counted=0)), "parse")
    add("version 2^63", card(replace(plan, counted=2**63)), "parse")

    add("signed by another clinician", card(replace(plan, signer="another identity")), "verify")
    add("signed for another purpose", card(replace(plan, domain=b"onebreath statement v1\x00")), "verify")
    add("a flipped bit in the signature", flip(whole, len(whole) - 1), "verify")
    add("a flipped bit in the ciphertext", flip(whole, 200), "verify")
    add("another device's id", put(whole, 7, ref.ident("another")), "verify")
    add("another card's id", put(whole, 23, ref.ident("another")), "verify")
    add("a later version", put(whole, 46, b"\x08"), "verify")

    add("for another device's key", card(replace(plan, recipient="reading")), "open")
    add(
        "sealed by another clinician, signed by this one",
        card(replace(plan, bound="another identity")),
        "open",
    )
    resigned("another device's id, signed again", put(body, 7, ref.ident("another")))
    resigned("another card's id, signed again", put(body, 23, ref.ident("another")))
    resigned("a later version, signed again", put(body, 46, b"\x08"))
    resigned("a flipped bit in enc, signed again", flip(body, 63))
    resigned("a point of low order for enc", put(body, 63, bytes(32)))
    resigned("a flipped bit in the ciphertext, signed again", flip(body, 200))
    add("no padding mark", card(replace(plan, padded=bytes(2048))), "open")
    dirty = (CARD.encode() + b"\x80\x01").ljust(2048, b"\x00")
    add("padding that is not zero", card(replace(plan, padded=dirty)), "open")

    add("content that is not JSON", card(replace(plan, content=b"the foreman")), "content")
    add("no content", card(replace(plan, content=b"")), "content")
    return out


def contents() -> list[Vector]:
    good = {
        "a card": CARD,
        "every setting": FULL,
        "the longest texts": LONG,
        "a part removed": REMOVED,
        "settings put back": CARD.replace(
            "{}", '{"pace":null,"quiet":null,"quiet_from":null,"quiet_until":null}'
        ),
        "when not asked any more": CARD.replace("{}", '{"asks_when":false}'),
        "joiners that belong to the spelling": CARD.replace("the foreman", "نگه\u200cبان"),
    }
    bad = {
        "empty": "",
        "not JSON": "{",
        "a list": "[]",
        "nesting without end": "[" * 3000,
        "spaces": CARD.replace(",", ", "),
        "a newline at the end": CARD + "\n",
        "a key twice": CARD.replace('"v":1', '"v":1,"v":1'),
        "an unknown key": CARD.replace('"v":1', '"v":1,"w":1'),
        "a missing key": CARD.replace('"alias":null,', ""),
        "removed and all the rest": CARD.replace('"settings"', '"removed":true,"settings"'),
        "removed: false": REMOVED.replace("true", "false"),
        "removed: 1": REMOVED.replace("true", "1"),
        "version 2": CARD.replace('"v":1', '"v":2'),
        "version true": CARD.replace('"v":1', '"v":true'),
        "version 1.0": CARD.replace('"v":1', '"v":1.0'),
        "no name": CARD.replace("the foreman", ""),
        "a name that is a number": CARD.replace('"the foreman"', "1"),
        "a name with two spaces": CARD.replace("the foreman", "the  foreman"),
        "a name with a space at the end": CARD.replace("the foreman", "the foreman "),
        "a name with a control": CARD.replace("the foreman", "the\\u0007foreman"),
        "a name that is not NFC": CARD.replace("the foreman", "fore\u0301man"),
        "a name that reorders": CARD.replace("the foreman", "the \u202eforeman"),
        "a name that is too long": CARD.replace("the foreman", "n" * 81),
        "half a character": CARD.replace("the", "\\ud800"),
        "an escape that is not needed": CARD.replace("the", "\\u0074he"),
        "an empty alias": CARD.replace("null", '""'),
        "a tell that is null": CARD.replace('"jaw set, shoulders up"', "null"),
        "a tell that is too long": CARD.replace("jaw set, shoulders up", "t" * 501),
        "settings as a list": CARD.replace("{}", "[]"),
        "a setting that is not known": CARD.replace("{}", '{"model":"/etc/passwd"}'),
        "a pace that is not known": CARD.replace("{}", '{"pace":"fast"}'),
        "quiet as a number": CARD.replace("{}", '{"quiet":1}'),
        "half of the quiet hours": CARD.replace("{}", '{"quiet_from":"22:30"}'),
        "half of the quiet hours put back": CARD.replace("{}", '{"quiet_from":"22:30","quiet_until":null}'),
        "an hour that is none": CARD.replace("{}", '{"quiet_from":"24:00","quiet_until":"07:00"}'),
        "a number with letters": CARD.replace("{}", '{"danger_number":"HELP"}'),
        "when asked as a text": CARD.replace("{}", '{"asks_when":"true"}'),
        "when asked as a number": CARD.replace("{}", '{"asks_when":1}'),
        "days out of order": CARD.replace("{}", '{"reads_on":"thursday,monday"}'),
        "a day twice": CARD.replace("{}", '{"reads_on":"monday,monday"}'),
        "a day that is none": CARD.replace("{}", '{"reads_on":"someday"}'),
        "no days": CARD.replace("{}", '{"reads_on":""}'),
        "days with a space": CARD.replace("{}", '{"reads_on":"monday, thursday"}'),
        "a language that is a path": CARD.replace("{}", '{"language":"../en"}'),
    }
    vectors: list[Vector] = [{"name": name, "expect": "holds", "text": said} for name, said in good.items()]
    return vectors + [{"name": name, "expect": "decode", "text": said} for name, said in bad.items()]


def everything() -> dict[str, Any]:
    """Each file's name and what it holds."""
    return {
        "card.json": {
            "identity": b64(ref.raw(ref.signing("identity"))),
            "device": ref.short(ref.raw(ref.signing("device"))).hex(),
            "private": b64(ref.seed("device encryption")),
            "cards": cards(),
        },
        "card_content.json": contents(),
    }


if __name__ == "__main__":
    for name, vectors in everything().items():
        (HERE / name).write_text(text(vectors), encoding="ascii")
