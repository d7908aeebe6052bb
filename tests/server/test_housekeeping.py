"""What goes away by itself: by policy, with proof, in turns; and that nothing else does."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import OperationalError

from server import audit, audit_log, deletion, housekeeping
from server.accounts_schema import Account, Challenge, Session
from server.audit import Act
from server.database import Database
from server.errors import RefusedError
from server.housekeeping import EVERY_S, INVITATIONS_KEPT_S, housekeep, take_turn
from server.marks_store import put_mark
from server.records_store import Span, fetch
from server.schema import Clinician, Invitation, Mark, Practice, Record, ServerKey, Tombstone, UsedNonce
from tests.server.server_rig import NOW, ClinicianParty, DeviceParty, Rig, refused
from tests.server.test_marks import sealed as sealed_mark
from tests.server.test_records_store import DAY, asked, delivered, entries, frames_of, rows, stranger
from voice.wire.envelope import parse_frame


def keep_for(rig: Rig, days: int | None, who: ClinicianParty | None = None) -> None:
    """Set the policy of a clinician's practice."""
    clinician = (who or rig.clinician).clinician_id
    practice = select(Clinician.practice_id).where(Clinician.id == clinician).scalar_subquery()
    with rig.store.database.write() as connection:
        connection.execute(update(Practice).where(Practice.id == practice).values(retention_days=days))


def arrived(rig: Rig, device: DeviceParty, sequence: int, at: int, to: ClinicianParty | None = None) -> bytes:
    rig.clock.now = at
    [frame] = delivered(rig, device, sequence, to=to)
    return frame


def proved(database: Database) -> list[str]:
    with database.read() as connection:
        assert audit.verify(connection).broken_at is None
        return audit_log.check_deletions(connection)


def test_the_policy_deletes_what_is_older_and_only_that(rig: Rig) -> None:
    device = rig.paired()
    frames = [arrived(rig, device, n, NOW + n * DAY) for n in range(1, 6)]
    keep_for(rig, 3)
    report = housekeep(rig.store.database, NOW + 6 * DAY)
    assert report.records == 2
    assert frames_of(asked(rig, "/v1/records")) == frames[2:]
    stones = asked(rig, "/v1/tombstones")
    assert [stone["sequence"] for stone in stones["tombstones"]] == [1, 2]
    assert {stone["reason"] for stone in stones["tombstones"]} == {"retention"}
    assert stones["retention_days"] == 3
    [entry] = entries(rig, "records.deleted")
    digest = deletion.digest_of(hashlib.sha256(frame).digest() for frame in frames[:2]).hex()
    me = f"clinician:{rig.clinician.clinician_id.hex()}"
    assert entry.actor == "system"
    assert entry.subject == f"retention {me} cursors:1-2 count:2 sha256:{digest}"
    assert housekeep(rig.store.database, NOW + 6 * DAY).records == 0
    assert proved(rig.store.database) == []


def test_without_a_policy_nothing_is_deleted(rig: Rig) -> None:
    device = rig.paired()
    arrived(rig, device, 1, NOW)
    assert housekeep(rig.store.database, NOW + 40_000 * DAY).records == 0
    assert rows(rig.store.database, Record) == 1


def test_a_policy_is_of_its_own_practice(rig: Rig) -> None:
    other = stranger(rig)
    mine, theirs = rig.paired(), rig.paired(other)
    arrived(rig, mine, 1, NOW)
    kept = arrived(rig, theirs, 1, NOW, to=other)
    keep_for(rig, 1)
    assert housekeep(rig.store.database, NOW + 9 * DAY).records == 1
    assert frames_of(asked(rig, "/v1/records")) == []
    assert frames_of(asked(rig, "/v1/records", other)) == [kept]
    assert asked(rig, "/v1/tombstones", other) == {
        "tombstones": [],
        "next": 0,
        "more": False,
        "retention_days": None,
    }


def test_a_record_of_exactly_that_age_stays(rig: Rig) -> None:
    device = rig.paired()
    arrived(rig, device, 1, NOW)
    keep_for(rig, 1)
    assert housekeep(rig.store.database, NOW + DAY).records == 0
    assert housekeep(rig.store.database, NOW + DAY + 1).records == 1


