"""From a dataset's row with an image to a trace that the base model has scored, on real engines."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.core.arm import Sampling
from explorer.preparation import prepare
from explorer.report.problem import as_dict
from explorer.sampler.runner import Runner
from explorer.settings.reader import load
from explorer.store import catalog, queries, requests
from explorer.store.connection import open_writer
from explorer.store.rows import RequestRow
from explorer.store.verify import verify
from explorer.views.report_reader import read_problem
from tests.tiny_vision import make_picture, make_tiny_llava

pytest.importorskip("torch", reason="needs the extra 'local'")

SAMPLING = Sampling(temperature=1.0, max_tokens=16)
SETTINGS = """
[defaults]
preset = "short"
n = 3
[presets.short]
temperature = 1.0
max_tokens = 16
[templates.look]
text = "{{question}}"
chat = true
[models.base]
role = "base"
source = "{base}"
template = "look"
device = "cpu"
[models.rl]
role = "rl"
base = "base"
source = "{rl}"
template = "look"
device = "cpu"
[datasets.figures]
path = "figures.jsonl"
format = "mathvision"
"""


def other_weights(base: Path, folder: Path) -> Path:
    """The same model after a little training that never was."""
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(base, folder)
    weights = load_file(folder / "model.safetensors")
    noise = torch.Generator().manual_seed(1)
    for name, weight in weights.items():
        if weight.dim() > 1:
            weights[name] = weight + 0.02 * torch.randn(weight.shape, generator=noise)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


def row(name: str, image: str) -> dict[str, Any]:
    return {
        "id": name, "question": "Which colour is it?\n<image1>", "options": [], "answer": "7",
        "solution": None, "level": 1, "subject": "colours", "image": image,
    }  # fmt: skip


class Desk:
    """A workspace on disk and its cache."""

    def __init__(self, root: Path, base: Path, rl: Path) -> None:
        (root / "images").mkdir()
        make_picture(root / "images" / "red.png", (220, 30, 20))
        make_picture(root / "images" / "blue.png", (20, 40, 230))
        whole = Path(make_picture(root / "images" / "broken.png", (9, 9, 9), (200, 150)))
        whole.write_bytes(whole.read_bytes()[:120])
        rows = [row(name, f"images/{name}.png") for name in ("red", "blue", "broken", "missing")]
        (root / "figures.jsonl").write_text("\n".join(json.dumps(one) for one in rows))
        path = root / "explorer.toml"
        path.write_text(SETTINGS.format(base=base, rl=rl))
        self.root = root
        self.settings = replace(load(path), idle_exit_s=0.0)
        self.faults = prepare(self.settings)
        self.db: sqlite3.Connection = open_writer(self.settings.workspace.cache)
        self.ids = {one.problem.name: one.id for one in queries.problems(self.db, "figures")}

    async def run(self) -> None:
        await Runner(self.db, lambda: self.settings).run()

    def sample(self, name: str, model: str = "rl") -> int:
        return requests.ask_for_completions(self.db, model, self.ids[name], SAMPLING, 3)

    def request(self, request_id: int) -> RequestRow:
        (found,) = requests.select(self.db, "id = ?", (request_id,))
        return found


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("models")
    base = make_tiny_llava(folder / "base")
    return base, other_weights(base, folder / "rl")


@pytest.fixture
def desk(tmp_path: Path, models: tuple[Path, Path]) -> Iterator[Desk]:
    made = Desk(tmp_path, *models)
    yield made
    made.db.close()


async def test_from_a_row_with_an_image_to_a_scored_trace(desk: Desk) -> None:
    stored = queries.problem_by_id(desk.db, desk.ids["red"])
    assert stored is not None
    assert stored.problem.images == (str(desk.root / "images" / "red.png"),)
    asked = {name: desk.sample(name) for name in ("red", "blue", "broken", "missing")}
    await desk.run()
    states = {name: desk.request(number).state for name, number in asked.items()}
    assert states == {"red": "done", "blue": "done", "broken": "failed", "missing": "failed"}
    for name, title in (("broken", "image is broken"), ("missing", "no such image")):
        error = desk.request(asked[name]).error
        assert title in error["title"]
        assert str(desk.root / "images") in error["detail"]

    arm_id = desk.request(asked["red"]).arm_id
    assert arm_id is not None
    assert desk.request(asked["blue"]).arm_id == arm_id
    red, blue = (queries.prompt(desk.db, arm_id, desk.ids[name]) for name in ("red", "blue"))
    assert red is not None
    assert blue is not None
    assert (red.text, red.ids) == (blue.text, blue.ids), "only the picture differs"
    assert red.images[0].digest != blue.images[0].digest

    requests.ask_for_scores(desk.db, "base", desk.ids["red"], arm_id, 3)
    requests.ask_for_scores(desk.db, "rl", desk.ids["red"], arm_id, 3)
    await desk.run()
    for head in queries.heads(desk.db, arm_id, desk.ids["red"]):
        trace = queries.trace(desk.db, head.id)
        assert trace is not None
        assert trace.tokens is not None
        assert trace.tokens.logprobs is not None
        scores = {scorer.model: score.logprobs for scorer, score in trace.scores.items()}
        assert scores.keys() == {"base", "rl"}
        np.testing.assert_allclose(scores["rl"], trace.tokens.logprobs, atol=1e-4)
        assert np.abs(scores["base"] - trace.tokens.logprobs).max() > 1e-3
    assert verify(desk.db) == []


async def test_a_picture_that_changed_is_never_pooled_with_the_old_one(desk: Desk) -> None:
    first = desk.sample("red")
    await desk.run()
    arm_id = desk.request(first).arm_id
    assert arm_id is not None
    make_picture(desk.root / "images" / "red.png", (1, 200, 1))
    desk.db.execute("UPDATE request SET state = 'cancelled'")
    desk.db.commit()
    again = requests.ask_for_completions(desk.db, "rl", desk.ids["red"], SAMPLING, 6)
    requests.ask_for_scores(desk.db, "base", desk.ids["red"], arm_id, 3)
    await desk.run()
    assert desk.request(again).state == "failed"
    assert "not the one" in desk.request(again).error["title"]
    (score,) = requests.select(desk.db, "kind = 'score'", ())
    assert score.state == "failed"
    assert "not the one that was sampled" in score.error["title"]
    assert len(queries.heads(desk.db, arm_id, desk.ids["red"])) == 3


async def test_a_text_model_fails_on_the_problem_and_not_on_the_sampler(desk: Desk) -> None:
    from tests.contract.tiny_model import make_tiny_model

    text_only = make_tiny_model(desk.root / "text")
    models = dict(desk.settings.models)
    models["rl"] = replace(models["rl"], source=str(text_only))
    desk.settings = replace(desk.settings, models=models)
    seen = desk.sample("red")
    plain = replace(queries.problems(desk.db)[0].problem, name="plain", images=())
    plain_id, _ = catalog.add_problem(desk.db, plain)
    read = requests.ask_for_completions(desk.db, "rl", plain_id, SAMPLING, 2)
    await desk.run()
    assert desk.request(seen).state == "failed"
    assert "takes no images" in desk.request(seen).error["title"]
    assert desk.request(read).state == "done"


def test_show_names_the_images_and_what_is_wrong_with_them(desk: Desk) -> None:
    told = as_dict(read_problem(desk.settings, "figures/red"))
    (image,) = told["images"]
    assert image["path"].endswith("red.png")
    assert (image["width"], image["height"], image["format"]) == (56, 42, "PNG")
    (broken,) = as_dict(read_problem(desk.settings, "figures/broken"))["images"]
    assert "broken" in broken["fault"]
    (missing,) = as_dict(read_problem(desk.settings, "figures/missing"))["images"]
    assert "missing" in missing["fault"]
