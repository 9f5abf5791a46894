"""The tables of a study, cell by cell: what the screen, the printed report and the page all show.

Invariant: a number is rounded here and nowhere else, so two places that show it show the same
digits. A cell is a value and, apart from it, its band, which may give way where there is no room.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from explorer.core.meeting import Meeting
from explorer.views.arms import ArmColumn
from explorer.views.diversity import Diversity, diversity_remarks, diversity_table
from explorer.views.numbers import plural
from explorer.views.report_tables import Comparison
from explorer.views.series_plot import series_marks
from explorer.views.study import Study
from explorer.views.study_perplexity import Perplexities
from explorer.views.study_series import Series, SeriesLine, SeriesPoint
from explorer.views.text import one_line


class Cell(NamedTuple):
    """A value as text, and its band or share."""

    text: str
    band: str = ""

    def __str__(self) -> str:
        return f"{self.text} {self.band}" if self.band else self.text


@dataclass(frozen=True, slots=True)
class Grid:
    """A table whose first column names its rows.

    Attributes:
        colours: the colour name of each row, '' for text.
        heads: the colour name of each header after the first, () for muted.
        notes: what must be said beneath it.
        spare: columns that say little and give way before any band does.
    """

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    spare: tuple[int, ...] = ()


def name_of(column: ArmColumn) -> str:
    """A model with its marker: `◆ rl`."""
    return f"{column.mark.marker} {one_line(column.name, 24)}"


def pass_grid(found: Study) -> Grid:
    """Mean pass@k in per cent: a row an arm, a column a k."""
    ks = found.report.ks
    lines = [line for line in found.report.arms if line.problems]
    rows = [
        (
            Cell(name_of(line.column)),
            *(
                banded(*numbers)
                for numbers in zip(line.values, line.lower, line.upper, strict=True)
            ),
            Cell(_range(line.n_least, line.n_most)),
            Cell(f"{line.problems:,}"),
        )
        for line in lines
    ]
    return Grid(
        "Mean pass@k, %",
        ("", *(f"@{k}" for k in ks), "n", "problems"),
        tuple(rows),
        ("Bands are 95% bootstraps over problems.",),
        _colours(line.column for line in lines),
    )


def difference_grid(found: Study) -> Grid:
    """Paired difference to the base in points: a row a model, a column a k."""
    rows = [
        (
            Cell(name_of(one.other)),
            *(
                banded(*numbers, sign="+")
                for numbers in zip(one.difference, one.lower, one.upper, strict=True)
            ),
            Cell(f"{one.problems:,}"),
        )
        for one in _comparisons(found)
    ]
    return Grid(
        "pass@k minus base's, points",
        ("", *(f"@{k}" for k in found.report.ks), "problems"),
        tuple(rows),
        colours=_colours(one.other for one in _comparisons(found)),
    )


def gap_grid(found: Study) -> Grid:
    """Δ_SE per model, smallest first, with the k used and where the curves cross."""
    rows = [
        (
            Cell(name_of(one.other)),
            Cell(one_line(one.other.model.algorithm, 12) or "–"),
            banded(one.gap, one.gap_lower, one.gap_upper),
            Cell(f"{one.gap_k:,}" if one.gap_k else "–"),
            Cell(crossing_text(one.meeting), crossing_band(one.meeting)),
            Cell(share_text(one.meeting.share)),
            Cell(f"{one.problems:,}"),
        )
        for one in _comparisons(found)
    ]
    return Grid(
        "Δ_SE = base pass@k − pass@1, points; smallest first",
        ("", "method", "Δ_SE", "k", "crossing", "cross in", "problems"),
        tuple(rows),
        (
            "crossing: the k from which base's mean curve leads, [95% over problems];"
            " 'cross in': share of resamples that cross at all.",
        ),
        _colours(one.other for one in _comparisons(found)),
        spare=(1,),
    )


def coverage_grid(found: Study) -> Grid:
    """The 2×2 of every model and its support metrics."""
    rows = []
    for one in _comparisons(found):
        seen = one.coverage
        counts = (seen.preserved, seen.expanded, seen.shrunk, seen.out, seen.uncertain)
        rates = (seen.retention, seen.discovery, seen.dynamic, seen.net_change)
        rows.append(
            (
                Cell(name_of(one.other)),
                *(Cell(f"{count:,}") for count in counts),
                *(Cell(hundredths(rate)) for rate in rates),
            )
        )
    return Grid(
        "Solved at least once: P both, E only it, S only base, O neither",
        ("", "P", "E", "S", "O", "open", "SRR", "NDR", "SDS", "NSCR"),
        tuple(rows),
        ("SRR = P/(P+S), NDR = E/(P+E), SDS their harmonic mean, NSCR = (E−S)/(P+E+S).",),
        _colours(one.other for one in _comparisons(found)),
    )


def histogram_grid(found: Study) -> Grid:
    """Problems by accuracy c/n in the paper's twelve bins: a row a bin, a column an arm."""
    if not found.histograms:
        return Grid("Problems by accuracy", ("c/n",), ())
    rows = []
    for place, one in enumerate(found.histograms[0].bins):
        bins = [histogram.bins[place] for histogram in found.histograms]
        cells = [Cell(f"{each.problems:,}", f"({points(each.share)}%)") for each in bins]
        rows.append((Cell(one.label), *cells))
    columns = [histogram.column for histogram in found.histograms]
    totals = [f"{histogram.problems:,}" for histogram in found.histograms]
    return Grid(
        "Problems by accuracy c/n, and their share",
        ("c/n", *map(name_of, columns)),
        (*rows, (Cell("all"), *map(Cell, totals))),
        heads=_colours(columns),
    )


