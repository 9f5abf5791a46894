"""A guide in numbers: its cells as the allocation sees them, what they cost, progress by arm.

Invariant: everything is computed from what is stored; what was never measured is unknown rather
than guessed.
"""

from __future__ import annotations

import json
import re
import socket
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from explorer.core.arm import canonical_json
from explorer.core.belief import Prior, fit_prior
from explorer.core.guessing import is_ordinary
from explorer.core.guidance import Cell, Goal, Room
from explorer.store import guides, queries, requests, speeds
from explorer.store.guides import NOTHING_SPENT, GuideRow, Limits, Spent, Wish
from explorer.store.rows import ArmRow, Tally
from explorer.views.numbers import count, duration, plural
from explorer.views.text import one_line


class Pace(NamedTuple):
    """What one completion of a model costs.

    Attributes:
        tokens: how many it takes on average; the most it may take where none is stored.
        looked_at: completions behind that, 0 if none.
        per_second: tokens drawn per second on this machine, None if that was never measured.
        measured_s: seconds behind that.
    """

    tokens: float
    looked_at: int
    per_second: float | None = None
    measured_s: float = 0.0

    @property
    def seconds(self) -> float | None:
        """Seconds per completion."""
        return self.tokens / self.per_second if self.per_second else None

    def basis(self) -> str:
        """What it rests on, in words."""
        length = f"at most {self.tokens:,.0f} tokens, none stored yet"
        if self.looked_at:
            length = f"{self.tokens:,.0f} tokens (mean of {count(self.looked_at)})"
        if self.per_second is None:
            return f"{length}, speed not measured yet"
        return f"{length}, {self.per_second:,.0f}/s measured here over {duration(self.measured_s)}"


@dataclass(frozen=True, slots=True)
class Standing:
    """The cells of a wish as they are now.

    Attributes:
        arms: (model, dataset) -> the arm whose completions count; missing while it is not known.
        cells: one for each model and problem, problem by problem.
        paces: [model] what its completions cost.
        datasets: problem id -> its dataset.
        counts: [model] (correct, graded) of all problems of these datasets, chosen or not: what is
            believed of p before must not rest on problems that were chosen for how they came out.
    """

    wish: Wish
    arms: Mapping[tuple[str, str], int]
    cells: tuple[Cell, ...]
    paces: tuple[Pace, ...]
    ungraded: int
    datasets: Mapping[int, str]
    counts: tuple[tuple[tuple[int, int], ...], ...]

    def priors(self) -> tuple[Prior, ...]:
        """What is believed of each model's p before: fitted to all its problems."""
        return tuple(fit_prior([c for c, _ in own], [n for _, n in own]) for own in self.counts)

    @property
    def goal(self) -> Goal:
        return Goal(
            self.wish.n, self.wish.ks, self.wish.pairs, tuple(pace.tokens for pace in self.paces)
        )

    def room(self, spent: Spent = NOTHING_SPENT, asked: Sequence[tuple[int, int]] = ()) -> Room:
        """What may still be spent; `asked` is (model, samples) of what is under way or waits."""
        most, paces = self.wish.limits, self.paces
        samples = sum(many for _, many in asked)
        tokens = sum(many * paces[place].tokens for place, many in asked)
        seconds = sum(many * (paces[place].seconds or 0.0) for place, many in asked)
        return Room(
            None if most.samples is None else most.samples - spent.samples - samples,
            None if most.tokens is None else most.tokens - spent.tokens - tokens,
            None if most.seconds is None else most.seconds - spent.seconds - seconds,
            tuple(pace.seconds for pace in paces),
        )

    def missing(self, model: int) -> int:
        """Completions of a model that are not there yet."""
        n = self.wish.n
        return sum(max(0, n - cell.completions) for cell in self.cells if cell.arm == model)


@dataclass(frozen=True, slots=True)
class ArmProgress:
    """How far a model is: completions that count towards n, and all that are wanted."""

    model: str
    have: int
    wanted: int
    pace: Pace


@dataclass(frozen=True, slots=True)
class GuideProgress:
    """How far a guide is.

    Attributes:
        now: what is drawn, and why: 'rl on twins/trees-004: …'; '' if nothing is.
        waiting: cells of the round that wait.
        seconds_left: about how long it may still take, None if that is not known.
    """

    guide: GuideRow
    arms: tuple[ArmProgress, ...]
    now: str
    waiting: int
    seconds_left: float | None


