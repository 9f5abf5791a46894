"""Which arms are shown side by side: one per model, all drawn with the same sampling settings.

Base models come first, then RL-trained, then distilled. Models of explorer.toml are shown before
anything was drawn from them; arms with other settings stay choosable, and are never pooled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from explorer.core.arm import Sampling
from explorer.core.guessing import is_ordinary
from explorer.settings import Settings
from explorer.store.rows import ArmRow, ModelRow
from explorer.views.palette import ArmMark, arm_marks

_ROLE_ORDER = {"base": 0, "rl": 1, "distilled": 2}


@dataclass(frozen=True, slots=True)
class ArmColumn:
    """A model as a column.

    Attributes:
        arm: its stored arm under the settings shown, None while nothing was drawn.
        others: how many further arms (another dtype, engine, revision) share the settings.
        configured: it is in explorer.toml, so it can be sampled from here.
        label: what it is called where it stands beside arms with other settings, '' = its model.
    """

    model: ModelRow
    mark: ArmMark
    sampling: Sampling
    arm: ArmRow | None
    others: int
    configured: bool
    label: str = ""

    @property
    def name(self) -> str:
        """What it is called on the screen; no two columns are called the same."""
        return self.label or self.model.name

    @property
    def role(self) -> str:
        return self.model.role

    @property
    def arm_id(self) -> int:
        """Row id of the arm; 0, which no arm has, while there is none."""
        return self.arm.id if self.arm else 0


@dataclass(frozen=True, slots=True)
class ArmPick:
    """What a person chose to see; None means 'as explorer.toml says'.

    Attributes:
        unlisted: show models too that explorer.toml keeps off the lists (`listed = false`).
        extra: row ids of stored arms to show besides, under settings of their own.
    """

    sampling: Sampling | None = None
    pinned: frozenset[int] = frozenset()
    hidden: frozenset[str] = frozenset()
    unlisted: bool = False
    extra: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class SamplingOption:
    """Settings under which something was drawn, or that a preset names."""

    sampling: Sampling
    preset: str
    completions: int
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ArmChoice:
    """The columns shown, and what else could be.

    Attributes:
        sampling: settings of the columns, but for those that were added with their own.
        stored: arms with completions here, and how many, to choose from.
    """

    columns: tuple[ArmColumn, ...]
    sampling: Sampling
    options: tuple[SamplingOption, ...]
    hidden: tuple[str, ...]
    stored: tuple[tuple[ArmRow, int], ...] = ()

    def pair(self) -> tuple[int, int] | None:
        """Positions of the base and of the model that is compared with it, if both are shown.

        That is the first RL model; where there is none, the first distilled one. Arms with other
        settings than all the rest are looked at beside the pair, and are never one of it.
        """
        for role in ("rl", "distilled"):
            for position, column in enumerate(self.columns):
                if column.role != role or column.label:
                    continue
                for other, base in enumerate(self.columns):
                    if base.label:
                        continue
                    if base.role == "base" and column.model.base in (base.name, ""):
                        return other, position
        return None


def choose(
    arms: Sequence[ArmRow],
    models: Sequence[ModelRow],
    sizes: Mapping[int, int],
    settings: Settings,
    pick: ArmPick,
) -> ArmChoice:
    """The arms to show: of models that are not in explorer.toml, those that have completions here.

    Where only such models have any, as in a set that was imported whole, they alone are shown:
    empty columns of one's own models would only stand in the way of the comparison.

    Args:
        arms, models: all that the cache knows.
        sizes: completions by arm id.
        settings: explorer.toml, for its models and its default preset.
        pick: what a person chose.
    """
    arms = [arm for arm in arms if is_ordinary(arm.spec)]
    options = _options(arms, sizes, settings)
    drawn = {arm.model.name for arm in arms if sizes.get(arm.id)}
    sampling = pick.sampling or _default_sampling(options, settings)
    only_foreign = bool(drawn) and not drawn & set(settings.models)
    described = [
        model
        for model in ordered_models(models, settings)
        if model.name in drawn or not drawn or (model.name in settings.models and not only_foreign)
    ]
    hidden = _hidden(pick, settings)
    shown = [model for model in described if model.name not in hidden]
    added = [arm for arm in arms if arm.id in pick.extra]
    roles = [model.role for model in shown] + [arm.model.role for arm in added]
    marks = arm_marks(roles)
    columns = []
    for model, mark in zip(shown, marks, strict=False):
        same = [
            arm for arm in arms if arm.model.name == model.name and arm.spec.sampling == sampling
        ]
        same.sort(key=lambda arm: (arm.id not in pick.pinned, -sizes.get(arm.id, 0), arm.id))
        first, configured = next(iter(same), None), model.name in settings.models
        columns.append(ArmColumn(model, mark, sampling, first, max(0, len(same) - 1), configured))
    columns += _added(columns, added, marks[len(shown) :], sampling, settings)
    left_out = tuple(model.name for model in described if model.name in hidden)
    stored = tuple((arm, sizes[arm.id]) for arm in arms if sizes.get(arm.id))
    return ArmChoice(tuple(columns), sampling, options, left_out, stored)


def _hidden(pick: ArmPick, settings: Settings) -> frozenset[str]:
    """Models that are not shown: switched off, or kept off the lists by explorer.toml."""
    if pick.unlisted:
        return pick.hidden
    return pick.hidden | {one.name for one in settings.models.values() if not one.listed}


def shown_arms(choice: ArmChoice) -> frozenset[int]:
    """The stored arms among the columns."""
    return frozenset(column.arm_id for column in choice.columns if column.arm)


def with_arms(choice: ArmChoice, pick: ArmPick, wanted: frozenset[int]) -> ArmPick:
    """The pick under which exactly the wanted ones of the stored arms are shown."""
    main = {column.arm_id: column.model.name for column in choice.columns if not column.label}
    off = {name for arm_id, name in main.items() if arm_id and arm_id not in wanted}
    extra = frozenset(arm_id for arm_id in wanted if arm_id not in main or arm_id in pick.extra)
    return replace(pick, hidden=pick.hidden | off, extra=extra)


def _added(
    shown: Sequence[ArmColumn],
    added: Sequence[ArmRow],
    marks: Sequence[ArmMark],
    usual: Sampling,
    settings: Settings,
) -> list[ArmColumn]:
    """Columns of arms that were asked for by themselves, called by what differs."""
    own = {column.arm.id for column in shown if column.arm}
    main = {column.model.name: column.arm for column in shown}
    columns: list[ArmColumn] = []
    for arm, mark in zip(added, marks, strict=True):
        if arm.id in own:
            continue
        label = arm_label(arm, usual, main.get(arm.model.name))
        if any(label == one.name for one in (*shown, *columns)):
            label += f"#{arm.key.removeprefix('a1:')[:4]}"
        if label == arm.model.name:  # switched off before, and on again
            label = ""
        configured = not label and arm.model.name in settings.models
        columns.append(ArmColumn(arm.model, mark, arm.spec.sampling, arm, 0, configured, label))
    return columns


def arm_label(arm: ArmRow, usual: Sampling, beside: ArmRow | None = None) -> str:
    """`base@T0.6`: a model's name and what sets this arm apart from the usual settings.

    Args:
        beside: the model's own arm under the usual settings, if there is one.
    """
    own = arm.spec.sampling
    pairs = (
        ("T", own.temperature, usual.temperature),
        ("top-p", own.top_p, usual.top_p),
        ("top-k", own.top_k, usual.top_k),
        ("≤", own.max_tokens, usual.max_tokens),
    )
    parts = [f"{name}{'?' if value < 0 else f'{value:g}'}" for name, value, is_ in pairs
             if value != is_]  # fmt: skip
    if own.stop != usual.stop:
        parts.append("stop")
    if not parts and beside is not None:
        spec, other = arm.spec, beside.spec
        parts += [spec.engine] if spec.engine != other.engine else []
        parts += [spec.dtype] if spec.dtype != other.dtype else []
        parts += ["prompt"] if spec.template != other.template else []
        parts += ["checkpoint"] if spec.checkpoint != other.checkpoint else []
    return f"{arm.model.name}@{','.join(parts)}" if parts else arm.model.name


def ordered_models(stored: Sequence[ModelRow], settings: Settings) -> list[ModelRow]:
    """Every model once, as explorer.toml describes it if it does, in order of role."""
    found = {
        model.name: ModelRow(model.name, model.role.value, model.base, model.algorithm)
        for model in settings.models.values()
    }
    for model in stored:
        found.setdefault(model.name, model)
    return sorted(found.values(), key=lambda model: _ROLE_ORDER.get(model.role, 3))


def _options(
    arms: Sequence[ArmRow], sizes: Mapping[int, int], settings: Settings
) -> tuple[SamplingOption, ...]:
    names: dict[Sampling, str] = {}
    for name, sampling in settings.presets.items():
        names.setdefault(sampling, name)
    drawn: dict[Sampling, list[ArmRow]] = {sampling: [] for sampling in names}
    for arm in arms:
        drawn.setdefault(arm.spec.sampling, []).append(arm)
    options = [
        SamplingOption(
            sampling,
            names.get(sampling, ""),
            sum(sizes.get(arm.id, 0) for arm in group),
            tuple(dict.fromkeys(arm.model.name for arm in group)),
        )
        for sampling, group in drawn.items()
    ]
    return tuple(sorted(options, key=lambda option: -option.completions))


def _default_sampling(options: Sequence[SamplingOption], settings: Settings) -> Sampling:
    """The default preset if anything was drawn with it, else what most was drawn with."""
    preset = settings.presets.get(settings.default_preset)
    if preset is None:
        return options[0].sampling if options else Sampling()
    drawn = {option.sampling: option.completions for option in options}
    if drawn.get(preset, 0) == 0 and options and options[0].completions:
        return options[0].sampling
    return preset
