"""Stage `measure`: sample the saved models on the held-out problems, count, and print tables."""

import json
import time
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch

from sample_data.make import model, tokenizer
from sample_data.make.corpus import prompt
from sample_data.make.heldout import Problem, problems
from sample_data.make.passk import KS, band, pass_at
from sample_data.make.reward import is_correct, is_worked
from sample_data.make.sampling import sample
from sample_data.make.tasks import KINDS


class Tally(TypedDict):
    """Of one model on one problem: drawn, right, and right with the whole chain right."""

    n: int
    correct: int
    worked: int


Tallies = dict[str, dict[str, Tally]]
"""Model name, then problem id."""


def tally_model(
    folder: Path, n: int, temperature: float, top_p: float, seed: int
) -> dict[str, Tally]:
    """Count over all problems, one batch of `n` a problem."""
    torch.manual_seed(seed)
    network, words = model.load(folder), tokenizer.load(folder)
    counted: dict[str, Tally] = {}
    began = time.monotonic()
    for done, problem in enumerate(problems(), start=1):
        drawn = sample(network, words, [prompt(problem["question"])], n, temperature, top_p)
        counted[problem["id"]] = tally(drawn.texts, problem)
        if done % 20 == 0:
            left = (time.monotonic() - began) / done * (len(problems()) - done)
            print(f"{folder.name}: {done} problems  ETA {left:.0f} s", flush=True)
    return counted


def tally(texts: list[str], problem: Problem) -> Tally:
    answer = int(problem["answer"])
    return {
        "n": len(texts),
        "correct": sum(is_correct(text, answer) for text in texts),
        "worked": sum(is_worked(text, problem["working"]) for text in texts),
    }


def table(tallies: Tallies, what: str = "correct") -> str:
    """pass@k with bands for each model, over all problems and for each kind."""
    lines = []
    for kind in ("all", *KINDS):
        ids = [p["id"] for p in problems() if kind in ("all", p["kind"])]
        drawn = min(tally["n"] for counted in tallies.values() for tally in counted.values())
        ks = [k for k in KS if k <= drawn]
        lines.append(f"\n| {kind} ({len(ids)}) | " + " | ".join(f"k={k}" for k in ks) + " |")
        lines.append("|---" * (len(ks) + 1) + "|")
        for name, counted in tallies.items():
            counts = np.array([counted[i]["correct" if what == "correct" else "worked"]
                               for i in ids])  # fmt: skip
            lines.append(f"| {name} | " + " | ".join(_cell(counts, k, drawn) for k in ks) + " |")
    return "\n".join(lines)


def _cell(counts: "np.ndarray[tuple[int], np.dtype[np.int64]]", k: int, drawn: int) -> str:
    each = pass_at(k, counts, drawn)
    low, high = band(each)
    return f"{each.mean():.3f} [{low:.3f}, {high:.3f}]"


def luck_table(tallies: Tallies) -> str:
    """How many right answers have the whole working right, for each kind."""
    lines = [
        "\n| | kind | right answers | with correct working | problems covered | by working |",
        "|---|---|---|---|---|---|",
    ]
    for name, counted in tallies.items():
        for kind in KINDS:
            some = [counted[p["id"]] for p in problems() if p["kind"] == kind]
            lines.append(
                f"| {name} | {kind} | {sum(t['correct'] for t in some)} of "
                f"{sum(t['n'] for t in some)} | {sum(t['worked'] for t in some)} | "
                f"{sum(t['correct'] > 0 for t in some)}/{len(some)} | "
                f"{sum(t['worked'] > 0 for t in some)}/{len(some)} |"
            )
    return "\n".join(lines)


def make(
    models: Path, out: Path, names: list[str], n: int, temperature: float, top_p: float, seed: int
) -> None:
    """Tally the named models, keep the counts, print the tables."""
    tallies = {name: tally_model(models / name, n, temperature, top_p, seed) for name in names}
    setting = {"temperature": temperature, "top_p": top_p, "seed": seed, "tallies": tallies}
    out.write_text(json.dumps(setting, indent=1) + "\n", encoding="utf-8")
    print(f"T = {temperature}, top_p = {top_p}, n = {n}")
    print(table(tallies))
    print("\nThe same, counting only correct working:" + table(tallies, "worked"))
    print(luck_table(tallies))