def perplexity_grid(found: Perplexities) -> Grid:
    """Quantiles of perplexity: a row a reader and writer."""
    rows = [
        (
            Cell(line.label),
            *(Cell(quotient(value)) for value in _quantiles(line.box)),
            Cell(quotient(line.typical.median)),
            Cell(f"{line.box.n:,}"),
        )
        for line in found.lines
    ]
    notes = [
        f"exp(−mean log-probability), raw; {plural(found.problems, 'problem')}, at most"
        f" {found.per_problem} completions each. 'typical': median over problems of their median."
    ]
    if found.left_out:
        notes.append(f"{plural(found.left_out, 'problem')} left out: not scored for every row.")
    notes += [f"{name} is not scored under its base." for name in found.unscored]
    return Grid(
        "Perplexity, A on B: A reads what B wrote",
        ("", "5%", "25%", "median", "75%", "95%", "typical", "n"),
        tuple(rows),
        tuple(notes),
        _colours(line.writer for line in found.lines),
    )


def series_grid(found: Series, columns: Sequence[ArmColumn] = ()) -> Grid:
    """pass@k at every k of the tables and coverage along a field: a row an arm.

    Args:
        columns: models that have marks elsewhere, and wear them here too.
    """
    rows, notes, colours = [], [], []
    known = {column.name: column.mark for column in columns}
    for line, marks in zip(found.lines, series_marks(found, known), strict=True):
        notes.append(f"{line.label}: {plural(line.problems, 'problem')} that all of its arms have.")
        for point, mark in zip(line.points, marks, strict=True):
            colours.append(mark.colour)
            estimates = [line.estimate(point, one) for one in found.statistics]
            rows.append(
                (
                    Cell(f"{mark.marker} {_point_name(found, line, point)}"),
                    Cell(point.text),
                    *(banded(*one) if one else Cell("–") for one in estimates),
                    Cell(_range(*point.n)),
                )
            )
    if rows:
        notes.append("coverage: solved at least once in n; compare it at equal n only.")
    others = [name for name in found.fields if name != found.field]
    if others:
        notes.append(f"Other fields with several values: {', '.join(others)}.")
    if not rows:
        notes = ["No arms differ in one field alone: sample at another temperature, or give models"]
        notes += ["`step = …` or `rollouts = …` in explorer.toml."]
    names = [f"@{one}" if one else "coverage" for one in found.statistics]
    headers = ("", found.field or "field", *names, "n")
    field = found.field.replace("_", " ")
    title = f"By {field}: mean pass@k, %" if found.field else "By a field of the arms"
    return Grid(title, headers, tuple(rows), tuple(notes), tuple(colours))


