"""The prompts of a problem under every arm shown: as sent where stored, else as they would be.

Invariant: what is stored is never rendered again. A text template is shown exactly as it would be
sent; of a chat only the turns are known here, because the model's own chat template wraps them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from explorer.core.guessing import is_ordinary
from explorer.core.prompts import IMAGE_SLOT, Message, Template
from explorer.errors import SettingsError
from explorer.settings import Settings
from explorer.store import queries
from explorer.store.revisions import Topic
from explorer.store.rows import ProblemRow, PromptRow
from explorer.views.arms import ArmColumn
from explorer.views.text import one_line

AS_SET = "as explorer.toml says"
"""The choice that gives every model its own template."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """What is known of a problem's prompts.

    Attributes:
        stored: (model, template in canonical form) -> the prompt that was sent.
    """

    row: ProblemRow
    columns: tuple[ArmColumn, ...]
    stored: Mapping[tuple[str, str], PromptRow]


@dataclass(frozen=True, slots=True)
class Preview:
    """One model's prompt.

    Attributes:
        template: its name, safe to print.
        turns: (role, text) in order; the role is '' where the text is sent as it is.
        tokens: how many were sent, 0 before anything was.
        sent: it is stored, exactly as it was sent.
        fault: why there is nothing to show, '' if there is.
    """

    column: ArmColumn
    template: str
    turns: tuple[tuple[str, str], ...] = ()
    tokens: int = 0
    sent: bool = False
    fault: str = ""

    @property
    def note(self) -> str:
        """How to read it."""
        if self.fault:
            return self.fault
        if self.sent:
            return f"as sent, {self.tokens} tokens"
        if self.turns and self.turns[0][0]:
            return "not sent yet; the model's own chat template wraps these turns"
        return "not sent yet; this text is what would be sent"


@dataclass(frozen=True)
class PromptsSubject:
    """Read the prompts of a problem, once."""

    problem_id: int
    columns: tuple[ArmColumn, ...]

    @property
    def topics(self) -> frozenset[str]:
        return frozenset({Topic.PROBLEMS.value, Topic.COUNTS.value})

    def read(self, db: sqlite3.Connection, revisions: Mapping[str, int]) -> Iterator[object]:
        row = queries.problem_by_id(db, self.problem_id)
        if row is None:
            return
        names = {column.model.name for column in self.columns}
        shown = {column.arm_id for column in self.columns}
        arms = [
            arm for arm in queries.arms(db) if arm.model.name in names and is_ordinary(arm.spec)
        ]
        arms.sort(key=lambda arm: arm.id in shown)  # the arm on the screen has the last word
        stored = {}
        for arm in arms:
            prompt = queries.prompt(db, arm.id, self.problem_id)
            if prompt is not None:
                stored[arm.model.name, arm.spec.template] = prompt
        yield Prompts(row, self.columns, stored)


def template_choices(settings: Settings) -> list[str]:
    """What a person can switch between: every model's own template, then each by name."""
    return [AS_SET, *settings.templates]


def previews(prompts: Prompts, settings: Settings, choice: str = AS_SET) -> list[Preview]:
    """Every model's prompt under a choice of `template_choices`."""
    return [_preview(prompts, settings, column, choice) for column in prompts.columns]


def _preview(prompts: Prompts, settings: Settings, column: ArmColumn, choice: str) -> Preview:
    template = _template(prompts, settings, column, choice)
    if template is None:
        return Preview(column, "", fault="not in explorer.toml, and nothing of it is stored")
    name = one_line(template.name)
    sent = prompts.stored.get((column.model.name, template.canonical()))
    if sent is not None:
        turns = (("", sent.text),)
        return Preview(column, name, turns, tokens=len(sent.ids), sent=True)
    try:
        filled = template.fill(prompts.row.problem)
    except SettingsError as error:
        return Preview(column, name, fault=one_line(f"{error.title}. {error.hint}"))
    if isinstance(filled, str):
        return Preview(column, name, (("", filled),))
    return Preview(column, name, tuple((turn.role, _content(turn)) for turn in filled))


def _template(
    prompts: Prompts, settings: Settings, column: ArmColumn, choice: str
) -> Template | None:
    """The template of a model under a choice; the stored arm's own before explorer.toml's."""
    dataset = prompts.row.problem.dataset
    own = settings.datasets.get(dataset)
    if choice != AS_SET:
        template = settings.templates[choice]
        return template.completed(own.question) if own and own.question else template
    configured = settings.template_for(column.name, dataset) if column.configured else None
    if column.arm is None:
        return configured
    canonical = column.arm.spec.template
    if configured is not None and configured.canonical() == canonical:
        return configured
    names = [name for name, one in settings.templates.items() if one.canonical() == canonical]
    return Template.from_canonical(names[0] if names else "of the stored arm", canonical)


def _content(turn: Message) -> str:
    """A turn's text with its images named where they stand."""
    text = turn.content
    for image in turn.images:
        text = text.replace(IMAGE_SLOT, f"[image {PurePath(image).name}]", 1)
    return text
