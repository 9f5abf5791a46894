"""Published prompts and pairs: every file that `init --preset` writes is a valid explorer.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from explorer.core.problem import Problem
from explorer.core.prompts import Message
from explorer.errors import SettingsError
from explorer.settings import Role, published
from explorer.settings.reader import TEMPLATES, load

TASK = Problem("d", "p", "What is {1}?", "1", extra={"prompt": "def f():"})
PAPER = {
    "qwen2.5-7b-simplerl": "hkust-nlp/Qwen-2.5-7B-SimpleRL-Zoo",
    "qwen2.5-14b-simplerl": "hkust-nlp/Qwen-2.5-14B-SimpleRL-Zoo",
    "qwen2.5-32b-simplerl": "hkust-nlp/Qwen-2.5-32B-SimpleRL-Zoo",
    "llama3.1-8b-simplerl": "hkust-nlp/Llama-3.1-8B-SimpleRL-Zoo",
    "qwen2.5-math-7b": "sail/Qwen2.5-Math-7B-Oat-Zero",
    "qwen2.5-32b-dapo": "BytedTsinghua-SIA/DAPO-Qwen-32B",
    "code-r1-7b": "ganler/CodeR1-Zero-Qwen2.5-7B-12k-832",
    "deepcoder-14b": "agentica-org/DeepCoder-14B-Preview",
    "qwen2.5-0.5b-simplerl": "hkust-nlp/Qwen-2.5-0.5B-SimpleRL-Zoo",
    "qwen2.5-1.5b-simplerl": "hkust-nlp/Qwen-2.5-1.5B-SimpleRL-Zoo",
}


@pytest.mark.parametrize("name", sorted(published.presets()))
def test_a_preset_is_valid_and_whole(name: str, tmp_path: Path) -> None:
    path = tmp_path / "explorer.toml"
    path.write_text(published.preset_text(name), encoding="utf-8")
    settings = load(path)
    roles = [model.role for model in settings.models.values()]
    assert roles[0] is Role.BASE
    assert Role.RL in roles
    assert settings.datasets
    values = tomllib.loads(path.read_text())
    for model in settings.models.values():  # named templates are spelled out, not only built in
        assert model.template in values["templates"]
        repository, _, revision = model.source.partition("@")
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", repository)
        assert revision == "" or re.fullmatch(r"[0-9a-f]{40}", revision)
    for dataset in settings.datasets.values():
        assert dataset.template in ("", *values["templates"])
    assert settings.templates == {**TEMPLATES, **settings.templates}
    assert {name: settings.templates[name] for name in TEMPLATES} == TEMPLATES


def test_the_papers_pairs_and_the_small_ones_are_there(tmp_path: Path) -> None:
    for name, source in PAPER.items():
        text = published.preset_text(name)
        assert f'source = "{source}' in text, name
    assert "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B" in published.preset_text("qwen2.5-math-7b")
    assert "Qwen/Qwen2.5-VL-7B-Instruct" in published.preset_text("qwen2.5-vl-7b")


def test_an_unknown_preset_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(SettingsError) as caught:
        published.preset_text("qwen2.5-7b-simplrl")
    assert "qwen2.5-7b-simplerl" in caught.value.hint


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_a_template_fills_with_the_statement_as_it_is(name: str) -> None:
    filled = TEMPLATES[name].fill(TASK)
    if isinstance(filled, str):
        assert "What is {1}?" in filled
        return
    assert all(isinstance(turn, Message) for turn in filled)
    assert "What is {1}?" in filled[-2 if TEMPLATES[name].prefill else -1].content


def test_published_prompts_are_letter_by_letter_as_published() -> None:
    boxed = TEMPLATES["qwen-boxed"].fill(TASK)
    assert boxed == [
        Message("system", "You are a helpful assistant."),
        Message(
            "user",
            "What is {1}?\nPlease reason step by step, and put your final answer within \\boxed{}.",
        ),
    ]
    assert TEMPLATES["abel"].fill(TASK) == (
        "Question:\nWhat is {1}?\nAnswer:\nLet's think step by step.\n"
    )
    zero = TEMPLATES["r1-zero"].fill(TASK)
    assert isinstance(zero, str)
    assert zero.endswith("\nUser: What is {1}?\nAssistant: <think>")
    code = TEMPLATES["livecodebench"].fill(TASK)
    assert code[-1] == Message("assistant", "```python\n")


GOOD = """
[models.base]
role = "base"
source = "org/base"
template = "qa"
"""


def test_a_dataset_overrides_and_completes_the_models_template(tmp_path: Path) -> None:
    path = tmp_path / "explorer.toml"
    path.write_text(
        GOOD
        + '[datasets.plain]\npath = "a.jsonl"\n'
        + '[datasets.other]\npath = "a.jsonl"\ntemplate = "qwen-boxed"\n'
        + '[datasets.hints]\npath = "a.jsonl"\nquestion = "{question} Hint: {hint}"\n'
    )
    settings = load(path)
    assert settings.template_for("base", "plain") == TEMPLATES["qa"]
    assert settings.template_for("base", "not here") == TEMPLATES["qa"]
    assert settings.template_for("base", "other") == TEMPLATES["qwen-boxed"]
    hinted = settings.template_for("base", "hints")
    task = Problem("hints", "p", "Why?", "", extra={"hint": "because"})
    assert hinted.fill(task) == "Question: Why? Hint: because\nAnswer:"
    assert hinted.canonical() != TEMPLATES["qa"].canonical()  # so it is an arm of its own


def test_a_datasets_mistakes_are_named(tmp_path: Path) -> None:
    path = tmp_path / "explorer.toml"
    path.write_text(
        GOOD + '[datasets.d]\npath = "a.jsonl"\ntemplate = "quen-boxed"\nquestion = "no field"\n'
    )
    with pytest.raises(SettingsError) as caught:
        load(path)
    assert "did you mean 'qwen-boxed'?" in caught.value.detail
    assert "question has no {question} in it" in caught.value.detail
