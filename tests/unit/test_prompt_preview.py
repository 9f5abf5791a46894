"""The prompts of a problem: as sent where stored, as they would be sent where not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from explorer.core.problem import Problem
from explorer.core.prompts import RenderedPrompt, Template
from explorer.settings import DatasetSettings, Settings
from explorer.settings.reader import TEMPLATES
from explorer.store import catalog, queries
from explorer.store.connection import open_writer
from explorer.store.rows import ModelRow
from explorer.views.arms import ArmPick, choose
from explorer.views.prompts import (
    AS_SET,
    Preview,
    Prompts,
    PromptsSubject,
    previews,
    template_choices,
)
from tests import fake_engine, small_workspace
from tests.small_workspace import SAMPLING, TEMPLATE

CHAT = Template("boxed", "{question}\nBox it.", chat=True, system="Be careful.", prefill="<think>")
TASK = Problem("tasks", "p", "Why [/b]?", "7", images=("/pictures/a.png",))


def look(
    root: Path, settings: Settings, task: Problem = TASK, sent: dict[str, str] | None = None
) -> Prompts:
    """The prompts of a problem; `sent` maps a template's canonical form to the base's prompt."""
    db = open_writer(root / "cache.db")
    (problem,) = catalog.put_problems(db, [task]).values()
    catalog.put_models(db, [ModelRow("base", "base", "", "")] if sent else [])
    for template, text in (sent or {}).items():
        arm = catalog.put_arm(db, fake_engine.spec("base", template, SAMPLING), "base")
        catalog.put_prompt(db, arm, problem, RenderedPrompt(text, (1, 2, 3)))
    choice = choose(queries.arms(db), queries.models(db), {}, settings, ArmPick())
    (prompts,) = PromptsSubject(problem, choice.columns).read(db, {})
    db.close()
    assert isinstance(prompts, Prompts)
    return prompts


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = small_workspace.settings(tmp_path)
    return replace(made, templates={**TEMPLATES, **made.templates, "boxed": CHAT})


def of_base(prompts: Prompts, settings: Settings, choice: str = AS_SET) -> Preview:
    return previews(prompts, settings, choice)[0]


def test_a_text_template_is_shown_before_anything_was_sampled(
    tmp_path: Path, settings: Settings
) -> None:
    prompts = look(tmp_path, settings, replace(TASK, images=()))
    shown = of_base(prompts, settings)
    assert shown.turns == (("", "Q: Why [/b]?\nA:"),)
    assert (shown.template, shown.sent) == ("qa", False)
    assert shown.note == "not sent yet; this text is what would be sent"


def test_a_chat_is_shown_as_turns_with_images_by_name(tmp_path: Path, settings: Settings) -> None:
    shown = of_base(look(tmp_path, settings), settings, "boxed")
    assert shown.turns == (
        ("system", "Be careful."),
        ("user", "[image a.png]\nWhy [/b]?\nBox it."),
        ("assistant", "<think>"),
    )
    assert "own chat template wraps these turns" in shown.note


def test_what_was_sent_is_shown_as_it_was_sent(tmp_path: Path, settings: Settings) -> None:
    sent = {TEMPLATE: "<s>Q: Why?\nA:", CHAT.canonical(): "<|user|>Why?"}
    prompts = look(tmp_path, settings, sent=sent)
    shown = of_base(prompts, settings)
    assert (shown.turns, shown.sent, shown.note) == (
        (("", "<s>Q: Why?\nA:"),),
        True,
        "as sent, 3 tokens",
    )
    chat = of_base(prompts, settings, "boxed")
    assert chat.turns == (("", "<|user|>Why?"),)  # another arm's, but of this very template
    assert not previews(prompts, settings)[1].sent  # the rl model was sent nothing


def test_a_datasets_template_and_question_are_shown(tmp_path: Path, settings: Settings) -> None:
    own = DatasetSettings("tasks", None, template="boxed", question="{question} (a hint)")
    settings = replace(settings, datasets={"tasks": own})
    prompts = look(tmp_path, settings, replace(TASK, images=()))
    assert of_base(prompts, settings).turns[1] == ("user", "Why [/b]? (a hint)\nBox it.")
    assert of_base(prompts, settings, "qa").turns == (("", "Q: Why [/b]? (a hint)\nA:"),)


def test_a_missing_column_is_said_not_raised(tmp_path: Path, settings: Settings) -> None:
    templates = {**settings.templates, "hinted": Template("hinted", "{question} {hint}")}
    settings = replace(settings, templates=templates)
    shown = of_base(look(tmp_path, settings), settings, "hinted")
    assert shown.turns == ()
    assert shown.note.startswith("Template 'hinted' uses {hint}")


def test_an_arm_that_explorer_toml_does_not_know_keeps_its_template(
    tmp_path: Path, settings: Settings
) -> None:
    nobody = replace(settings, models={})
    prompts = look(tmp_path, nobody, sent={TEMPLATE: "Q: Why?\nA:"})
    shown = of_base(prompts, nobody)
    assert (shown.template, shown.sent) == ("qa", True)


def test_every_template_can_be_chosen(settings: Settings) -> None:
    choices = template_choices(settings)
    assert choices[0] == AS_SET
    assert {"qwen-boxed", "r1-zero", "boxed"} <= set(choices)
