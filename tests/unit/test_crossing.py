"""Crossings are marked only where the bands separate."""

from __future__ import annotations

import numpy as np

from explorer.store.rows import Tally
from explorer.views.crossing import crossing


def cells(base: list[float], other: list[float], n: int = 256) -> list[tuple[Tally, Tally]]:
    """Tallies of n samples at exactly these rates."""

    def tally(rate: float) -> Tally:
        c = round(rate * n)
        return Tally(completions=n, correct=c, wrong=n - c)

    return [(tally(one), tally(two)) for one, two in zip(base, other, strict=True)]


def test_a_narrowed_model_crosses_where_both_bands_are_clear() -> None:
    # The other always solves half of the problems and never the rest; base solves all a little.
    found = crossing("base", "rl", cells([0.1] * 100, [1.0] * 50 + [0.0] * 50))
    assert found.is_separated
    assert 0 < found.ahead < found.touched <= found.overtaken
    # 1 - 0.9^k passes one half between k = 4 and 8.
    assert (found.ahead, found.touched) == (4, 8)
    assert "base and rl cross between k = 4 and" in found.sentence()
    assert "bands separate, 100 problems" in found.sentence()


def test_curves_that_touch_within_their_bands_are_not_separated() -> None:
    random = np.random.default_rng(5)
    base = random.beta(1, 2, 12)
    other = np.clip(base + random.normal(0, 0.05, 12) + 0.01, 0, 1)
    other[0] = 0.0
    found = crossing("base", "rl", cells(base.tolist(), other.tolist()))
    assert not found.is_separated
    assert "cross between" not in found.sentence()


def test_an_arm_that_stays_above_does_not_cross() -> None:
    found = crossing("base", "distilled", cells([0.01] * 20, [0.02] * 20))
    assert (found.touched, found.overtaken) == (0, 0)
    assert found.sentence() == "no crossing up to k = 256: distilled stays above"


def test_k_reaches_the_least_n() -> None:
    mixed = [*cells([0.5], [0.5], 256), *cells([0.5], [0.5], 20)]
    assert crossing("base", "rl", mixed).largest == 20
    assert "not sampled together" in crossing("base", "rl", []).sentence()
    assert crossing("base", "rl", [(Tally(), Tally())]).problems == 0
