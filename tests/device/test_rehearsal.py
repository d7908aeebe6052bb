"""A rehearsal seals as always and keeps nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from voice.adapters.rehearsal import RehearsalPreferences, RehearsalRecords
from voice.noticing import Noticing
from voice.ports import Deletion, Standing
from voice.transcript import Transcript, Word
from voice.wire.envelope import seal_record

NOTICING = Noticing(
    "the foreman", datetime(2026, 3, 5, 23, 0, tzinfo=UTC), Transcript((Word("dinner"),), "vosk")
)


def test_each_record_is_sealed_with_the_next_number(monkeypatch: pytest.MonkeyPatch) -> None:
    sealed: list[tuple[int, bytes]] = []

    def noted(content: bytes, **fields: object) -> bytes:
        made = seal_record(content, **fields)  # type: ignore[arg-type]
        sealed.append((int(str(fields["sequence"])), made))
        return made

    monkeypatch.setattr("voice.adapters.rehearsal.seal_record", noted)
    records = RehearsalRecords()
    ids = [records.save(NOTICING) for _ in range(3)]
    assert len(set(ids)) == 3
    assert all(len(record) == 16 for record in ids)
    assert [number for number, _ in sealed] == [1, 2, 3]
    assert all(b"foreman" not in made and b"dinner" not in made for _, made in sealed)


def test_nothing_is_kept_or_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    records = RehearsalRecords()
    records.save(NOTICING)
    assert records.flush() == 0
    records.close()
    assert not list(tmp_path.iterdir())
    held = [value for value in vars(records).values() if isinstance(value, bytes | str | Noticing)]
    assert held == []


def test_the_last_one_can_be_deleted_once() -> None:
    records = RehearsalRecords()
    assert records.delete_last() is Deletion.NOTHING
    records.save(NOTICING)
    records.save(NOTICING)
    assert [records.delete_last(), records.delete_last()] == [Deletion.DELETED, Deletion.NOTHING]


def test_it_stands_as_with_a_clinician() -> None:
    records = RehearsalRecords()
    assert records.standing() is Standing.ACTIVE
    assert records.online() is True


def test_no_volume_and_no_pace_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    RehearsalPreferences().keep(4, 115)
    assert not list(tmp_path.iterdir())
