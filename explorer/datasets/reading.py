"""What all formats share: rows in, problems out, one fault for each row that cannot be used.

A format is a function from a row to a problem that raises `ValueError` with the reason why a row
is left out. Invariant: names are unique, and every row is either a problem or a fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from explorer.core.code_tests import CodeTests
from explorer.core.problem import Problem
from explorer.datasets import sources
from explorer.datasets.contents import DatasetContents
from explorer.datasets.row import Row
from explorer.json_lines import RowFault
from explorer.settings import DatasetSettings
from explorer.settings.formats import FORMATS

Convert = Callable[[Row, DatasetSettings], Problem]


def read_files(
    settings: DatasetSettings,
    convert: Convert,
    patterns: Sequence[str] = (),
    lenient: bool = False,
) -> DatasetContents:
    """Read a dataset whose rows are its problems; `patterns` are the format's own file names.

    Raises:
        DataError: there is nothing to read, or no telling which file is meant.
        MissingExtraError: a file or a hub needs the extra `data`.
    """
    rows = sources.rows(sources.files(settings, patterns), lenient)
    return read_rows(settings, rows, convert)


def read_rows(
    settings: DatasetSettings, rows: Iterable[Row | RowFault], convert: Convert
) -> DatasetContents:
    """Turn rows into problems and faults."""
    problems: dict[str, Problem] = {}
    places: dict[str, Row] = {}
    faults: list[RowFault] = []
    for row in rows:
        if isinstance(row, RowFault):
            faults.append(row)
            continue
        try:
            problem = convert(row, settings)
        except (ValueError, RecursionError) as error:
            faults.append(RowFault(row.path, row.line, str(error)))
            continue
        if problem.name in problems:
            first = places[problem.name]
            where = f"line {first.line}" if first.path == row.path else f"{first.path.name}"
            reason = f"id {problem.name!r} was already used in {where}"
            faults.append(RowFault(row.path, row.line, reason))
            continue
        problems[problem.name] = problem
        places[problem.name] = row
    return DatasetContents(tuple(problems.values()), tuple(faults), settings.format)


def make(
    settings: DatasetSettings,
    row: Row,
    *,
    name: str,
    statement: str,
    gold: str,
    family: str = "",
    level: str = "",
    note: str = "",
    extra: Mapping[str, Any] | None = None,
    images: tuple[str, ...] = (),
    tests: CodeTests | None = None,
) -> Problem:
    """A problem of this dataset; `extra` always has the row's number as `idx`."""
    return Problem(
        dataset=settings.name,
        name=name.strip(),
        statement=statement,
        gold=gold,
        family=family,
        level=level,
        note=note,
        verifier=verifier_of(settings),
        extra={"idx": row.index} | {k: v for k, v in (extra or {}).items() if v not in (None, "")},
        images=images,
        tests=tests.pack() if tests else None,
    )


def verifier_of(settings: DatasetSettings) -> str:
    """Who decides, unless a row says otherwise: explorer.toml, else the format."""
    return settings.verifier or FORMATS[settings.format].verifier


def name_of(row: Row, *columns: str) -> str:
    """The first of these id columns that is there, else the row's number."""
    column = next((column for column in columns if row.has(column)), "")
    name = row.text(column).strip() if column else str(row.index)
    if not name:
        raise ValueError(f"'{column}' is empty")
    return name


def local_image(settings: DatasetSettings, row: Row, text: str) -> str:
    """The absolute path of an image that a benchmark's row names; the file may be missing.

    Raises:
        ValueError: it points out of the images' folder, as no benchmark's does.
    """
    folder = (settings.images or row.path.parent).resolve()
    path = Path(text)
    if path.is_absolute() or ".." in path.parts or "\0" in text:
        raise ValueError(f"image {text!r} is not inside the dataset's folder")
    return str(folder / path)


def with_choices(question: str, choices: Sequence[str]) -> str:
    """A question and its options by letter, unless it has them already."""
    listed = [f"({letter(place)}) {choice}" for place, choice in enumerate(choices)]
    if not choices or all(line in question for line in listed):
        return question
    return "\n".join([question, "Choices:", *listed])


def letter(place: int) -> str:
    """The letter of an option, 'A' for 0.

    Raises:
        ValueError: the alphabet is too short.
    """
    if not 0 <= place < 26:
        raise ValueError("more than 26 choices")
    return chr(ord("A") + place)


_BLANKS = re.compile(r"\s+")


def one_line(text: str) -> str:
    """Text without line breaks, for a family, a level or a note."""
    return _BLANKS.sub(" ", text).strip()
