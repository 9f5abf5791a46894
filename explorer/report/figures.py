"""Figures of a study through matplotlib: curves, Δ_SE, histogram, coverage, perplexities.

Invariant: a figure draws values of the same `WholeStudy` that the tables are made of, and labels
them with the tables' own texts; it computes nothing. matplotlib is imported only when one is drawn.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from explorer.errors import DataError, MissingExtraError
from explorer.views.arms import ArmColumn
from explorer.views.numbers import plural
from explorer.views.series_plot import series_marks
from explorer.views.study import Histogram
from explorer.views.study_grids import gap_grid
from explorer.views.study_reader import WholeStudy
from explorer.views.text import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS: Final = ("png", "svg", "pdf")

_COLOURS: Final = {
    "base": "#b36b00",
    "rl": "#0060b0",
    "distilled": "#8b2a8b",
    "extra_a": "#008080",
    "extra_b": "#b04a4a",
    "extra_c": "#6b6b3a",
    "extra_d": "#5050b0",
    "text": "#404040",
}
"""The screen's hues, dark enough for white paper."""

_MARKERS: Final = {
    "●": "o", "◆": "D", "▲": "^", "■": "s", "○": "o", "◇": "D", "△": "^", "□": "s",
    "▼": "v", "▽": "v", "★": "*", "☆": "*", "◈": "P", "▷": ">", "◐": "h",
}  # fmt: skip

_HOLLOW: Final = "○◇△□▽☆▷"
"""Markers that are drawn empty, as on the screen."""

_SETTINGS: Final[dict[Any, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "rlvr-explorer",
    "pdf.fonttype": 42,
    "text.parse_math": False,  # a model's name is no formula
}


_CROWD: Final = 4
"""With more arms than this, bands and bars beside each other would hide one another."""


def write_figures(found: WholeStudy, folder: Path, formats: Iterable[str]) -> list[Path]:
    """Write every figure that there is data for; returns the files.

    Raises:
        MissingExtraError: matplotlib is not installed.
        DataError: the folder cannot be written.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, draw in drawings(found).items():
            for form in formats:
                path = folder / f"{_file_name(found.report.dataset)}-{name}.{form}"
                path.write_bytes(rendered(draw, form))
                written.append(path)
    except OSError as error:
        raise DataError(
            "The figures cannot be written", str(error), "Choose another folder."
        ) from error
    return written


def drawings(found: WholeStudy) -> dict[str, Callable[[], Figure]]:
    """The figures that there is data for, by name, not drawn yet."""
    known: dict[str, tuple[bool, Callable[[WholeStudy], Figure]]] = {
        "pass-at-k": (bool(found.curves.curves), curves_figure),
        "delta-se": (bool(gap_grid(found.study).rows), gaps_figure),
        "histogram": (bool(found.study.histograms), histogram_figure),
        "coverage": (any(pair.comparison.problems for pair in found.study.pairs), coverage_figure),
        "perplexity": (any(line.box.n for line in found.perplexities.lines), perplexity_figure),
        "series": (bool(found.series.lines), series_figure),
    }
    return {
        name: (lambda draw=draw: draw(found))  # type: ignore[misc]
        for name, (there, draw) in known.items()
        if there
    }


def rendered(draw: Callable[[], Figure], form: str) -> bytes:
    """A figure as a file's bytes; the same data give the same bytes.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ImportError:
        raise MissingExtraError("Drawing figures", "figures") from None
    stamps: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(form, {})
    out = io.BytesIO()
    with rc_context(_SETTINGS):
        figure = draw()
        FigureCanvasAgg(figure)
        figure.savefig(out, format=form, dpi=200, bbox_inches="tight", metadata=stamps)
    return out.getvalue()


def curves_figure(found: WholeStudy) -> Figure:
    """Mean pass@k with 95 % bands; dotted where k > n/2."""
    figure, axes = _figure(found, "pass@k")
    crowded = len(found.curves.curves) > _CROWD
    for curve in found.curves.curves:
        colour, marker = _COLOURS[curve.mark.colour], _MARKERS[curve.mark.marker]
        ks = [point.k for point in curve.points]
        values = [100 * point.value for point in curve.points]
        low = [100 * point.lower for point in curve.points]
        high = [100 * point.upper for point in curve.points]
        faint = crowded and curve is not found.curves.curves[0]
        axes.fill_between(ks, low, high, color=colour, alpha=0.04 if faint else 0.15, linewidth=0)
        sure = sum(k <= curve.trusted for k in ks)
        style = "--" if curve.mark.dashed else "-"
        axes.plot(
            ks[:sure], values[:sure], style, color=colour, marker=marker, ms=4, label=curve.label,
            mfc="white" if curve.mark.marker in _HOLLOW else colour,
        )  # fmt: skip
        axes.plot(ks[max(0, sure - 1) :], values[max(0, sure - 1) :], ":", color=colour)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda k, _: f"{k:g}")
    axes.set(xlabel="k (dotted: k > n/2)", ylabel="mean pass@k, %")
    axes.set_ylim(bottom=0)
    _legend(axes, crowded)
    _caption(axes, found, f"{plural(found.curves.problems, 'problem')}, 95% over problems")
    return figure


