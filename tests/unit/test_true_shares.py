"""What is said of 64 samples a problem, against the shares that 20,000 of each problem show.

The completions are the bundled ones, drawn by the product's engine; the shares were counted with
another decoder (`sample_data/make/crowd.py`) that shares nothing with it but the weights.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from explorer.core.belief import SETTLED, UNIFORM, Prior, believe, fit_prior
from explorer.core.coverage import Coverage, classify
from explorer.core.intervals import bootstrap_mean, zero_bound
from explorer.core.passk import table
from explorer.core.sequential import Move, Side, next_step
from explorer.core.support import plain
from explorer.store.rows import Tally
from explorer.views.crossing import crossing

HERE = Path(__file__).resolve().parents[2] / "sample_data"
MODELS = ("base", "rl", "distilled")
KS = (1, 4, 16, 64)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@cache
def truth(model: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HERE / "truth" / f"{model}.json").read_text("utf-8"))
    return found


@cache
def rows(kind: str) -> list[dict[str, Any]]:
    with gzip.open(HERE / "recorded" / "family.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [row for line in lines if (row := json.loads(line))["type"] == kind]


@cache
def problem_ids() -> tuple[str, ...]:
    return tuple(truth("base")["problems"])


@cache
def share(model: str) -> Floats:
    """[P] p of each problem, to within ±0.7 % at most."""
    return np.array([each["correct"] for each in truth(model)["problems"].values()]) / 20_000


@cache
def drawn(model: str) -> tuple[Ints, Ints]:
    """[P] right and all of the recorded completions."""
    refs = {row["ref"] for row in rows("arm") if row["model"] == model}
    right: Counter[str] = Counter()
    every: Counter[str] = Counter()
    for row in rows("completion"):
        if row["arm"] in refs:
            problem = row["problem"].partition("/")[2]
            every[problem] += 1
            right[problem] += row["verdict"]["outcome"] == "correct"
    ids = problem_ids()
    return np.array([right[i] for i in ids]), np.array([every[i] for i in ids])


def cells() -> Iterator[tuple[int, int, float, Prior]]:
    """(c, n, p, the prior that the explorer fits to the arm's other problems)."""
    for model in MODELS:
        c, n = drawn(model)
        for place, p in enumerate(share(model)):
            others = np.arange(len(c)) != place
            yield int(c[place]), int(n[place]), float(p), fit_prior(c[others], n[others])


def tally(c: int, n: int) -> Tally:
    return Tally(completions=int(n), correct=int(c), wrong=int(n - c))


def reach(p: Floats, k: int) -> Floats:
    return 1 - (1 - p) ** k


@pytest.mark.parametrize("model", MODELS)
def test_the_shares_are_of_the_settings_and_problems_recorded(model: str) -> None:
    head = truth(model)
    assert head["n"] == 20_000
    [spec] = [row["spec"] for row in rows("arm") if row["model"] == model]
    for name in ("temperature", "top_p", "max_tokens"):
        assert head[name] == spec["sampling"][name]
    assert [f"twins/{name}" for name in problem_ids()] == [
        f"{row['dataset']}/{row['name']}" for row in rows("problem")
    ]


@pytest.mark.parametrize("model", MODELS)
def test_the_engine_samples_what_the_other_decoder_samples(model: str) -> None:
    c, n = drawn(model)
    p = share(model)
    variance = n * p * (1 - p)
    assert abs((c - n * p).sum()) / variance.sum() ** 0.5 < 3
    some = variance > 1
    squares = (c - n * p)[some] ** 2 / variance[some]
    assert abs(squares.sum() - some.sum()) / (2 * some.sum()) ** 0.5 < 3


def test_intervals_of_p_hold_it() -> None:
    """95 % of them, over the cells that 64 samples leave in doubt, under both priors."""
    for fitted in (False, True):
        held = [
            low <= p <= high
            for c, n, p, prior in cells()
            if 0.01 < p < 0.99
            for low, high in [believe(c, n, prior if fitted else UNIFORM).interval()]
        ]
        assert len(held) > 120
        assert 0.91 <= np.mean(held) <= 0.99


def test_none_of_n_bounds_hold() -> None:
    none = [(p, zero_bound(n)) for c, n, p, _ in cells() if c == 0]
    assert len(none) > 50
    assert np.mean([p <= bound for p, bound in none]) >= 0.95


def test_an_order_that_is_settled_is_the_true_one() -> None:
    """At least in 95 of 100 cases, as is said; and doubt is no more than it says."""
    for other in ("rl", "distilled"):
        first, second = drawn("base"), drawn(other)
        believed = [
            believe(int(c1), int(n1)).exceeds(believe(int(c2), int(n2)))
            for c1, n1, c2, n2 in zip(*first, *second, strict=True)
        ]
        above = share("base") > share(other)
        settled = [max(one, 1 - one) >= SETTLED for one in believed]
        right = [(one > 0.5) == true for one, true in zip(believed, above, strict=True)]
        assert sum(settled) > 40
        assert np.mean(np.array(right)[settled]) >= 0.95


def test_sampling_until_settled_settles_on_the_true_order() -> None:
    """Fresh draws with the true shares, as the sampler would draw them."""
    random = np.random.default_rng(1)
    right = []
    for p in zip(share("base"), share("rl"), strict=True):
        counts = [[0, 0], [0, 0]]
        while True:
            sides = [Side(c, n, n) for c, n in counts]
            step = next_step(sides, cap=512)
            if step.move is not Move.DRAW:
                break
            batch = step.target - counts[step.side][1]
            counts[step.side][0] += int(random.binomial(batch, p[step.side]))
            counts[step.side][1] += batch
        if step.move is Move.SETTLED:
            right.append((step.above > 0.5) == (p[0] > p[1]))
    assert len(right) > 60
    assert np.mean(right) >= 0.95


@pytest.mark.parametrize("other", ["rl", "distilled"])
def test_mean_pass_at_k_and_its_difference_are_the_true_ones_within_the_band(other: str) -> None:
    """The band is for other problems too, so for these very problems it is on the wide side."""
    estimates = [table(*drawn(model), KS) for model in ("base", other)]
    differences = estimates[0] - estimates[1]
    for place, k in enumerate(KS):
        true = float((reach(share("base"), k) - reach(share(other), k)).mean())
        band = bootstrap_mean(differences[:, place : place + 1])
        assert float(band.lower[0]) <= true <= float(band.upper[0]), k


def test_the_crossing_lies_where_the_true_curves_cross() -> None:
    tallies = [
        [tally(*cell) for cell in zip(*drawn(model), strict=True)] for model in ("base", "rl")
    ]
    found = crossing("base", "rl", list(zip(*tallies, strict=True)))
    assert found.is_separated

    def gap(k: int) -> float:
        return float((reach(share("base"), k) - reach(share("rl"), k)).mean())

    assert gap(found.ahead) < 0 < gap(found.overtaken)


def test_classes_are_those_of_the_true_shares() -> None:
    """S is 'base solves it, none of RL's n did': then RL's p is small, and base's is above it."""
    lost = 0
    for c1, n1, c2, n2, p, q in zip(
        *drawn("base"), *drawn("rl"), share("base"), share("rl"), strict=True
    ):
        found = classify(tally(c1, n1), tally(c2, n2))
        if found is not None and found.coverage is Coverage.SHRUNK:
            lost += 1
            assert p > 0
            assert q <= 2 * zero_bound(int(n2)), "twice: of some dozens one bound may fail"
    assert lost > 10


def expected(logprobs: list[float]) -> float:
    """How often 20,000 samples hold exactly this text, as the support verdict says."""
    lower, upper = plain(np.array(logprobs, dtype=np.float32)).log10_samples()
    assert lower == pytest.approx(upper)
    return 20_000 * 10**-lower


def test_as_many_samples_as_said_bring_exactly_this_text() -> None:
    """Base's own texts, and those of the other two under base's scores."""
    arms = {row["ref"]: row["model"] for row in rows("arm")}
    scorers = {row["ref"]: row["model"] for row in rows("scorer")}
    said: dict[tuple[str, str], float] = {}
    for row in rows("score"):
        if scorers[row["scorer"]] == "base" and arms[row["arm"]] != "base":
            name = f"{arms[row['arm']]}#{row['index']}"
            said[row["problem"].partition("/")[2], name] = expected(row["logprobs"])
    for row in rows("completion"):
        if arms[row["arm"]] == "base" and row["index"] < 4:
            name = f"base#{row['index']}"
            said[row["problem"].partition("/")[2], name] = expected(row["logprobs"])
    counted = {
        (problem, name): times
        for problem, each in truth("base")["problems"].items()
        for name, times in each["texts"].items()
    }
    assert counted.keys() == said.keys()
    for model in MODELS:
        names = [name for name in said if name[1].startswith(model)]
        wanted = np.array([said[name] for name in names])
        times = np.array([counted[name] for name in names])
        if model == "distilled":  # each less often than once in 10^40 samples
            assert wanted.max() < 1e-30
            assert not times.any()
            continue
        assert wanted.sum() > 30, model
        assert abs(times.sum() - wanted.sum()) / wanted.sum() ** 0.5 < 3, model
        often = wanted > 10
        assert (np.abs(times - wanted)[often] / wanted[often] ** 0.5 < 4.5).all(), model


def test_base_wrote_most_of_rls_first_answers_and_none_of_the_distilled_ones() -> None:
    """What both READMEs say of base's 20,000 samples."""
    texts = [each["texts"] for each in truth("base")["problems"].values()]
    written = {model: sum(one[f"{model}#0"] > 0 for one in texts) for model in ("rl", "distilled")}
    assert written == {"rl": 82, "distilled": 0}
    for readme in (HERE / "README.md", HERE.parent / "README.md"):
        told = " ".join(readme.read_text("utf-8").split())
        assert f"base wrote {written['rl']} of RL's 100 first" in told
