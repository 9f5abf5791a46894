"""Takes guides a round further, by ordinary requests for completions.

Invariant: one guide is at work at a time, and a round is decided when the one before is nearly
drawn, from all that is known by then. A limit on samples is never passed; one on tokens or minutes
is passed at most by what is under way, which is kept.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from explorer.core.guidance import Draw, next_round
from explorer.core.intervals import posterior_intervals
from explorer.store import guides, requests
from explorer.store.guides import DrawRow, GuideRow, NewDraw
from explorer.store.requests import GUIDED
from explorer.store.rows import RequestRow
from explorer.views.guides import Standing, foreign_cells, read_standing, spent_label
from explorer.views.numbers import count, duration, plural

AHEAD: Final = 2
"""A new round is decided once so few requests of the last one wait, so that no engine does."""

IN_A_ROW: Final = 5
"""So many failures of one model, one after another, end a guide: the next ones would fail too."""

PROBES: Final = 3
"""Problems on which a model is first met: one may be unworkable, several mean that the model is."""

WRITES_EVERY_S: Final = 2.0
"""How often the time that was spent is written down; a kill loses less than that."""


Bands = Mapping[tuple[float, float], tuple[float, float]]
"""(c, n) -> the ends of the interval of p."""


class Stopwatch:
    """Counts the seconds that the sampler works on requests of a guide towards its limit."""

    def __init__(self, db: sqlite3.Connection, clock: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._clock = clock
        self._since = clock()
        self._passed = 0.0
        self._guide_id = 0

    def tick(self, working_on: Iterable[RequestRow]) -> None:
        """Time has passed; it is written down now and then.

        What is worked on at once is one guide's, as one guide is at work at a time.
        """
        now = self._clock()
        guided = next((one.id for one in working_on if one.priority == GUIDED), None)
        if guided is not None:
            self._guide_id = self._guide_id or guides.guide_of(self._db, guided)
            self._passed += now - self._since
        self._since = now
        if self._passed >= WRITES_EVERY_S:
            self.stop()

    def stop(self) -> None:
        """Write down what has passed since that was last done."""
        if self._passed:
            guides.spend_time(self._db, self._guide_id, self._passed)
        self._passed = 0.0


def advance(db: sqlite3.Connection, *, grading: bool) -> int:
    """Take the first open guide as far as it goes now; returns how many are open.

    Args:
        grading: the grader is at work, so what is ungraded may still become graded.
    """
    guides.account(db)
    while waiting := guides.open_guides(db):
        if _take_further(db, waiting[0], grading):
            return len(waiting)
    return 0


def _take_further(db: sqlite3.Connection, guide: GuideRow, grading: bool) -> bool:
    """Whether it is still open afterwards."""
    drawn = guides.draws(db, guide.id)
    limit = _limit_reached(guide)
    if limit and drawn:
        if any(one.state == "queued" for one in drawn):
            guides.withdraw(db, guide.id, running=False)
        return True
    if not limit and sum(one.state == "queued" for one in drawn) > AHEAD:
        return True
    told = _failures(db, guide)
    if told:
        guides.withdraw(db, guide.id)
        guides.close(db, guide, "failed", told)
        return False
    standing = read_standing(db, guide.wish, since=guide.asked)
    if limit:
        _end(db, guide, standing, limit)
        return False
    unknown = _first_cells(standing, _failed_cells(db, guide))
    if unknown:
        if not drawn:
            _meet(db, guide, standing, unknown)
        return True
    if grading and 2 * standing.ungraded > sum(cell.completions for cell in standing.cells):
        return True
    return _next(db, guide, standing, drawn)


def _next(
    db: sqlite3.Connection, guide: GuideRow, standing: Standing, drawn: Sequence[DrawRow]
) -> bool:
    """Ask for the next round, or end; whether it is still open."""
    places = {model: place for place, model in enumerate(guide.wish.models)}
    own = {(places[one.model], one.problem_id) for one in drawn}
    foreign, failed = foreign_cells(db, guide.wish), _failed_cells(db, guide)
    room = standing.room(guide.spent, [(places[one.model], one.samples) for one in drawn])
    skip = own | foreign | set(failed)
    chosen = next_round(standing.goal, standing.cells, room, standing.priors(), skip)
    if chosen and chosen[0].gain and any(_is_below_floor(standing, cell) for cell in own):
        return True  # what the last cells of the floor say is waited for
    if chosen:
        bands = bands_of(standing)
        asked = [
            NewDraw(
                guide.wish.models[one.cell.arm],
                one.cell.problem,
                one.target,
                one.samples,
                why(standing, one, bands),
            )
            for one in chosen
        ]
        guides.draw(db, guide, asked)
        return True
    if drawn or any(_is_missing(standing, cell) for cell in foreign):
        return True
    lost = [cell for cell in failed if _is_missing(standing, cell)]
    left = f"{plural(len(lost), 'cell')} could not be drawn: {failed[lost[0]]}" if lost else ""
    if left:
        guides.close(db, guide, "failed", f"{left}; drew {spent_label(guide.spent)}")
    else:
        _end(db, guide, standing, "")
    return False


def why(standing: Standing, draw: Draw, bands: Bands) -> str:
    """Why a cell is drawn, with the counts that it was decided on."""
    cell, wish = draw.cell, standing.wish
    now = f"{cell.c:g}/{cell.n:g}"
    if draw.gain == 0:
        return f"{now}, every cell first gets {draw.target}"
    if cell.c == 0:
        return f"{now}, not solved yet: one hit would change its class"
    low, high = bands[cell.c, cell.n]
    for rival in standing.cells:
        compared = (cell.arm, rival.arm) in wish.pairs or (rival.arm, cell.arm) in wish.pairs
        if rival.problem != cell.problem or not compared or not rival.n:
            continue
        rival_low, rival_high = bands[rival.c, rival.n]
        if low <= rival_high and rival_low <= high:
            name = wish.models[rival.arm]
            return f"{now}, its band overlaps that of {name} ({rival.c:g}/{rival.n:g})"
    return f"{now}, takes most uncertainty away per token"


def bands_of(standing: Standing) -> Bands:
    """The 95 % interval of p at each count that occurs, as it is shown of a problem."""
    counts = sorted({(cell.c, cell.n) for cell in standing.cells if cell.n})
    if not counts:
        return {}
    lower, upper = posterior_intervals([c for c, _ in counts], [n for _, n in counts], [1])
    ends = zip(lower[:, 0].tolist(), upper[:, 0].tolist(), strict=True)
    return dict(zip(counts, ends, strict=True))


def _meet(
    db: sqlite3.Connection, guide: GuideRow, standing: Standing, cells: Sequence[tuple[int, int]]
) -> None:
    """Ask for one completion of each model that is not known yet; what it has already counts."""
    most = standing.room(guide.spent).samples
    chosen = cells if most is None else cells[:most]
    reason = "to learn what this model has already"
    guides.draw(
        db,
        guide,
        [NewDraw(guide.wish.models[arm], problem, 1, 1, reason) for arm, problem in chosen],
    )


def _first_cells(
    standing: Standing, failed: Mapping[tuple[int, int], str]
) -> list[tuple[int, int]]:
    """The first problems of each model and dataset whose arm no request has told yet."""
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for cell in standing.cells:
        key = (standing.wish.models[cell.arm], standing.datasets.get(cell.problem, ""))
        if key not in standing.arms and (cell.arm, cell.problem) not in failed:
            found.setdefault(key, []).append((cell.arm, cell.problem))
    return [cell for cells in found.values() for cell in cells[:PROBES]]


def _limit_reached(guide: GuideRow) -> str:
    """Which limit stops it, in words; '' if none does."""
    most, spent = guide.wish.limits, guide.spent
    if most.samples is not None and spent.samples >= most.samples:
        return f"the limit of {plural(most.samples, 'sample')}"
    if most.tokens is not None and spent.tokens >= most.tokens:
        return f"the limit of {plural(most.tokens, 'token')}"
    if most.seconds is not None and spent.seconds >= most.seconds:
        return f"the limit of {duration(most.seconds)}"
    return ""


def _end(db: sqlite3.Connection, guide: GuideRow, standing: Standing, limit: str) -> None:
    missing = [standing.missing(place) for place in range(len(guide.wish.models))]
    spent = f"drew {spent_label(guide.spent)}"
    if not sum(missing):
        done = f"every model has {count(guide.wish.n)} of each problem"
        guides.close(db, guide, "done", f"{done}; {spent}")
        return
    undone = ", ".join(
        f"{model} {count(many)}"
        for model, many in zip(guide.wish.models, missing, strict=True)
        if many
    )
    left = f"{plural(sum(missing), 'sample')} short of {count(guide.wish.n)} of everything"
    guides.close(db, guide, "done", f"stopped at {limit or 'a limit'}; {spent}; {left} ({undone})")


def _failures(db: sqlite3.Connection, guide: GuideRow) -> str:
    """Why a model's last requests all failed; '' while it may still work."""
    few = min(PROBES, len(guide.wish.problem_ids))
    for model in guide.wish.models:
        ended = [row for row in _ended(db, guide) if row.model == model]
        last = ended if len(ended) <= few else ended[-IN_A_ROW:]
        enough = len(last) == IN_A_ROW or len(last) == len(ended) >= few
        if enough and all(row.state == "failed" for row in last):
            title = str(last[-1].error.get("title", "")) or "its requests failed"
            return f"{model}: {title}; drew {spent_label(guide.spent)}"
    return ""


