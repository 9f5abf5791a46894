"""Who sleeps or stops so that a model can be opened: pure, from a layout and what is in memory.

Invariant: those that open requests need soonest stay, so that models are not swapped back and
forth; every step says why it is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from explorer.sampler.planner import GIB, Layout, Place

SLEEPER_TAKES: Final = GIB + GIB // 2
"""What a sleeping server still holds of its device: context, libraries, graphs."""

HOST_RESERVE: Final = 8 * GIB
"""Memory of the machine that sleeping weights never take."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do before a place can be opened: it is put to sleep or stopped, and why."""

    action: str
    key: str
    why: str


def make_room(
    layout: Layout,
    wanted: str,
    awake: Sequence[str],
    asleep: Sequence[str],
    upcoming: Sequence[str],
    host_free: int,
) -> list[Step]:
    """What must sleep or stop so that a place can be opened or woken.

    Args:
        wanted: the place; one without a grant is taken to need everything.
        awake, asleep: places that hold memory, the one used longest ago first.
        upcoming: places that open requests need, in the order in which they come up.
        host_free: free memory of the machine, for sleeping weights.
    """
    awake, asleep = [key for key in awake if key != wanted], [k for k in asleep if k != wanted]
    title = _title(layout, wanted)
    steps = [
        Step("stop", key, f"{title} is the same checkpoint, started in another way")
        for key in (*awake, *asleep)
        if _same_source(layout, key, wanted)
    ]
    awake = [key for key in awake if not _same_source(layout, key, wanted)]
    asleep = [key for key in asleep if not _same_source(layout, key, wanted)]
    while (lack := _lack(layout, wanted, awake, asleep)) and (awake or asleep):
        on_it = [key for key in awake if _touches(layout, key, lack)]
        if on_it:
            key = min(on_it, key=lambda one: (one in upcoming, -_turn(one, upcoming)))
            awake.remove(key)
            place = layout.places.get(key)
            if place is not None and place.sleeps and _host_room(place, host_free):
                host_free -= place.weights or 0
                asleep.append(key)
                steps.append(Step("sleep", key, f"{title} needs its place"))
            else:
                steps.append(Step("stop", key, f"{title} needs its place{_no_sleep(place)}"))
            continue
        sleepers = [key for key in asleep if _touches(layout, key, lack)]
        if not sleepers:
            break
        asleep.remove(sleepers[0])
        steps = [step for step in steps if step.key != sleepers[0]]
        why = f"{title} needs what it holds of the device even while it sleeps"
        steps.append(Step("stop", sleepers[0], why))
    return steps


def fits_beside(
    layout: Layout, wanted: str, awake: Sequence[str], asleep: Sequence[str] = ()
) -> bool:
    """Whether a place can be opened without any other's making room."""
    others = [key for key in awake if key != wanted]
    return not _lack(layout, wanted, others, [key for key in asleep if key != wanted])


def _lack(
    layout: Layout, wanted: str, awake: Sequence[str], asleep: Sequence[str]
) -> frozenset[int]:
    """Devices that have too little left for a place."""
    grant = layout.grants.get(wanted)
    if grant is None:
        return frozenset([-2]) if awake or asleep else frozenset()
    lacking = set()
    for index in grant.devices:
        used = 0
        for key in awake:
            other = layout.grants.get(key)
            if other is None:
                return frozenset([-2])
            used += other.bytes if index in other.devices else 0
        sleeping = sum(
            SLEEPER_TAKES
            for key in asleep
            if (other := layout.grants.get(key)) is None or index in other.devices
        )
        used += grant.bytes
        if used > layout.budgets[index] or used + sleeping > layout.ceilings[index]:
            lacking.add(index)
    return frozenset(lacking)


def _touches(layout: Layout, key: str, indices: frozenset[int]) -> bool:
    grant = layout.grants.get(key)
    return grant is None or -2 in indices or bool(indices & set(grant.devices))


def _same_source(layout: Layout, key: str, other: str) -> bool:
    one, two = layout.places.get(key), layout.places.get(other)
    return one is not None and two is not None and one.source == two.source


def _turn(key: str, upcoming: Sequence[str]) -> int:
    return upcoming.index(key) if key in upcoming else 0


def _host_room(place: Place, host_free: int) -> bool:
    return place.weights is not None and host_free - place.weights >= HOST_RESERVE


def _no_sleep(place: Place | None) -> str:
    if place is None or not place.grows:
        return ""
    if place.sleeps:
        return ", and the machine has too little memory to keep its weights while it sleeps"
    return f"; it cannot sleep: {place.no_sleep}" if place.no_sleep else ""


def _title(layout: Layout, key: str) -> str:
    place = layout.places.get(key)
    return place.title if place else key
