"""How results move with one field of the arms: training step, temperature, method, engine, ….

A line joins arms that are equal in everything else; fields of words are points in order.
Invariants: all points of a line are over the same problems and at the same ks; a field that nothing
is known of makes no line; no arm is pooled with another.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, NamedTuple

import numpy as np

from explorer.core.guessing import is_ordinary
from explorer.core.intervals import bootstrap_mean
from explorer.core.passk import standard_ks, table
from explorer.settings import Settings
from explorer.store.rows import ArmRow, Tally
from explorer.views.report_tables import DEFAULT_KS
from explorer.views.text import one_line

_STEP: Final = re.compile(r"(?:^|[^a-z])(?:global[-_ ]?)?step[-_ ]?(\d+)", re.IGNORECASE)

NUMBERS: Final = ("step", "rollouts", "temperature", "top_p", "top_k", "max_tokens", "context")
"""Fields on an axis of numbers; step and rollouts are in `[models.X]`, a step also in a name."""

WORDS: Final = ("method", "template", "engine", "dtype")
"""Fields whose values are points in order; the method is the model's `algorithm`."""

FIELDS: Final = (*NUMBERS, *WORDS)
"""What can be an x axis."""

COVERAGE: Final = 0
"""The statistic 'share of problems solved at least once'; any other is the k of a pass@k."""

Value = float | str


class Estimate(NamedTuple):
    """A mean over problems and its 95 % band."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """An arm at one value of the field.

    Attributes:
        x: the value, or for a field of words its place in the order.
        text: the value as it is said.
        values: pass@k at each k of the line; `coverage` is the share of problems solved at all.
        n: fewest and most graded samples of a problem.
    """

    x: float
    text: str
    arm: ArmRow
    values: tuple[Estimate, ...]
    coverage: Estimate
    n: tuple[int, int]

    @property
    def first(self) -> Estimate:
        """pass@1."""
        return self.values[0]

    @property
    def last(self) -> Estimate:
        """pass@k at the largest k of the line."""
        return self.values[-1]


@dataclass(frozen=True, slots=True)
class SeriesLine:
    """Arms that differ in the field alone; `ks` are those that all of them reach."""

    label: str
    role: str
    ks: tuple[int, ...]
    problems: int
    points: tuple[SeriesPoint, ...]

    @property
    def k(self) -> int:
        """The largest k that all of its arms reach."""
        return self.ks[-1]

    def estimate(self, point: SeriesPoint, statistic: int) -> Estimate | None:
        """pass@k or coverage at a point; None at a k that the line does not reach."""
        if statistic == COVERAGE:
            return point.coverage
        return point.values[self.ks.index(statistic)] if statistic in self.ks else None


@dataclass(frozen=True, slots=True)
class Series:
    """All lines of a field, and which fields have any."""

    field: str
    lines: tuple[SeriesLine, ...]
    fields: tuple[str, ...]

    @property
    def in_order(self) -> bool:
        """Whether x is a place in an order rather than a number."""
        return self.field in WORDS

    @property
    def statistics(self) -> tuple[int, ...]:
        """What can be drawn: pass@k at the ks of a table and each line's largest, and coverage."""
        ks = {k for line in self.lines for k in line.ks if k in DEFAULT_KS or k == line.k}
        return (*sorted(ks), COVERAGE) if ks else ()