def gaps_figure(found: WholeStudy) -> Figure:
    """Δ_SE per model, smallest first, labelled with its k."""
    pairs = [pair.comparison for pair in found.study.pairs if pair.comparison.problems]
    figure, axes = _figure(found, "Δ_SE", height=1.2 + 0.42 * len(pairs))
    places = range(len(pairs))
    for place, one, row in zip(places, pairs, gap_grid(found.study).rows, strict=True):
        ends = [[100 * (one.gap - one.gap_lower)], [100 * (one.gap_upper - one.gap)]]
        colour = _COLOURS[one.other.mark.colour]
        axes.barh(place, 100 * one.gap, color=colour, alpha=0.8, height=0.6)
        axes.errorbar(100 * one.gap, place, xerr=ends, color="#222222", capsize=3, lw=1)
        side = max(100 * one.gap_upper, 0)
        axes.annotate(
            f" {row[2].text} at k={row[3].text}",
            (side, place),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
        )
    axes.set_yticks(list(places), [_name(one.other) for one in pairs])
    axes.invert_yaxis()
    axes.margins(x=0.3)
    axes.set(xlabel="Δ_SE = base pass@k − pass@1, points (smaller is better)")
    _caption(axes, found, "95% paired bootstrap over problems")
    return figure


def histogram_figure(found: WholeStudy) -> Figure:
    """Problems by accuracy in the paper's bins, arms overlaid; a row each where they are many."""
    if len(found.study.histograms) > _CROWD:
        return _histogram_rows(found)
    figure, axes = _figure(found, "accuracy")
    arms = found.study.histograms
    width = 0.84 / len(arms)
    for place, arm in enumerate(arms):
        left = [bin_ + (place + 0.5) * width - 0.42 for bin_ in range(len(arm.bins))]
        _bars(axes, arm, left, width)
    _name_bins(axes, arms[0])
    axes.set(ylabel="problems")
    total = max(arm.problems for arm in arms)
    share = axes.secondary_yaxis(
        "right", functions=(partial(_scaled, 100 / total), partial(_scaled, total / 100))
    )
    share.set_ylabel(f"% of {total:,}")
    axes.legend(loc="best")
    _caption(axes, found, "0 and 1 are bins of their own")
    return figure


def _histogram_rows(found: WholeStudy) -> Figure:
    """A histogram an arm, one beneath the other, on one scale."""
    arms = found.study.histograms
    figure, first = _figure(found, "accuracy", height=1.0 + 0.55 * len(arms))
    first.remove()
    rows = figure.subplots(len(arms), 1, sharex=True, sharey=True)
    for axes, arm in zip(rows, arms, strict=True):
        _bars(axes, arm, list(range(len(arm.bins))), 0.84)
        axes.set_ylabel(_name(arm.column), rotation=0, ha="right", va="center")
        axes.locator_params(axis="y", nbins=2, integer=True)
    _name_bins(rows[-1], arms[0])
    _caption(rows[0], found, "problems; 0 and 1 are bins of their own")
    return figure


def _bars(axes: Axes, arm: Histogram, left: list[float], width: float) -> None:
    heights = [one.problems for one in arm.bins]
    axes.bar(left, heights, width, color=_COLOURS[arm.column.mark.colour], label=_name(arm.column))


def _name_bins(axes: Axes, arm: Histogram) -> None:
    axes.set_xticks(range(len(arm.bins)), [one.label for one in arm.bins], rotation=40, ha="right")
    axes.set(xlabel="accuracy c/n")


def coverage_figure(found: WholeStudy) -> Figure:
    """P, E, S and O of every model as one bar each."""
    pairs = [pair.comparison for pair in found.study.pairs if pair.comparison.problems]
    figure, axes = _figure(found, "coverage", height=1.4 + 0.42 * len(pairs))
    parts = (
        ("preserved", "P both solve", "#7a9a4a"),
        ("expanded", "E only it solves", _COLOURS["rl"]),
        ("shrunk", "S only base solves", _COLOURS["base"]),
        ("out", "O neither solves", "#c8c8c8"),
    )
    left = [0] * len(pairs)
    for name, label, colour in parts:
        counts = [int(getattr(one.coverage, name)) for one in pairs]
        bars = axes.barh(
            range(len(pairs)), counts, left=left, color=colour, label=label, height=0.6
        )
        axes.bar_label(
            bars, [f"{count:,}" if count else "" for count in counts], label_type="center"
        )
        left = [done + count for done, count in zip(left, counts, strict=True)]
    axes.set_yticks(range(len(pairs)), [_name(one.other) for one in pairs])
    axes.invert_yaxis()
    axes.set(xlabel="problems")
    axes.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1.06))
    _caption(axes, found, "solved at least once in n", above=False)
    return figure


