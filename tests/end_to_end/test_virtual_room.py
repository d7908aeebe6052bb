"""The whole product on real sound in a room without hardware, in real time: every process is the real one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.end_to_end import closed_net
from tests.end_to_end.listening import Listening, listening
from tests.end_to_end.packets import Packet, requests, streams
from tests.end_to_end.product import CLIENT, LINE, PART, Product, until, write
from tests.end_to_end.room import Room
from tests.end_to_end.traces import SAME_SOUND, files_in, likeness, pieces, sound_in, text_in, texts_in_files
from voice.adapters.files import read_clip
from voice.adapters.voices import speak
from voice.audio import RATE, Clip, Samples
from voice.wire.envelope import BUCKETS, parse_frame

pytestmark = [pytest.mark.room, pytest.mark.speech]

HEARD_IN_ROOM = 0.5
BY_CHANCE = 0.3
QUIET_AFTERWARDS_S = 3.0


@dataclass(frozen=True)
class Evening:
    """One exchange in the room, over."""

    product: Product
    seen: list[dict[str, Any]]
    """Until it was told to stop."""
    exit_code: int
    queue: dict[str, Any]
    speaker: Samples
    phrase: Samples
    line: Samples
    port: int
    packets: tuple[Packet, ...] | None
    """None where no closed net can be made."""


def utter(product: Product, text: str) -> tuple[Path, Samples]:
    """The client's words as a file to play, with room around them that a sound server may swallow."""
    sound = speak(text, CLIENT).samples
    quiet = np.zeros(RATE // 4, np.int16)
    name = text.split()[0]
    return write(product.said / f"{name}.wav", Clip(np.concatenate([quiet, sound, quiet]))), sound


def furnish(product: Product, server: str) -> Clip:
    """Pair, enrol, and send records at once; the phrase."""
    product.pair(server)
    phrase = product.enrol()
    (product.home / "settings.toml").write_text("hold_s = 0\n")
    return phrase


@pytest.fixture(scope="module")
def evening(virtual_room: Room, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evening]:
    folder = tmp_path_factory.mktemp("evening")
    recording = folder / "speaker.wav"
    with ExitStack() as stack:
        net = None
        if closed_net.missing() is None:
            net = stack.enter_context(closed_net.closed_net(folder))
        product = Product(folder, enter=net.enter if net else (), env=virtual_room.env)
        product.add_clinician()
        server = stack.enter_context(product.serving())
        phrase = furnish(product, server)
        name, _ = utter(product, PART)
        line, spoken = utter(product, LINE)
        with listening(product) as device:
            with virtual_room.echo(), virtual_room.recording(recording):
                virtual_room.play(name)
                device.until("heard")
                device.until("asked")
                virtual_room.play(line)
                device.until("closed")
                # Had the device heard itself say the name, it would begin again.
                device.soon("heard", QUIET_AFTERWARDS_S)
            queue = until(lambda: arrived(product, server), "record at the reader")
            seen = list(device.seen)
            code = device.stop()
        packets = tuple(one for one in net.packets() if not one.housekeeping) if net else None
        heard = read_clip(recording).samples
        port = int(server.rsplit(":", 1)[1])
        yield Evening(product, seen, code, queue, heard, phrase.samples, spoken, port, packets)


def arrived(product: Product, server: str) -> dict[str, Any] | None:
    queue = product.queue(server)
    return queue if queue["records"] else None


def test_the_exchange_goes_its_way(evening: Evening) -> None:
    events = [one["event"] for one in evening.seen if one["event"] != "tone"]
    prompts = [one["prompt"] for one in evening.seen if one["event"] == "said"]
    assert prompts == ["ask.line", "close.saved"], evening.seen
    assert events == [
        "listening",
        "heard",
        "played",
        "said",
        "asked",
        "line",
        "sealed",
        "said",
        "closed",
    ]
    heard, closed = (
        next(one for one in evening.seen if one["event"] == kind) for kind in ("heard", "closed")
    )
    assert closed["reason"] == "line"
    assert closed["at"] - heard["at"] < 90


def test_it_ends_when_it_is_told_to(evening: Evening) -> None:
    assert evening.exit_code == 0
    assert "Traceback" not in (evening.product.device / "listen.err").read_text()


def test_the_phrase_comes_out_of_the_speaker(evening: Evening) -> None:
    recorded = evening.speaker.astype(np.float64)
    assert likeness(recorded, evening.phrase.astype(np.float64)) > HEARD_IN_ROOM
    assert likeness(recorded, evening.line.astype(np.float64)) < BY_CHANCE


def test_the_clinician_reads_one_record_with_the_line(evening: Evening) -> None:
    assert evening.queue["flags"] == []
    (record,) = evening.queue["records"]
    assert record["part"] == PART
    assert record["line"]["made_out"]
    understood = set(record["line"]["text"].split()) & set(LINE.split())
    assert len(understood) >= len(LINE.split()) // 2, record["line"]["text"]


def test_S19_what_it_writes_as_it_listens_holds_no_content(evening: Evening) -> None:
    text = json.dumps(evening.queue["records"][0]["line"]["text"])
    files = files_in(evening.product.device, evening.product.practice)
    assert {"listen.out", "listen.err", "serve.log"} <= {path.name for path in files}
    assert texts_in_files(files, LINE, text.strip('"')) == []
    assert [path.name for path, _ in texts_in_files(files, PART)] == ["card.json"]


def test_S19_no_audio_is_kept(evening: Evening) -> None:
    wanted = pieces(evening.line)
    for path in files_in(evening.product.device, evening.product.practice):
        assert sound_in(path.read_bytes(), wanted) < SAME_SOUND, path


def test_S19_one_sealed_record_left_and_nothing_else(evening: Evening) -> None:
    if evening.packets is None:
        pytest.skip(str(closed_net.missing()))
    assert {one.target for one in evening.packets} == {"127.0.0.1"}
    sent = streams(evening.packets)
    assert all(text_in(stream.sent, LINE, PART) is None for stream in sent)
    asked = [one for stream in sent if stream.to_port == evening.port for one in requests(stream.sent)]
    of_device = [one for one in asked if 'keyid="device:' in one.headers.get("signature-input", "")]
    questions = {(one.method, one.path.partition("?")[0]) for one in of_device if one.method != "PUT"}
    assert questions <= {("GET", "/v1/device"), ("GET", "/v1/cards")}
    (put,) = (one for one in of_device if one.method == "PUT")
    assert parse_frame(put.body).record_id.hex() == evening.queue["records"][0]["record"]
    assert sum(one.size for one in of_device) < 2 * BUCKETS[0] + 1_000 * len(of_device)


def test_an_unplugged_microphone_is_said_and_hearing_comes_back(virtual_room: Room, evening: Evening) -> None:
    """On the device of the evening before."""
    name, _ = utter(evening.product, PART)
    with listening(evening.product) as device:
        virtual_room.silence_microphone()
        assert device.until("microphone")["state"] == "lost"
        assert device.until("said")["prompt"] == "microphone.lost"
        virtual_room.revive_microphone()
        assert device.until("microphone")["state"] == "back"
        assert device.until("said")["prompt"] == "microphone.back"
        assert heard_again(virtual_room, device, name)
        assert device.stop() == 0


def heard_again(room: Room, device: Listening, name: Path) -> bool:
    """Whether the name is heard when it is called, if need be more than once: the device may still speak."""
    for _ in range(5):
        room.play(name)
        if device.soon("heard", 2.0) is not None:
            return True
    return False