def statistic_name(statistic: int) -> str:
    """`pass@8` or `coverage`."""
    return f"pass@{statistic}" if statistic else "coverage"


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known of an arm."""

    arm: ArmRow
    values: Mapping[str, Value | None]


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
    order = _order(chosen, groups.get(chosen, {}).values())
    lines = [
        line
        for label, members in groups.get(chosen, {}).items()
        if (line := _line(label, chosen, members, order, tallies, problem_ids)) is not None
    ]
    return Series(chosen, tuple(lines), known)


def training_step(model: str, settings: Settings) -> int | None:
    """The step of a checkpoint: as explorer.toml says, else as its name does, else None."""
    described = settings.models.get(model)
    if described is not None and described.step:
        return described.step
    found = _STEP.search(model)
    return int(found[1]) if found else None


def _values(arm: ArmRow, settings: Settings) -> dict[str, Value | None]:
    sampling, described = arm.spec.sampling, settings.models.get(arm.model.name)
    is_base = arm.model.role == "base"
    return {
        "step": 0 if is_base else training_step(arm.model.name, settings),
        "rollouts": (described.rollouts or None) if described else None,
        "temperature": sampling.temperature if sampling.temperature >= 0 else None,
        "top_p": sampling.top_p if sampling.top_p > 0 else None,
        "top_k": sampling.top_k if sampling.top_k >= 0 else None,
        "max_tokens": sampling.max_tokens or None,
        "context": arm.spec.context or None,
        "method": "base" if is_base else arm.model.algorithm or None,
        "template": _template_name(arm.spec.template, settings),
        "engine": arm.spec.engine or None,
        "dtype": arm.spec.dtype or None,
    }


def _template_name(canonical: str, settings: Settings) -> str:
    """As explorer.toml calls the prompt, else the beginning of a digest of it."""
    for name, template in settings.templates.items():
        if template.canonical() == canonical:
            return name
    return blake2b(canonical.encode(), digest_size=3).hexdigest()


def _groups(facts: Sequence[_Facts], field: str) -> dict[str, list[_Facts]]:
    """Arms by what they share, where at least two values of the field are known."""
    found: dict[tuple[object, ...], list[_Facts]] = defaultdict(list)
    family = _trained_family if field in ("step", "rollouts", "method") else _same_model
    after_base = field in ("step", "method")
    for one in facts:
        if one.values[field] is not None and not (after_base and one.arm.model.role == "base"):
            found[family(one, field)].append(one)
    if field == "method":
        found.update({key: _latest(members) for key, members in found.items()})
    if after_base:
        _prepend_base(found, facts)
    fewest = 3 if field == "method" else 2  # base and one method are compared everywhere else
    several = {
        key: members
        for key, members in found.items()
        if len({one.values[field] for one in members}) >= fewest
    }
    return _labelled(several, field)


def _labelled(found: Mapping[tuple[object, ...], list[_Facts]], by: str) -> dict[str, list[_Facts]]:
    """By a label each: what is alike, and where two would be called the same, how they differ."""
    alike: dict[str, list[list[_Facts]]] = defaultdict(list)
    for key, members in found.items():
        alike[str(key[0])].append(members)
    groups: dict[str, list[_Facts]] = {}
    for name, same in alike.items():
        apart = [
            field
            for field in FIELDS
            if field != by and len({members[-1].values[field] for members in same}) > 1
        ]
        for members in same:
            said = [_said(one, members[-1].values[one]) for one in apart]
            label = one_line(", ".join([name, *said]), 36)
            groups[label if label not in groups else f"{label} ({len(groups) + 1})"] = members
    return groups


def _said(field: str, value: Value | None) -> str:
    """`T 0.6`."""
    text = "?" if value is None else value if isinstance(value, str) else f"{value:g}"
    return f"{_SHORT.get(field, field)} {text}"


_SHORT: Final = {"temperature": "T", "top_p": "top-p", "top_k": "top-k", "max_tokens": "≤"}


def _latest(members: Sequence[_Facts]) -> list[_Facts]:
    """One arm a method: its latest checkpoint."""
    kept: dict[Value | None, _Facts] = {}
    for one in members:
        method = one.values["method"]
        if method not in kept or _step(one) > _step(kept[method]):
            kept[method] = one
    return list(kept.values())


def _step(one: _Facts) -> float:
    """Its training step; a checkpoint without one is the end of its training."""
    step = one.values["step"]
    return float(step) if isinstance(step, int | float) else float("inf")


def _prepend_base(found: dict[tuple[object, ...], list[_Facts]], facts: Sequence[_Facts]) -> None:
    """Step 0 of a training, and no method at all, is its base, sampled alike."""
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
    template = "" if field == "template" else spec.template
    return (
        one_line(one.arm.model.name, 24),
        *(others, spec.checkpoint, template, spec.sampling.stop),
    )


def _trained_family(one: _Facts, field: str) -> tuple[object, ...]:
    model, spec = one.arm.model, one.arm.spec
    if field == "method":
        sampled = tuple(one.values[name] for name in _SAMPLED)
        return (one_line(model.base, 24), model.role, spec.template, sampled)
    label = model.algorithm or _STEP.sub("", model.name).strip("-_ ") or model.role
    others = tuple(value for name, value in one.values.items() if name not in (field, "context"))
    if field == "rollouts":
        others = tuple(one.values[name] for name in _SAMPLED)
    return (one_line(label, 24), model.base, model.role, spec.template, others)


_SAMPLED: Final = ("temperature", "top_p", "top_k", "max_tokens")


def _order(field: str, groups: Iterable[Sequence[_Facts]]) -> tuple[Value, ...]:
    """The values of a field of words: what trained nothing first, then by name."""
    if field not in WORDS:
        return ()
    values = {str(one.values[field]) for members in groups for one in members}
    bare = {"base"} if field == "method" else set()
    return (*sorted(values & bare), *sorted(values - bare, key=lambda text: (text.lower(), text)))


def _line(
    label: str,
    field: str,
    members: Sequence[_Facts],
    order: Sequence[Value],
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
    ks = standard_ks(min(cells(member, one).n for member in members for one in shared))
    points = [
        _point(member, field, order, [cells(member, one) for one in shared], ks)
        for member in members
    ]
    points.sort(key=lambda point: (point.x, point.arm.id))
    return SeriesLine(label, members[-1].arm.model.role, ks, len(shared), tuple(points))


def _point(
    member: _Facts, field: str, order: Sequence[Value], counts: Sequence[Tally], ks: Sequence[int]
) -> SeriesPoint:
    """Its estimates; coverage is resampled over the same problems as every pass@k."""
    value = member.values[field]
    x = float(order.index(str(value))) if order else float(value or 0)
    rows = table([cell.correct for cell in counts], [cell.n for cell in counts], ks)
    solved = np.array([[float(cell.correct > 0)] for cell in counts])
    rows = np.concatenate([rows, solved], axis=1)
    band = bootstrap_mean(rows)
    found = [
        Estimate(*map(float, numbers))
        for numbers in zip(rows.mean(axis=0), band.lower, band.upper, strict=True)
    ]
    samples = [cell.n for cell in counts]
    text = one_line(str(value), 16) if order else f"{x:g}"
    size = (min(samples), max(samples))
    return SeriesPoint(x, text, member.arm, tuple(found[:-1]), found[-1], size)
