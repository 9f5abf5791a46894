"""Token arrays as compact little-endian blobs; long ones are read once, when a trace is shown."""

from __future__ import annotations

import json
import zlib

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


def pack_texts(texts: list[list[str]]) -> bytes:
    return zlib.compress(json.dumps(texts, separators=(",", ":")).encode())


def unpack_texts(blob: bytes) -> list[list[str]]:
    texts: list[list[str]] = json.loads(zlib.decompress(blob))
    return texts
