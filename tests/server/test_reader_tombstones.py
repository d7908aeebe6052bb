"""What a server says it deleted, held against what the reader knows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from server.reader_sequence import Flag, Kind, Memory, Placed, check_memory, check_sequence
from server.reader_tombstones import NOTHING_DELETED, Deleted, Stone, account

DEVICE = b"d" * 16
MARCH = datetime(2026, 3, 2, 23, 5, tzinfo=UTC)


def digest(sequence: int) -> bytes:
    return bytes([sequence]) * 32


def stone(sequence: int, *, arrived: int = 0, kept_days: int = 400, reason: str = "retention") -> Stone:
    """A tombstone of a record that came that many days after 2 March, and was kept that many days."""
    received = MARCH + timedelta(days=arrived)
    deleted = received + timedelta(days=kept_days)
    return Stone(DEVICE, bytes([sequence]) * 16, sequence, digest(sequence), received, deleted, reason)


def here(*sequences: int) -> list[Placed]:
    return [Placed(n, bytes([n]) * 16, digest(n), MARCH + timedelta(days=n)) for n in sequences]


def memory(*sequences: int) -> Memory:
    return Memory({DEVICE: {n: digest(n) for n in sequences}} if sequences else {})


def judged(
    stones: list[Stone], placed: list[Placed], known: Memory | None = None, days: int | None = 365
) -> list[Flag]:
    """All that the reader says of one device."""
    found = {DEVICE: placed}
    made = account(Deleted(tuple(stones), days), found, known or Memory())
    numbers = made.numbers.get(DEVICE, frozenset())
    gaps = check_sequence(DEVICE, placed, numbers)
    return [*gaps, *check_memory(known or Memory(), found, made.numbers), *made.flags]


def said(flags: list[Flag]) -> list[tuple[Kind, str]]:
    return [(flag.kind, flag.message) for flag in flags]


def test_gaps_that_tombstones_account_for_are_told_and_not_flagged() -> None:
    stones = [stone(n, arrived=n) for n in range(1, 13)]
    assert said(judged(stones, here(13, 14), memory(*range(1, 11)))) == [
        (
            Kind.DELETED,
            "12 records of March 2026 were deleted by the practice's retention policy, the server says. "
            "You had read 10 of them.",
        )
    ]


@pytest.mark.parametrize(
    ("stones", "known", "message"),
    [
        (
            [stone(1)],
            memory(1),
            "A record of March 2026 was deleted by the practice's retention policy, the server says. "
            "You had read it.",
        ),
        (
            [stone(1), stone(2, arrived=70)],
            memory(1, 2),
            "2 records of March to May 2026 were deleted by the practice's retention policy, the server "
            "says. You had read all of them.",
        ),
        (
            [stone(1, arrived=-80, reason="erased"), stone(2, reason="erased", kept_days=0)],
            memory(),
            "2 records of December 2025 to March 2026 were deleted by you, or with your key, when their "
            "client was erased, the server says. You had read none of them.",
        ),
        (
            [stone(1, reason="deleted", kept_days=1)],
            memory(),
            "A record of March 2026 was deleted by you, or with your key, one by one, the server says. "
            "You had not read it.",
        ),
    ],
)
def test_each_reason_has_its_words(stones: list[Stone], known: Memory, message: str) -> None:
    assert said(judged(stones, here(3), replace(known))) == [
        *([] if len(stones) == 2 else [(Kind.MISSING, "A record is missing before Thursday 5 March.")]),
        (Kind.DELETED, message),
    ]


def test_what_nothing_accounts_for_stays_flagged() -> None:
    flags = judged([stone(1), stone(2), stone(5)], here(4, 8))
    assert said(flags)[:2] == [
        (Kind.MISSING, "A record is missing before Friday 6 March."),
        (Kind.MISSING, "2 records are missing between Friday 6 March and Tuesday 10 March."),
    ]
    assert [flag.sequence for flag in flags] == [3, 6, 1]


def test_what_was_read_and_deleted_by_policy_has_not_vanished() -> None:
    everything = judged([stone(n) for n in (1, 2, 3)], [], memory(1, 2, 3))
    assert [flag.kind for flag in everything] == [Kind.DELETED]
    one_more = judged([stone(n) for n in (1, 2)], [], memory(1, 2, 3))
    assert [flag.kind for flag in one_more] == [Kind.VANISHED, Kind.DELETED]
    gap = judged([stone(n) for n in (1, 4)], [], memory(1, 4))
    assert said(gap)[0] == (Kind.MISSING, "2 records are missing.")
    behind = judged([stone(n) for n in (1, 6)], here(2), memory(6))
    assert said(behind)[0] == (Kind.MISSING, "3 records are missing after Wednesday 4 March.")


HOSTILE = {
    "the record is listed all the same": ([stone(2)], here(1, 2, 3), "It lists a record in the same place"),
    "another record has its id": (
        [replace(stone(2), record_id=bytes([3]) * 16)],
        here(1, 3),
        "or with the same id",
    ),
    "it is another record than the one that was read": (
        [replace(stone(2), digest=bytes(32))],
        here(1, 3),
        "What you had read in that place was another record.",
    ),
    "it was deleted before it came": ([stone(2, kept_days=-1)], here(1, 3), "before it received them"),
    "it was too young": (
        [stone(2, kept_days=364)],
        here(1, 3),
        "younger than the practice's retention policy",
    ),
    "a time is none": ([replace(stone(2), deleted_at=None)], here(1, 3), "no time that can be read"),
    "its reason is none": ([stone(2, reason="tidying")], here(1, 3), "no reason that is known"),
    "it is told twice": ([stone(2), stone(2)], here(1, 3), "It says so twice"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_tombstone_that_hides_a_record_is_the_servers_word_alone(case: str) -> None:
    stones, placed, why = HOSTILE[case]
    flags = judged(stones, placed, memory(2))
    doubts = [flag for flag in flags if flag.kind is Kind.DOUBTFUL]
    assert [why in doubt.message for doubt in doubts] == [True]
    assert doubts[0].message.startswith("The server says that it deleted ")
    assert (doubts[0].device, doubts[0].sequence) == (DEVICE.hex(), 2)
    assert not any(flag.kind is Kind.DELETED for flag in flags)
    if 2 not in {one.sequence for one in placed}:
        # It accounts for nothing: the record is missing all the same.
        assert {Kind.MISSING, Kind.VANISHED} <= {flag.kind for flag in flags}


def test_without_a_policy_none_can_have_deleted_anything() -> None:
    [gap, doubt] = judged([stone(2)], here(1, 3), days=None)
    assert (gap.kind, doubt.kind) == (Kind.MISSING, Kind.DOUBTFUL)
    assert "there is none now" in doubt.message


def test_a_number_that_the_device_was_never_seen_to_reach_is_the_servers_word() -> None:
    flags = judged([stone(4), stone(5)], here(1, 2, 3))
    assert said(flags) == [
        (
            Kind.DOUBTFUL,
            "The server says that it deleted 2 records. Nothing but its word shows that the device ever "
            "made them.",
        )
    ]
    assert [flag.kind for flag in judged([stone(4)], here(1, 2, 3, 5))] == [Kind.DELETED]
    assert [flag.kind for flag in judged([stone(4)], here(1, 2, 3), memory(4))] == [Kind.DELETED]


def test_tombstones_of_a_device_that_is_not_ones_own_are_said() -> None:
    stones = (replace(stone(1), device_id=b"x" * 16),)
    [flag] = account(Deleted(stones, 365), {DEVICE: []}, Memory()).flags
    assert flag.kind is Kind.DOUBTFUL
    assert "of a device that is not yours" in flag.message


def test_a_list_that_is_broken_or_runs_in_a_circle_is_said() -> None:
    made = account(Deleted((), 365, broken=2, whole=False), {}, Memory())
    assert [flag.kind for flag in made.flags] == [Kind.DOUBTFUL, Kind.LIST]
    assert account(NOTHING_DELETED, {DEVICE: here(1)}, Memory()).flags == ()


def test_a_gap_without_end_is_counted_and_not_walked() -> None:
    far = 2**63 - 2
    placed = [*here(1), Placed(far, b"f" * 16, bytes(32), None)]
    [flag] = judged([], placed)
    assert flag.message == f"{far - 2} records are missing between record 1 and record {far}."
