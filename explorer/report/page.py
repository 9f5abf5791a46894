"""`report --html`: one page that stands alone, to keep beside a paper.

Invariants: the page asks the network for nothing (its content policy forbids it) and runs no
script; every text of a model, dataset or settings file is made visible and escaped (`_safe`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import closing
from html import escape
from pathlib import Path

from explorer import __version__
from explorer.errors import DataError
from explorer.report.dataset import CAVEAT
from explorer.report.figures import drawings, rendered
from explorer.report.page_style import STYLE
from explorer.report.parity import parity_lines
from explorer.report.study import cell_lines
from explorer.settings import Settings
from explorer.store import evidence, queries
from explorer.store.connection import open_reader
from explorer.views.diversity import MOST_ANSWERS
from explorer.views.numbers import plural
from explorer.views.overlay import Overlay, legend
from explorer.views.page_traces import PageTrace, ProblemTraces, read_traces
from explorer.views.report_reader import read_shown
from explorer.views.selection import one_problem
from explorer.views.study_grids import Grid, name_of
from explorer.views.study_reader import WholeStudy, read_studies
from explorer.views.text import lines_of, one_line

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

_TITLES = {
    "pass-at-k": "Mean pass@k",
    "delta-se": "Sampling-efficiency gap Δ_SE",
    "histogram": "Accuracy histogram",
    "coverage": "Coverage",
    "perplexity": "Perplexity",
    "series": "Series",
}


def write_page(
    path: Path,
    settings: Settings,
    dataset: str = "",
    problems: str = "all",
    preset: str = "",
    ks: Sequence[int] = (),
    group_by: str = "",
    x_field: str = "",
    traces: Sequence[str] = (),
    most_answers: int = MOST_ANSWERS,
    extra: Sequence[str] = (),
) -> None:
    """Write the page of a study.

    Raises:
        UsageError: as `read_studies`, or no such problem to show traces of.
        MissingExtraError: matplotlib is not installed.
        DataError: the file cannot be written.
    """
    asked = (dataset, problems, preset, ks, group_by, x_field, most_answers, extra)
    studies = read_studies(settings, *asked)
    shown = [_read_traces(settings, name, preset, extra) for name in traces]
    body = [part for found in studies for part in _dataset(settings, found)]
    if shown:
        body.append("<h2>Traces</h2>")
        body += [part for one in shown for part in _problem(one)]
    try:
        path.write_text(_page(studies, body), encoding="utf-8")
    except OSError as error:
        raise DataError("The page cannot be written", str(error), "Choose another file.") from error


def _read_traces(settings: Settings, name: str, preset: str, extra: Sequence[str]) -> ProblemTraces:
    with closing(open_reader(settings.workspace.cache)) as db:
        row = one_problem(queries.problems(db), name)
        shown = read_shown(db, settings, preset, row.problem.dataset, extra=extra)
        return read_traces(db, shown.choice.columns, row)


def _page(studies: Sequence[WholeStudy], body: Iterable[str]) -> str:
    names = ", ".join(_safe(found.report.dataset) for found in studies)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Study of {names}</title>",
            f"<style>{STYLE}</style></head><body><main>",
            *body,
            f"<footer><p>{_safe(CAVEAT)}</p><p>rlvr-explorer {_safe(__version__)}</p></footer>",
            "</main></body></html>\n",
        ]
    )


def _dataset(settings: Settings, found: WholeStudy) -> list[str]:
    report = found.report
    parts = [
        f"<h1>{_safe(report.dataset)}</h1>",
        f"<p class=lead>{plural(report.problems, 'problem')} · {_safe(report.settings)}</p>",
    ]
    for name, draw in drawings(found).items():
        svg = _inline(rendered(draw, "svg").decode(), name)
        title = _TITLES[name]
        parts.append(f"<figure>{svg}<figcaption>{_safe(title)}</figcaption></figure>")
    answers = found.answers()
    for grid in [*found.grids(), *([answers] if answers else [])]:
        parts += _table(grid)
    lines = cell_lines(found)
    if lines:
        parts += ["<h3>Lost and won</h3>", _list(lines)]
    return [*parts, *_provenance(settings, found)]


def _inline(svg: str, name: str) -> str:
    """The <svg> element alone, its ids made its own so that figures of one page do not mix."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    return re.sub(r'(url\(#|href="#)', rf"\1{name}-", svg)


