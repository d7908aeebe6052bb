"""Notices, to a real SMTP server on this machine: when, how often, what they say, and without it."""

from __future__ import annotations

import logging
import secrets
import threading
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from server import account_recovery, audit
from server.accounts_schema import Account
from server.chores import Chore, Chores
from server.mail import MailServer, notice
from server.notices import Notifier, Waiting, due, quiet, wait_s
from server.schema import AuditEntry, Clinician
from server.turns import turn
from tests.server.mail_rig import MAIL, URL, Inbox, mail_server, server_at
from tests.server.server_rig import NOW, DeviceParty, Rig

HOUR = 3600
NAME = "the foreman"
EIGHT = int(datetime(2026, 11, 22, 20, 0, tzinfo=UTC).timestamp())


def waiting(**changes: Any) -> Waiting:
    made = Waiting(
        account_id=b"a" * 16,
        practice_id=b"p" * 16,
        clinician_id=b"c" * 16,
        email=MAIL,
        waiting_since=EIGHT - HOUR,
        noticed_at=None,
        quiet_from=None,
        quiet_to=None,
        zone="UTC",
        cursor=1,
    )
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("changes", "at", "expected"),
    [
        ({"waiting_since": EIGHT + 60}, EIGHT + 120, False),
        ({"waiting_since": EIGHT + 60}, EIGHT + HOUR - 1, False),
        ({"waiting_since": EIGHT + 60}, EIGHT + HOUR, True),
        ({"noticed_at": EIGHT - HOUR + 10}, EIGHT, False),
        ({"noticed_at": EIGHT - HOUR}, EIGHT, True),
        ({"quiet_from": 20 * 60, "quiet_to": 8 * 60}, EIGHT, False),
        ({"quiet_from": 20 * 60, "quiet_to": 8 * 60, "waiting_since": EIGHT - 2 * HOUR}, EIGHT - 60, True),
        ({"quiet_from": 20 * 60, "quiet_to": 8 * 60}, EIGHT + 11 * HOUR + 59 * 60, False),
        ({"quiet_from": 20 * 60, "quiet_to": 8 * 60}, EIGHT + 12 * HOUR, True),
        ({"quiet_from": 9 * 60, "quiet_to": 21 * 60}, EIGHT, False),
        ({"quiet_from": 9 * 60, "quiet_to": 20 * 60}, EIGHT, True),
        ({"quiet_from": 20 * 60, "quiet_to": 8 * 60, "zone": "America/New_York"}, EIGHT, True),
        ({"quiet_from": 20 * 60, "quiet_to": 8 * 60, "zone": "America/New_York"}, EIGHT + 5 * HOUR, False),
        ({"quiet_from": 20 * 60, "quiet_to": 8 * 60, "zone": "No/Such"}, EIGHT, False),
        ({"quiet_from": 20 * 60, "quiet_to": 8 * 60, "zone": "../../etc/passwd"}, EIGHT, False),
        ({"quiet_from": 0, "quiet_to": 0}, EIGHT, True),
        ({"noticed_at": EIGHT + 999 * HOUR}, EIGHT, True),
        ({"waiting_since": EIGHT + 999 * HOUR}, EIGHT, True),
    ],
)
def test_when_a_notice_is_due(changes: dict[str, Any], at: int, expected: bool) -> None:
    account = waiting(**changes)
    assert due([account], at, HOUR) == ([account] if expected else [])


@given(
    arrivals=st.lists(st.integers(0, 5 * 86_400), max_size=30),
    batch_s=st.integers(5, 1440).map(lambda minutes: minutes * 60),
    night=st.tuples(st.integers(0, 1439), st.integers(0, 1439)),
    every_s=st.integers(30, 600),
)
def test_never_two_in_a_window_never_at_night_and_never_none_for_good(
    arrivals: list[int], batch_s: int, night: tuple[int, int], every_s: int
) -> None:
    """A week as the sender sees it: it looks every now and then, with arrivals in between."""
    left = sorted(arrivals)
    since: int | None = None
    sent: list[int] = []
    for now in range(EIGHT, EIGHT + 8 * 86_400, every_s * 10):
        while left and EIGHT + left[0] <= now:
            since = EIGHT + left.pop(0) if since is None else (left.pop(0), since)[1]
        if since is None:
            continue
        account = waiting(
            waiting_since=since, noticed_at=sent[-1] if sent else None, quiet_from=night[0], quiet_to=night[1]
        )
        if due([account], now, batch_s):
            assert not quiet(account, now)
            sent.append(now)
            since = None
    assert all(later - earlier >= batch_s for earlier, later in pairwise(sent))
    awake = 1440 - (night[1] - night[0]) % 1440
    if awake * 60 > 2 * every_s * 10:
        assert (since is None) or (EIGHT + 8 * 86_400 - since < 3 * 86_400)


