"""The TensorFlow Lite C library that the pyopen-wakeword wheel carries, as far as the embedding needs it."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import pyopen_wakeword
from numpy.typing import NDArray

from voice.errors import ModelError

_WHEEL: Final = Path(pyopen_wakeword.__file__).parent

_POINTERS: Final = (
    "TfLiteModelCreateFromFile",
    "TfLiteInterpreterOptionsCreate",
    "TfLiteInterpreterCreate",
    "TfLiteInterpreterGetInputTensor",
    "TfLiteInterpreterGetOutputTensor",
)


@cache
def _library() -> ctypes.CDLL:
    found = sorted((_WHEEL / "lib").glob("*tensorflowlite_c.*"))
    if not found:
        raise ModelError(
            "The pyopen-wakeword package here lacks its TensorFlow Lite library.",
            "Install it again: pip install --force-reinstall pyopen-wakeword",
        )
    library = ctypes.CDLL(str(found[0]))
    for name in _POINTERS:
        getattr(library, name).restype = ctypes.c_void_p
    library.TfLiteTensorByteSize.restype = ctypes.c_size_t
    return library


class Network:
    """One network of the wheel's `models/`, run on one thread for inputs of one fixed shape."""

    def __init__(self, model: str, shape: tuple[int, ...]) -> None:
        """`model` is the file's stem; `shape` the whole input shape, batch included."""
        self._lib = library = _library()
        path = _WHEEL / "models" / f"{model}.tflite"
        # Pointers are kept as c_void_p: ctypes would pass a plain int as 32 bits.
        self._model = ctypes.c_void_p(library.TfLiteModelCreateFromFile(str(path).encode()))
        options = ctypes.c_void_p(library.TfLiteInterpreterOptionsCreate())
        library.TfLiteInterpreterOptionsSetNumThreads(options, ctypes.c_int32(1))
        self._run = ctypes.c_void_p(library.TfLiteInterpreterCreate(self._model, options))
        library.TfLiteInterpreterOptionsDelete(options)
        sizes = (ctypes.c_int32 * len(shape))(*shape)
        at, dimensions = ctypes.c_int32(0), ctypes.c_int32(len(shape))
        failed = (
            not self._run
            or library.TfLiteInterpreterResizeInputTensor(self._run, at, sizes, dimensions)
            or library.TfLiteInterpreterAllocateTensors(self._run)
        )
        if failed:
            raise ModelError(
                f"The network {path.name} in the pyopen-wakeword package cannot be used.",
                "Install it again: pip install --force-reinstall pyopen-wakeword",
            )
        self._shape = shape
        self._input = ctypes.c_void_p(library.TfLiteInterpreterGetInputTensor(self._run, at))

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The output for one input of the fixed shape, as a flat array."""
        library = self._lib
        given = np.ascontiguousarray(values, np.float32).reshape(self._shape)
        size = ctypes.c_size_t(given.nbytes)
        library.TfLiteTensorCopyFromBuffer(self._input, given.ctypes.data_as(ctypes.c_void_p), size)
        library.TfLiteInterpreterInvoke(self._run)
        output = ctypes.c_void_p(library.TfLiteInterpreterGetOutputTensor(self._run, ctypes.c_int32(0)))
        length = library.TfLiteTensorByteSize(output)
        result = np.empty(length // 4, np.float32)
        library.TfLiteTensorCopyToBuffer(
            output, result.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(length)
        )
        return result

    def __del__(self) -> None:
        for name, pointer in (("Interpreter", "_run"), ("Model", "_model")):
            if getattr(self, pointer, None):
                getattr(self._lib, f"TfLite{name}Delete")(getattr(self, pointer))