def test_batches_have_an_entry_each_and_may_be_interrupted(rig: Rig) -> None:
    device = rig.paired()
    for n in range(1, 8):
        arrived(rig, device, n, NOW + n)
    keep_for(rig, 1)
    turns = iter([True, True, False])
    first = deletion.expire(rig.store.database, now=NOW + 9 * DAY, go_on=lambda: next(turns), batch=3)
    assert first == 6
    assert deletion.expire(rig.store.database, now=NOW + 9 * DAY + 5, batch=3) == 1
    subjects = [entry.subject for entry in entries(rig, "records.deleted")]
    assert [subject.split()[2:4] for subject in subjects] == [
        ["cursors:1-3", "count:3"],
        ["cursors:4-6", "count:3"],
        ["cursors:7-7", "count:1"],
    ]
    assert proved(rig.store.database) == []


def test_a_wrong_clock_s_records_do_not_shield_others_for_ever(rig: Rig) -> None:
    device = rig.paired()
    for n in (1, 2, 3):
        arrived(rig, device, n, NOW + 4000 * DAY)
    arrived(rig, device, 4, NOW)
    keep_for(rig, 1)
    how = {"now": NOW + 9 * DAY, "batch": 3}
    assert deletion.expire(rig.store.database, **how) == 0  # type: ignore[arg-type]
    assert deletion.expire(rig.store.database, **how, thorough=True) == 1  # type: ignore[arg-type]
    assert proved(rig.store.database) == []


def test_a_deleted_record_sent_again_gets_its_receipt(rig: Rig) -> None:
    device = rig.paired()
    frame = device.record(rig.clinician, 1)
    receipt = rig.deliver(device, frame).json()
    keep_for(rig, 1)
    housekeep(rig.store.database, NOW + 9 * DAY)
    rig.clock.now = NOW + 10 * DAY
    again = rig.deliver(device, frame)
    assert (again.status_code, again.json()) == (200, receipt)
    refused(rig.deliver(device, device.record(rig.clinician, 1)), 409, "sequence")
    assert rows(rig.store.database, Record) == 0


