"""The Problem screen's text as rows of pieces: statement, verdict, arms, answers, what runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import isnan
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from explorer.tui.render.cells import fit, wrap
from explorer.tui.widgets.line import Pieces
from explorer.views.text import last_line, lines_of, one_line

if TYPE_CHECKING:
    from explorer.store.rows import RequestRow
    from explorer.views.arms import ArmColumn
    from explorer.views.pace import Pace
    from explorer.views.problem_page import AnswerRow, Live, PageArm, ProblemPage

Cell = tuple[str, str]
Column = tuple[str, list[Cell], str]
"""Title, one cell per arm as (text, colour), alignment."""

STREAMS_SHOWN: Final = 4


def statement_rows(page: ProblemPage, width: int, raw: bool) -> list[Pieces]:
    """The statement, wrapped, and a line of what is known of the problem."""
    from explorer.views.latex import readable

    problem = page.row.problem
    text = problem.statement if raw else readable(problem.statement)
    rows: list[Pieces] = [
        [(" ", "text"), (line, "strong")]
        for source in lines_of(text.strip())
        for line in wrap(source, min(width - 2, 110))
    ]
    facts: list[tuple[str, str]] = [(" ", "text"), ("gold ", "muted")]
    gold = one_line(readable(problem.gold), limit=60)
    facts.append((gold or "decided by tests", "right bold" if gold else "text"))
    for label, value in (
        ("family", problem.family),
        ("level", problem.level),
        ("note", problem.note),
        ("verifier", page.verifier),
    ):
        if value:
            facts += [("  ·  ", "faint"), (f"{label} ", "muted"), (one_line(value), "text")]
    if raw:
        facts += [("  ·  ", "faint"), ("source shown", "accent")]
    rows += [[], *folded(facts, width)]
    return rows


def verdict_rows(page: ProblemPage, width: int) -> list[Pieces]:
    """The verdict: the class first, then what it rests on."""
    from explorer.views.palette import CLASS_COLOURS

    verdict = page.verdict
    if verdict is None:
        return [[(" A verdict needs a base and an RL model side by side.", "muted")]]
    colour = "muted"
    if verdict.coverage is not None:
        colour = CLASS_COLOURS[verdict.coverage.coverage.value]
    pieces: list[tuple[str, str]] = [(" ", "text"), (verdict.outcome, f"{colour} bold")]
    parts = [(verdict.counts, "text"), (verdict.conditions, "muted")]
    parts += [(bound, "text") for bound in verdict.bounds]
    parts += [(remark, "muted") for remark in verdict.remarks]
    for text, name in parts:
        pieces += [("  ·  ", "faint"), (text, name)]
    return folded(pieces, width)


def arm_rows(page: ProblemPage, width: int) -> list[Pieces]:
    """The table of arms; columns that do not fit are left out from the right."""
    columns = _arm_columns(page, width)
    header: list[tuple[str, str]] = [(" ", "text")]
    rows: list[list[tuple[str, str]]] = [[(" ", "text")] for _ in page.arms]
    used = 1
    for title, cells, align in columns:
        wide = max(len(title), *(cell_len(text) for text, _ in cells)) if cells else len(title)
        if used + wide > width - 1:
            break
        used += wide + 2
        header.append((fit(title, wide, align) + "  ", "muted"))
        for row, (text, name) in zip(rows, cells, strict=True):
            row.append((fit(text, wide, align) + "  ", name))
    return [header, *rows]


def _arm_columns(page: ProblemPage, width: int) -> list[Column]:
    from explorer.views.numbers import count

    ks = {arm.trusted_k for arm in page.arms if arm.trusted_k}
    same = len(ks) == 1
    makers: list[tuple[str, Callable[[PageArm], Cell], str]] = [
        ("model", partial(_model, limit=24 if width >= 100 else 14), "left"),
        *([("", _training, "left")] if width >= 100 else []),
        ("c/n", lambda arm: (f"{arm.tally.correct}/{arm.tally.n}", "text"), "right"),
        ("pass@1", _rate, "right"),
        (f"pass@{max(ks)}" if same else "pass@n/2", partial(_at_k, named=not same), "right"),
        ("95%", _interval, "right"),
        ("undecided", lambda arm: _quiet(arm.tally.undecided), "right"),
        *_doubts(page),
        ("cut", lambda arm: _quiet(arm.cut), "right"),
        ("PPL", _perplexity, "right"),
        ("recorded", lambda arm: (count(arm.tally.recorded), "muted"), "right"),
        ("ungraded", lambda arm: _quiet(arm.tally.ungraded), "right"),
        ("engine", _engine, "left"),
    ]
    return [(title, [make(arm) for arm in page.arms], align) for title, make, align in makers]


def _doubts(page: ProblemPage) -> list[tuple[str, Callable[[PageArm], Cell], str]]:
    """Columns that appear where there is something in them."""
    columns: list[tuple[str, Callable[[PageArm], Cell], str]] = []
    if any(arm.tally.disagreed for arm in page.arms):
        columns.append(("disagree", lambda arm: _quiet(arm.tally.disagreed), "right"))
    if any(arm.tally.overridden for arm in page.arms):
        columns.append(("overridden", lambda arm: _quiet(arm.tally.overridden), "right"))
    return columns


def _model(arm: PageArm, limit: int) -> Cell:
    name = one_line(arm.column.name, limit=limit)
    return f"{arm.column.mark.marker} {name}", f"{arm.column.mark.colour} bold"


def _training(arm: PageArm) -> Cell:
    role, algorithm = arm.column.role, one_line(arm.column.model.algorithm, limit=16)
    return (f"{role} · {algorithm}" if algorithm else role), "muted"


def _rate(arm: PageArm) -> Cell:
    from explorer.views.numbers import percent

    n = arm.tally.n
    return (percent(arm.tally.correct / n) if n else "–"), "text"


def _at_k(arm: PageArm, named: bool) -> Cell:
    """pass@k at the largest trusted k, which is named where it differs between arms."""
    from explorer.views.numbers import percent

    if not arm.trusted_k:
        return "–", "text"
    return percent(arm.value) + (f" @{arm.trusted_k}" if named else ""), "text"


def _interval(arm: PageArm) -> Cell:
    from explorer.views.numbers import span

    return ("–" if isnan(arm.lower) else span(arm.lower, arm.upper)), "muted"


def _perplexity(arm: PageArm) -> Cell:
    return (f"{arm.perplexity:.2f}" if arm.perplexity else "–"), "muted"


def _engine(arm: PageArm) -> Cell:
    spec = arm.column.arm.spec if arm.column.arm else None
    more = f" +{arm.column.others}" if arm.column.others else ""
    return (f"{spec.engine} {spec.dtype}{more}" if spec else "not drawn yet"), "faint"


def _quiet(value: int) -> tuple[str, str]:
    """A count that stands out only when it is not 0."""
    return (f"{value:,}", "text") if value else ("·", "faint")


def answer_rows(page: ProblemPage, width: int) -> list[Pieces]:
    """The answers: one row each, one bar per arm, right ones marked."""
    columns = [arm.column for arm in page.arms]
    if not page.answers:
        return [[(" no graded answers yet", "faint")]]
    totals = [max(1, arm.tally.n) for arm in page.arms]
    longest = max(cell_len(_answer_text(row)) for row in page.answers)
    most = max(max(row.counts) for row in page.answers)
    digits = max(2, len(str(most)))
    name = min(longest, max(16, width // 4))
    bar = (width - name - 4) // max(1, len(columns)) - digits - 3
    bar = max(0, min(bar, 16))
    header: list[tuple[str, str]] = [(" " + fit("answer", name + 2), "muted")]
    for column in columns:
        title = f"{column.mark.marker} {one_line(column.name, limit=24)}"
        if cell_len(title) > digits + bar + 2:
            title = column.mark.marker
        header.append((" " + fit(title, digits + bar + 2), f"{column.mark.colour} bold"))
    rows: list[Pieces] = [header]
    for row in page.answers:
        rows.append(_answer_row(row, columns, totals, name, digits, bar))
    return rows


def _answer_row(
    row: AnswerRow,
    columns: Sequence[ArmColumn],
    totals: Sequence[int],
    name: int,
    digits: int,
    bar: int,
) -> Pieces:
    from explorer.views.numbers import bar as draw
    from explorer.views.palette import OUTCOME_COLOURS, OUTCOME_MARKS

    mark, colour = OUTCOME_MARKS[row.outcome], OUTCOME_COLOURS[row.outcome]
    style = "strong" if row.outcome == "correct" else "text" if row.answer else "muted"
    pieces: list[tuple[str, str]] = [
        (f" {mark} ", f"{colour} bold"),
        (fit(_answer_text(row), name), style),
    ]
    for column, count, total in zip(columns, row.counts, totals, strict=True):
        drawn, _ = draw(count / total, bar)
        number = fit(str(count) if count else "·", digits, "right")
        pieces += [
            (f" {number} ", "text" if count else "faint"),
            (fit(drawn, bar + 1), column.mark.colour),
        ]
    return pieces


def _answer_text(row: AnswerRow) -> str:
    if row.others:
        return f"{row.others} other answers" if row.others > 1 else "1 other answer"
    return row.answer or "no answer"


def live_rows(
    live: Live, columns: Sequence[ArmColumn], paces: Mapping[str, Pace], now: float, width: int
) -> list[Pieces]:
    """Progress of each request, the last line of a few streams, and what failed."""
    from explorer.store.status import STALE_AFTER_S

    marks = {column.name: column.mark for column in columns}
    by_arm = {column.arm_id: column for column in columns}
    rows: list[Pieces] = []
    order = [column.name for column in columns]
    for request in sorted(
        live.open, key=lambda one: order.index(one.model) if one.model in order else len(order)
    ):
        rows.append(_progress_row(request, live, by_arm, paces))
    if live.open:
        rows += _sampler_rows(live, now)
    streams = [one for one in live.streams if now - one.updated < STALE_AFTER_S]
    for stream in streams[:STREAMS_SHOWN]:
        column = by_arm.get(stream.arm_id)
        marker, colour = (column.mark.marker, column.mark.colour) if column else ("·", "muted")
        head = f" {marker} #{stream.index} {stream.n_tokens:>4} tok  "
        text = last_line(stream.text)
        room = max(0, width - len(head) - 1)
        shown = _tail(text, room)
        rows.append([(head, colour), (fit(shown, room), "muted")])
    if len(streams) > STREAMS_SHOWN:
        rows.append([(f"   and {len(streams) - STREAMS_SHOWN} more streams", "faint")])
    for request in live.failed:
        mark = marks.get(request.model)
        rows += _failure_rows(request, mark.colour if mark else "text", width)
    return rows


def _tail(text: str, width: int) -> str:
    """The end of a text that is being written, in at most `width` cells."""
    if cell_len(text) <= width:
        return text
    while text and cell_len(text) > width - 1:
        text = text[1:]
    return "…" + text


def have(request: RequestRow, live: Live, columns: Mapping[int, ArmColumn]) -> int:
    """How many completions a request has already."""
    arm_id = request.arm_id
    if arm_id is None:
        arm_id = next(
            (
                arm
                for arm, column in columns.items()
                if column.name == request.model and column.sampling == request.sampling
            ),
            0,
        )
    return min(request.n, live.completions.get(arm_id, 0))


def _progress_row(
    request: RequestRow, live: Live, columns: Mapping[int, ArmColumn], paces: Mapping[str, Pace]
) -> Pieces:
    from explorer.views.numbers import bar, duration

    done = have(request, live, columns)
    column = next((one for one in columns.values() if one.name == request.model), None)
    marker, colour = (column.mark.marker, column.mark.colour) if column else ("·", "text")
    drawn, rest = bar(done / request.n if request.n else 0.0, 20)
    pieces: list[tuple[str, str]] = [
        (f" {marker} {fit(one_line(request.model), 12)} ", f"{colour} bold"),
        (drawn, colour),
        (rest, "line"),
        (f"  {done}/{request.n}", "strong"),
        (f"  {request.state}", "muted"),
    ]
    pace = paces.get(request.model)
    left = pace.seconds_left(request.n - done) if pace and request.state == "running" else None
    if left is not None:
        pieces.append((f"  about {duration(left)} left", "muted"))
    return pieces


def _sampler_rows(live: Live, now: float) -> list[Pieces]:
    from explorer.views.activity import is_alive

    row = live.sampler
    if row is None or row.state == "stopped":
        text = "   waiting: no sampler is running. s asks again and starts one."
        return [[(text, "base")]]
    if not is_alive(row, now):
        return [[("   the sampler does not answer. s starts another if it is gone.", "wrong")]]
    return []


def _failure_rows(request: RequestRow, colour: str, width: int) -> list[Pieces]:

    title = one_line(str(request.error.get("title", "failed")))
    rows: list[Pieces] = [
        [(" ✗ ", "wrong bold"), (f"{one_line(request.model)}  ", colour), (title, "wrong bold")]
    ]
    for key, name in (("detail", "text"), ("hint", "muted")):
        text = one_line(str(request.error.get(key, "")))
        if text:
            rows += [[("   ", "text"), (line, name)] for line in wrap(text, max(20, width - 4))[:3]]
    return rows


def folded(pieces: Sequence[tuple[str, str]], width: int) -> list[Pieces]:
    """Pieces laid out over as many lines as they need; a piece that is too long is wrapped."""
    rows: list[list[tuple[str, str]]] = [[]]
    used = 0
    for text, name in pieces:
        if used + cell_len(text) <= width - 1:
            rows[-1].append((text, name))
            used += cell_len(text)
            continue
        if rows[-1] and rows[-1][-1][0].strip() == "·":
            rows[-1].pop()
        if text.strip() == "·":
            continue
        for line in wrap(text, max(10, width - 2)):
            rows.append([(" ", "text"), (line, name)])
            used = 1 + cell_len(line)
    return [row for row in rows if row]
