"""Pairing: a link serves one device, survives a lost answer, and cannot be used up by a guesser."""

from __future__ import annotations

import secrets

import pytest

from server.housekeeping import INVITATIONS_KEPT_S, housekeep
from server.rows import DeviceRow
from tests.server.server_rig import NOW, ClinicianParty, DeviceParty, Rig, refused
from voice.wire.encoding import b64url, from_b64url
from voice.wire.keys import verify_statement
from voice.wire.pairing import check_device_proof, open_invitation


def test_a_device_pairs_and_gets_the_statement_of_the_clinician_that_it_pins(rig: Rig) -> None:
    link, device = rig.invite(), DeviceParty.new()
    answer = rig.claim(link, device)
    assert answer.status_code == 201
    stated = verify_statement(from_b64url(answer.json()["statement"]), link.fingerprint)
    assert stated.name == "Dr Okafor"
    assert answer.json()["device"] == device.device_id.hex()
    assert answer.json()["server_time"] == "2026-09-21T14:13:20Z"


def test_a_lost_answer_does_not_use_the_link_up(rig: Rig) -> None:
    link, device = rig.invite(), DeviceParty.new()
    first = rig.claim(link, device)
    rig.clock.now = NOW + 7200
    again = rig.claim(link, device)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["statement"] == first.json()["statement"]
    assert len(rig.store.devices(rig.clinician.clinician_id)) == 1


def test_another_device_cannot_use_the_same_link(rig: Rig) -> None:
    link = rig.invite()
    assert rig.claim(link, DeviceParty.new()).status_code == 201
    refused(rig.claim(link, DeviceParty.new()), 409, "used")


def test_a_guesser_of_pairing_ids_cannot_use_a_link_up(rig: Rig) -> None:
    link = rig.invite()
    refused(rig.claim(link, DeviceParty.new(), claim=b64url(bytes(32))), 403, "claim")
    assert rig.claim(link, DeviceParty.new()).status_code == 201


def test_a_link_that_is_forgotten_during_the_claim_has_expired(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = rig.invite()
    pair = rig.store.pair_device

    def forgotten_first(device: DeviceRow, *, expired: bool) -> bool:
        report = housekeep(rig.store.database, NOW + 3600 + INVITATIONS_KEPT_S + 1)
        assert report.invitations == 1
        return bool(pair(device, expired=expired))

    monkeypatch.setattr(rig.store, "pair_device", forgotten_first)
    refused(rig.claim(link, DeviceParty.new()), 410, "expired")


def test_an_expired_link_is_refused(rig: Rig) -> None:
    link = rig.invite()
    rig.clock.now = NOW + 3600
    refused(rig.claim(link, DeviceParty.new()), 410, "expired")


def test_a_link_that_nobody_made_is_refused(rig: Rig) -> None:
    refused(rig.claim(rig.clinician.link(), DeviceParty.new()), 404, "pairing")
    refused(rig.call("POST", "/v1/pairings/short", b"{}"), 400, "body")


def test_keys_that_are_paired_already_do_not_pair_again(rig: Rig) -> None:
    device = rig.paired()
    refused(rig.claim(rig.invite(), device), 409, "known_device")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"\xff", b"null", b'"x"', b"[" * 10_000, b'{"claim":1}', b"{}", b'{"claim":"a"}'],
)
def test_a_claim_that_is_not_what_was_asked_for_is_refused(rig: Rig, body: bytes) -> None:
    refused(rig.call("POST", f"/v1/pairings/{b64url(bytes(16))}", body), 400, "body")


@pytest.mark.parametrize("bad", ["", "AA", "A" * 44, "!" * 43, "é" * 43, b64url(bytes(31))])
def test_keys_of_another_size_or_spelling_are_refused(rig: Rig, bad: str) -> None:
    link = rig.invite()
    for name in ("claim", "signing", "encryption", "proof"):
        refused(rig.claim(link, DeviceParty.new(), **{name: bad}), 400, "body")


def test_the_clinician_can_check_what_the_device_proved(rig: Rig) -> None:
    device = rig.paired()
    [listed] = rig.signed(rig.clinician, "GET", "/v1/devices").json()["devices"]
    opened = open_invitation(
        from_b64url(listed["invitation"]), rig.clinician.key.public_key(), rig.clinician.reading
    )
    assert b64url(opened.pairing_id) == listed["pairing"]
    assert check_device_proof(
        from_b64url(listed["proof"]), opened.secret, opened.pairing_id, device.signing, device.encryption
    )


def test_the_server_keeps_nothing_that_tells_the_secret(file_rig: Rig) -> None:
    link, device = file_rig.invite(), DeviceParty.new()
    file_rig.claim(link, device)
    path = file_rig.settings.database_url.removeprefix("sqlite:///")
    for name in (path, path + "-wal"):
        with open(name, "rb") as file:  # noqa: PTH123
            assert link.secret not in file.read()


def test_invitations(rig: Rig) -> None:
    link = rig.clinician.link()
    document = {"invitation": b64url(rig.clinician.invitation(link))}
    first = rig.asks(rig.clinician, "POST", "/v1/invitations", document)
    assert (first.status_code, first.json()["pairing"]) == (201, b64url(link.pairing_id))
    assert first.json()["expires_at"] == "2026-09-21T15:13:20Z"
    assert rig.asks(rig.clinician, "POST", "/v1/invitations", document).status_code == 200
    other = {"invitation": b64url(rig.clinician.invitation(link))}
    refused(rig.asks(rig.clinician, "POST", "/v1/invitations", other), 409, "conflict")


def test_invitations_that_do_not_hold_are_refused(rig: Rig) -> None:
    stranger = ClinicianParty.new()
    for data in (
        b"",
        secrets.token_bytes(205),
        stranger.invitation(stranger.link()),
        rig.clinician.invitation(rig.clinician.link(), expires_at=NOW),
    ):
        document = {"invitation": b64url(data)}
        refused(rig.asks(rig.clinician, "POST", "/v1/invitations", document), 400, "invitation")
