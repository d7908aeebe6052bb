"""Python and JavaScript take and refuse the same texts, among thousands that nobody would write."""

from __future__ import annotations

import json
import re
from random import Random

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.page.page_peer import ROOT, Peer, RefusedError, public, seeded, signing
from voice.wire import boxes, card_content, card_report_content, content, keys, pairing
from voice.wire.errors import ContentError, FrameError

PIECES = [
    *'" \\ \\u0000 \\ud800 \\u00e9 \\n \\/ { } [ ] , : 0 1 -0 1.0 1e0 true null NaN Infinity __proto__'.split(
        " "
    ),
    *'"v":1 "v":2 "at" "when":"in" ,"when":"after" "line":null "doubt":[0] "words":[]'.split(" "),
    *"+00:00 -00:00 +24:00 +00:60 Z .000001 .5 T24 :60 0000 2026-02-30 2024-02-29".split(" "),
    *" \n\t\x00\x1f\x85\xa0\xad\u200b\u200d\u2028\ufeff\ud7ff\U0010ffffé",
    "e\u0301",
    "9" * 20,
]


def mutated(random: Random, text: str) -> str:
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        at = random.randint(0, len(text))
        upto = min(len(text), at + random.choice((0, 0, 1, 2, 6)))
        text = text[:at] + random.choice((*PIECES, "")) + text[upto:]
    return text


def same(peer: Peer, op: str, data: bytes, ours: bytes | None) -> bool:
    """Both take it, with the same bytes, or both refuse it; whether it was taken."""
    try:
        theirs = peer.bytes(op, data=data)
    except RefusedError:
        assert ours is None, f"only Python takes {data!r}"
        return False
    assert ours == theirs, f"only JavaScript takes {data!r}"
    return True


def test_both_take_the_same_contents_of_records(peer: Peer) -> None:
    random = seeded(7)
    vectors = json.loads((ROOT / "tests" / "vectors" / "content.json").read_text())
    good = [vector["text"] for vector in vectors if vector["expect"] == "holds"]
    taken = 0
    for number in range(3000):
        text = mutated(random, random.choice(good))
        if number % 3 == 0:  # times, where the one spelling is least obvious
            text = re.sub(r"T\d\d:\d\d", f"T{random.randint(0, 25):02}:{random.randint(0, 61):02}", good[0])
            year = random.choice("0001 0099 1900 2024 9999".split())
            day = f"{year}-{random.randint(0, 13):02}-{random.randint(0, 32):02}"
            zone = random.choice("+01:00 -23:59 +23:59 -00:30 .000010-12:00".split())
            text = text.replace("2026-11-22", day).replace("+01:00", zone)
        data = text.encode("utf-8", "surrogatepass")
        try:
            ours = content.encode(content.decode(data))
        except ContentError:
            ours = None
        taken += same(peer, "content", data, ours)
    assert 300 < taken < 2500


def test_both_take_the_same_contents_of_cards(peer: Peer) -> None:
    random = seeded(8)
    vectors = json.loads((ROOT / "tests" / "vectors" / "card_content.json").read_text())
    good = [vector["text"] for vector in vectors if vector["expect"] == "holds"]
    taken = 0
    for _ in range(2500):
        data = mutated(random, random.choice(good)).encode("utf-8", "surrogatepass")
        try:
            ours = card_content.encode_card(card_content.decode_card(data))
        except ContentError:
            ours = None
        taken += same(peer, "card_content", data, ours)
    assert 150 < taken < 2300


