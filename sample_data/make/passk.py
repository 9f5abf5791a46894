"""pass@k from counts, without bias, with bands from resampling the problems."""

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
KS = (1, 4, 16, 64, 256)
RESAMPLES = 2000


def pass_at(k: int, correct: Counts, drawn: int) -> NDArray[np.float64]:
    """1 - C(n-c, k) / C(n, k) per problem, as a product that cannot overflow."""
    if k > drawn:
        raise ValueError(f"pass@{k} needs at least {k} samples, there are {drawn}")
    missed = np.ones(len(correct))
    for problem, count in enumerate(correct):
        if drawn - count < k:
            missed[problem] = 0.0
        else:
            missed[problem] = np.prod(1.0 - k / np.arange(drawn - count + 1, drawn + 1))
    return 1.0 - missed


def band(per_problem: NDArray[np.float64], seed: int = 0) -> tuple[float, float]:
    """The middle 95 % of the mean over resampled problems."""
    rng = np.random.default_rng(seed)
    index = rng.integers(0, len(per_problem), (RESAMPLES, len(per_problem)))
    low, high = np.percentile(per_problem[index].mean(axis=1), (2.5, 97.5))
    return float(low), float(high)
