"""The tests that decide a code problem, as plain data that can be stored, sent and compared.

Datasets write them, the store keeps them packed and apart from what lists read, the code verifier
unpacks them where it runs them. Invariant: they are text and numbers only; nothing here is ever
executed or unpickled, and equal tests have equal digests.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

LARGEST: Final = 1 << 30
"""Bytes of unpacked tests; more is not a test suite but a bomb."""


class TestKind(StrEnum):
    """How an answer is run against its tests."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    CHECK = "check"
    """`code` defines `check(candidate)`; it is called with the answer's `entry_point`."""

    ASSERTS = "asserts"
    """`code` is a script that is run after the answer and fails by raising."""

    STDIN = "stdin"
    """The answer is a programme: each case's `input` goes to stdin, `expected` is its stdout."""

    FUNCTIONAL = "functional"
    """`entry_point` (a function, or a method of `Solution`) is called per case: `input` has one
    JSON value per line, one for each argument; `expected` is one JSON value."""

    REFERENCE = "reference"
    """`entry_point` is called per case and must agree with the function of that name which
    `reference` defines. `input` is a Python expression of the list of arguments, in which `inf`
    and `nan` are floats; `expected` is not used. Results are equal up to `tolerance` unless
    `code` defines `same(expected, answer, arguments) -> bool`."""


@dataclass(frozen=True, slots=True)
class TestCase:
    """One input and what must come out; the text is encoded as its `TestKind` says."""

    __test__ = False

    input: str
    expected: str = ""


@dataclass(frozen=True, slots=True)
class CodeTests:
    """All tests of one problem.

    Attributes:
        kind: how they are run.
        entry_point: name of the function that is tested; may be dotted (`Solution().solve`).
        prompt: code that the completion was asked to continue (HumanEval), else ''; it is put
            before an answer that is only a body.
        prelude: code to run before every answer, such as the imports that a judge offers.
        code: the test code of CHECK and ASSERTS; of REFERENCE an own comparison, mostly ''.
        cases: the cases of STDIN, FUNCTIONAL and REFERENCE.
        reference: a whole programme that defines the right `entry_point` (REFERENCE), else ''.
        tolerance: largest absolute difference of floats that counts as equal.
        time_limit_s: of one case, or of the whole script of CHECK and ASSERTS; 0 = the verifier's.
    """

    kind: TestKind
    entry_point: str = ""
    prompt: str = ""
    prelude: str = ""
    code: str = ""
    cases: tuple[TestCase, ...] = ()
    reference: str = ""
    tolerance: float = 0.0
    time_limit_s: float = 0.0

    def pack(self) -> PackedTests:
        """The same as bytes; packing is deterministic."""
        values = asdict(self)
        values["cases"] = [[case.input, case.expected] for case in self.cases]
        text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        data = text.encode()
        return PackedTests(hashlib.sha256(data).hexdigest(), zlib.compress(data, 6))


@dataclass(frozen=True, slots=True)
class PackedTests:
    """Tests as they are stored and sent: thousands of LiveCodeBench cases stay one small blob.

    Attributes:
        digest: SHA-256 of the unpacked bytes; equal digests mean equal tests.
        blob: zlib-compressed JSON.
    """

    digest: str
    blob: bytes

    def unpack(self) -> CodeTests:
        """The tests.

        Raises:
            ValueError: the blob is not what `CodeTests.pack` wrote.
        """
        unpacker = zlib.decompressobj()
        try:
            data = unpacker.decompress(self.blob, LARGEST)
            if unpacker.unconsumed_tail:
                raise ValueError(f"more than {LARGEST >> 20} MiB of tests")
            return _from_json(json.loads(data))
        except (zlib.error, KeyError, TypeError) as error:
            raise ValueError(f"damaged tests: {error}") from error


def _from_json(values: Mapping[str, Any]) -> CodeTests:
    cases = tuple(TestCase(*case) for case in values["cases"])
    return CodeTests(**{**values, "kind": TestKind(values["kind"]), "cases": cases})
