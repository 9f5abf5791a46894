"""Text out of a pickle without unpickling: untrusted pickles run code, so none is ever loaded.

LiveCodeBench hides its private tests as base64 of zlib of a pickle of one JSON text. Such a
pickle is a header, one string and a stop; that is read with `pickletools`, which only lists
opcodes, and anything else is refused. Invariant: no object but a `str` is ever made.
"""

from __future__ import annotations

import base64
import binascii
import pickletools
import zlib
from typing import Final

LARGEST: Final = 1 << 30
"""Bytes of an unpacked text; more is a bomb."""

_HARMLESS: Final = frozenset({"PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "STOP"})
_TEXT: Final = frozenset({"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"})


def decode(packed: str) -> str:
    """The text in a base64 of a zlib of a pickled `str`.

    Raises:
        ValueError: it is something else, and what.
    """
    try:
        data = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"not base64 ({error})") from None
    unpacker = zlib.decompressobj()
    try:
        pickle = unpacker.decompress(data, LARGEST)
    except zlib.error as error:
        raise ValueError(f"not zlib ({error})") from None
    if unpacker.unconsumed_tail:
        raise ValueError(f"more than {LARGEST >> 20} MiB")
    return text_of(pickle)


def text_of(pickle: bytes) -> str:
    """The string that a pickle holds, if it holds one string and nothing else.

    Raises:
        ValueError: it holds anything else, or is no pickle.
    """
    found: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(pickle):
            if opcode.name in _TEXT and isinstance(argument, str):
                found.append(argument)
            elif opcode.name not in _HARMLESS:
                raise ValueError(f"a pickle of more than text ({opcode.name}) is not loaded")
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # whatever a broken pickle makes of pickletools
        raise ValueError(f"no pickle ({type(error).__name__})") from None
    if len(found) != 1:
        raise ValueError(f"a pickle of {len(found)} texts instead of one")
    return found[0]
