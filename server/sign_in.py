"""The rules of signing in: names, what is kept of a secret, and how tries are slowed down. Pure.

Guessing is slowed for each account in the database, where all workers see it and no restart forgets it.
Floods from an address are slowed by limits.py in each worker's memory: an address is cheap to change, and a
write for each of a flood's calls would be the harm that it is to prevent.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from voice.wire.secrets import Parameters

SECRET_BYTES: Final = 32
SALT_BYTES: Final = 16
_VERSION: Final = 1
_LOG2_N: Final = 14
_SCRYPT_R: Final = 8
_SCRYPT_P: Final = 1

FREE_TRIES: Final = 5
FIRST_LOCK_S: Final = 60
LONGEST_LOCK_S: Final = 3600
FORGOTTEN_AFTER_S: Final = 24 * 3600

_UNKNOWN: Final = b"onebreath unknown name v1\x00"
_NAME: Final = re.compile(r"[\w.@+-]+")
MOST_NAME: Final = 100


def account_name(text: str) -> str | None:
    """The name that somebody signs in with, in its one spelling; None when it cannot be one.

    Letters, digits and `. _ @ + -`, at most 100 characters after folding; case and width do not matter.
    """
    name = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text.strip()).casefold())
    return name if len(name) <= MOST_NAME and _NAME.fullmatch(name) else None


def make_verifier(secret: bytes, salt: bytes) -> bytes:
    """What is kept of a 32-byte secret: version (1) || log2 N (1) || salt (16) || scrypt (32).

    The secret is already the outcome of Argon2id at 64 MiB, or of 128 random bits, so that guessing it is as
    dear as guessing those; this hash has only to keep a stolen database from signing in. RFC 7914 scrypt with
    N = 2^14, r = 8 (16 MiB, some 40 ms) adds to the price of a guess without letting a flood of sign-ins take
    the server's memory, as Argon2id at the passphrase's own cost would.
    """
    return bytes((_VERSION, _LOG2_N)) + salt + _scrypt(secret, salt, _LOG2_N)


def same_secret(verifier: bytes | None, secret: bytes) -> bool:
    """Whether this is the secret, compared in constant time; None is nobody's, at the same cost."""
    known = verifier if verifier is not None else _NOBODY
    salt, kept = known[2 : 2 + SALT_BYTES], known[2 + SALT_BYTES :]
    same = hmac.compare_digest(_scrypt(secret, salt, known[1]), kept)
    return same and verifier is not None


def unknown_parameters(key: bytes, name: str) -> Parameters:
    """What an unknown name is told: the same each time, in the shape of a real answer."""
    return Parameters(
        hmac.digest(key, _UNKNOWN + name.encode("utf-8", "surrogatepass"), "sha256")[:SALT_BYTES]
    )


def unknown_row(key: bytes, name: str) -> bytes:
    """Under which 32 bytes the tries for an unknown name are counted: the name itself is not kept."""
    said = b"throttle\x00" + name.encode("utf-8", "surrogatepass")
    return hmac.digest(key, _UNKNOWN + said, "sha256")


@dataclass(frozen=True)
class Throttle:
    """How often it failed of late, and until when nothing is taken (Unix seconds); nobody is locked for ever.

    `locked_until` is the time of the last failure while there are tries left.
    """

    failures: int = 0
    locked_until: int = 0

    def wait_s(self, now: int) -> int:
        """Seconds until the next try is taken; 0: now. At most the longest lock, should clocks jump."""
        return min(max(self.locked_until - now, 0), LONGEST_LOCK_S)

    def failed(self, now: int) -> Throttle:
        """After one more failure: from the fifth on locked for 1 minute, then twice as long each, up to 1 h.

        A day without a failure is a new beginning.
        """
        before = 0 if now - self.locked_until >= FORGOTTEN_AFTER_S else self.failures
        failures = min(before + 1, 10_000)
        if failures < FREE_TRIES:
            return Throttle(failures, now)
        lock_s = min(FIRST_LOCK_S << min(failures - FREE_TRIES, 10), LONGEST_LOCK_S)
        return Throttle(failures, now + lock_s)

    def packed(self) -> bytes:
        """16 bytes, for where a name has no account to keep them."""
        return self.failures.to_bytes(8, "big") + self.locked_until.to_bytes(8, "big")

    @classmethod
    def unpacked(cls, data: bytes) -> Throttle:
        """What `packed` wrote."""
        return cls(int.from_bytes(data[:8], "big"), int.from_bytes(data[8:16], "big"))


def _scrypt(secret: bytes, salt: bytes, log2_n: int) -> bytes:
    return hashlib.scrypt(
        secret, salt=salt, n=1 << log2_n, r=_SCRYPT_R, p=_SCRYPT_P, dklen=32, maxmem=64 * 1024 * 1024
    )


_NOBODY: Final = bytes((_VERSION, _LOG2_N)) + bytes(SALT_BYTES + 32)
