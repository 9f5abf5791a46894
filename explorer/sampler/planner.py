"""Which models can be in memory together, and how much each gets: pure (`room`: who makes room).

A *place* is what takes memory: a server with every model that it serves (adapters share one), or
an engine's process. Invariant: what a place gets depends on explorer.toml and the devices only,
never on the queue, so that a server need not be started anew because other work came up; and
whoever cannot be placed is told what would fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

GIB: Final = 2**30

COMFORT_TOKENS: Final = 65_536
"""Keys and values of so many tokens (or of one full context, if that is more) let a server work on
enough completions at once to be quick; with less a model still runs, so long as one full context
fits."""

STEP: Final = 0.005
"""Shares of a device are rounded down to a multiple of this."""


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU, or the machine's own memory (index -1).

    What others hold of it does not count here: it comes and goes, and plans are to last.

    Attributes:
        limit: bytes that our places may hold together, as given by hand; 0 = a share of `total`.
    """

    index: int
    name: str
    total: int
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Something that takes memory.

    Attributes:
        key: equal for models that share it; source: what it loads.
        models: names in explorer.toml.
        weights: bytes in all; None = unknown, then it gets its devices for itself.
        per_token: bytes of keys and values per token.
        context: most tokens of prompt + completion.
        overhead: bytes that its process takes beside, on each device.
        share: most of a device that it may take.
        fixed: bytes that it takes on each device, as given by hand; 0 = work it out.
        n_devices: how many devices share it; pinned: the device that it must have, -1 = any.
        on_cpu: whether it lives in the machine's memory.
        grows: whether it uses all that it gets (a vLLM server on a GPU).
        sleeps: whether it can sleep; no_sleep: why not, for people.
    """

    key: str
    source: str
    models: tuple[str, ...]
    weights: int | None
    per_token: int = 0
    context: int = 0
    overhead: int = 2 * GIB
    share: float = 0.85
    fixed: int = 0
    n_devices: int = 1
    pinned: int = -1
    on_cpu: bool = False
    grows: bool = True
    sleeps: bool = False
    no_sleep: str = ""

    @property
    def title(self) -> str:
        return " + ".join(self.models) or self.source

    def needs(self, tokens: int) -> int:
        """Bytes on each of its devices with keys and values of so many tokens."""
        if self.fixed:
            return self.fixed
        cache = self.per_token * tokens
        if self.on_cpu and self.grows:
            cache = GIB * max(1, math.ceil(cache / GIB))  # vLLM's CPU build takes whole GiB
        return self.overhead + math.ceil(((self.weights or 0) + cache) / self.n_devices)

    @property
    def least(self) -> int:
        """Bytes on each device with which one completion of full context fits."""
        return self.needs(self.context)

    @property
    def comfortable(self) -> int:
        return self.needs(max(self.context, COMFORT_TOKENS))


@dataclass(frozen=True, slots=True)
class Grant:
    """What a place gets: bytes on each of these devices (indices)."""

    bytes: int
    devices: tuple[int, ...]
    share: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Who gets what, and who can be in memory together.

    Attributes:
        budgets: bytes of each device that awake places may hold together.
        ceilings: bytes of each device that sleeping ones may fill up to.
        grants: by place; those that do not fit at all have none.
        refused: why a place has no grant and what would fit, by place.
        why: one sentence for people.
    """

    places: Mapping[str, Place]
    budgets: Mapping[int, int]
    ceilings: Mapping[int, int]
    grants: Mapping[str, Grant] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    why: str = ""


def lay_out(places: Sequence[Place], gpus: Sequence[Device], machine: Device | None) -> Layout:
    """Give each place its memory: together with others where that fits comfortably, else alone.

    Args:
        places: in the order of explorer.toml, which is the order in which they find company.
    """
    devices = {device.index: device for device in gpus}
    if machine is not None:
        devices[-1] = machine
    budgets = {index: _budget(device, places) for index, device in devices.items()}
    grants: dict[str, Grant] = {}
    refused: dict[str, str] = {}
    groups: list[_Group] = []
    for place in places:
        indices = [-1] if place.on_cpu else sorted(i for i in devices if i >= 0)
        if place.pinned >= 0:
            indices = [index for index in indices if index == place.pinned]
        if not any(index in budgets for index in indices):
            continue  # nothing is known of its device: it is opened alone, and may fail by itself
        reason = _cannot_fit(place, indices, budgets, devices)
        if reason:
            refused[place.key] = reason
            continue
        _join(groups, place, indices, budgets)
    for group in groups:
        for place in group.members:
            grants[place.key] = group.grant(place, budgets, devices)
    ceilings = {index: _ceiling(device) for index, device in devices.items()}
    by_key = {place.key: place for place in places}
    why = _describe(groups, grants, budgets)
    return Layout(by_key, budgets, ceilings, grants, refused, why)


