"""Unsigned calls are limited by address, links by wrong claims; what is revoked is refused at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from alembic import command
from fastapi.routing import APIRoute
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from server import audit
from server.app import create_app
from server.database import alembic_config, connect, migrate
from server.limits import BURST, Buckets, caller, throttle
from server.routes import ROUTERS
from server.settings import database_url
from server.store import Store
from tests.server.server_rig import NOW, ClinicianParty, DeviceParty, Rig, refused, rotated, stale
from voice.wire.boxes import Purpose, encode_label, seal_box
from voice.wire.encoding import b64url

WRONG = b64url(bytes(32))
UNSIGNED = ("/v1/pairings", "/v1/nonce", "/v1/sign-in", "/v1/set-up")


def test_a_bucket_empties_and_fills_with_the_time() -> None:
    buckets = Buckets(burst=3, per_second=0.5)
    assert [buckets.take("a", 100.0) for _ in range(4)] == [0, 0, 0, 2]
    assert buckets.take("a", 101.0) == 1
    assert buckets.take("a", 102.0) == 0
    assert buckets.take("b", 102.0) == 0
    assert [buckets.take("a", 999.0) for _ in range(4)] == [0, 0, 0, 2]


def test_a_clock_that_goes_back_locks_nobody_out() -> None:
    buckets = Buckets(burst=1, per_second=1.0)
    assert buckets.take("a", 1_000_000.0) == 0
    assert buckets.take("a", 10.0) == 1
    assert buckets.take("a", 11.0) == 0


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.floats(0, 10)), max_size=200),
    st.integers(1, 5),
    st.integers(1, 8),
)
def test_memory_is_bounded_and_nobody_gets_more_than_their_share(
    calls: list[tuple[int, float]], burst: int, most: int
) -> None:
    buckets, now, taken = Buckets(burst=burst, per_second=0.25, most=most), 0.0, 0
    only = Buckets(burst=burst, per_second=0.25, most=most)
    for key, later in calls:
        now += later
        buckets.take(str(key), now)
        assert len(buckets) <= most
        wait_s = only.take("one", now)
        taken += wait_s == 0
        assert taken <= burst + now * 0.25 + 1e-6
        assert 0 <= wait_s <= 4


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "key"),
    [
        ("192.0.2.1", "", (), "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", (), "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", ("10.0.0.0/8",), "192.0.2.1"),
        ("10.0.0.1", "198.51.100.7", ("10.0.0.0/8",), "198.51.100.7"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.7", ("10.0.0.0/8",), "198.51.100.7"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.7, 10.0.0.2", ("10.0.0.0/8",), "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7:5123", ("10.0.0.1",), "198.51.100.7"),
        ("10.0.0.1", "", ("10.0.0.1",), "10.0.0.1"),
        ("10.0.0.1", "nonsense", ("10.0.0.1",), "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4, nonsense", ("10.0.0.1",), "10.0.0.1"),
        ("10.0.0.1", "[2001:db8::1]:443", ("10.0.0.1",), "2001:db8::/64"),
        ("2001:db8:0:1:2:3:4:5", "", (), "2001:db8:0:1::/64"),
        ("::ffff:192.0.2.1", "", (), "192.0.2.1"),
        ("fe80::1%eth0", "", (), "fe80::/64"),
        (None, "", (), "peer "),
        ("testclient", "1.2.3.4", ("127.0.0.1",), "peer testclient"),
    ],
)
def test_whom_a_call_counts_for(peer: str | None, forwarded: str, trusted: tuple[str, ...], key: str) -> None:
    assert caller(peer, forwarded, trusted) == key


@settings(deadline=None)
@given(st.text(max_size=40), st.text(max_size=200))
def test_whatever_is_forwarded_names_a_key_of_bounded_size(peer: str, forwarded: str) -> None:
    assert len(caller(peer, forwarded, ("0.0.0.0/0", "::/0"))) <= 80
    assert len(caller("127.0.0.1", forwarded, ("127.0.0.1",))) <= 80


def test_an_address_is_told_when_to_come_back(file_rig: Rig) -> None:
    for _ in range(BURST):
        assert file_rig.call("GET", "/v1/nonce").status_code == 200
    for method, path in (("GET", "/v1/nonce"), ("POST", f"/v1/pairings/{WRONG}")):
        answer = file_rig.call(method, path)
        refused(answer, 429, "throttled")
        assert answer.headers["retry-after"] == "1"
    device = file_rig.clinician
    assert file_rig.signed(device, "GET", "/v1/clinician").status_code == 200, "signed calls are not counted"
    file_rig.clock.now += 1
    assert file_rig.call("GET", "/v1/nonce").status_code == 200


def test_behind_a_trusted_proxy_each_caller_has_their_own_bucket(tmp_path: Path) -> None:
    rig = Rig(database_url(str(tmp_path / "server.db")))
    rig.store.close()
    rig.settings = replace(rig.settings, trusted_proxies=("127.0.0.1",))
    rig.app = create_app(rig.settings, clock=rig.clock)
    try:
        for _ in range(BURST):
            assert rig.call("GET", "/v1/nonce", headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 200
        for spoofed in ("192.0.2.1", "198.51.100.9, 192.0.2.1"):
            answer = rig.call("GET", "/v1/nonce", headers={"X-Forwarded-For": spoofed})
            refused(answer, 429, "throttled")
        assert rig.call("GET", "/v1/nonce", headers={"X-Forwarded-For": "192.0.2.2"}).status_code == 200
    finally:
        rig.app.state.context.store.close()


def test_every_unsigned_call_is_limited() -> None:
    limited = 0
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute) and route.path.startswith(UNSIGNED):
                dependencies = [one.dependency for one in (*router.dependencies, *route.dependencies)]
                assert throttle in dependencies, f"{route.path} is not limited (server/limits.py)"
                limited += 1
    assert limited >= 2


def test_five_wrong_claims_make_a_link_void(rig: Rig) -> None:
    link, device = rig.invite(), DeviceParty.new()
    other = Store.open(rig.settings.database_url)
    try:
        for _ in range(4):
            refused(rig.claim(link, device, claim=WRONG), 403, "claim")
        other.count_wrong_claim(link.pairing_id)  # another worker's
    finally:
        other.close()
    refused(rig.claim(link, device, claim=WRONG), 410, "expired")
    refused(rig.claim(link, device), 410, "expired")
    assert rig.store.devices(rig.clinician.clinician_id) == []
    assert rig.claim(rig.invite(), device).status_code == 201, "another link is not affected"


def test_links_of_before_have_no_wrong_claims(tmp_path: Path) -> None:
    database = connect(database_url(str(tmp_path / "server.db")))
    with database.schema_change() as connection:
        command.upgrade(alembic_config(connection), "0003")
    with database.write() as connection:
        connection.execute(text("INSERT INTO practices VALUES (x'01', 'Practice', 1, NULL, 30)"))
        connection.execute(
            text(
                "INSERT INTO clinicians (id, practice_id, identity, statement, epoch, created_at,"
                " last_cursor) VALUES (x'02', x'01', x'03', x'04', 1, 1, 0)"
            )
        )
        connection.execute(text("INSERT INTO invitations VALUES (x'05', x'02', x'06', x'07', 9, 9)"))
    migrate(database)
    with database.read() as connection:
        assert connection.execute(text("SELECT wrong_claims FROM invitations")).scalar_one() == 0
    database.close()


def test_wrong_claims_outlive_a_restart(rig: Rig) -> None:
    link = rig.invite()
    for _ in range(4):
        refused(rig.claim(link, DeviceParty.new(), claim=WRONG), 403, "claim")
    again = Store.open(rig.settings.database_url)
    again.count_wrong_claim(link.pairing_id)
    again.close()
    refused(rig.claim(link, DeviceParty.new()), 410, "expired")


def test_four_wrong_claims_leave_a_link_good_and_a_used_one_stays_its_device_s(rig: Rig) -> None:
    link, device = rig.invite(), DeviceParty.new()
    for _ in range(4):
        refused(rig.claim(link, device, claim=WRONG), 403, "claim")
    assert rig.claim(link, device).status_code == 201
    for _ in range(3):
        rig.claim(link, DeviceParty.new(), claim=WRONG)
    assert rig.claim(link, device).status_code == 200, "a lost answer can still be asked for"
    refused(rig.claim(link, DeviceParty.new()), 409, "used")


def test_wrong_claims_at_the_same_time_are_all_counted(rig: Rig) -> None:
    link, device = rig.invite(), DeviceParty.new()
    body = httpx.Request("POST", "http://x", json={**device.claim(link), "claim": WRONG}).content
    path = f"/v1/pairings/{b64url(link.pairing_id)}"
    answers = rig.send(*[("POST", path, body, {}) for _ in range(12)])
    assert sorted(answer.status_code for answer in answers) == [403] * 5 + [410] * 7
    refused(rig.claim(link, device), 410, "expired")


def test_a_revoked_device_is_refused_whatever_it_calls_next_by_any_worker(rig: Rig) -> None:
    link, device = rig.invite(), DeviceParty.new()
    rig.claim(link, device)
    frame = device.record(rig.clinician, 1)
    assert rig.deliver(device, frame).status_code == 201
    second = create_app(rig.settings, clock=rig.clock)
    calls = [
        ("GET", "/v1/device", b""),
        ("GET", "/v1/device?outbox=1", b""),
        ("PUT", f"/v1/records/{frame[24:40].hex()}", frame),
        ("GET", "/v1/cards", b""),
        ("GET", "/v1/cards?after=1", b""),
        ("PUT", f"/v1/cards/{'0' * 32}/1/fetched", b""),
    ]
    device_routes = [path.split("?")[0] for _, path, _ in calls]
    assert {"/v1/device", "/v1/cards"} <= set(device_routes)
    assert rig.set_state(device, "revoked").status_code == 200
    first = rig.app
    try:
        for app in (second, first):
            rig.app = app
            for method, path, body in calls:
                refused(rig.signed(device, method, path, body), 403, "revoked")
            refused(rig.claim(link, device), 403, "revoked")
    finally:
        second.state.context.store.close()
    [listed] = rig.signed(rig.clinician, "GET", "/v1/devices").json()["devices"]
    assert listed["state"] == "revoked"


def listed(rig: Rig) -> dict[str, object]:
    [one] = rig.signed(rig.clinician, "GET", "/v1/devices").json()["devices"]
    return dict(one)


def test_a_device_s_health_is_when_it_called_and_how_much_it_holds(rig: Rig) -> None:
    device = rig.paired()
    assert listed(rig)["outbox_depth"] is None
    for depth in (3, 0, 1_000_000):
        rig.clock.now += 1
        assert rig.signed(device, "GET", f"/v1/device?outbox={depth}").status_code == 200
        assert listed(rig)["outbox_depth"] == depth
    before = listed(rig)["last_seen_at"]
    rig.clock.now += 1
    assert rig.signed(device, "GET", "/v1/device?outbox=1000000").status_code == 200
    assert listed(rig)["last_seen_at"] == before, "no write for what is known"
    rig.clock.now = NOW + 600
    assert rig.signed(device, "GET", "/v1/device").status_code == 200
    assert listed(rig)["outbox_depth"] == 1_000_000


@pytest.mark.parametrize(
    "query",
    ["outbox=", "outbox=-1", "outbox=1000001", "outbox=01", "outbox=1&outbox=2", "a=1", "outbox=1&a=1"],
)
def test_a_device_says_nothing_else(rig: Rig, query: str) -> None:
    device = rig.paired()
    refused(rig.signed(device, "GET", f"/v1/device?{query}"), 400, "query")
    assert listed(rig)["outbox_depth"] is None


def test_the_depth_is_signed(rig: Rig) -> None:
    device = rig.paired()
    headers = rig.headers(device, "GET", "/v1/device?outbox=0")
    refused(rig.call("GET", "/v1/device?outbox=9", b"", headers), 401, "signature")


def test_a_label_is_kept_as_it_came_and_is_the_clinician_s_own(rig: Rig) -> None:
    device, stranger = rig.paired(), rig.add_clinician()
    path = f"/v1/devices/{device.device_id.hex()}/label"
    assert listed(rig)["label"] is None
    for name in ("Ada L.", "Ada Lovelace"):
        sealed = label(rig.clinician, device, name)
        answer = rig.asks(rig.clinician, "PUT", path, {"label": b64url(sealed)})
        assert (answer.status_code, answer.json()["label"]) == (200, b64url(sealed))
        assert listed(rig)["label"] == b64url(sealed)
    others = label(stranger, device, "x"), label(rig.clinician, rig.paired(), "x")
    for bad in (b"", bytes(2049), sealed[:-1] + bytes([sealed[-1] ^ 1]), *others):
        refused(rig.asks(rig.clinician, "PUT", path, {"label": b64url(bad)}), 400, "label")
    refused(rig.asks(rig.clinician, "PUT", path, {"label": "not base64!"}), 400, "body")
    refused(rig.asks(stranger, "PUT", path, {"label": b64url(others[0])}), 404, "device")
    refused(
        rig.asks(rig.clinician, "PUT", path.replace(path[12:20], "0" * 8), {"label": "AA"}), 404, "device"
    )
    refused(rig.asks(device, "PUT", path, {"label": "AA"}), 401, "signature")
    with rig.store.database.read() as connection:
        acts = [entry.act for entry in audit.entries(connection)]
    assert acts.count("device.renamed") == 2
    late = label(rig.clinician, device, "Ada")
    rotated(rig)
    stale(rig.asks(rig.clinician, "PUT", path, {"label": b64url(late)}))
    assert rig.asks(rig.clinician, "PUT", path, {"label": b64url(sealed)}).status_code == 200
    anew = label(rig.clinician, device, "Ada Lovelace")
    assert rig.asks(rig.clinician, "PUT", path, {"label": b64url(anew)}).json()["label"] == b64url(anew)


def label(clinician: ClinicianParty, device: DeviceParty, name: str) -> bytes:
    return seal_box(
        encode_label(name),
        purpose=Purpose.LABEL,
        identity=clinician.key,
        reading=clinician.reading.public_key(),
        clinician_id=clinician.clinician_id,
        device_id=device.device_id,
        version=1,
    )
