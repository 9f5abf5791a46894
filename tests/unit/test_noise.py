"""The noise floor: what a model's own samples differ by when it scores them itself."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from explorer.core.completion import Completion, FinishReason, Tokens, TokenScores
from explorer.core.likelihood import NOISE, delta_levels
from explorer.core.noise import NoiseFloor, noise_floor
from explorer.core.problem import Problem
from explorer.store import catalog, completions, noise, queries
from explorer.store.connection import open_writer
from explorer.store.rows import ModelRow, ScorerRow
from explorer.views.noise import describe, floor_lines, nats, notes
from tests import fake_cache

DRAWN = -np.linspace(0.1, 2.0, 200, dtype=np.float32)


def test_quantiles_of_what_differs() -> None:
    forced = DRAWN.copy()
    forced[:10] -= 0.5  # 5 % of the tokens
    forced[0] = -3.0
    floor = noise_floor([(DRAWN, forced)])
    assert floor is not None
    assert (floor.completions, floor.tokens) == (1, 200)
    assert floor.median == 0
    assert floor.q95 < 0.5 < floor.most
    assert floor.q99 == pytest.approx(0.5, abs=1e-6)
    assert floor.most == pytest.approx(3.0 - 0.1)
    assert floor.perplexity_difference == pytest.approx(
        math.exp(-forced.mean(dtype=float)) - math.exp(-DRAWN.mean(dtype=float))
    )
    assert floor.threshold == floor.q99


def test_unknown_tokens_are_left_out_and_nothing_is_no_floor() -> None:
    forced = DRAWN.copy()
    forced[3] = np.nan
    floor = noise_floor([(DRAWN, forced), ([], [])])
    assert floor is not None
    assert (floor.completions, floor.tokens, floor.most) == (1, 199, 0)
    assert floor.threshold == NOISE
    assert noise_floor([]) is None
    assert noise_floor([([-1.0], [math.nan])]) is None
    with pytest.raises(ValueError, match="2 sampled"):
        noise_floor([([-1.0, -1.0], [-1.0])])


def test_impossible_tokens_stay_finite() -> None:
    floor = noise_floor([([-math.inf, -1.0], [-9999.0, -1.0])])
    assert floor is not None
    assert floor.most == 0


def test_a_difference_within_the_floor_has_no_level() -> None:
    values = [0.05, 0.15, -0.15, 0.3, 0.6]
    assert delta_levels(values).tolist() == [0, 1, -1, 1, 2]
    assert delta_levels(values, floor=0.2).tolist() == [0, 0, 0, 1, 2]
    assert delta_levels(values, floor=0.01).tolist() == [0, 1, -1, 1, 2]


@pytest.mark.parametrize(
    ("value", "said"), [(0.0, "0"), (4.99e-6, "5e-6"), (0.0034, "0.003"), (0.123, "0.12")]
)
def test_nats(value: float, said: str) -> None:
    assert nats(value) == said


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[tuple[sqlite3.Connection, int, list[int]]]:
    """A base and an rl arm with three completions each; arms 1 and 2, completions of the base."""
    db = open_writer(tmp_path / "cache.db")
    catalog.put_models(db, [ModelRow("base", "base", "", ""), ModelRow("rl", "rl", "base", "")])
    (problem,) = catalog.put_problems(db, [Problem("d", "p", "?", "7")]).values()
    for model in ("base", "rl"):
        arm = catalog.put_arm(db, fake_cache.spec(model), model)
        rows = [
            (
                Completion(
                    index,
                    0,
                    "x" * 200,
                    FinishReason.STOP,
                    Tokens(
                        np.full(200, 5, np.int32),
                        np.arange(1, 201, dtype=np.int32),
                        DRAWN,
                        index < 2,
                    ),
                ),
                None,
            )
            for index in range(3)
        ]
        ids = completions.append(db, arm, problem, rows)
        if model == "base":
            found = [one for one in ids if one is not None]
    yield db, problem, found
    db.close()


def score(db: sqlite3.Connection, scorer: ScorerRow, completion: int, shift: float) -> None:
    floats = (DRAWN - shift).astype(np.float32)
    empty = np.zeros((200, 0), np.float32)
    scores = TokenScores(
        floats, np.ones(200, np.int32), floats, empty.astype(np.int32), empty, [[]] * 200
    )
    completions.record_score(db, catalog.put_scorer(db, scorer), completion, scores)


def test_only_the_arms_own_weights_and_drawn_tokens_count(
    cell: tuple[sqlite3.Connection, int, list[int]],
) -> None:
    db, _, ids = cell
    own = ScorerRow(0, "base", "local:base", "tok:1", "transformers", "float32")
    other = ScorerRow(0, "base", "local:newer", "tok:1", "transformers", "float32")
    for completion in ids:
        score(db, own, completion, 0.02)
        score(db, other, completion, 1.0)
    assert noise.measure_all(db) == 1
    assert noise.measure_all(db) == 0  # it is kept
    (row,) = noise.floors(db)
    assert row.scorer.checkpoint == "local:base"
    assert row.floor.completions == 2  # the third was retokenised, so its tokens were not drawn
    assert row.floor.q99 == pytest.approx(0.02, abs=1e-4)
    assert "n = 400 tokens of 2 completions" in describe(row)
    base, rl = queries.arms(db)
    lines = floor_lines(db, (base, rl))
    assert lines[0].startswith("base: 99% of tokens within 0.020 nat")
    assert lines[1] == "rl: not measured"


def test_unknown_weights_are_never_their_own(
    cell: tuple[sqlite3.Connection, int, list[int]],
) -> None:
    db, _, _ = cell
    from dataclasses import replace

    arm = queries.arms(db)[0]
    vague = replace(arm, spec=replace(arm.spec, checkpoint="unknown:base"))
    assert not noise.is_own(
        vague, ScorerRow(0, "base", "unknown:base", "tok:1", "transformers", "float32")
    )


def test_newer_weights_of_the_same_name_are_said_to_be_newer(
    cell: tuple[sqlite3.Connection, int, list[int]],
) -> None:
    db, _, ids = cell
    score(db, ScorerRow(0, "base", "local:newer", "tok:1", "t", "float32"), ids[0], 0.1)
    assert noise.measure_all(db) == 0
    (line,) = floor_lines(db, queries.arms(db)[:1])
    assert "other weights than drew these samples" in line


def test_a_comparison_is_held_against_the_larger_floor(
    cell: tuple[sqlite3.Connection, int, list[int]],
) -> None:
    db, _, ids = cell
    assert notes(db, queries.arms(db)) == {}
    score(db, ScorerRow(0, "base", "local:base", "tok:1", "t", "float32"), ids[0], 0.3)
    noise.measure_all(db)
    base, rl = queries.arms(db)
    found = notes(db, (base, rl))
    assert found[rl.id].model == "base"  # its own is not known, its base's is
    assert found[rl.id].threshold == pytest.approx(0.3, abs=1e-4)
    assert found[rl.id].long == "noise floor 0.30 nat (99%, n = 200 tokens)"


def test_an_overflowing_perplexity_is_kept_as_unknown(
    cell: tuple[sqlite3.Connection, int, list[int]],
) -> None:
    db, _, ids = cell
    score(db, ScorerRow(0, "base", "local:base", "tok:1", "t", "float32"), ids[0], 5000.0)
    noise.measure_all(db)
    floor: NoiseFloor = noise.floors(db)[0].floor
    assert math.isnan(floor.perplexity_difference)
    assert floor.q99 == pytest.approx(5000.0, rel=1e-4)
