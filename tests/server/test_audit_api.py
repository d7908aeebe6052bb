"""The access log over the wire: everyone sees their own part, and that they looked is in it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, select

from server import audit, audit_log, sessions
from server.accounts_schema import Account, Session
from server.audit import Act
from server.schema import Clinician
from tests.server.server_rig import NOW, Rig, refused
from tests.server.test_records_store import asked, colleague, delivered, entries, erase, stranger
from voice.wire.encoding import b64url


def acts(page: Any) -> list[str]:
    return [entry["act"] for entry in page["entries"]]


def test_a_clinician_sees_what_concerns_them_alone(rig: Rig) -> None:
    device = rig.paired()
    others = [(one, rig.paired(one)) for one in (stranger(rig), colleague(rig))]
    delivered(rig, device, 1)
    asked(rig, "/v1/records")
    for one, _ in others:
        asked(rig, "/v1/records", one)
    erase(rig, device)
    page = asked(rig, "/v1/audit")
    assert acts(page) == [
        "clinician.added",
        "device.invited",
        "device.paired",
        "records.fetched",
        "client.erased",
    ]
    mine = rig.clinician.clinician_id.hex()
    for entry in page["entries"]:
        said = entry["actor"] + " " + entry["subject"]
        assert mine in said or device.device_id.hex() in said
    assert page["entries"][3] == {
        "sequence": page["entries"][3]["sequence"],
        "at": "2026-09-21T14:13:20Z",
        "actor": f"clinician:{mine}",
        "act": "records.fetched",
        "subject": f"clinician:{mine} cursors:1-1 count:1",
    }
    assert acts(asked(rig, f"/v1/audit?after={page['next']}")) == ["audit.fetched"]


def test_it_comes_in_pages_with_the_chains_head(rig: Rig) -> None:
    rig.paired()
    with rig.store.database.read() as connection:
        head = audit_log.head(connection)
    first = asked(rig, "/v1/audit?limit=2")
    assert (acts(first), first["more"]) == (["clinician.added", "device.invited"], True)
    assert first["head"] == {"sequence": head.sequence, "digest": head.digest.hex()}
    rest = asked(rig, f"/v1/audit?limit=2&after={first['next']}")
    assert (acts(rest), rest["more"]) == (["device.paired", "audit.fetched"], False)
    assert rest["head"]["sequence"] == head.sequence + 1
    subjects = [entry.subject for entry in entries(rig, "audit.fetched")]
    assert subjects[0].endswith("count:2")


@pytest.mark.parametrize("query", ["after=x", "limit=0", "limit=501", "before=1", "practice=1"])
def test_a_page_that_makes_no_sense_is_refused(file_rig: Rig, query: str) -> None:
    refused(file_rig.signed(file_rig.clinician, "GET", f"/v1/audit?{query}"), 400, "query")


def test_an_administrator_sees_their_practice_and_no_other(rig: Rig) -> None:
    other = stranger(rig)
    asked(rig, "/v1/records", other)
    asked(rig, "/v1/records")
    token = b"t" * 32
    with rig.store.database.write() as connection:
        practice = connection.execute(
            select(Clinician.practice_id).where(Clinician.id == rig.clinician.clinician_id)
        ).scalar_one()
        account = {"id": b"a" * 16, "practice_id": practice, "role": "administrator", "state": "active"}
        connection.execute(insert(Account).values(**account, name="admin", created_at=NOW, zone="UTC"))
        times = {"created_at": NOW, "seen_at": NOW, "expires_at": NOW + 3600}
        connection.execute(
            insert(Session).values(
                token_hash=sessions.hash_of(token), account_id=b"a" * 16, factor="totp", **times
            )
        )
    cookie = {"cookie": f"{sessions.COOKIE}={b64url(token)}"}
    page = rig.call("GET", "/v1/audit", headers=cookie)
    assert page.status_code == 200, page.text
    assert other.clinician_id.hex() not in page.text
    assert "records.fetched" in acts(page.json())
    [looked] = entries(rig, "audit.fetched")
    assert (looked.actor, looked.practice_id) == (f"account:{(b'a' * 16).hex()}", practice)
    refused(rig.call("GET", "/v1/records", headers=cookie), 403, "role")
    refused(rig.call("GET", "/v1/tombstones", headers=cookie), 403, "role")
    refused(rig.call("GET", "/v1/marks", headers=cookie), 403, "role")
    refused(rig.call("GET", "/v1/audit", headers={"cookie": "x=y"}), 401, "session")


def test_a_noted_head_is_found_in_the_chain_that_grew_from_it(rig: Rig) -> None:
    with rig.store.database.read() as connection:
        noted = audit_log.head(connection).digest
    rig.paired()
    with rig.store.database.read() as connection:
        assert audit_log.holds(connection, noted)
        assert audit_log.holds(connection, audit_log.head(connection).digest)
        assert not audit_log.holds(connection, bytes([1]) * 32)
    with rig.store.database.write() as connection:
        audit.write(connection, Act.SIGNED_IN, now=NOW, actor="account:00")
        audit.prune(connection, before=NOW + 1)
    with rig.store.database.read() as connection:
        assert not audit_log.holds(connection, noted)
