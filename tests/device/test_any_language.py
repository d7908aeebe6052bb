"""Names in any language and script: taught from files, shown as they are, heard in another rendering."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from click.testing import CliRunner

from voice import cli
from voice.adapters.cards import CardBox
from voice.adapters.voices import Speaker, speak, write_clip
from voice.commands.forecast import document
from voice.scene import Said, scene

NAMES = {
    "ar": "حارس البوابة القديمة",
    "am": "የበሩ ጠባቂ ትልቁ",
    "cmn-latn-pinyin": "窗边的小孩子",
    "el": "ο μικρός δίπλα στο παράθυρο",
    "he": "השומר ליד החלון",
    "hi": "खिड़की के पास वाला छोटा",
    "hy": "պատուհանի մոտի փոքրիկը",
    "ja": "まどぎわのちいさいこ",
    "ka": "ფანჯარასთან პატარა",
    "ko": "창가에 앉은 작은 아이",
    "ru": "маленький у окна",
    "ta": "ஜன்னல் அருகே சிறியவன்",
    "th": "เด็กน้อยริมหน้าต่าง",
    "de": "die müde Wächterin vor dem alten Stadttor, die niemals schläft",
}
"""A name for each espeak-ng voice; whole phrases, the German one close to four seconds."""

TAKES = (("m3", 150, 45), ("m3", 160, 48), ("m3", 142, 42), ("m1", 152, 50))
AGAIN = ("m7", 147, 47)
"""Another voice variant, speed and pitch than any take."""


def onebreath(*arguments: object) -> str:
    result = CliRunner().invoke(cli.onebreath, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.speech
@pytest.mark.parametrize("language", NAMES)
def test_a_name_in_any_script_is_taught_shown_and_heard_again(tmp_path: Path, language: str) -> None:
    name, home = NAMES[language], tmp_path / "home"
    given: list[object] = []
    for index, (variant, rate, pitch) in enumerate(TAKES):
        path = tmp_path / f"{index}.wav"
        write_clip(path, speak(name, Speaker("espeak-ng", f"{language}+{variant}", rate, pitch)))
        given += ["--take", path]
    shown = onebreath("enrol", "--name", name, *given, "--home", home)
    assert f"“{name}”" in shown
    (card,), _ = CardBox(home).load()
    assert card.name == name
    assert len(card.takes) == len(TAKES)
    assert document(card)["name"] == name

    variant, rate, pitch = AGAIN
    again = speak(name, Speaker("espeak-ng", f"{language}+{variant}", rate, pitch))
    evening = tmp_path / "evening.wav"
    write_clip(evening, scene([Said(2.0, again)], again.seconds + 5.0))
    events = [json.loads(line) for line in onebreath(
        "replay", evening, "--rehearse", "--json", "--home", home
    ).splitlines()]  # fmt: skip
    heard = [event for event in events if event["event"] == "heard"]
    assert [event["part"] for event in heard] == [name]
    assert 2.0 < heard[0]["at"] < 2.0 + again.seconds + 1.0


def test_there_are_names_in_more_than_ten_scripts() -> None:
    scripts = {unicodedata.name(name[0]).split()[0] for name in NAMES.values()}
    assert len(scripts) > 10, scripts
