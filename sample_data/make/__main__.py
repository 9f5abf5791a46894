"""`python -m sample_data.make`: re-make the family, or only some of its stages."""

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from transformers.utils import logging

from sample_data.make import distil, heldout, measure, policy, pretrain, truth
from sample_data.make.algorithms import ALGORITHMS, GRPO

HERE = Path(__file__).resolve().parents[1]
MODELS = ["base", "rl", "distilled"]
SIBLINGS = [name for name in ALGORITHMS if name != "grpo"]
"""Trained on demand, for the comparison of algorithms; GRPO is the family's `rl`."""
STEPS = (10, 20, 60, 80)
"""Of the GRPO run whose 40th is the family's `rl`."""


def stages(options: argparse.Namespace) -> dict[str, Callable[[], None]]:
    """The family's stages by name, in the order in which each needs the ones before."""
    models: Path = options.out / "models"
    base = models / "base"
    return {
        "problems": partial(heldout.write_problems, options.out / "problems.jsonl"),
        "base": partial(pretrain.make, base, options.seed),
        "rl": partial(policy.make, base, models / "rl", GRPO, options.seed, options.work),
        "distilled": partial(distil.make, base, models / "distilled", options.seed),
        "measure": partial(
            measure.make, models, options.out / "counts.json", options.models or MODELS, options.n,
            options.temperature, options.top_p, options.seed,
        ),
    }  # fmt: skip


def siblings(options: argparse.Namespace) -> dict[str, Callable[[], None]]:
    """RL from the same base by the other algorithms: stages that run only when named."""
    models: Path = options.out / "models"
    return {
        name: partial(
            policy.make, models / "base", models / name, ALGORITHMS[name], options.seed,
            options.work,
        )
        for name in SIBLINGS
    }  # fmt: skip


def checkpoints(options: argparse.Namespace) -> dict[str, Callable[[], None]]:
    """GRPO after fewer and after more steps: runs only when named."""
    return {
        "checkpoints": partial(
            policy.make_steps, options.out / "models" / "base", options.out / "checkpoints", GRPO,
            STEPS, options.seed, options.work,
        )
    }  # fmt: skip


def truths(options: argparse.Namespace) -> dict[str, Callable[[], None]]:
    """Counts of very many samples: wants a GPU, and runs only when named."""
    setting = truth.Setting(
        options.n, options.seed, options.device, options.temperature, options.top_p
    )
    return {
        "truth": partial(
            truth.make, options.out / "models", HERE / "recorded" / "family.jsonl.gz",
            options.out / "truth", options.models or MODELS, setting, options.workers,
        )
    }  # fmt: skip


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sample_data.make", description=__doc__)
    parser.add_argument(
        "stages",
        nargs="*",
        help="problems base rl distilled measure (all of these), or "
        f"{' '.join(SIBLINGS)} checkpoints truth",
    )
    parser.add_argument("--models", nargs="*", help=f"to count ({' '.join(MODELS)})")
    parser.add_argument("--seed", type=int, default=1, help="of training and of measuring")
    parser.add_argument("--out", type=Path, default=HERE, help="where models/ and tables go")
    parser.add_argument("--work", type=Path, help="where checkpoints of the RL run go")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--n", type=int, default=256, help="samples a problem, where counted")
    parser.add_argument("--temperature", type=float, default=1.0, help="where counted")
    parser.add_argument("--top-p", type=float, default=1.0, help="where counted")
    parser.add_argument("--device", default="cpu", help="of `truth`: cpu or cuda")
    parser.add_argument("--workers", type=int, default=2, help="of `truth`: processes that count")
    options = parser.parse_args()
    options.work = options.work or Path(tempfile.gettempdir()) / "rlvr-explorer-sample-data"
    return options


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    options.out.mkdir(parents=True, exist_ok=True)
    family = stages(options)
    known = family | siblings(options) | checkpoints(options) | truths(options)
    unknown = set(options.stages) - set(known)
    if unknown:
        raise SystemExit(
            f"no such stage: {', '.join(sorted(unknown))}; there are: {', '.join(known)}"
        )
    for name in options.stages or family:
        print(f"== {name}", flush=True)
        began = time.monotonic()
        known[name]()
        print(f"== {name}: {(time.monotonic() - began) / 60:.1f} minutes", flush=True)


if __name__ == "__main__":
    main()
