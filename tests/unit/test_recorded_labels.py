"""Our verdicts against the labels of other people's rollouts: every difference is of a known kind.

The kinds are listed by reason; a difference of another kind fails the test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from explorer.core.completion import Outcome
from explorer.core.problem import Problem
from explorer.verifiers.grading import grade_many
from explorer.verifiers.pool import VerifierPool

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "recorded"

pytestmark = pytest.mark.skipif(
    not RECORDED.is_dir(), reason="the recorded rollouts of ../shared/data are not here"
)

EXPLAINED = {
    "thousands separator": {"10,\\!080", "10{,}000"},
    "time of day": {"\\text{4:30 p.m.}"},
    "letter in bold": {"\\text{(B)}"},
    "complex numbers": {"6+9i", "-2 + 7i"},
    "their extraction": {"27.0", "-125", "17", "\\frac{3\\sqrt{3}}{4}", "15x - 80", "1", "1.0"},
}
"""Golds on which we and the label differ, by why: they extract or read less than we do, but for
gold 1.0, where without any box both guess, and differently."""


class Counted(NamedTuple):
    """What one file comes to."""

    labels: list[list[bool]]
    ours: list[list[Outcome]]
    different: list[str]


@pytest.fixture(scope="module")
def pool() -> Iterator[VerifierPool]:
    with VerifierPool(timeout_s=20) as pool:
        yield pool


def count(path: Path, pool: VerifierPool) -> Counted:
    rows: list[dict[str, Any]] = [json.loads(line) for line in path.read_text().splitlines()]
    counted = Counted([], [], [])
    for row in rows:
        gold = str(row["answer"])
        verdicts = grade_many(row["code"], Problem("recorded", str(row["idx"]), "", gold), pool)
        labels = [bool(score) for score in row["score"]]
        outcomes = [verdict.outcome for verdict in verdicts]
        counted.labels.append(labels)
        counted.ours.append(outcomes)
        counted.different.extend(
            gold
            for label, outcome in zip(labels, outcomes, strict=True)
            if label != (outcome is Outcome.CORRECT)
        )
    return counted


def unexplained(golds: list[str]) -> set[str]:
    return set(golds) - set().union(*EXPLAINED.values())


def test_best_of_8_comes_out_as_its_labels_say(pool: VerifierPool) -> None:
    (path,) = (RECORDED / "best_of_8").glob("*.jsonl")
    found = count(path, pool)
    samples = sum(len(row) for row in found.labels)
    assert sum(map(sum, found.labels)) / samples == pytest.approx(0.910)
    assert sum(map(any, found.labels)) / len(found.labels) == pytest.approx(0.96)
    assert unexplained(found.different) == set()
    # Eight times 4:30 p.m. and one 10{,}000, which the harness misread: we are above its labels.
    right = [[outcome is Outcome.CORRECT for outcome in row] for row in found.ours]
    assert sum(map(sum, right)) == 728 + len(found.different) == 737
    assert sum(map(any, right)) == 98


@pytest.mark.parametrize("name", ["aime24", "amc23", "math500"])
@pytest.mark.parametrize("model", ["Qwen2.5-Math-7B", "Sky-T1-math-correct-5K-27B"])
def test_qwen_harness_differs_only_where_it_is_known_why(
    pool: VerifierPool, model: str, name: str
) -> None:
    (path,) = (RECORDED / "qwen_harness" / model).glob(f"{name}_*.jsonl")
    found = count(path, pool)
    assert unexplained(found.different) == set()
    assert len(found.different) <= 5