class _Group:
    """Places that are in memory together."""

    def __init__(self, budgets: Mapping[int, int]) -> None:
        self.left = dict(budgets)
        self.members: list[Place] = []
        self.sits: dict[str, tuple[int, ...]] = {}

    def seats(self, place: Place, indices: Sequence[int], need: int) -> tuple[int, ...] | None:
        """The emptiest devices that have room, None where there are too few."""
        if any(other.source == place.source for other in self.members):
            return None  # one server per checkpoint: two ways to run it take turns
        roomy = [index for index in indices if self.left.get(index, 0) >= need]
        roomy.sort(key=lambda index: (-self.left[index], index))
        return tuple(sorted(roomy[: place.n_devices])) if len(roomy) >= place.n_devices else None

    def add(self, place: Place, seats: tuple[int, ...], need: int) -> None:
        self.members.append(place)
        self.sits[place.key] = seats
        for index in seats:
            self.left[index] -= need

    def grant(
        self, place: Place, budgets: Mapping[int, int], devices: Mapping[int, Device]
    ) -> Grant:
        """What a member gets: its need, and of what is left over an equal part."""
        seats = self.sits[place.key]
        extra = 0
        if place.grows and not place.on_cpu and not place.fixed:
            extra = min(
                self.left[index] // max(1, sum(self._grows_on(index)) or 1) for index in seats
            )
        size = _need(place, {index: budgets[index] for index in seats}) + extra
        total = min(devices[index].total for index in seats)
        size = min(size, math.floor(place.share * total)) if not place.on_cpu else size
        share = math.floor(size / total / STEP + 1e-6) * STEP
        return Grant(size, seats, round(share, 4))

    def _grows_on(self, index: int) -> list[bool]:
        return [
            other.grows and not other.fixed
            for other in self.members
            if index in self.sits[other.key]
        ]


def _join(
    groups: list[_Group], place: Place, indices: Sequence[int], budgets: Mapping[int, int]
) -> None:
    """Put a place into the first group with room, or open a group for it."""
    if place.weights is not None or place.fixed:
        need = _need(place, {index: budgets[index] for index in indices})
        for group in groups:
            seats = group.seats(place, indices, need)
            if seats is not None:
                group.add(place, seats, need)
                return
    group = _Group(budgets)
    need = _need(place, {index: budgets[index] for index in indices})
    seats = group.seats(place, indices, need)
    assert seats is not None, "it was found to fit alone"
    group.add(place, seats, need)
    groups.append(group)


def _need(place: Place, budgets: Mapping[int, int]) -> int:
    """What it asks for: comfort where an empty device has that, else all that there is."""
    most = max(budgets.values())
    if place.weights is None and not place.fixed:
        return most
    return min(max(place.least, place.comfortable), most)


def _budget(device: Device, places: Sequence[Place]) -> int:
    if device.limit:
        return device.limit
    on_it = [place for place in places if place.on_cpu == (device.index < 0)]
    share = max((place.share for place in on_it), default=0.85)
    return math.floor(share * device.total)


def _ceiling(device: Device) -> int:
    return device.limit or math.floor(0.97 * device.total)


def _cannot_fit(
    place: Place,
    indices: Sequence[int],
    budgets: Mapping[int, int],
    devices: Mapping[int, Device],
) -> str:
    """Why it fits on no device even alone, and what would; '' where it fits."""
    known = [index for index in indices if index in budgets]
    if len(known) < place.n_devices:
        return (
            f"{place.title} is to be spread over {place.n_devices} devices, and there"
            f" {'is' if len(known) == 1 else 'are'} {len(known)}. Lower `tensor_parallel`,"
            " `pipeline_parallel` or `data_parallel` in [vllm]."
        )
    if place.weights is None and not place.fixed:
        return ""
    room = sorted((budgets[index] for index in known), reverse=True)[place.n_devices - 1]
    if place.least <= room:
        return ""
    where = "the machine's memory" if place.on_cpu else devices[known[0]].name
    said = f"{place.title} needs {gib(place.least)} on {where}, which has {gib(room)} for it"
    if place.fixed:
        return f"{said}. Lower `memory_gb` in its [vllm] table."
    weights = (place.weights or 0) / place.n_devices
    parts = (
        f"{said}: {gib(weights)} of weights, {gib(place.overhead)} for its process and"
        f" {gib(place.least - place.overhead - weights)} for one completion of"
        f" {place.context:,} tokens."
    )
    return f"{parts} {_would_fit(place, room)}"


def _would_fit(place: Place, room: int) -> str:
    weights = place.weights or 0
    left = (room - place.overhead) * place.n_devices - weights
    if place.on_cpu and place.grows:
        left = left // GIB * GIB
    tokens = int(left // place.per_token) // 64 * 64 if place.per_token else 0
    if tokens >= 256:
        return f"What would fit: context = {tokens} or less for this model."
    if place.on_cpu:
        return "What would fit: a smaller model or dtype, or more memory (`memory_gb`)."
    cache = place.per_token * min(place.context or 4096, 4096)
    each = max(1, room - place.overhead)
    wanted = 2 ** math.ceil(math.log2(max(2, (weights + cache) / each)))
    return (
        f"What would fit: tensor_parallel = {wanted} on as many such devices, a dtype of 2 bytes"
        " if this is none, or a quantised checkpoint."
    )


def _describe(
    groups: Sequence[_Group], grants: Mapping[str, Grant], budgets: Mapping[int, int]
) -> str:
    """'take turns: base and rl together (22.7 + 22.7 of 68.0 GiB); distilled (68.0 of …)'."""
    parts = []
    for group in groups:
        names = [place.title for place in group.members]
        sizes = " + ".join(f"{grants[place.key].bytes / GIB:.1f}" for place in group.members)
        room = max(budgets[index] for seats in group.sits.values() for index in seats)
        together = "together " if len(names) > 1 else ""
        parts.append(f"{' and '.join(names)} {together}({sizes} of {gib(room)})")
    if len(parts) == 1:
        return f"in memory: {parts[0]}"
    return f"take turns: {'; '.join(parts)}" if parts else ""


def gib(size: float) -> str:
    return f"{size / GIB:.1f} GiB"