def _point_name(found: Series, line: SeriesLine, point: SeriesPoint) -> str:
    """`PPO: ppo-step-100`; the model first, or alone, where it says the more."""
    model = one_line(point.arm.model.name, 24)
    if model == line.label or (found.in_order and len(found.lines) == 1):
        return model
    return f"{model}, {line.label}" if found.in_order else f"{line.label}: {model}"


def answers_grid(found: Diversity) -> Grid:
    """Majority@k, G-Pass@k, Cover@τ and entropies: a column an arm."""
    columns = [arm.column for arm in found.arms]
    rows = [(Cell(name), *map(Cell, values)) for name, values in diversity_table(found)]
    return Grid(
        f"Answers, means over {plural(found.problems, 'problem')} that all have",
        ("", *map(name_of, columns)),
        tuple(rows) if columns else (),
        tuple(diversity_remarks(found)),
        heads=_colours(columns),
    )


def group_grid(found: Study) -> Grid:
    """Mean accuracy in per cent by a column of the dataset: a row a value, a column an arm."""
    grouped, columns = found.grouping, found.drawn
    rows = [
        (
            Cell(group.value),
            Cell(f"{group.problems:,}"),
            *(banded(cell.value, cell.lower, cell.upper) for cell in group.cells),
        )
        for group in grouped.groups
    ]
    others = [one_line(name, 24) for name in grouped.columns if name != grouped.by]
    notes = [f"Other columns: {', '.join(others)}."] if others else []
    if not rows:
        notes = ["No column of this dataset has between 2 and 40 different values here."]
    return Grid(
        f"Accuracy by {one_line(grouped.by, 24)}, %" if grouped.by else "Accuracy by group",
        (one_line(grouped.by, 24), "problems", *map(name_of, columns)),
        tuple(rows),
        tuple(notes),
        heads=("muted", *_colours(columns)),
    )


def banded(value: float, lower: float, upper: float, sign: str = "") -> Cell:
    """A fraction in points with its band: `12.3 [10.1, 15.0]`."""
    if math.isnan(value):
        return Cell("–")
    if math.isnan(lower):
        return Cell(f"{points(value, sign)}")
    return Cell(points(value, sign), f"[{points(lower, sign)}, {points(upper, sign)}]")


def points(value: float, sign: str = "") -> str:
    """A fraction times 100, one decimal."""
    return "–" if math.isnan(value) else f"{100 * value:{sign}z.1f}"


def hundredths(value: float) -> str:
    """A metric between −1 and 1."""
    return "–" if math.isnan(value) else f"{value:.3f}"


def quotient(value: float) -> str:
    """A perplexity."""
    return "–" if math.isnan(value) else f"{value:.3f}" if value < 100 else f"{value:,.0f}"


def crossing_text(found: Meeting) -> str:
    """`37`, `1` where base leads from the start, `>256` where it never does, `–` if unknown."""
    if not found.largest:
        return "–"
    return _k(found.at, found.largest)


def crossing_band(found: Meeting) -> str:
    """`[12, >256]`."""
    if not found.largest:
        return ""
    return f"[{_k(found.lower, found.largest)}, {_k(found.upper, found.largest)}]"


def share_text(value: float) -> str:
    """`93%`."""
    return "–" if math.isnan(value) else f"{100 * value:.0f}%"


def _k(value: float, largest: int) -> str:
    if math.isinf(value):
        return f">{largest:,}"
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")


def _comparisons(found: Study) -> list[Comparison]:
    return [pair.comparison for pair in found.pairs if pair.comparison.problems]


def _quantiles(box: object) -> Sequence[float]:
    names = ("low", "lower", "median", "upper", "high")
    return [float(getattr(box, name)) for name in names]


def _range(least: int, most: int) -> str:
    return f"{least:,}" if least == most else f"{least:,}–{most:,}"


def _colours(columns: Iterable[ArmColumn]) -> tuple[str, ...]:
    return tuple(column.mark.colour for column in columns)