def _failed_cells(db: sqlite3.Connection, guide: GuideRow) -> Mapping[tuple[int, int], str]:
    """Cells that failed or were cancelled since it was asked for, and why."""
    places = {model: place for place, model in enumerate(guide.wish.models)}
    return {
        (places[row.model], row.problem_id): str(row.error.get("title", "")) or "it was cancelled"
        for row in _ended(db, guide)
        if row.state != "done"
    }


def _ended(db: sqlite3.Connection, guide: GuideRow) -> list[RequestRow]:
    """Requests for its cells that have ended since it was asked for, the latest last."""
    wish = guide.wish
    rows = requests.select(
        db,
        "kind = 'sample' AND state IN ('done', 'failed', 'cancelled') AND updated >= ?",
        (guide.asked,),
    )
    problems = set(wish.problem_ids)
    own = [
        row
        for row in rows
        if row.model in wish.models and row.problem_id in problems and row.sampling == wish.sampling
    ]
    return sorted(own, key=lambda row: row.updated)


def _is_missing(standing: Standing, cell: tuple[int, int]) -> bool:
    return any(
        (one.arm, one.problem) == cell and one.completions < standing.wish.n
        for one in standing.cells
    )


def _is_below_floor(standing: Standing, cell: tuple[int, int]) -> bool:
    floor = standing.goal.floor
    return any((one.arm, one.problem) == cell and one.completions < floor for one in standing.cells)
