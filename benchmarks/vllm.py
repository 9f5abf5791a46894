"""vLLM through this project against vLLM alone: `python -m benchmarks.vllm --model DIR`.

Sampling: completions per second from asking (requests in the store) until every completion is
stored and verified, through the sampler, the HTTP client and a server of ours; against
`vllm.LLM.generate` on the same prompts and settings, all given to it at once. Scoring: tokens per
second of the engine against `prompt_logprobs` of the same texts.

Both sides do the same work in turn, in processes that stay warm. Only ratios of medians from one
run mean anything; the machine's load hits both sides alike.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from explorer.core.arm import Sampling
from explorer.core.problem import Problem
from explorer.core.prompts import Template
from explorer.core.server_options import ServerOptions
from explorer.engines import vllm_server
from explorer.engines.base import Engine, Sampled, SampleJob, ScoreJob
from explorer.engines.registry import open_engine
from explorer.engines.vllm_sampling import seed_base
from explorer.paths import Workspace
from explorer.sampler.places import engine_config
from explorer.sampler.runner import Runner
from explorer.settings import ModelSettings, Role, Settings
from explorer.store import catalog, queries, requests
from explorer.store.connection import open_writer

QUESTIONS = (
    "A farmer has {n} sheep and buys {m} more. How many sheep are there?",
    "What is {n} times {m}?",
    "Ann reads {n} pages a day. How many pages does she read in {m} days?",
    "Of {n} apples, {m} are eaten. How many are left?",
)


class Bare:
    """`vllm.LLM` in a child process."""

    def __init__(self, python: str, model: str, context: int, threads: int, log: Path) -> None:
        options = {
            "model": model,
            "dtype": "float32",
            "enforce_eager": True,
            "max_num_batched_tokens": ServerOptions().max_num_batched_tokens,
            "enable_prefix_caching": True,
            "enable_chunked_prefill": False,  # as a server of ours on a CPU; see vllm_command
            "max_logprobs": 20,
            "generation_config": "vllm",
        } | ({"max_model_len": context} if context else {})
        script = Path(__file__).with_name("vllm_bare.py")
        self._log = log
        with log.open("ab") as errors:
            self._child = subprocess.Popen(
                [python, "-P", str(script), json.dumps(options)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
                env={
                    **os.environ,
                    **dict(environment(threads)),
                    "HF_HUB_OFFLINE": "1",
                    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
                },
            )
        self._result()

    def run(self, prompts: Sequence[Sequence[int]], params: list[dict[str, Any]]) -> dict[str, Any]:
        assert self._child.stdin is not None
        job = {"prompts": [list(one) for one in prompts], "params": params}
        self._child.stdin.write(json.dumps(job) + "\n")
        self._child.stdin.flush()
        return self._result()

    def _result(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            if line.startswith("RESULT "):
                found = json.loads(line.removeprefix("RESULT "))
                assert isinstance(found, dict)
                return found
        tail = self._log.read_text(errors="replace")[-3000:]
        raise SystemExit(f"{tail}\nthe bare vLLM ended: exit code {self._child.wait()}")

    def close(self) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)  # its engine is a process of its own


class Whole:
    """The sampler at work on a cache of its own."""

    def __init__(self, settings: Settings, sampling: Sampling) -> None:
        self._sampling = sampling
        self._db: sqlite3.Connection = open_writer(settings.workspace.cache)
        self._runner = Runner(self._db, lambda: settings)
        self._task = asyncio.create_task(self._runner.run())
        self._turn = 0

    async def run(self, statements: Sequence[str], n: int) -> float:
        """Seconds until each of these has n completions, stored and verified."""
        self._turn += 1
        problems = [
            Problem("bench", f"{self._turn}-{number}", statement, "7")
            for number, statement in enumerate(statements)
        ]
        ids = list(catalog.put_problems(self._db, problems).values())
        start = time.perf_counter()
        for problem_id in ids:
            requests.ask_for_completions(self._db, "base", problem_id, self._sampling, n, 10)
        while not self._finished(ids, n):
            await asyncio.sleep(0.02)
        return time.perf_counter() - start

    def _finished(self, ids: Sequence[int], n: int) -> bool:
        failed = requests.select(self._db, "state = 'failed'", ())
        if failed:
            raise SystemExit(f"a request failed: {failed[0].error}")
        tallies = queries.tallies(self._db)
        counted = {
            problem: tally.correct + tally.wrong + tally.undecided
            for (_, problem), tally in tallies.items()
        }
        return all(counted.get(one, 0) >= n for one in ids)

    async def close(self) -> None:
        self._runner.stop()
        await self._task
        self._db.close()


def environment(threads: int) -> tuple[tuple[str, str], ...]:
    """Both sides on a CPU alike; on a GPU these say nothing."""
    return (
        ("VLLM_CPU_KVCACHE_SPACE", "1"),
        ("VLLM_CPU_OMP_THREADS_BIND", "nobind"),
        ("OMP_NUM_THREADS", str(threads)),
        ("VLLM_NO_USAGE_STATS", "1"),
    )


def workspace(options: argparse.Namespace, folder: Path) -> Settings:
    server = ServerOptions(
        python=options.python, enforce_eager=True, env=environment(options.threads)
    )
    model = ModelSettings(
        "base",
        Role.BASE,
        str(Path(options.model).resolve()),
        engine="vllm",
        dtype="float32",
        context=options.context,
        template="qa",
        server=server,
    )
    return Settings(
        workspace=Workspace(folder, folder / "cache" / "explorer.db"),
        models={"base": model},
        datasets={},
        templates={"qa": Template("qa", "Question: {question}\nAnswer:")},
        presets={},
        idle_exit_s=3600,
    )


async def engine_alone(
    engine: Engine, prompts: Sequence[tuple[int, ...]], sampling: Sampling, n: int, seed: int
) -> tuple[float, list[list[Sampled]]]:
    """Seconds for the engine to draw all at once, without sampler, store and verifier."""

    async def one(ids: tuple[int, ...], number: int) -> list[Sampled]:
        job = SampleJob(ids, sampling, seed + number, tuple(range(n)))
        return [item async for item in engine.sample(job) if isinstance(item, Sampled)]

    start = time.perf_counter()
    done = await asyncio.gather(*(one(ids, number) for number, ids in enumerate(prompts)))
    return time.perf_counter() - start, list(done)


async def score_alone(
    engine: Engine, prompt: tuple[int, ...], responses: Sequence[tuple[int, ...]], top: int
) -> float:
    start = time.perf_counter()
    async for _ in engine.score(ScoreJob(prompt, tuple(responses), top)):
        pass
    return time.perf_counter() - start


def bare_params(sampling: Sampling, n: int, seed: int) -> dict[str, Any]:
    return {
        "n": n,
        "seed": seed_base(seed),
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "logprobs": 0,
    }


async def compare(options: argparse.Namespace, folder: Path) -> None:
    settings = workspace(options, folder)
    sampling = Sampling(options.temperature, options.top_p, max_tokens=options.max_tokens)
    config = engine_config(settings, settings.models["base"])
    loop = asyncio.get_running_loop()
    bare = await loop.run_in_executor(
        None,
        Bare,
        options.python,
        config.source,
        options.context,
        options.threads,
        folder / "bare.log",
    )
    statements = [
        QUESTIONS[number % len(QUESTIONS)].format(n=12 + number, m=3 + number)
        for number in range(options.problems)
    ]
    try:
        engine = await open_engine(config)
        whole = Whole(settings, sampling)
        try:
            info = engine.info
            print(
                f"{Path(options.model).name}: {info.vocab_size} tokens, {info.dtype} on "
                f"{info.device}, vLLM {info.version}; {options.problems} problems × {options.n} "
                f"completions, {sampling.label()}; {options.repeat} turns",
                flush=True,
            )
            template = settings.templates["qa"]
            prompts = [
                (await engine.encode(template.fill(Problem("bench", "x", one, "7")))).ids
                for one in statements
            ]
            await turns(options, sampling, bare, engine, whole, statements, prompts)
        finally:
            await whole.close()
            await engine.close()
    finally:
        await vllm_server.stop(config)
        bare.close()


async def turns(
    options: argparse.Namespace,
    sampling: Sampling,
    bare: Bare,
    engine: Engine,
    whole: Whole,
    statements: Sequence[str],
    prompts: Sequence[tuple[int, ...]],
) -> None:
    names = ("whole path", "engine alone", "bare generate", "engine score", "bare prompt_logprobs")
    speeds: dict[str, list[float]] = {name: [] for name in names}
    count = options.problems * options.n
    loop = asyncio.get_running_loop()
    for turn in range(options.repeat + 1):  # the first one warms up and is not counted
        params = [bare_params(sampling, options.n, turn + one) for one in range(len(prompts))]
        told = await loop.run_in_executor(None, bare.run, prompts, params)
        seconds, done = await engine_alone(engine, prompts, sampling, options.n, turn)
        path = await whole.run(statements, options.n)
        responses = [tuple(item.tokens.ids.tolist()) for item in done[0][: options.scored]]
        tokens = sum(map(len, responses))
        scored = await score_alone(engine, prompts[0], responses, options.top)
        texts = [[*prompts[0], *response] for response in responses]
        scoring = {"max_tokens": 1, "temperature": 0, "prompt_logprobs": options.top}
        bare_scored = await loop.run_in_executor(None, bare.run, texts, [scoring for _ in texts])
        measured = (
            count / path,
            count / seconds,
            told["completions"] / told["seconds"],
            tokens / scored,
            tokens / bare_scored["seconds"],
        )
        for name, speed in zip(names, measured, strict=True):
            speeds[name] += [speed] if turn else []
        print(f"turn {turn}: " + ", ".join(f"{one:.1f}" for one in measured), flush=True)
    report(speeds)


def report(speeds: dict[str, list[float]]) -> None:
    median = {name: statistics.median(values) for name, values in speeds.items()}
    for name, value in median.items():
        scoring = name in ("engine score", "bare prompt_logprobs")
        reference = "bare prompt_logprobs" if scoring else "bare generate"
        unit = "scored tokens/s" if scoring else "completions/s"
        ratio = value / median[reference]
        print(f"{name:22} {value:10.1f} {unit:16} {ratio:5.2f} of {reference}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=".venv-vllm/bin/python", help="interpreter with vLLM")
    parser.add_argument("--model", default="sample_data/models/base", help="checkpoint folder")
    parser.add_argument("--random", action="store_true", help="a bigger model of random weights")
    parser.add_argument("--problems", type=int, default=4)
    parser.add_argument("--n", type=int, default=128, help="completions per problem")
    parser.add_argument("--max-tokens", type=int, default=160)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--top-p", type=float, default=1.0)
    parser.add_argument("--context", type=int, default=0, help="0 = what the model holds")
    parser.add_argument("--scored", type=int, default=32, help="completions that are scored")
    parser.add_argument("--top", type=int, default=10, help="alternatives per scored token")
    parser.add_argument("--repeat", type=int, default=3, help="turns that are counted")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of either side")
    options = parser.parse_args()
    options.python = str(Path(options.python).absolute())
    with tempfile.TemporaryDirectory() as folder:
        if options.random:
            options.model = make_bigger(Path(folder) / "random-25M", options.model)
        asyncio.run(compare(options, Path(folder)))


def make_bigger(folder: Path, tokenizer: str) -> str:
    """A Llama of random weights, hidden 512 and 8 layers, with a bundled model's tokenizer."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    library: Any = AutoTokenizer
    own = library.from_pretrained(tokenizer)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(own),
        hidden_size=512,
        intermediate_size=1408,
        num_hidden_layers=8,
        num_attention_heads=8,
        num_key_value_heads=8,
        max_position_embeddings=1024,
        eos_token_id=own.eos_token_id,
    )
    model: Any = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    own.save_pretrained(folder)
    return str(folder)


if __name__ == "__main__":
    main()
