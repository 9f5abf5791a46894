"""How far two engines agree about the same tokens: `python -m benchmarks.agreement`.

Completions that transformers drew from each bundled model are scored by transformers and by a
vLLM server, token for token. What is left is rounding: it is the noise below which a difference
between two models says nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.core.arm import Sampling
from explorer.core.completion import Int32, TokenScores
from explorer.core.server_options import ServerOptions
from explorer.engines import vllm_server
from explorer.engines.base import Engine, EngineConfig, Sampled, SampleJob, ScoreJob
from explorer.engines.registry import open_engine

MODELS = Path("sample_data/models")
PROMPTS = (
    "Question: A farmer has 12 sheep and buys 7 more. How many sheep are there?\nAnswer:",
    "Question: What is 23 * 4?\nAnswer:",
)
HEADER = (
    f"{'model':11} {'dtype':9} {'tokens':>7} {'mean |Δ|':>10} {'99 % |Δ|':>10} {'max |Δ|':>10} "
    f"{'same rank':>10} {'same class':>11} {'same best':>10}"
)


async def samples(engine: Engine, n: int) -> list[tuple[tuple[int, ...], list[tuple[int, ...]]]]:
    found = []
    for number, text in enumerate(PROMPTS):
        prompt = (await engine.encode(text)).ids
        job = SampleJob(prompt, Sampling(max_tokens=160), number, tuple(range(n)))
        done = [item async for item in engine.sample(job) if isinstance(item, Sampled)]
        done.sort(key=lambda item: item.index)
        found.append((prompt, [tuple(item.tokens.ids.tolist()) for item in done]))
    return found


async def scored(engine: Engine, work: Sequence[Any]) -> list[TokenScores]:
    rows: list[TokenScores] = []
    for prompt, responses in work:
        job = ScoreJob(prompt, tuple(responses), 10)
        found = {item.position: item.scores async for item in engine.score(job)}
        rows += [found[position] for position in range(len(responses))]
    return rows


def rank_class(ranks: Int32) -> NDArray[np.intp]:
    """1, 2-3 or more: what the rank overlay shows."""
    return np.digitize(ranks, [2, 4])


def line(name: str, dtype: str, one: list[TokenScores], two: list[TokenScores]) -> str:
    def both(field: str) -> tuple[NDArray[Any], NDArray[Any]]:
        return (
            np.concatenate([getattr(row, field) for row in one]),
            np.concatenate([getattr(row, field) for row in two]),
        )

    own, other = both("logprobs")
    gap = np.abs(own - other)
    ranks, other_ranks = both("ranks")
    best = np.concatenate([row.top_ids[:, 0] for row in one])
    other_best = np.concatenate([row.top_ids[:, 0] for row in two])
    shares = (
        (ranks == other_ranks).mean(),
        (rank_class(ranks) == rank_class(other_ranks)).mean(),
        (best == other_best).mean(),
    )
    return (
        f"{name:11} {dtype:9} {len(gap):7} {gap.mean():10.2e} {np.quantile(gap, 0.99):10.2e} "
        f"{gap.max():10.2e} {shares[0]:10.2%} {shares[1]:11.2%} {shares[2]:10.2%}"
    )


async def compare(name: str, options: argparse.Namespace, folder: Path) -> None:
    source = str((MODELS / name).resolve())
    plain = await open_engine(EngineConfig(source, dtype="float32", threads=1))
    work = await samples(plain, options.n)
    truth = await scored(plain, work)
    await plain.close()
    server = ServerOptions(
        python=options.python,
        enforce_eager=True,
        env=(("VLLM_CPU_OMP_THREADS_BIND", "nobind"), ("VLLM_CPU_KVCACHE_SPACE", "1")),
    )
    for dtype in options.dtypes:
        config = EngineConfig(
            source,
            engine="vllm",
            dtype=dtype,
            threads=1,
            log_path=folder / f"{name}.log",
            server=server,
            state_folder=folder / "servers",
        )
        try:
            engine = await open_engine(config)
            print(line(name, dtype, truth, await scored(engine, work)), flush=True)
            await engine.close()
        finally:
            await vllm_server.stop(config)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=".venv-vllm/bin/python", help="interpreter with vLLM")
    parser.add_argument("--models", nargs="+", default=["base", "rl", "distilled"])
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--n", type=int, default=32, help="completions per prompt")
    options = parser.parse_args()
    options.python = str(Path(options.python).absolute())
    print("transformers in float32 against vLLM; |Δ| is of log-probabilities, in nats")
    print(HEADER, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in options.models:
            asyncio.run(compare(name, options, Path(folder)))


if __name__ == "__main__":
    main()
