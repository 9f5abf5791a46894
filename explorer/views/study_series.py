"""How results move with one field of the arms: training step, rollouts, temperature, top_p, ….

A line joins arms that are equal in everything else. Invariants: all points of a line are over the
same problems and at the same ks; a field that nothing is known of makes no line.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from explorer.core.guessing import is_ordinary
from explorer.core.intervals import bootstrap_mean
from explorer.core.passk import standard_ks, table
from explorer.settings import Settings
from explorer.store.rows import ArmRow, Tally
from explorer.views.text import one_line

_STEP: Final = re.compile(r"(?:^|[^a-z])(?:global[-_ ]?)?step[-_ ]?(\d+)", re.IGNORECASE)

FIELDS: Final = ("step", "rollouts", "temperature", "top_p", "top_k", "max_tokens", "context")
"""What can be an x axis; step and rollouts come from `[models.X]`, the step also from a name."""


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """An arm at one value of the field: pass@1 and pass@k with 95 % bands over problems."""

    x: float
    arm: ArmRow
    first: tuple[float, float, float]
    last: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class SeriesLine:
    """Arms that differ in the field alone; `k` is the largest that all of them reach."""

    label: str
    role: str
    k: int
    problems: int
    points: tuple[SeriesPoint, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """All lines of a field, and which fields have any."""

    field: str
    lines: tuple[SeriesLine, ...]
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known of an arm."""

    arm: ArmRow
    values: Mapping[str, float | None]


def series(
    arms: Sequence[ArmRow],
    tallies: Mapping[tuple[int, int], Tally],
    problem_ids: Sequence[int],
    settings: Settings,
    field: str = "",
) -> Series:
    """The lines of a field over these problems; '' is the first field that has any."""
    drawn = [
        arm
        for arm in arms
        if is_ordinary(arm.spec)
        and any(tally.n for one in problem_ids if (tally := tallies.get((arm.id, one))))
    ]
    facts = [_Facts(arm, _values(arm, settings)) for arm in drawn]
    groups = {name: _groups(facts, name) for name in FIELDS}
    known = tuple(name for name in FIELDS if groups[name])
    chosen = field if field in FIELDS else next(iter(known), "")
    lines = [
        line
        for label, members in groups.get(chosen, {}).items()
        if (line := _line(label, chosen, members, tallies, problem_ids)) is not None
    ]
    return Series(chosen, tuple(lines), known)


def training_step(model: str, settings: Settings) -> int | None:
    """The step of a checkpoint: as explorer.toml says, else as its name does, else None."""
    described = settings.models.get(model)
    if described is not None and described.step:
        return described.step
    found = _STEP.search(model)
    return int(found[1]) if found else None


def _values(arm: ArmRow, settings: Settings) -> dict[str, float | None]:
    sampling, described = arm.spec.sampling, settings.models.get(arm.model.name)
    step = 0 if arm.model.role == "base" else training_step(arm.model.name, settings)
    return {
        "step": step,
        "rollouts": (described.rollouts or None) if described else None,
        "temperature": sampling.temperature if sampling.temperature >= 0 else None,
        "top_p": sampling.top_p if sampling.top_p > 0 else None,
        "top_k": sampling.top_k if sampling.top_k >= 0 else None,
        "max_tokens": sampling.max_tokens or None,
        "context": arm.spec.context or None,
    }


def _groups(facts: Sequence[_Facts], field: str) -> dict[str, list[_Facts]]:
    """Arms by what they share, where at least two values of the field are known."""
    found: dict[tuple[object, ...], list[_Facts]] = defaultdict(list)
    family = _trained_family if field in ("step", "rollouts") else _same_model
    for one in facts:
        if one.values[field] is not None and (field != "step" or one.arm.model.role != "base"):
            found[family(one, field)].append(one)
    if field == "step":
        _prepend_base(found, facts)
    groups: dict[str, list[_Facts]] = {}
    for key, members in found.items():
        if len({one.values[field] for one in members}) > 1:
            label = str(key[0])
            groups[label if label not in groups else f"{label} ({len(groups) + 1})"] = members
    return groups


def _prepend_base(found: dict[tuple[object, ...], list[_Facts]], facts: Sequence[_Facts]) -> None:
    """Step 0 of a training is its base, sampled alike."""
    for members in found.values():
        first = members[0].arm
        members[:0] = [
            one
            for one in facts
            if one.arm.model.name == first.model.base
            and one.arm.spec.sampling == first.spec.sampling
        ][:1]


def _same_model(one: _Facts, field: str) -> tuple[object, ...]:
    spec = one.arm.spec
    others = tuple(value for name, value in one.values.items() if name != field)
    rest = (spec.checkpoint, spec.template, spec.engine, spec.dtype, spec.sampling.stop)
    return (one_line(one.arm.model.name, 24), others, rest)


def _trained_family(one: _Facts, field: str) -> tuple[object, ...]:
    model, spec = one.arm.model, one.arm.spec
    label = model.algorithm or _STEP.sub("", model.name).strip("-_ ") or model.role
    others = tuple(value for name, value in one.values.items() if name not in (field, "context"))
    if field == "rollouts":
        others = tuple(value for name, value in one.values.items() if name in _SAMPLED)
    return (one_line(label, 24), model.base, model.role, spec.template, others)


_SAMPLED: Final = ("temperature", "top_p", "top_k", "max_tokens")


def _line(
    label: str,
    field: str,
    members: Sequence[_Facts],
    tallies: Mapping[tuple[int, int], Tally],
    problem_ids: Sequence[int],
) -> SeriesLine | None:
    """The line over the problems that all of its arms have; None if there is none."""
    cells: Callable[[_Facts, int], Tally] = lambda one, problem: tallies.get(  # noqa: E731
        (one.arm.id, problem), Tally()
    )
    shared = [one for one in problem_ids if all(cells(member, one).n for member in members)]
    if not shared:
        return None
    k = standard_ks(min(cells(member, one).n for member in members for one in shared))[-1]
    points = []
    for member in members:
        counts = [cells(member, one) for one in shared]
        values = table([cell.correct for cell in counts], [cell.n for cell in counts], [1, k])
        mean, band = values.mean(axis=0), bootstrap_mean(values)
        ends = [
            (float(mean[place]), float(band.lower[place]), float(band.upper[place]))
            for place in (0, 1)
        ]
        points.append(SeriesPoint(float(member.values[field] or 0), member.arm, ends[0], ends[1]))
    points.sort(key=lambda point: (point.x, point.arm.id))
    return SeriesLine(label, members[-1].arm.model.role, k, len(shared), tuple(points))