def read_standing(db: sqlite3.Connection, wish: Wish, since: float | None = None) -> Standing:
    """The cells of a wish.

    Args:
        since: only arms that a request has told since then are known; None takes the most likely.
    """
    rows = db.execute(
        "SELECT id, dataset FROM problem WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(wish.problem_ids)),),
    )
    datasets: dict[int, str] = dict(rows.fetchall())
    arms = _told_arms(db, wish, datasets, since)
    if since is None:
        arms = _likely_arms(db, wish, set(datasets.values())) | arms
    tallies = queries.tallies(db)  # of all problems: see `Standing.counts`
    cells, ungraded = [], 0
    for problem in wish.problem_ids:
        for place, model in enumerate(wish.models):
            arm = arms.get((model, datasets.get(problem, "")), 0)
            tally = tallies.get((arm, problem), Tally())
            cells.append(Cell(place, problem, tally.correct, tally.n, tally.completions))
            ungraded += tally.ungraded
    paces = tuple(_pace(db, wish, model, arms) for model in wish.models)
    counts = tuple(_counts(tallies, model, arms) for model in wish.models)
    return Standing(wish, arms, tuple(cells), paces, ungraded, datasets, counts)


def read_progress(db: sqlite3.Connection, guide: GuideRow) -> GuideProgress:
    """How far a guide is."""
    standing = read_standing(db, guide.wish)
    drawn = guides.draws(db, guide.id)
    running = next((one for one in drawn if one.state == "running"), None)
    now = ""
    if running is not None:
        row = queries.problem_by_id(db, running.problem_id)
        name = f"{row.problem.dataset}/{row.problem.name}" if row else "?"
        now = one_line(f"{running.model} on {name}: {running.why}")
    return GuideProgress(
        guide=guide,
        arms=tuple(
            ArmProgress(
                model,
                have=have_of(standing, place),
                wanted=guide.wish.n * len(guide.wish.problem_ids),
                pace=standing.paces[place],
            )
            for place, model in enumerate(guide.wish.models)
        ),
        now=now,
        waiting=sum(one.state == "queued" for one in drawn),
        seconds_left=_seconds_left(standing, guide) if guide.state in ("open", "paused") else None,
    )


def read_guides(db: sqlite3.Connection, ended: int = 3) -> list[GuideProgress]:
    """Open and paused guides, then the last few that have ended."""
    found = guides.all_guides(db)
    under_way = [one for one in found if one.state not in guides.ENDED]
    over = [one for one in found if one.state in guides.ENDED]
    return [read_progress(db, one) for one in (*reversed(under_way), *over[:ended])]


