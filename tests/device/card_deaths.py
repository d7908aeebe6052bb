"""Kill a process at each of its steps on disk while it keeps a card, and see what the next one finds.

    python -m tests.device.card_deaths FOLDER

Prints one word for each death: old, new, both or none; anything but a whole card is an error.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from tests.device.card_rig import noise_card, same
from voice.adapters.cards import CardBox

STEPS = ("open", "os.", "shutil.", "tempfile.")
OLD, NEW = noise_card(takes=1, seed=1), noise_card(takes=2, seed=2, phrase=False)


def die_at(step: int) -> None:
    """From now on, end this process without any clean-up just before its step number `step` on disk."""
    left = [step]

    def hook(event: str, _: tuple[object, ...]) -> None:
        if event.startswith(STEPS):
            if left[0] == 0:
                os._exit(9)
            left[0] -= 1

    sys.addaudithook(hook)


def deaths(home: Path, start: Path | None, work: Callable[[CardBox], object]) -> list[str]:
    """What is there after each death of `work` in a home that began as a copy of `start`."""
    found: list[str] = []
    while True:
        shutil.rmtree(home, ignore_errors=True)
        if start is not None:
            shutil.copytree(start, home)
        child = os.fork()
        if child == 0:
            die_at(len(found))
            work(CardBox(home))
            os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
            return found
        cards, damaged = CardBox(home).load()
        assert not damaged, damaged
        assert len(cards) <= 1
        if not cards:
            found.append("none")
        else:
            assert same(cards[0], OLD) or same(cards[0], NEW)
            found.append("old" if same(cards[0], OLD) else "new")
        if len(found) % 5:
            continue
        # Whatever was left behind is in nobody's way.
        CardBox(home).put(NEW)
        (card,), damaged = CardBox(home).load()
        assert same(card, NEW)
        assert not damaged


def main(folder: Path) -> None:
    """Keep the first card, replace it, remove it; a line of words for each."""
    start = folder / "start"
    CardBox(start).put(OLD)
    for words in (
        deaths(folder / "first", None, lambda box: box.put(NEW)),
        deaths(folder / "replaced", start, lambda box: box.put(NEW)),
        deaths(folder / "removed", start, lambda box: box.remove(OLD.name)),
    ):
        sys.stdout.write(" ".join(words) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