def test_the_mail_server_is_left_alone_longer_and_longer() -> None:
    assert [wait_s(n) for n in range(9)] == [0, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert wait_s(10**6) == 3600


def test_a_notice_says_nothing_but_that_there_is_something() -> None:
    message = notice("n@clinic.example", MAIL, URL, now=NOW, random=bytes(16))
    text = message.as_string()
    assert text.count(URL) == 1
    assert message["Subject"] == "You have something to review"
    assert message["Auto-Submitted"] == "auto-generated"
    assert not any(digit in message.get_content() for digit in "0123456789")
    other = notice("n@clinic.example", MAIL, URL, now=NOW, random=bytes(16))
    assert other.as_string() == text


@pytest.fixture
def account(rig: Rig) -> bytes:
    """An account of the rig's clinician that wants mail."""
    account_id = secrets.token_bytes(16)
    with rig.store.database.write() as connection:
        practice = connection.execute(select(Clinician.practice_id)).scalar_one()
        connection.execute(
            insert(Account).values(
                id=account_id,
                practice_id=practice,
                clinician_id=rig.clinician.clinician_id,
                name="okafor",
                role="clinician",
                state="active",
                created_at=NOW,
                email=MAIL,
                zone="UTC",
            )
        )
    return account_id


def notifier(rig: Rig, server: MailServer) -> Notifier:
    return Notifier(
        rig.store.database,
        server.send,
        sender=server.sender,
        url=URL,
        batch_s=HOUR,
        clock=rig.clock,
    )


def arrives(rig: Rig, device: DeviceParty | None = None, sequence: int = 1) -> None:
    """A record comes in, of this device, or of one that was paired just now."""
    if device is None:
        device = DeviceParty.new()
        assert rig.claim(rig.invite(expires_at=rig.clock() + 60), device).status_code == 201
    assert rig.deliver(device, device.record(rig.clinician, sequence)).status_code == 201


def state(rig: Rig, account: bytes) -> tuple[int | None, int | None]:
    with rig.store.database.read() as connection:
        row = connection.execute(
            select(Account.notice_waiting_since, Account.noticed_at).where(Account.id == account)
        ).one()
    return row.notice_waiting_since, row.noticed_at


def test_one_notice_for_many_records_and_an_audit_entry(rig: Rig, account: bytes) -> None:
    inbox = Inbox()
    with mail_server(inbox) as port:
        sender = notifier(rig, server_at(port))
        assert sender.run() == 0
        arrives(rig)
        first = rig.clock.now
        rig.clock.now += 5
        arrives(rig)
        assert state(rig, account) == (first, None)
        rig.clock.now += HOUR
        assert sender.run() == 1
        assert sender.run() == 0
        sent_at = rig.clock.now
        assert state(rig, account) == (None, sent_at)
        arrives(rig)
        rig.clock.now += 60
        assert sender.run() == 0
        rig.clock.now += 2 * HOUR
        assert sender.run() == 1
    assert len(inbox.taken) == 2
    [mail, _] = inbox.taken
    assert mail.rcpt_tos == [MAIL]
    assert isinstance(mail.content, bytes)
    assert NAME.encode() not in mail.content
    assert rig.clinician.clinician_id.hex().encode() not in mail.content
    assert b"okafor" not in mail.content.replace(MAIL.encode(), b"").lower()
    with rig.store.database.read() as connection:
        acts = connection.execute(
            select(AuditEntry.subject, AuditEntry.at).where(AuditEntry.act == "notice.sent")
        ).all()
        assert audit.verify(connection).broken_at is None
    assert next(tuple(act) for act in acts) == (f"account:{account.hex()}", sent_at)
    assert len(acts) == 2


@pytest.mark.parametrize("role", ["clinician", "administrator"])
def test_that_a_factor_is_to_be_replaced_is_told_at_once_and_once(
    rig: Rig, account: bytes, role: str
) -> None:
    ready_at = rig.clock.now + account_recovery.WAIT_S
    reader = rig.clinician.clinician_id if role == "clinician" else None
    with rig.store.database.write() as connection:
        connection.execute(
            update(Account).values(
                role=role,
                clinician_id=reader,
                quiet_from=0,
                quiet_to=24 * 60 - 1,
                noticed_at=rig.clock.now - 60,
                notice_waiting_since=rig.clock.now,
                factor_reset_at=ready_at,
            )
        )
    inbox = Inbox()
    with mail_server(inbox) as port:
        sender = notifier(rig, server_at(port))
        rig.clock.now += 30
        assert (sender.run(), sender.run()) == (1, 0)
    [mail] = inbox.taken
    assert isinstance(mail.content, bytes)
    assert b"Someone asked to change how you sign in" in mail.content
    assert f"{datetime.fromtimestamp(ready_at, UTC):%Y-%m-%d %H:%M} UTC".encode() in mail.content


def test_accounts_without_mail_or_closed_are_left_alone(rig: Rig, account: bytes) -> None:
    device = rig.paired()
    unreachable: tuple[dict[str, Any], ...] = ({"email": None}, {"state": "closed", "email": MAIL})
    for sequence, changes in enumerate(unreachable, 1):
        with rig.store.database.write() as connection:
            connection.execute(update(Account).values(**changes))
        arrives(rig, device, sequence)
        assert state(rig, account) == (None, None)
    with rig.store.database.write() as connection:
        connection.execute(update(Account).values(state="active"))
    arrives(rig, device, 3)
    with rig.store.database.write() as connection:
        connection.execute(update(Account).values(state="closed"))
    rig.clock.now += 2 * HOUR
    inbox = Inbox()
    with mail_server(inbox) as port:
        assert notifier(rig, server_at(port)).run() == 0
    assert inbox.taken == []


def test_while_the_mail_server_is_down_nothing_is_lost(
    rig: Rig, account: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = Inbox()
    with mail_server(inbox) as port:
        pass
    sender = notifier(rig, server_at(port))
    arrives(rig)
    since = rig.clock.now
    rig.clock.now += HOUR
    for _ in range(3):
        assert sender.run() == 0
    assert len(caplog.records) == 1, "the second and third run left it alone"
    assert MAIL not in caplog.text
    assert state(rig, account) == (since, None)
    rig.clock.now += 60
    assert sender.run() == 0
    assert len(caplog.records) == 2
    rig.clock.now += 120
    with mail_server(inbox) as port:
        again = notifier(rig, server_at(port))
        assert again.run() == 1
    assert len(inbox.taken) == 1
    assert state(rig, account) == (None, rig.clock.now)


def test_a_refused_address_is_tried_once_in_a_window_and_stops_nobody_else(
    rig: Rig, account: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = Inbox(refuse="550 5.1.1 no such user dr.okafor@clinic.example")
    arrives(rig)
    since = rig.clock.now
    rig.clock.now += HOUR
    with mail_server(inbox) as port:
        sender = notifier(rig, server_at(port))
        assert sender.run() == 0
        inbox.refuse = None
        assert sender.run() == 0, "not again in this window"
        assert state(rig, account) == (since, None)
        rig.clock.now += HOUR
        assert sender.run() == 1
    assert "refused" in caplog.text
    assert MAIL not in caplog.text


def test_a_recipient_that_is_not_taken_now_is_tried_again_later(rig: Rig, account: bytes) -> None:
    inbox = Inbox(refuse="451 4.7.1 greylisted")
    arrives(rig)
    rig.clock.now += HOUR
    with mail_server(inbox) as port:
        sender = notifier(rig, server_at(port))
        assert sender.run() == 0
        inbox.refuse = None
        rig.clock.now += 61
        assert sender.run() == 1


def test_a_record_that_comes_while_the_mail_goes_out_is_not_forgotten(rig: Rig, account: bytes) -> None:
    arrives(rig)
    rig.clock.now += HOUR
    inbox = Inbox(during=lambda: arrives(rig))
    with mail_server(inbox) as port:
        sender = notifier(rig, server_at(port))
        assert sender.run() == 1
        inbox.during = None
        assert state(rig, account) == (rig.clock.now, rig.clock.now)
        rig.clock.now += 2 * HOUR
        assert sender.run() == 1
    assert state(rig, account) == (None, rig.clock.now)


def test_a_crash_between_sending_and_marking_sends_once_more(
    rig: Rig, account: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = Inbox()
    arrives(rig)
    rig.clock.now += HOUR
    with mail_server(inbox) as port:
        with monkeypatch.context() as crash:
            crash.setattr(audit, "write", lambda *_, **__: (_ for _ in ()).throw(SystemExit))
            with pytest.raises(SystemExit):
                notifier(rig, server_at(port)).run()
        assert notifier(rig, server_at(port)).run() == 1
        assert notifier(rig, server_at(port)).run() == 0
    assert len(inbox.taken) == 2


def test_two_workers_send_one_notice(rig: Rig, account: bytes) -> None:
    """The one whose turn it is holds it while it talks to the mail server; the other does not wait."""
    arrives(rig)
    rig.clock.now += HOUR
    inbox = Inbox()
    others: list[int] = []
    with mail_server(inbox) as port:
        one, other = (notifier(rig, server_at(port)) for _ in range(2))
        inbox.during = lambda: others.append(other.run())
        assert one.run() == 1
        assert other.run() == 0
    assert others == [0]
    assert len(inbox.taken) == 1


def test_a_turn_is_one_workers_at_a_time_and_ends_with_its_block(rig: Rig) -> None:
    with turn(rig.store.database, "notices") as mine:
        assert mine
        with turn(rig.store.database, "notices") as theirs, turn(rig.store.database, "other") as another:
            assert not theirs
            assert another
    with turn(rig.store.database, "notices") as mine:
        assert mine


def test_a_chore_that_fails_is_done_again(caplog: pytest.LogCaptureFixture) -> None:
    ran: list[int] = []
    twice = threading.Event()

    def chore() -> None:
        ran.append(len(ran))
        if len(ran) == 2:
            twice.set()
        raise RuntimeError(NAME)

    chores = Chores([Chore("one", 0.001, chore)])
    with caplog.at_level(logging.ERROR):
        chores.start()
        assert twice.wait(30)
        chores.stop(30)
    count = len(ran)
    assert count >= 2
    assert "a chore failed: one" in caplog.text