def amount(text: str) -> int | None:
    """5000, `20k` or `2M` as a number; None if it is none."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kKmM]?)", text.strip().replace(",", ""))
    if found is None:
        return None
    value = round(float(found[1]) * {"": 1, "k": 1_000, "m": 1_000_000}[found[2].lower()])
    return value if 1 <= value <= 10**12 else None


def pairs_of(models: Sequence[str], bases: Mapping[str, str]) -> tuple[tuple[int, int], ...]:
    """Positions of the models that are compared: each with its base, where that is among them."""
    places = {model: place for place, model in enumerate(models)}
    return tuple(
        (places[bases[model]], place)
        for place, model in enumerate(models)
        if bases.get(model) in places
    )


def limits_label(limits: Limits) -> str:
    """`at most 2,000,000 tokens or 30 min`; '' without limits."""
    parts = []
    if limits.samples is not None:
        parts.append(plural(limits.samples, "sample"))
    if limits.tokens is not None:
        parts.append(plural(limits.tokens, "token"))
    if limits.seconds is not None:
        parts.append(duration(limits.seconds))
    return f"at most {' or '.join(parts)}" if parts else ""


def what_label(wish: Wish) -> str:
    """`256 of each of 17 problems (class:S)`."""
    return (
        f"{count(wish.n)} of each of {plural(len(wish.problem_ids), 'problem')}"
        f" ({one_line(wish.named, 60)})"
    )


def spent_label(spent: Spent) -> str:
    """`1,200 samples, 61,000 tokens, 3 min`."""
    time = duration(spent.seconds) if spent.seconds else "0 s"
    return f"{plural(spent.samples, 'sample')}, {plural(spent.tokens, 'token')}, {time}"


def have_of(standing: Standing, place: int) -> int:
    n = standing.wish.n
    return sum(min(n, cell.completions) for cell in standing.cells if cell.arm == place)


def _seconds_left(standing: Standing, guide: GuideRow) -> float | None:
    """Until everything is there, or the first limit is reached at the pace of what is missing."""
    missing = [standing.missing(place) for place in range(len(guide.wish.models))]
    samples = sum(missing)
    needed = [pace.seconds for pace, many in zip(standing.paces, missing, strict=True) if many]
    if not samples:
        return 0.0
    room = standing.room(guide.spent)
    if None in needed:
        return room.seconds
    seconds = sum(
        many * (pace.seconds or 0.0) for pace, many in zip(standing.paces, missing, strict=True)
    )
    tokens = sum(many * pace.tokens for pace, many in zip(standing.paces, missing, strict=True))
    shares = [1.0]
    if room.samples is not None:
        shares.append(room.samples / samples)
    if room.tokens is not None and tokens:
        shares.append(room.tokens / tokens)
    left = max(0.0, min(shares)) * seconds
    return left if room.seconds is None else max(0.0, min(left, room.seconds))


def _counts(
    tallies: Mapping[tuple[int, int], Tally], model: str, arms: Mapping[tuple[str, str], int]
) -> tuple[tuple[int, int], ...]:
    own = {arm for (name, _), arm in arms.items() if name == model}
    return tuple((tally.correct, tally.n) for (arm, _), tally in tallies.items() if arm in own)


def _told_arms(
    db: sqlite3.Connection, wish: Wish, datasets: Mapping[int, str], since: float | None
) -> dict[tuple[str, str], int]:
    """Which arm a model's latest request for one of these problems was drawn with."""
    rows = db.execute(
        "SELECT model, problem_id, arm_id FROM request WHERE kind = 'sample' AND state = 'done'"
        " AND arm_id IS NOT NULL AND sampling = ? AND updated >= ? ORDER BY updated",
        (canonical_json(wish.sampling.to_json()), since or 0.0),
    )
    return {
        (model, datasets[problem]): arm
        for model, problem, arm in rows
        if model in wish.models and problem in datasets
    }


def _likely_arms(
    db: sqlite3.Connection, wish: Wish, datasets: set[str]
) -> dict[tuple[str, str], int]:
    """A model's arm with these settings that has most completions of a dataset."""
    arms: Sequence[ArmRow] = [
        arm
        for arm in queries.arms(db)
        if is_ordinary(arm.spec) and arm.spec.sampling == wish.sampling
    ]
    found: dict[tuple[str, str], int] = {}
    for dataset in datasets:
        sizes = queries.arm_sizes(db, dataset)
        for arm in sorted(arms, key=lambda arm: sizes.get(arm.id, 0)):
            if sizes.get(arm.id):
                found[arm.model.name, dataset] = arm.id
    return found


def _pace(
    db: sqlite3.Connection, wish: Wish, model: str, arms: Mapping[tuple[str, str], int]
) -> Pace:
    ids = sorted({arm for (name, _), arm in arms.items() if name == model})
    looked = speeds.tokens_each(db, ids, wish.problem_ids)
    speed = speeds.of_arms(db, ids, socket.gethostname())
    at, tokens = looked or (0, float(wish.sampling.max_tokens))
    if speed is None:
        return Pace(tokens, at)
    return Pace(tokens, at, speed.per_second, speed.seconds)


def foreign_cells(db: sqlite3.Connection, wish: Wish) -> set[tuple[int, int]]:
    """Cells, as (position of the model, problem), that somebody else has asked for just now."""
    rows = db.execute(
        "SELECT r.model, r.problem_id FROM request r LEFT JOIN guide_draw d ON d.request_id = r.id"
        " WHERE r.kind = 'sample' AND r.state IN ('queued', 'running') AND r.sampling = ?"
        " AND (d.request_id IS NULL OR r.priority != ?)",
        (canonical_json(wish.sampling.to_json()), requests.GUIDED),
    )
    places = {model: place for place, model in enumerate(wish.models)}
    return {(places[model], problem) for model, problem in rows if model in places}