def _table(grid: Grid) -> list[str]:
    colours = ("", *grid.heads, *[""] * len(grid.headers))
    head = "".join(
        f'<th class="{_safe(colour)}">{_safe(text)}</th>'
        for text, colour in zip(grid.headers, colours, strict=False)
    )
    rows = []
    for number, cells in enumerate(grid.rows):
        colour = grid.colours[number] if number < len(grid.colours) else ""
        rest = "".join(
            f"<td>{_safe(cell.text)}"
            + (f" <small>{_safe(cell.band)}</small>" if cell.band else "")
            + "</td>"
            for cell in cells[1:]
        )
        rows.append(f'<tr><th class="{_safe(colour)}">{_safe(cells[0].text)}</th>{rest}</tr>')
    return [
        f"<h3>{_safe(grid.title)}</h3>",
        f"<div class=wide><table><thead><tr>{head}</tr></thead>",
        f"<tbody>{''.join(rows)}</tbody></table></div>",
        *(f"<p class=note>{_safe(note)}</p>" for note in grid.notes),
    ]


def _provenance(settings: Settings, found: WholeStudy) -> list[str]:
    """Arms as they are keyed, verifiers, parity: what the numbers rest on."""
    parts = ["<h3>Arms</h3>"]
    for line in found.report.arms:
        arm = line.column.arm
        if arm is None or not line.problems:
            continue
        spec = arm.spec
        facts = [
            ("arm", arm.key), ("role", arm.model.role), ("algorithm", arm.model.algorithm),
            ("checkpoint", spec.checkpoint), ("tokenizer", spec.tokenizer),
            ("sampling", spec.sampling.label()), ("stop", ", ".join(map(repr, spec.sampling.stop))),
            ("context", f"{spec.context:,}" if spec.context else ""),
            ("engine", f"{spec.engine} {spec.dtype}"), ("template", spec.template),
        ]  # fmt: skip
        items = "".join(
            f"<dt>{_safe(name)}</dt><dd>{_safe(value)}</dd>" for name, value in facts if value
        )
        parts.append(
            f"<details><summary>{_safe(name_of(line.column))}</summary><dl>{items}</dl></details>"
        )
    parts += ["<h3>Verifiers</h3>", _list(_verifiers(settings, found) or ["nothing is graded"])]
    if found.report.parity:
        parts += ["<h3>Parity</h3>", _list(parity_lines(found.report.parity))]
    return parts


def _verifiers(settings: Settings, found: WholeStudy) -> list[str]:
    """Versions that the verdicts come from, of a bounded part of the problems."""
    versions: dict[str, None] = {}
    with closing(open_reader(settings.workspace.cache)) as db:
        for problem_id in evidence.spread(found.report.problem_ids):
            versions.update(dict.fromkeys(queries.verifier_versions(db, problem_id)))
    return sorted(versions)


def _problem(found: ProblemTraces) -> list[str]:
    problem = found.row.problem
    ranges = "".join(
        f'<span class="l{level}">{_safe(text)}</span> '
        for level, text in legend(Overlay.SURPRISAL, found.base).entries
    )
    statement = "\n".join(lines_of(problem.statement))
    parts = [
        f"<section><h3>{_safe(problem.dataset)}/{_safe(problem.name)}</h3>",
        f"<pre>{escape(statement)}</pre>",
        f"<p>Reference answer: <b>{_safe(problem.gold)}</b></p>" if problem.gold else "",
        f"<p class=note>−ln p of each token under {_safe(found.base)}: {ranges}</p>",
    ]
    parts += [_sample(trace) for trace in found.traces]
    return [*parts, "</section>"]


def _sample(trace: PageTrace) -> str:
    head = trace.head
    outcome = head.outcome.value if head.outcome else "not graded"
    said = (
        f"{one_line(trace.column.name, 40)} #{head.index} · {outcome} · answer {head.answer or '–'}"
    )
    if trace.missing:
        said += f" · not coloured: {trace.missing}"
    units = "".join(
        f'<span class="l{unit.level}" title="{escape(unit.said)}">{escape(unit.text)}</span>'
        for unit in trace.units
    )
    colour = escape(trace.column.mark.colour)
    return f'<h4 class="{colour} {_safe(outcome)}">{_safe(said)}</h4><pre class=trace>{units}</pre>'


def _list(lines: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{_safe(line)}</li>" for line in lines) + "</ul>"


def _safe(text: str) -> str:
    """A text on one line, with nothing in it that a page or a terminal would obey."""
    return escape(one_line(text))
