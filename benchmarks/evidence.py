"""Time from a stored trace to its evidence: reading, and drawing both panels at 200×50.

The trace, the base's sample that it is held against and both scores are long; the base has many
completions of the problem. Medians are printed.

    python -m benchmarks.evidence [--tokens N] [--completions N] [--runs N]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np

from explorer.core.arm import ArmSpec, Sampling
from explorer.core.completion import Completion, FinishReason, Tokens, TokenScores
from explorer.core.problem import Problem
from explorer.store import catalog, completions
from explorer.store.connection import open_reader, open_writer
from explorer.store.rows import ModelRow, ScorerRow
from explorer.tui.render.context_rows import context_rows
from explorer.tui.render.evidence_rows import evidence_rows
from explorer.views.evidence import read_evidence

CUT = Sampling(0.6, top_p=0.95, max_tokens=16384)
VOCABULARY = 151_936
TOP = 10


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--tokens", type=int, default=16_000)
    arguments.add_argument("--completions", type=int, default=128)
    arguments.add_argument("--runs", type=int, default=9)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cache.db"
        trace = build(path, given.tokens, given.completions)
        with closing(open_reader(path)) as db:
            read = median(lambda: read_evidence(db, trace, (), CUT), given.runs)
            found = read_evidence(db, trace, (), CUT)
        assert found is not None
        support = median(lambda: evidence_rows(found, 0, 200, 5), given.runs)
        likelihood = median(lambda: context_rows(found, 200, 46), given.runs)
    print(
        f"evidence of a trace of {given.tokens:,} tokens, {given.completions} samples of the base:"
        f" read {read:.3f} s ({found.trace.view.how}), drawn {support:.3f} s and"
        f" {likelihood:.3f} s"
    )


def median(work: Callable[[], object], runs: int) -> float:
    """Median seconds of one call."""
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def build(path: Path, n_tokens: int, n: int) -> int:
    """A cache with one problem; returns the id of the trace that rl drew of it."""
    rng = np.random.default_rng(1)
    with closing(open_writer(path)) as db:
        catalog.put_models(
            db, [ModelRow("base", "base", "", ""), ModelRow("rl", "rl", "base", "GRPO")]
        )
        problem = catalog.put_problems(db, [Problem("set", "p", "How many?", "7")])["p"]
        arms = {
            name: catalog.put_arm(
                db, ArmSpec(f"local:{name}", "tok:1", "t", CUT, 32768, "vllm", "bfloat16"), name
            )
            for name in ("base", "rl")
        }
        scorers = {
            name: catalog.put_scorer(
                db, ScorerRow(0, name, f"local:{name}", "tok:1", "vllm", "bfloat16")
            )
            for name in ("base", "rl")
        }
        drawn = [(completion(rng, index, n_tokens), None) for index in range(n)]
        own = completions.append(db, arms["base"], problem, drawn)
        (trace,) = completions.append(db, arms["rl"], problem, drawn[:1])
        assert own[0] is not None
        assert trace is not None
        for scorer, scored in (("base", own[0]), ("base", trace), ("rl", trace)):
            completions.record_score(db, scorers[scorer], scored, scores(rng, n_tokens))
    return trace


def completion(rng: np.random.Generator, index: int, n_tokens: int) -> Completion:
    ids = rng.integers(0, VOCABULARY, n_tokens).astype(np.int32)
    ends = 4 * np.arange(1, n_tokens + 1, dtype=np.int32)
    drawn = -rng.gamma(0.3, 0.8, n_tokens).astype(np.float32)
    return Completion(index, 0, " abc" * n_tokens, FinishReason.STOP, Tokens(ids, ends, drawn))


def scores(rng: np.random.Generator, n_tokens: int) -> TokenScores:
    """Scores whose alternatives hold nearly all of the mass, as a trained model's do."""
    shares = rng.dirichlet(np.full(TOP + 1, 0.1), n_tokens)[:, :TOP]
    top = -np.sort(-np.log(np.maximum(shares, 1e-9)), axis=1)
    ranks = 1 + np.minimum(rng.geometric(0.8, n_tokens), TOP) - 1
    return TokenScores(
        top[np.arange(n_tokens), ranks - 1].astype(np.float32),
        ranks.astype(np.int32),
        np.full(n_tokens, np.nan, np.float32),
        rng.integers(0, VOCABULARY, (n_tokens, TOP)).astype(np.int32),
        top.astype(np.float32),
        [[" abc"] * TOP] * n_tokens,
    )


if __name__ == "__main__":
    main()
