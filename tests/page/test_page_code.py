"""The page's code under pytest: node's own tests, the types, and vectors that nobody here wrote.

RFC 7748, RFC 8032 and NIST's AES-GCM vectors go through the page's own functions, in node (peer.mjs).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import cryptography_vectors
import pytest

from tests.page.page_peer import ROOT, Peer, compiler, node
from voice.wire.encoding import b64url, from_b64url

OTHERS = Path(cryptography_vectors.__file__).parent


# What node checks by itself.


def test_nodes_own_tests() -> None:
    files = sorted(str(path) for path in (ROOT / "tests" / "page").glob("*.test.mjs"))
    assert len(files) >= 6
    done = subprocess.run(
        [node(), "--test", "--test-reporter=spec", *files],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "FORCE_COLOR": "0"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    ran = re.search(r"^ℹ tests (\d+)$", done.stdout, re.MULTILINE)
    assert ran is not None
    assert int(ran[1]) > 300
    assert "ℹ skipped 0" in done.stdout


@pytest.mark.parametrize("project", ["server/page", "tests/page"])
def test_the_types_hold(project: str) -> None:
    done = subprocess.run(
        [node(), compiler(), "-p", f"{project}/jsconfig.json"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_the_lock_file_pins_by_hash_and_names_no_index() -> None:
    text = (ROOT / "package-lock.json").read_text()
    assert not re.search(r'"resolved"|https?://', text)
    packages = {name: one for name, one in json.loads(text)["packages"].items() if name}
    assert packages
    assert all(one["integrity"].startswith("sha512-") and one["dev"] for one in packages.values())
    wanted = json.loads((ROOT / "package.json").read_text())
    assert "dependencies" not in wanted
    assert all(re.fullmatch(r"[\d.]+", version) for version in wanted["devDependencies"].values())


PAGE = ROOT / "server" / "page"


def test_what_is_below_the_interface_touches_nothing_outside_itself() -> None:
    """No DOM, network, storage, clock or console in server/page/wire: it only computes."""
    outside = re.compile(
        r"\b((document|window|navigator|performance|console|caches)\.|Date\.now|Math\.random"
        r"|(fetch|XMLHttpRequest|WebSocket|localStorage|sessionStorage|indexedDB|setTimeout|setInterval|eval"
        r"|Function|innerHTML)\b)"
    )
    files = sorted((PAGE / "wire").glob("*.js"))
    assert len(files) > 20
    for file in files:
        source = file.read_text("utf-8")
        code = re.sub(r"/\*.*?\*/|//[^\n]*", "", source, flags=re.DOTALL)
        code = re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', code)
        assert outside.search(code) is None, file.name
        assert len(source.splitlines()) <= 250, f"{file.name} has grown long"
        for name in re.findall(r'from "([^"]+)"', source):
            assert re.fullmatch(r"\./\w+\.js|\.\./vendor/noble-hashes/argon2\.js", name), (file.name, name)


def test_the_vectors_of_rfc_9180_are_those_of_the_package_they_are_from() -> None:
    kept = json.loads((ROOT / "tests" / "vectors" / "rfc9180.json").read_text())["vectors"]
    theirs = [
        {**vector, **vector["encryptions"][0]}
        for vector in json.loads((OTHERS / "HPKE" / "test-vectors.json").read_text())
        if (vector["mode"], vector["kem_id"], vector["kdf_id"], vector["aead_id"]) == (0, 0x20, 1, 2)
    ]
    assert [{name: one[name] for name in vector} for one, vector in zip(theirs, kept, strict=True)] == kept


# What nobody here wrote.


def test_rfc_7748(peer: Peer) -> None:
    text = (OTHERS / "asymmetric" / "X25519" / "rfc7748.txt").read_text()
    found = re.findall(r"INPUT_SCALAR = (\w+)\nINPUT_U = (\w+)\nOUTPUT_U = (\w+)", text)
    assert len(found) >= 3
    for scalar, u, out in found:
        shared = peer.bytes("agree", private=bytes.fromhex(scalar), public=bytes.fromhex(u))
        assert shared.hex() == out


def test_rfc_8032(peer: Peer) -> None:
    rows = (OTHERS / "asymmetric" / "Ed25519" / "sign.input").read_text().splitlines()[::8]
    assert len(rows) > 100
    for row in rows:
        secret, raw, message, signed = (bytes.fromhex(part) for part in row.split(":")[:4])
        signature = signed[:64]
        assert peer.ask("public_of", private=secret[:32])["ed25519"] == b64url(raw)
        assert peer.ask("verifies", public=raw, signature=signature, data=message)
        assert not peer.ask("verifies", public=raw, signature=signature, data=message + b"\x00")


def test_nist_aes_gcm(peer: Peer) -> None:
    """256-bit keys, 96-bit nonces, 128-bit tags: good ones open, and the forged ones do not."""
    text = (OTHERS / "ciphers" / "AES" / "GCM" / "gcmDecrypt256.rsp").read_text()
    opened = refused = 0
    for section in re.split(r"\[Keylen = 256\]", text)[1:]:
        if "[IVlen = 96]" not in section or "[Taglen = 128]" not in section:
            continue
        for block in section.split("Count = ")[1::3]:
            fields = dict(re.findall(r"^(\w+) = ?(\w*)$", block, re.MULTILINE))
            key, nonce, sealed, aad, tag = (
                bytes.fromhex(fields[one]) for one in ("Key", "IV", "CT", "AAD", "Tag")
            )
            found = peer.ask("aes_open", key=key, nonce=nonce, sealed=sealed + tag, aad=aad)
            if "FAIL" in block:
                assert found is None
                refused += 1
            else:
                assert from_b64url(found).hex() == fields["PT"]
                opened += 1
    assert opened > 50
    assert refused > 30
