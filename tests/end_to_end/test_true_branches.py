"""Branches of bundled traces, drawn by the real engine, against what 20,000 of each came to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.test_cli import explorer

pytest.importorskip("torch", reason="the extra 'local' is not installed")

TRUTH = Path(__file__).resolve().parents[2] / "sample_data" / "truth" / "beginnings.json"
STORY = "twins/which-is-004/base#11"
SAMPLES = 64


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("branches")
    explorer("demo", "--at", str(folder), cwd=folder)
    yield folder
    explorer("stop", cwd=folder)


def true_shares(by: str) -> dict[int, float]:
    """Of the story's trace, by how many of its tokens the model was handed."""
    found: dict[str, Any] = json.loads(TRUTH.read_text("utf-8"))
    return {
        row["at"]: row["correct"] / found["n"]
        for row in found["beginnings"]
        if (row["by"], row["problem"], row["trace"]) == (by, "which-is-004", "base#11")
    }


@pytest.mark.parametrize("model", ["rl", "base"])
def test_a_value_curve_is_the_true_one_within_its_intervals(demo: Path, model: str) -> None:
    true = true_shares(model)
    asked = ("branch", STORY, "-m", model, "-n", str(SAMPLES), "--wait", "--json")
    rows = [row for row in json.loads(explorer(*asked, cwd=demo).stdout) if row["model"] == model]
    assert [row["n"] for row in rows] == [SAMPLES] * 9
    held = [row["lower"] <= true[row["position"]] <= row["upper"] for row in rows]
    assert sum(held) >= 7, "95 % each: three of nine outside would be one run in a hundred"
    wanted = sum(SAMPLES * true[row["position"]] for row in rows)
    spread = sum(SAMPLES * true[at] * (1 - true[at]) for at in (row["position"] for row in rows))
    assert abs(sum(row["correct"] for row in rows) - wanted) < 4 * spread**0.5
