"""Makes tests/vectors/*.json: `python -m tests.vectors.make_vectors`. Deterministic; a test compares.

Each vector is one whole input and what must become of it: `expect` is "holds", or the step that refuses it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.vectors import when_contents
from tests.wire import wire_reference as ref

HERE = Path(__file__).resolve().parent

Vector = dict[str, Any]

NO_LINE = '{"at":"2026-11-22T23:04:05+01:00","line":null,"part":"the foreman","v":1}'
A_LINE = (
    '{"at":"2026-11-22T23:04:05+01:00","line":{"doubt":[1],"rough":true,"transcriber":"pocketsphinx en-us",'
    '"words":["he","yelled"]},"part":"the little one by the window","v":1}'
)
NOT_MADE_OUT = (
    '{"at":"2026-11-22T23:04:05.250000-03:30","line":{"doubt":[],"rough":false,"transcriber":"vosk",'
    '"words":[]},"part":"người gác cổng","v":1}'
)
LONG_LINE = json.dumps(
    {
        "at": "2026-11-22T23:04:05+07:00",
        "line": {"doubt": [], "rough": False, "transcriber": "vosk", "words": ["ผู้เฝ้าประตู"] * 100},
        "part": "ผู้เฝ้าประตู",
        "v": 1,
    },
    ensure_ascii=False,
    separators=(",", ":"),
)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def flip(data: bytes, at: int, bit: int = 1) -> bytes:
    changed = bytearray(data)
    changed[at] ^= bit
    return bytes(changed)


def put(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


def records() -> list[Vector]:
    plan = ref.Plan(ref.pad(NO_LINE.encode()))
    whole = ref.record(plan)
    two = replace(plan, readers=("reading", "recovery"))
    body = ref.unsigned(plan)
    out: list[Vector] = []

    def add(name: str, frame: bytes, expect: str, reader: str = "reading", device: str = "device") -> None:
        out.append(
            {
                "name": name,
                "expect": expect,
                "device": b64(ref.raw(ref.signing(device))),
                "private": b64(ref.seed(reader)),
                "frame": b64(frame),
            }
        )

    def holds(name: str, frame: bytes, content: str, reader: str = "reading") -> None:
        add(name, frame, "holds", reader)
        out[-1]["content"] = content

    holds("a noticing without a line", whole, NO_LINE)
    holds("a line with a doubt mark", ref.record(replace(plan, padded=ref.pad(A_LINE.encode()))), A_LINE)
    unclear = replace(plan, padded=ref.pad(NOT_MADE_OUT.encode()))
    holds("a line that was not made out", ref.record(unclear), NOT_MADE_OUT)
    long = replace(plan, padded=ref.pad(LONG_LINE.encode(), 8192), size_code=1)
    holds("a long line in another script", ref.record(long), LONG_LINE)
    roomy = replace(plan, padded=ref.pad(NO_LINE.encode(), 8192), size_code=1)
    answered = when_contents.ANSWERED
    holds("an answer", ref.record(replace(plan, padded=ref.pad(answered.encode()))), answered)
    holds("a larger size than needed", ref.record(roomy), NO_LINE)
    holds("two recipients, the first opens", ref.record(two), NO_LINE)
    holds("two recipients, the second opens", ref.record(two), NO_LINE, "recovery")
    holds("the last sequence number", ref.record(replace(plan, sequence=2**63 - 1)), NO_LINE)

    add("nothing", b"", "parse")
    add("a header alone", whole[:48], "parse")
    add("one byte short", whole[:-1], "parse")
    add("one byte too many", whole + b"\x00", "parse")
    add("a flipped bit in the magic", flip(whole, 0), "parse")
    for version in (0, 2):
        add(f"version {version}", ref.record(replace(plan, version=version)), "parse")
    for suite in (0, 2):
        add(f"suite {suite}", ref.record(replace(plan, suite=suite)), "parse")
    add("no recipients", ref.record(replace(plan, readers=())), "parse")
    nine = tuple(f"reader {number}" for number in range(9))
    add("nine recipients", ref.record(replace(plan, readers=nine)), "parse")
    add("a count that disagrees with the size", ref.record(replace(plan, count=2)), "parse")
    add("a size code that is not known", ref.record(replace(plan, size_code=3)), "parse")
    add("a size code that disagrees with the size", ref.record(replace(plan, size_code=1)), "parse")
    add("sequence 0", ref.record(replace(plan, sequence=0)), "parse")
    add("sequence 2^63", ref.record(replace(plan, sequence=2**63)), "parse")
    backwards = list(reversed(ref.ascending(two.readers)))
    add("recipients not ascending", ref.sign(ref.unsigned(two, backwards)), "parse")
    add("a recipient twice", ref.sign(ref.unsigned(two, ["reading", "reading"])), "parse")

    add("another device's key", whole, "verify", device="another device")
    add("signed by another device", ref.sign(body, "another device"), "verify")
    add("signed for another purpose", ref.sign(body, domain=b"onebreath statement v1\x00"), "verify")
    add("a flipped bit in the signature", flip(whole, len(whole) - 64), "verify")
    add("a flipped bit in the ciphertext", flip(whole, 200), "verify")
    add("another record's id", put(whole, 24, ref.ident("another")), "verify")
    add("another sequence number", put(whole, 47, b"\x08"), "verify")

    add("for another reader", whole, "open", reader="recovery")
    for name, at, value in (
        ("another record's id, signed again", 24, ref.ident("another")),
        ("another sequence number, signed again", 47, b"\x08"),
    ):
        add(name, ref.sign(put(body, at, value)), "open")
    add("a flipped bit in the sealed key, signed again", ref.sign(flip(body, 100)), "open")
    add("a flipped bit in the ciphertext, signed again", ref.sign(flip(body, 200)), "open")
    moved = ref.unsigned(replace(plan, record="another"))[48:144]
    add("a sealed key moved from another record", ref.sign(put(body, 48, moved)), "open")
    both = ref.unsigned(two)
    kept = ref.ascending(two.readers).index("reading")
    one = both[:6] + b"\x01" + both[7:48] + both[48 + 96 * kept : 144 + 96 * kept] + both[240:]
    add("a recipient dropped, signed again", ref.sign(one), "open")
    low = put(body, 64, bytes(32))
    add("a sealed key with a point of low order", ref.sign(low), "open")
    add("no padding mark", ref.record(replace(plan, padded=bytes(2048))), "open")
    dirty = NO_LINE.encode() + b"\x80\x01"
    add("padding that is not zero", ref.record(replace(plan, padded=dirty.ljust(2048, b"\x00"))), "open")

    add("content that is not JSON", ref.record(replace(plan, padded=ref.pad(b"the foreman"))), "content")
    add("no content", ref.record(replace(plan, padded=ref.pad(b""))), "content")
    return out


def contents() -> list[Vector]:
    good = {
        "no line": NO_LINE,
        "a line": A_LINE,
        "a line that was not made out": NOT_MADE_OUT,
        "another script": LONG_LINE,
        "quotes and controls": NO_LINE.replace("the foreman", 'a \\"b\\" \\u0001\\n\u2028'),
        "UTC": NO_LINE.replace("+01:00", "+00:00"),
        "a line and an answer": A_LINE.replace('"v":1', '"v":2,"when":"after"'),
        **when_contents.GOOD,
    }
    line = '{"doubt":[],"rough":false,"transcriber":"vosk","words":["a","b"]}'
    spoken = NO_LINE.replace("null", line)
    bad = {
        "empty": "",
        "not JSON": "{",
        "a list": "[]",
        "nesting without end": "[" * 3000,
        "spaces": NO_LINE.replace(",", ", "),
        "a newline at the end": NO_LINE + "\n",
        "keys in another order": '{"v":1,"at":"2026-11-22T23:04:05+01:00","line":null,"part":"the foreman"}',
        "a key twice": NO_LINE.replace('"v":1', '"v":1,"v":1'),
        "an unknown key": NO_LINE.replace('"v":1', '"v":1,"w":1'),
        "a missing key": NO_LINE.replace('"line":null,', ""),
        "version 2": NO_LINE.replace('"v":1', '"v":2'),
        "version true": NO_LINE.replace('"v":1', '"v":true'),
        "version 1.0": NO_LINE.replace('"v":1', '"v":1.0'),
        "Z for the zone": NO_LINE.replace("+01:00", "Z"),
        "a zone with seconds": NO_LINE.replace("+01:00", "+00:09:21"),
        "no zone": NO_LINE.replace("+01:00", ""),
        "no such day": NO_LINE.replace("11-22", "11-31"),
        "a time that is a number": NO_LINE.replace('"2026-11-22T23:04:05+01:00"', "1790000000"),
        "a part that is null": NO_LINE.replace('"the foreman"', "null"),
        "an escape that is not needed": NO_LINE.replace("the", "\\u0074he"),
        "half a character": NO_LINE.replace("the", "\\ud800"),
        "a doubt mark outside the line": spoken.replace("[]", "[2]"),
        "a doubt mark below the line": spoken.replace("[]", "[-1]"),
        "doubt marks not ascending": spoken.replace("[]", "[1,0]"),
        "a doubt mark twice": spoken.replace("[]", "[1,1]"),
        "a doubt mark that is true": spoken.replace("[]", "[true]"),
        "rough as a number": spoken.replace("false", "0"),
        "a word that is a number": spoken.replace('"a"', "1"),
        "words as one text": spoken.replace('["a","b"]', '"a b"'),
        "an unknown key in the line": spoken.replace('"doubt"', '"confidence":1,"doubt"'),
        **when_contents.BAD,
    }
    vectors: list[Vector] = [{"name": name, "expect": "holds", "text": text} for name, text in good.items()]
    vectors += [{"name": name, "expect": "decode", "text": text} for name, text in bad.items()]
    return vectors


def statements() -> list[Vector]:
    whole = ref.statement()
    mark = hashlib.sha256(ref.raw(ref.signing("identity"))).digest()
    cases: list[tuple[str, bytes, str, int]] = [
        ("as issued", whole, "holds", 1),
        ("the epoch already seen", whole, "holds", 3),
        ("a name in another script", ref.statement(name="BS. Nguyễn Thị Hạnh".encode()), "holds", 1),
        ("the longest name", ref.statement(name=b"n" * 200), "holds", 1),
        ("an older epoch", whole, "verify", 4),
        ("another identity", ref.statement(identity="another identity"), "verify", 1),
        ("a flipped bit in the reading key", flip(whole, 60), "verify", 1),
        ("a flipped bit in the signature", flip(whole, len(whole) - 1), "verify", 1),
        ("nothing", b"", "parse", 1),
        ("one byte short", whole[:-1], "parse", 1),
        ("one byte too many", whole + b"\x00", "parse", 1),
        ("a flipped bit in the magic", flip(whole, 3), "parse", 1),
        ("version 2", ref.statement(version=2), "parse", 1),
        ("epoch 0", ref.statement(epoch=0), "parse", 1),
        ("a time beyond 2^63", ref.statement(issued_at=2**63), "parse", 1),
        ("a length that disagrees", ref.statement(length=3), "parse", 1),
        ("no name", ref.statement(name=b""), "parse", 1),
        ("a name of spaces", ref.statement(name=b"  "), "parse", 1),
        ("a name too long", ref.statement(name=b"n" * 201), "parse", 1),
        ("a name with a newline", ref.statement(name=b"Dr\nOkafor"), "parse", 1),
        ("a name that reorders", ref.statement(name="Dr \u202eOkafor".encode()), "parse", 1),
        ("a name that is not UTF-8", ref.statement(name=b"Dr \xff"), "parse", 1),
    ]
    return [
        {
            "name": name,
            "expect": expect,
            "fingerprint": b64(mark),
            "at_least_epoch": least,
            "statement": b64(data),
        }
        for name, data, expect, least in cases
    ]


def pairing() -> dict[str, Any]:
    secret, pairing_id = ref.ident("secret"), ref.ident("pairing")
    mark = hashlib.sha256(ref.raw(ref.signing("identity"))).digest()
    device, encryption = ref.raw(ref.signing("device")), ref.raw(ref.agreement("device encryption"))
    path, hidden = f"/pair/{b64(pairing_id)}", b64(secret + mark)
    link = f"https://clinic.example{path}#{hidden}"
    links = [
        ("as made", link, "holds"),
        ("with a port", link.replace("example", "example:8750"), "holds"),
        ("plain http to this machine", f"http://127.0.0.1:8750{path}#{hidden}", "holds"),
        ("plain http to localhost", f"http://localhost:8750{path}#{hidden}", "holds"),
        ("plain http to ::1", f"http://[::1]:8750{path}#{hidden}", "holds"),
        ("wrapped by a mail program", f" <{link[:40]}\r\n    {link[40:90]}\n{link[90:]}>\n", "holds"),
        ("with debris of copying", f"\ufeff{link[:50]}\u200b{link[50:]}\u00a0", "holds"),
        ("nothing", "", "parse"),
        ("words", "my pairing link", "parse"),
        ("plain http to another machine", f"http://clinic.example{path}#{hidden}", "parse"),
        ("plain http to a name like localhost", f"http://localhost.example{path}#{hidden}", "parse"),
        ("a host in another script", link.replace("clinic", "clínica"), "parse"),
        ("another scheme", f"ftp://clinic.example{path}#{hidden}", "parse"),
        ("no fragment", f"https://clinic.example{path}", "parse"),
        ("a fragment cut short", link[:-1], "parse"),
        ("a fragment too long", link + "A", "parse"),
        ("a pairing id cut short", link.replace(path, path[:-1]), "parse"),
        ("another path", link.replace("/pair/", "/p/"), "parse"),
        ("a query", link.replace("#", "?a=1#"), "parse"),
        ("a user name", link.replace("https://", "https://clinic@"), "parse"),
        ("a port that is none", link.replace("example", "example:99999"), "parse"),
    ]
    whole = ref.invitation()
    invitations = [
        ("as made", whole, "holds"),
        ("one byte short", whole[:-1], "parse"),
        ("one byte too many", whole + b"\x00", "parse"),
        ("a flipped bit in the magic", flip(whole, 0), "parse"),
        ("version 2", ref.invitation(version=2), "parse"),
        ("an expiry beyond 2^63", ref.invitation(expires_at=2**63), "parse"),
        ("signed by another identity", ref.invitation(identity="another identity"), "verify"),
        ("another pairing id", put(whole, 5, ref.ident("another")), "verify"),
        ("another expiry", put(whole, 60, b"\x7f"), "verify"),
        ("for another reading key", ref.invitation(reading="recovery"), "open"),
        ("a claim of another secret", ref.invitation(claimed=ref.ident("another")), "open"),
        (
            "another pairing id, signed again",
            ref.sign(put(whole[:-64], 5, ref.ident("another")), "identity", b"onebreath invitation v1\x00"),
            "open",
        ),
    ]
    agreed = ref.approval()
    approvals = [
        ("as made", agreed, "holds"),
        ("one byte short", agreed[:-1], "parse"),
        ("one byte too many", agreed + b"\x00", "parse"),
        ("a flipped bit in the magic", flip(agreed, 1), "parse"),
        ("version 0", ref.approval(version=0), "parse"),
        ("signed by another identity", ref.approval(identity="another identity"), "verify"),
        ("another device's key", flip(agreed, 5), "verify"),
    ]
    return {
        "secret": b64(secret),
        "pairing_id": b64(pairing_id),
        "fingerprint": b64(mark),
        "identity": b64(ref.raw(ref.signing("identity"))),
        "reading_private": b64(ref.seed("reading")),
        "signing": b64(device),
        "encryption": b64(encryption),
        "claim": b64(ref.derive(secret, b"onebreath pairing claim v1")),
        "proof": b64(ref.proof(secret, pairing_id, device, encryption)),
        "links": [{"name": name, "expect": expect, "link": text} for name, text, expect in links],
        "invitations": [{"name": n, "expect": e, "invitation": b64(data)} for n, data, e in invitations],
        "approvals": [{"name": n, "expect": e, "approval": b64(data)} for n, data, e in approvals],
    }


def requests() -> list[Vector]:
    body, key = b"sealed", ref.signing("device")
    key_id = f"device:{ref.short(ref.raw(key)).hex()}"
    created, nonce = 1_790_000_000, "c2l4dGVlbiBieXRlcyE"
    url = f"https://clinic.example/v1/records/{'0' * 32}"
    digest = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
    covered = '("@method" "@target-uri" "content-digest")'
    parameters = f'{covered};created={created};keyid="{key_id}";nonce="{nonce}";tag="onebreath"'

    def signed(parameters: str, method: str = "PUT", target: str = url) -> dict[str, str]:
        base = f'"@method": {method}\n"@target-uri": {target}\n"content-digest": {digest}\n'
        signature = key.sign((base + f'"@signature-params": {parameters}').encode())
        return {
            "Content-Digest": digest,
            "Signature-Input": f"onebreath={parameters}",
            "Signature": f"onebreath=:{base64.b64encode(signature).decode()}:",
        }

    good = signed(parameters)
    vectors: list[Vector] = []

    def add(name: str, expect: str, headers: dict[str, str] = good, **changes: Any) -> None:
        plain = {"method": "PUT", "url": url, "body": b64(body), "now": created}
        vectors.append({"name": name, "expect": expect, **plain, **changes, "headers": headers})

    def without(name: str) -> dict[str, str]:
        return {key: value for key, value in good.items() if key != name}

    add("as signed", "holds")
    add("five minutes later", "holds", now=created + 300)
    add("five minutes earlier", "holds", now=created - 300)
    add("header names in lower case", "holds", {name.lower(): value for name, value in good.items()})
    add("the same address, spelt otherwise", "holds", url=url.replace("clinic.example", "CLINIC.example:443"))
    add("too late", "clock", now=created + 301)
    add("too early", "clock", now=created - 301)
    add("another method", "verify", method="POST")
    add("another path", "verify", url=url[:-1] + "1")
    add("another server", "verify", url=url.replace("clinic", "other"))
    add("plain http", "verify", url=url.replace("https", "http"))
    add("a query added", "verify", url=url + "?a=1")
    add("another body", "verify", body=b64(b"forged"))
    add("another body, and its digest", "verify", {**good, "Content-Digest": digest[:-5] + "AAA=:"})
    later = good["Signature-Input"].replace(str(created), str(created + 1))
    add("another time", "verify", {**good, "Signature-Input": later})
    add("a flipped bit in the signature", "verify", {**good, "Signature": swap(good["Signature"])})
    for name in good:
        add(f"no {name}", "parse", without(name))
    for name, old, new in (
        ("fewer parts covered", '"@target-uri" ', ""),
        ("another order of parts", '"@method" "@target-uri"', '"@target-uri" "@method"'),
        ("another tag", 'tag="onebreath"', 'tag="another"'),
        ("no tag", ';tag="onebreath"', ""),
        ("no nonce", f';nonce="{nonce}"', ""),
        ("no time", f";created={created}", ""),
        ("a time that is a text", f"created={created}", f'created="{created}"'),
        ("an algorithm named", ';tag="onebreath"', ';alg="ed25519";tag="onebreath"'),
        ("a key id that is none", key_id, "device:1"),
        ("space between parameters", ";nonce", "; nonce"),
    ):
        add(name, "parse", signed(parameters.replace(old, new)))
    twice = f"{good['Signature-Input']}, other={parameters}"
    add("a second signature", "parse", {**good, "Signature-Input": twice})
    add("another label", "parse", {name: v.replace("onebreath=", "sig1=", 1) for name, v in good.items()})
    return [{**vector, "public": b64(ref.raw(key))} for vector in vectors]


def swap(header: str) -> str:
    at = len("onebreath=:")
    return header[:at] + ("B" if header[at] == "A" else "A") + header[at + 1 :]


def everything() -> dict[str, Any]:
    """Each file's name and what it holds."""
    return {
        "record.json": records(),
        "content.json": contents(),
        "statement.json": statements(),
        "pairing.json": pairing(),
        "requests.json": requests(),
    }


def text(vectors: Any) -> str:
    return json.dumps(vectors, indent=1, ensure_ascii=True, sort_keys=True) + "\n"


if __name__ == "__main__":
    for name, vectors in everything().items():
        (HERE / name).write_text(text(vectors), encoding="ascii")
