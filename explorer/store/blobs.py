"""Token arrays as compact little-endian blobs; long ones are read once, when a trace is shown."""

from __future__ import annotations

import json
import sys
import zlib
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from explorer.core.completion import Float32, Int32


def pack_ints(values: Int32) -> bytes:
    return np.ascontiguousarray(values, dtype="<i4").tobytes()


def unpack_ints(blob: bytes) -> Int32:
    return np.frombuffer(blob, dtype="<i4").astype(np.int32, copy=False)


def pack_floats(values: Float32) -> bytes:
    return np.ascontiguousarray(values, dtype="<f4").tobytes()


def unpack_floats(blob: bytes) -> Float32:
    return np.frombuffer(blob, dtype="<f4").astype(np.float32, copy=False)


def pack_texts(texts: Iterable[Sequence[str]]) -> bytes:
    """Texts per token; `alternatives.StoredAlternatives` reads them."""
    rows = [list(row) for row in texts]
    return zlib.compress(json.dumps(rows, separators=(",", ":")).encode())


def pack_int_list(values: list[int]) -> bytes:
    """As `pack_ints`, for a list, and faster than by way of an array of numpy's.

    Raises:
        TypeError, OverflowError: a value is not an integer of 32 bits.
    """
    return _little_endian(array("i", values)).tobytes()


def pack_float_list(values: list[float]) -> tuple[bytes, float]:
    """As `pack_floats`, for a non-empty list; also the mean of what is stored.

    Raises:
        TypeError: a value is not a number.
    """
    floats = array("f", values)
    return _little_endian(floats).tobytes(), sum(floats) / len(floats)


def _little_endian(values: array[Any]) -> array[Any]:
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return values