def test_both_take_the_same_contents_of_reports(peer: Peer) -> None:
    random = seeded(11)
    vectors = json.loads((ROOT / "tests" / "vectors" / "card_report_content.json").read_text())
    good = [vector["text"] for vector in vectors if vector["expect"] == "holds"]
    taken = 0
    for _ in range(2500):
        text = random.choice(good)
        for _ in range(random.choice((0, 1, 2))):  # another number, stage or reason in a place where one is
            said = random.choice(re.findall(r'[0-9]+|null|"[a-z_]+"', text))
            text = text.replace(
                said, random.choice(re.findall(r'[0-9]+|null|"[a-z_]+"', random.choice(good))), 1
            )
        if random.random() < 0.5:
            text = mutated(random, text)
        data = text.encode("utf-8", "surrogatepass")
        try:
            ours = card_report_content.encode_report(card_report_content.decode_report(data))
        except ContentError:
            ours = None
        taken += same(peer, "report_content", data, ours)
    assert 150 < taken < 2300


def test_both_take_the_same_names(peer: Peer) -> None:
    random = seeded(9)
    _, identity = signing(random)
    mark = keys.fingerprint(identity.public_key())
    agreed = 0
    for _ in range(1200):
        name = mutated(random, random.choice(["Ana", " Ana", "n" * 199, "", "د. ليلى"]))
        name = name.encode("utf-8", "replace").decode()
        data = json.dumps({"name": name, "v": 1}, ensure_ascii=False, separators=(",", ":")).encode()
        try:
            ours = boxes.decode_label(data)
        except ContentError:
            ours = None
        try:
            assert peer.ask("label", data=data) == ours
            agreed += 1
        except RefusedError:
            assert ours is None, ascii(name)
        spoken = name.encode()[:255]
        body = b"1BSt\x01" + bytes(16) + public(identity) + bytes(3) + b"\x01" + bytes(32) + bytes(8)
        body += bytes((len(spoken),)) + spoken
        statement = body + identity.sign(b"onebreath statement v1\x00" + body)
        try:
            stated = keys.verify_statement(statement, mark).name
        except FrameError:
            stated = None
        try:
            assert peer.ask("statement", data=statement, fingerprint=mark)["name"] == stated
        except RefusedError:
            assert stated is None, ascii(name)
    assert agreed > 300


def test_no_link_is_taken_by_the_page_and_read_otherwise_by_a_device(peer: Peer) -> None:
    random = seeded(10)
    vectors = json.loads((ROOT / "tests" / "vectors" / "pairing.json").read_text())["links"]
    good = [vector["link"] for vector in vectors if vector["expect"] == "holds"]
    pieces = [*"  \u200bA-_=#?/@:0é[<", "", "", "%41", "HTTPS", "http", "x."]
    taken = 0
    for _ in range(1500):
        text = random.choice(good)
        at = random.randint(0, len(text))
        text = text[:at] + random.choice(pieces) + text[at + random.choice((0, 0, 1, 2)) :]
        try:
            ours = str(pairing.Link.parse(text))
        except FrameError:
            ours = None
        try:
            assert peer.ask("link", text=text) == ours, f"only JavaScript takes {text!r}"
            taken += 1
        except RefusedError:
            # Python's urlsplit lets an empty query pass, and what stands beside an address in brackets.
            odd = "[" in text or re.search(r"\?\W*#", text)
            assert ours is None or odd, f"only Python takes {text!r}"
    assert taken > 100


def test_a_signature_under_an_odd_key_is_judged_alike(peer: Peer) -> None:
    """Keys that are no points, or of small order: the server could list any."""
    random = seeded(11)
    minus_one = b"\xec" + b"\xff" * 30 + b"\x7f"
    odd = [bytes(32), b"\x01" + bytes(31), b"\xff" * 32, minus_one, random.randbytes(32)]
    for raw in odd:
        for signature in (bytes(64), b"\x01" + bytes(63), random.randbytes(64)):
            try:
                Ed25519PublicKey.from_public_bytes(raw).verify(signature, b"data")
                ours = True
            except (InvalidSignature, ValueError):
                ours = False
            try:
                theirs = peer.ask("verifies", public=raw, signature=signature, data=b"data")
            except RefusedError:
                theirs = False
            assert theirs == ours
