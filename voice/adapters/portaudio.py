"""sounddevice, imported only where a sound card is needed: without PortAudio its import alone fails."""

from __future__ import annotations

import importlib
from types import ModuleType

from voice.errors import AudioError


def sound_library() -> ModuleType:
    """The sounddevice module. Raises AudioError when PortAudio is not on this machine."""
    try:
        return importlib.import_module("sounddevice")
    except OSError as error:
        raise AudioError(
            "The sound card cannot be reached: the PortAudio library is not installed.",
            "Install it with: sudo apt-get install libportaudio2",
        ) from error


def sound_devices() -> tuple[int, int]:
    """How many microphones and speakers there are now. Raises AudioError without PortAudio."""
    devices = sound_library().query_devices()
    inputs = sum(1 for device in devices if device["max_input_channels"] > 0)
    outputs = sum(1 for device in devices if device["max_output_channels"] > 0)
    return inputs, outputs
