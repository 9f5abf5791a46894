"""`datasets` as text and as JSON: which formats are read, and a look into one dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from rich.text import Text

from explorer.core.problem import Problem
from explorer.datasets.contents import DatasetContents
from explorer.datasets.registry import read
from explorer.report.console import console, table
from explorer.settings import DatasetSettings, Settings
from explorer.settings.formats import FORMATS
from explorer.views.text import lines_of, one_line

_FAULTS: Final = 20
_GROUPS: Final = 20


def print_formats(settings: Settings | None) -> None:
    """Print every format, and the datasets of the workspace if there is one."""
    out = console()
    rows = [(name, one.verifier or "–", one.hub or "–", one.title) for name, one in FORMATS.items()]
    out.print(table(("format", "verifier", "hub default", "what it is"), rows, text_columns=4))
    if settings is None:
        return
    out.print()
    if not settings.datasets:
        out.print(Text("No dataset yet: name one in explorer.toml as [datasets.<name>]."))
    for one in settings.datasets.values():
        out.print(Text(f"{one.name}: {one.format}, {one.source}"))


def formats_as_list(settings: Settings | None) -> dict[str, Any]:
    """The same facts for programs."""
    datasets = settings.datasets.values() if settings else ()
    return {
        "formats": [
            {"name": name, "verifier": one.verifier, "hub": one.hub, "title": one.title}
            for name, one in FORMATS.items()
        ],
        "datasets": [
            {"name": one.name, "format": one.format, "source": one.source} for one in datasets
        ],
    }


def file_settings(path: Path, kind: str) -> DatasetSettings:
    """A dataset that stands in no explorer.toml, for a look into its file."""
    return DatasetSettings(path.name, path.resolve(), kind)


def print_preview(settings: DatasetSettings) -> None:
    """Print what a dataset holds: counts, groups, faults and the first problem.

    Raises:
        DataError, MissingExtraError, SettingsError: it cannot be read.
    """
    contents = read(settings)
    out = console()
    recognised = " (recognised)" if contents.format != settings.format else ""
    out.print(Text(f"{settings.source}"))
    out.print(Text(f"read as {contents.format}{recognised}: {_counts(contents)}"))
    for title, counts in _groups(contents.problems):
        shown = " · ".join(f"{one_line(name)} {count:,}" for name, count in counts[:_GROUPS])
        more = f" · … {len(counts) - _GROUPS:,} more" if len(counts) > _GROUPS else ""
        out.print(Text(f"{title}: {shown}{more}"))
    if contents.problems:
        out.print()
        _print_problem(contents.problems[0])
    if contents.faults:
        out.print()
    for fault in contents.faults[:_FAULTS]:
        out.print(Text(f"left out  {one_line(str(fault))}"))
    if len(contents.faults) > _FAULTS:
        out.print(Text(f"… and {len(contents.faults) - _FAULTS:,} more"))


def preview_as_dict(settings: DatasetSettings) -> dict[str, Any]:
    """The same facts for programs.

    Raises:
        DataError, MissingExtraError, SettingsError: it cannot be read.
    """
    contents = read(settings)
    first = contents.problems[0] if contents.problems else None
    return {
        "source": settings.source,
        "format": contents.format,
        "problems": len(contents.problems),
        "left_out": [
            {"file": str(fault.path), "line": fault.line, "reason": fault.reason}
            for fault in contents.faults
        ],
        **{title: dict(counts) for title, counts in _groups(contents.problems)},
        "first": _as_dict(first) if first else None,
    }


def _counts(contents: DatasetContents) -> str:
    missing = _missing_images(contents.problems)
    parts = [
        _count(len(contents.problems), "problem"),
        f"{_count(len(contents.faults), 'row')} left out",
        f"{_count(missing, 'image')} missing" if missing else "",
    ]
    return " · ".join(part for part in parts if part)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _missing_images(problems: Iterable[Problem]) -> int:
    return sum(not Path(image).is_file() for one in problems for image in one.images)


def _groups(problems: Iterable[Problem]) -> list[tuple[str, list[tuple[str, int]]]]:
    """Families, levels and verifiers with their counts, most frequent first."""
    columns: Mapping[str, Counter[str]] = {
        "families": Counter(one.family for one in problems if one.family),
        "levels": Counter(one.level for one in problems if one.level),
        "verifiers": Counter(one.verifier for one in problems),
    }
    return [(title, counts.most_common()) for title, counts in columns.items() if counts]


def _print_problem(problem: Problem) -> None:
    out = console()
    out.print(Text(f"first problem: {one_line(problem.name)}"))
    out.print(Text("\n".join(lines_of(problem.statement))))
    if problem.gold:
        out.print(Text(f"answer: {one_line(problem.gold)}"))
    for image in problem.images:
        there = "" if Path(image).is_file() else " (missing)"
        out.print(Text(f"image: {one_line(image)}{there}"))
    if problem.tests:
        out.print(Text(f"tests: {_tests(problem)}"))


def _tests(problem: Problem) -> str:
    assert problem.tests is not None
    tests = problem.tests.unpack()
    parts = (tests.kind.value, tests.entry_point, f"{len(tests.cases)} cases" * bool(tests.cases))
    return " · ".join(one_line(part) for part in parts if part)


def _as_dict(problem: Problem) -> dict[str, Any]:
    return {
        "name": problem.name,
        "statement": problem.statement,
        "gold": problem.gold,
        "family": problem.family,
        "level": problem.level,
        "note": problem.note,
        "verifier": problem.verifier,
        "images": list(problem.images),
        "tests": _tests(problem) if problem.tests else "",
        "extra": dict(problem.extra),
    }