TAMPERINGS: dict[str, list[Any]] = {
    "a tombstone is gone": [delete(Tombstone).where(Tombstone.sequence == 2)],
    "a tombstone is of other bytes": [
        update(Tombstone).where(Tombstone.sequence == 2).values(sha256=bytes(32))
    ],
    "a tombstone has another reason": [
        update(Tombstone).where(Tombstone.sequence == 2).values(reason="erased")
    ],
    "a tombstone has another time": [update(Tombstone).values(deleted_at=Tombstone.deleted_at + 1)],
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_tombstones_that_were_changed_are_found(rig: Rig, tampering: str) -> None:
    device = rig.paired()
    for n in (1, 2, 3):
        arrived(rig, device, n, NOW)
    keep_for(rig, 1)
    housekeep(rig.store.database, NOW + 9 * DAY)
    with rig.store.database.write() as connection:
        for statement in TAMPERINGS[tampering]:
            connection.execute(statement)
    [problem] = proved(rig.store.database)
    assert "tells of 3 deleted records" in problem


def test_tombstones_without_an_entry_or_beside_their_record_are_found(rig: Rig) -> None:
    device = rig.paired()
    frame = arrived(rig, device, 1, NOW)
    stone = {
        "device_id": device.device_id,
        "record_id": frame[24:40],
        "clinician_id": rig.clinician.clinician_id,
        "cursor": 1,
        "sequence": 1,
        "sha256": hashlib.sha256(frame).digest(),
        "received_at": NOW,
        "deleted_at": NOW,
        "reason": "retention",
    }
    with rig.store.database.write() as connection:
        connection.execute(insert(Tombstone).values(**stone))
    first, second = proved(rig.store.database)
    assert first == "1 tombstones have no entry that tells of their deletion."
    assert "1 records are here although" in second


def test_what_has_expired_goes_and_what_has_not_stays(rig: Rig) -> None:
    device = rig.paired()
    late = rig.invite(expires_at=NOW + 60)
    now = NOW + 60 + INVITATIONS_KEPT_S
    database = rig.store.database
    account = {"id": b"a" * 16, "name": "admin", "role": "administrator", "state": "active"}
    with database.write() as connection:
        practice = connection.execute(select(Practice.id)).scalar_one()
        connection.execute(
            insert(Account).values(**account, practice_id=practice, created_at=NOW, zone="UTC")
        )
        connection.execute(delete(UsedNonce))
        for number, expires_at in enumerate((now - 1, now, now + 1)):
            key = bytes([number]) * 32
            connection.execute(insert(UsedNonce).values(nonce=f"n{number}", expires_at=expires_at))
            connection.execute(
                insert(Challenge).values(
                    token_hash=key, purpose="passkey", challenge=b"c", expires_at=expires_at
                )
            )
            times = {"created_at": NOW, "seen_at": NOW, "expires_at": expires_at}
            connection.execute(
                insert(Session).values(token_hash=key, account_id=b"a" * 16, factor="totp", **times)
            )
    first = housekeep(database, now)
    assert (first.nonces, first.challenges, first.sessions, first.invitations) == (1, 1, 1, 0)
    second = housekeep(database, now + 1)
    assert (second.nonces, second.challenges, second.sessions, second.invitations) == (1, 1, 1, 1)
    with database.read() as connection:
        left = list(connection.execute(select(Invitation.pairing_id)).scalars())
    assert len(left) == 1
    assert late.pairing_id not in left
    assert rig.signed(device, "GET", "/v1/device").status_code in (200, 401)


def test_audit_entries_of_more_than_six_years_ago_go_and_that_is_told(rig: Rig) -> None:
    with rig.store.database.write() as connection:
        audit.write(connection, Act.SIGNED_IN, now=NOW + DAY, actor="account:00")
    before = len(entries(rig, "clinician.added"))
    assert before == 1
    now = NOW + audit.KEPT_DAYS * DAY
    assert housekeep(rig.store.database, now).audit_entries == 0
    report = housekeep(rig.store.database, now + 1)
    assert report.audit_entries == 2
    [told] = entries(rig, "audit.pruned")
    assert told.subject == f"entries:2 kept_days:{audit.KEPT_DAYS}"
    assert len(entries(rig, "account.signed_in")) == 1


def test_one_worker_an_hour(rig: Rig) -> None:
    database = rig.store.database
    assert take_turn(database, NOW)
    for later in (0, 1, EVERY_S - 1):
        assert not take_turn(database, NOW + later)
    assert take_turn(database, NOW + EVERY_S)
    assert not take_turn(database, NOW + EVERY_S)
    # The clock was a year ahead when the last turn was taken.
    assert take_turn(database, NOW + 365 * DAY)
    assert take_turn(database, NOW)
    assert housekeeping.turn(database, NOW + 1, lambda: True) is None
    assert housekeeping.turn(database, NOW + EVERY_S, lambda: True) is not None
    with database.read() as connection:
        names = set(connection.execute(select(ServerKey.name)).scalars())
    assert "housekeeping" in names


def test_delivering_marking_fetching_and_deleting_at_once_lose_nothing_and_never_wait_for_each_other(
    rig: Rig,
) -> None:
    devices = [rig.paired() for _ in range(3)]
    database, mine = rig.store.database, rig.clinician.clinician_id
    frames = [arrived(rig, device, n, NOW) for device in devices for n in range(1, 9)]
    made = [device for device in devices for _ in range(1, 9)]
    boxes = {
        frame: sealed_mark(rig.clinician, device, frame[24:40])
        for device, frame in zip(made, frames, strict=True)
    }
    keep_for(rig, 1)
    later = NOW + 9 * DAY

    def deliver(turn: int) -> None:
        device = devices[turn % 3]
        frame = device.record(rig.clinician, 100 + turn)
        with suppress(RefusedError):
            rig.store.take_record(parse_frame(frame), frame, hashlib.sha256(frame).digest(), now=later)

    def mark(turn: int) -> None:
        frame = frames[turn % len(frames)]
        with suppress(RefusedError):
            put_mark(
                database, mine, frame[8:24], frame[24:40], version=turn + 1, sealed=boxes[frame], now=later
            )

    def delete_one(turn: int) -> None:
        frame = frames[-1 - turn % len(frames)]
        with suppress(RefusedError):
            deletion.delete_record(database, mine, frame[8:24], frame[24:40], now=later, actor="x")

    def wipe(turn: int) -> None:
        if turn % 8 == 5:
            deletion.erase(database, mine, devices[turn % 3].device_id, now=later, actor="x")
        deletion.expire(database, now=later, batch=2)
        fetch(database, mine, Span(), now=later, actor="x")

    with ThreadPoolExecutor(12) as pool:
        jobs = [pool.submit(job, turn) for turn in range(24) for job in (deliver, mark, delete_one, wipe)]
        for job in jobs:
            job.result()
    assert proved(database) == []
    with database.read() as connection:
        left = set(connection.execute(select(Record.device_id, Record.record_id)).all())
        marked = set(connection.execute(select(Mark.device_id, Mark.record_id)).all())
        gone = set(connection.execute(select(Tombstone.record_id)).scalars())
    assert marked <= left
    assert {frame[24:40] for frame in frames} <= gone


class Days:
    """A sleep that passes time instead of waiting, and ends after so many times."""

    def __init__(self, rig: Rig, times: int) -> None:
        self.rig, self.times, self.slept = rig, times, 0
        self.done = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.slept += 1
        self.rig.clock.now += int(seconds)
        if self.slept >= self.times:
            self.done.set()
            await asyncio.Event().wait()


def run_beside(rig: Rig, times: int) -> None:
    async def run() -> None:
        days = Days(rig, times)
        async with housekeeping.kept(rig.store.database, rig.clock, sleep=days):
            await days.done.wait()

    asyncio.run(run())


def test_the_running_server_keeps_house(rig: Rig) -> None:
    device = rig.paired()
    arrived(rig, device, 1, NOW)
    keep_for(rig, 1)
    rig.clock.now = NOW + DAY - 200
    run_beside(rig, 14)
    # The first look found it too young; an hour later it was due.
    assert rows(rig.store.database, Record) == 0
    assert len(entries(rig, "records.deleted")) == 1


def test_a_failing_database_does_not_end_the_server(
    rig: Rig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def fail(*_: object) -> None:
        calls.append(1)
        raise OperationalError("secret", {}, Exception("secret"))

    monkeypatch.setattr(housekeeping, "take_turn", fail)
    with caplog.at_level(logging.INFO):
        run_beside(rig, 3)
    assert len(calls) == 3
    assert caplog.messages.count("housekeeping failed: OperationalError") == 3
    assert "secret" not in caplog.text


def files(url: str) -> Iterable[bytes]:
    path = Path(url.removeprefix("sqlite:///"))
    return [one.read_bytes() for one in path.parent.glob(path.name + "*")]


def test_nothing_of_a_deleted_record_is_left_in_sqlite_s_files(file_rig: Rig) -> None:
    device = file_rig.paired()
    frames = [arrived(file_rig, device, n, NOW) for n in range(1, 30)]
    kept = arrived(file_rig, device, 99, NOW + 9 * DAY)
    with file_rig.store.database.write() as connection:
        mark = {"version": 1, "sealed": b"canary of a mark", "updated_at": NOW}
        ids = {"device_id": device.device_id, "record_id": frames[0][24:40]}
        connection.execute(insert(Mark).values(clinician_id=file_rig.clinician.clinician_id, **ids, **mark))
    pieces = [frame[at : at + 64] for frame in frames for at in (400, 1200, 2000)] + [b"canary of a mark"]
    url = file_rig.settings.database_url
    assert all(any(piece in data for data in files(url)) for piece in pieces)
    keep_for(file_rig, 3)
    report = housekeep(file_rig.store.database, NOW + 9 * DAY)
    assert (report.records, report.scrubbed) == (29, True)
    for data in files(url):
        assert not any(piece in data for piece in pieces)
    assert any(kept[400:464] in data for data in files(url))


def test_a_reader_that_holds_the_log_is_told_of(file_rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "SCRUB_WAIT_MS", 1)
    database = file_rig.store.database
    with database.read() as connection:
        connection.execute(text("SELECT count(*) FROM practices")).all()
        with database.write() as writing:
            audit.write(writing, Act.SIGNED_IN, now=NOW, actor="account:00")
        assert not deletion.scrub(database)
    assert deletion.scrub(database)