def perplexity_figure(found: WholeStudy) -> Figure:
    """Boxes of perplexity: quartiles, whiskers at 5 and 95 %."""
    lines = [line for line in found.perplexities.lines if line.box.n]
    figure, axes = _figure(found, "perplexity", height=1.4 + 0.42 * len(lines))
    stats = [
        {
            "med": line.box.median, "q1": line.box.lower, "q3": line.box.upper,
            "whislo": line.box.low, "whishi": line.box.high, "fliers": [],
        }
        for line in lines
    ]  # fmt: skip
    drawn = axes.bxp(
        stats, orientation="horizontal", positions=list(range(len(lines))), patch_artist=True,
        showfliers=False, widths=0.55, medianprops={"color": "#111111"},
    )  # fmt: skip
    for patch, line in zip(drawn["boxes"], lines, strict=True):
        patch.set(facecolor=_COLOURS[line.writer.mark.colour], alpha=0.75)
    axes.set_yticks(range(len(lines)), [f"{line.label} (n = {line.box.n:,})" for line in lines])
    axes.invert_yaxis()
    axes.set_xscale("log")
    from matplotlib.ticker import LogLocator, NullFormatter

    spans = max(line.box.high for line in lines) / min(line.box.low for line in lines)
    fine = (1.0, 1.2, 1.5, 2.0, 3.0, 5.0) if spans < 5 else (1.0, 2.0, 5.0)
    axes.xaxis.set_major_locator(LogLocator(subs=fine))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(xlabel="perplexity, log scale (whiskers 5 and 95%)")
    _caption(axes, found, plural(found.perplexities.problems, "problem"))
    return figure


def series_figure(found: WholeStudy) -> Figure:
    """pass@1 (full lines) and pass@k (dashed) along a field; words are points in order."""
    figure, axes = _figure(found, found.series.field)
    known = {column.name: column.mark for column in found.study.columns}
    in_order = found.series.in_order
    for line, marks in zip(found.series.lines, series_marks(found.series, known), strict=True):
        colour = _COLOURS["text" if in_order else marks[-1].colour]
        for name, style in (("first", "-"), ("last", "--")):
            values = [getattr(point, name) for point in line.points]
            middle = [100 * value[0] for value in values]
            ends = [
                [100 * (value[0] - value[1]) for value in values],
                [100 * (value[2] - value[0]) for value in values],
            ]
            label = f"{line.label} pass@{1 if name == 'first' else line.k}"
            aside = 0.12 if in_order and name == "last" else 0.0
            xs = [point.x + aside for point in line.points]
            axes.errorbar(xs, middle, yerr=ends, ls="" if in_order else style, marker="o", ms=4,
                          color=colour, mfc=colour if name == "first" else "white",
                          capsize=2, lw=1.2, label=label)  # fmt: skip
    if in_order:
        named = {point.x: point.text for line in found.series.lines for point in line.points}
        axes.set_xticks(list(named), list(named.values()))
    axes.set(xlabel=found.series.field.replace("_", " "), ylabel="mean pass@k, %")
    axes.set_ylim(bottom=0)
    _legend(axes, len(found.series.lines) > 2)
    _caption(axes, found, "95% over problems")
    return figure


def _figure(found: WholeStudy, what: str, height: float = 3.4) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, max(1.8, height)), layout="constrained")
    axes = figure.add_subplot()
    figure.set_label(f"{found.report.dataset}: {what}")
    return figure, axes


def _legend(axes: Axes, crowded: bool) -> None:
    """In the best place, or beside the axes where it would cover what it explains."""
    if crowded:
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0))
    else:
        axes.legend(loc="best")


def _caption(axes: Axes, found: WholeStudy, rest: str, above: bool = True) -> None:
    """What it rests on, small, over the figure (or as its lower label)."""
    text = f"{one_line(found.report.dataset, 30)} · {found.report.settings} · {rest}"
    if above:
        axes.set_title(text, fontsize=7.5, loc="left", color="#555555")
    else:
        axes.set_xlabel(f"{axes.get_xlabel()}\n{text}", color="#333333")


def _scaled(factor: float, values: Any) -> Any:
    return factor * values


def _name(column: ArmColumn) -> str:
    method = one_line(column.model.algorithm, 16)
    name = one_line(column.name, 24)
    return f"{name} ({method})" if method and method.lower() != name.lower() else name


def _file_name(dataset: str) -> str:
    """A dataset's name without what a path would make something of."""
    kept = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in dataset)
    return kept.strip("-")[:60] or "set"
