"""What every source module hands on: records of completions as its file has them.

A source is a module with `NAME`, `recognise(head) -> Found | None` and
`read(found, progress) -> Iterator[Record | RowFault]`. Invariant: a record says only what its file
says. What the file does not say is `None` or '' here, and is shown as unknown, never filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from explorer.core.code_tests import CodeTests
from explorer.core.completion import FinishReason
from explorer.exchange.sources.head import Head
from explorer.exchange.sources.reading import Progress
from explorer.json_lines import RowFault
from explorer.store.recorded import Label as Label

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ProblemReference:
    """Which problem a completion answers, as far as the file says.

    Attributes:
        dataset: name of the benchmark, '' if the file does not say.
        id: the source's name of the problem, '' if it has none.
        statement: what was asked, '' if the file does not hold it.
        gold: reference answer, '' if it is not there.
        verifier: who could decide it if no dataset of the workspace has it.
        unique_id: `id` alone names the problem wherever it occurs ('HumanEval/3').
        choices: the options' texts of a multiple-choice problem.
    """

    dataset: str
    id: str
    statement: str
    gold: str
    verifier: str = "math"
    unique_id: bool = False
    level: str = ""
    family: str = ""
    choices: tuple[str, ...] = ()
    tests: CodeTests | None = None


@dataclass(frozen=True, slots=True)
class Conditions:
    """How completions were drawn, as far as the file says; None and '' are unknown.

    Attributes:
        prompt: the source's name of the prompt template.
        step: which checkpoint of a training run, such as 'step 40'.
        engine, dtype, checkpoint: as `core.arm.ArmSpec`.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    prompt: str = ""
    step: str = ""
    engine: str = ""
    dtype: str = ""
    checkpoint: str = ""


class RawTokens(NamedTuple):
    """Token ids as the model drew them, with their log-probabilities if the file has them."""

    ids: list[int]
    logprobs: list[float] | None = None
    prompt_ids: list[int] | None = None


@dataclass(slots=True)
class Record:
    """One completion of a file.

    Attributes:
        row: line or row of the file, from 1.
        model: who wrote it; '' = the file's model.
        conditions: None = the file's.
        seed: of this completion, 0 if unknown.
        occurrence: the how-manieth completion of this very text the problem has in this file,
            where the source repeats rows; None = count them.
        mean_logprob: of the tokens, where the file has it without token ids.
        note: what a reader must know, such as 'cut at a stop string'.
        label_only: a repeated row that adds labels to a completion, and is none itself.
        ids_only: `text`, and the statement if it is '', are only in the token ids.
    """

    problem: ProblemReference
    text: str
    row: int
    labels: tuple[Label, ...] = ()
    model: str = ""
    conditions: Conditions | None = None
    seed: int = 0
    occurrence: int | None = None
    finish: FinishReason = FinishReason.UNKNOWN
    tokens: RawTokens | None = None
    mean_logprob: float | None = None
    note: str = ""
    label_only: bool = False
    ids_only: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What a file was recognised as.

    Attributes:
        source: name of the source module.
        title: the format in words.
        detail: what the file's name and neighbours say, in words.
        model: who wrote the completions; '' where the records say so.
        run: identity of the run, '' = that of the file's first record.
        companions: files that are read along with this one.
        remarks: what a person should know, such as metadata that contradicts the rows.
    """

    source: str
    title: str
    path: Path
    detail: str = ""
    model: str = ""
    conditions: Conditions = Conditions()
    run: str = ""
    companions: tuple[Path, ...] = ()
    remarks: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Companion:
    """A file that belongs to another one and holds no completions of its own."""

    of: str


class Source(Protocol):
    """What a module of this package offers."""

    NAME: str

    def recognise(self, head: Head) -> Found | Companion | None: ...

    def read(self, found: Found, progress: Progress) -> Iterator[Record | RowFault]: ...


MALFORMED: Final = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError)
"""What reading a row can meet when its values are of other types than the format has."""


def each_row(
    rows: Iterator[tuple[int, Any]], path: Path, make: Callable[[Any, int], Iterable[Record]]
) -> Iterator[Record | RowFault]:
    """The records of each row; one that cannot be read costs itself, with its reason."""
    for number, row in rows:
        if isinstance(row, RowFault):
            yield row
            continue
        try:
            yield from make(row, number)
        except ValueError as error:
            yield RowFault(path, number, str(error))
        except MALFORMED as error:
            yield RowFault(path, number, f"values of other types than expected ({error})")


def anchor(problem: ProblemReference, text: str) -> str:
    """Identity of a run, from its first completion: the same in every copy, also a longer one."""
    first = f"{problem.statement}\0{problem.id}\0{text}"
    return blake2b(first.encode(), digest_size=16).hexdigest()


def right_or_wrong(value: object) -> float | None:
    """A label's value as a number: booleans are 1 and 0, words and NaN are unknown."""
    if isinstance(value, bool | int | float) and value == value:
        return float(value)
    return None


def text_of(value: object) -> str:
    """A short field as text, '' if it is absent; numbers as JSON writes them."""
    if value is None or isinstance(value, dict):
        return ""
    if isinstance(value, list):
        return text_of(value[0]) if value else ""
    return value if isinstance(value, str) else str(value)


def need_text(row: Row, column: str) -> str:
    """A column that must be text.

    Raises:
        ValueError: it is not.
    """
    value = row.get(column)
    if not isinstance(value, str):
        raise ValueError(f"'{column}' is missing" if value is None else f"'{column}' is not text")
    return value


def need_texts(row: Row, column: str) -> list[str]:
    """A column that must be a list of texts.

    Raises:
        ValueError: it is not.
    """
    value = row.get(column)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"'{column}' is not a list of texts")
    return value


def token_ids(value: object, column: str) -> list[int]:
    """A list of token ids.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, list) or not all(type(one) is int and one >= 0 for one in value):
        raise ValueError(f"'{column}' is not a list of token ids")
    return value


def logprobs_for(value: object, ids: list[int], column: str) -> list[float] | None:
    """Log-probabilities of those tokens, None if they are absent.

    Raises:
        ValueError: they are no numbers, or not as many as there are tokens.
    """
    if value is None or value == []:
        return None
    if not isinstance(value, list) or not all(
        isinstance(one, int | float) and not isinstance(one, bool) for one in value
    ):
        raise ValueError(f"'{column}' is not a list of numbers")
    if len(value) != len(ids):
        raise ValueError(f"'{column}' has {len(value)} numbers for {len(ids)} tokens")
    return [float(one) for one in value]
