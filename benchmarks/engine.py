"""Engine speed against the bare library: `python -m benchmarks.engine --model DIR`.

Both sides do the same work in turn, in processes that stay warm: the engine's child, and a child
of this file's own that calls `model.generate(do_sample=True)` and a plain forward pass. Only
ratios of medians from one run mean anything; the machine's load hits both sides alike.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from explorer.core.arm import Sampling
from explorer.engines.base import Engine, EngineConfig, Sampled, SampleJob, ScoreJob
from explorer.engines.registry import open_engine

_BARE: dict[str, Any] = {}
"""The bare side's model, in its own process."""


def _load_bare(source: str, threads: int, device: str, dtype: str) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    if threads:
        torch.set_num_threads(threads)
    model: Any = AutoModelForCausalLM.from_pretrained(source, dtype=getattr(torch, dtype))
    _BARE["model"] = model.to(device).eval()
    _BARE["device"] = device


def _bare_sample(prompt: tuple[int, ...], sampling: Sampling, count: int, seed: int) -> float:
    """Tokens per second of `generate` alone, counted up to each row's EOS."""
    import torch

    model, device = _BARE["model"], _BARE["device"]
    torch.manual_seed(seed)
    start = time.perf_counter()
    with torch.inference_mode():
        ids = torch.tensor([prompt], device=device).expand(count, -1)
        drawn = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=True,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            max_new_tokens=sampling.max_tokens,
        ).cpu()
    elapsed = time.perf_counter() - start
    eos = model.generation_config.eos_token_id
    ends = torch.tensor([eos] if isinstance(eos, int) else eos or [-1])
    over = torch.isin(drawn[:, len(prompt) :], ends)
    lengths = torch.where(over.any(1), over.int().argmax(1) + 1, over.shape[1])
    return float(lengths.sum()) / elapsed


def _bare_score(prompt: tuple[int, ...], responses: list[list[int]]) -> float:
    """Tokens per second of one forward pass over all, right-padded, logits thrown away."""
    import torch

    model, device = _BARE["model"], _BARE["device"]
    longest = max(map(len, responses))
    start = time.perf_counter()
    with torch.inference_mode():
        rows = [[*prompt, *ids, *[0] * (longest - len(ids))] for ids in responses]
        logits = model(input_ids=torch.tensor(rows, device=device)).logits
        float(logits[0, 0, 0])  # waits for the device
    return sum(map(len, responses)) / (time.perf_counter() - start)


async def _engine_sample(
    engine: Engine, prompt: tuple[int, ...], sampling: Sampling, count: int, seed: int
) -> tuple[float, list[Sampled]]:
    job = SampleJob(prompt, sampling, seed, tuple(range(count)))
    start = time.perf_counter()
    done = [item async for item in engine.sample(job) if isinstance(item, Sampled)]
    elapsed = time.perf_counter() - start
    return sum(len(item.tokens) for item in done) / elapsed, done


async def _engine_score(
    engine: Engine, prompt: tuple[int, ...], responses: list[list[int]], top: int
) -> float:
    job = ScoreJob(prompt, tuple(map(tuple, responses)), top)
    start = time.perf_counter()
    count = sum([len(item.scores.logprobs) async for item in engine.score(job)])
    return count / (time.perf_counter() - start)


async def _run(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as logs:
        config = EngineConfig(
            options.model, threads=options.threads, log_path=Path(logs) / "engine.log"
        )
        engine = await open_engine(config)
        bare = ProcessPoolExecutor(1, get_context("spawn"))
        try:
            await _compare(engine, bare, options)
        finally:
            bare.shutdown()
            await engine.close()


async def _compare(engine: Engine, bare: ProcessPoolExecutor, options: argparse.Namespace) -> None:
    info = engine.info
    here = (options.model, options.threads, info.device, info.dtype)
    await asyncio.wrap_future(bare.submit(_load_bare, *here))
    prompt = (await engine.encode(options.prompt.replace("\\n", "\n"))).ids
    sampling = Sampling(options.temperature, options.top_p, max_tokens=options.max_tokens)
    print(
        f"{info.parameters / 1e6:.1f}M parameters, {info.vocab_size} tokens, {info.dtype} on "
        f"{info.device}; {options.count} completions, {sampling.label()}"
    )
    names = ("sample", "bare generate", "score top 10", "score top 0", "bare forward")
    speeds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(options.repeat + 1):  # the first one warms up and is not counted
        work = (prompt, sampling, options.count, turn)
        sampled, done = await _engine_sample(engine, *work)
        responses = [item.tokens.ids.tolist() for item in done]
        measured = (
            sampled,
            await asyncio.wrap_future(bare.submit(_bare_sample, *work)),
            await _engine_score(engine, prompt, responses, 10),
            await _engine_score(engine, prompt, responses, 0),
            await asyncio.wrap_future(bare.submit(_bare_score, prompt, responses)),
        )
        for name, speed in zip(names, measured, strict=True):
            speeds[name] += [speed] if turn else []
    median = {name: statistics.median(values) for name, values in speeds.items()}
    for name in names:
        reference = "bare generate" if name in names[:2] else "bare forward"
        ratio = median[name] / median[reference]
        print(f"{name:14} {median[name]:10.0f} tokens/s   {ratio:5.2f} of {reference}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="checkpoint folder")
    parser.add_argument("--prompt", default="Question: How many are left?\\nAnswer:")
    parser.add_argument("--count", type=int, default=64, help="completions")
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--top-p", type=float, default=1.0)
    parser.add_argument("--repeat", type=int, default=5, help="turns that are counted")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads, 0 = default")
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
