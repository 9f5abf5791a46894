"""How much faster the verifier and the estimator are than the obvious way, in one run.

`python -m benchmarks.verify`. Same work on both sides; the ratio is what counts, seconds depend
on the machine.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from explorer.core.completion import Outcome
from explorer.core.passk import standard_ks, table
from explorer.core.problem import Problem
from explorer.verifiers.grading import grade_many
from explorer.verifiers.pool import VerifierPool
from explorer.verifiers.registry import get

RECORDED = Path(__file__).parents[2] / "shared" / "data" / "recorded"

GOLDS = ["42", "3/4", r"\frac{\pi}{4}", r"2\sqrt{3}", "(1, 2)", "[0, 1)", "x^2 + 1", "12.5"]
WRONG = ["41", "1/2", r"\frac{\pi}{2}", r"3\sqrt{2}", "(2, 1)", "(0, 1)", "x^2 - 1", "13", "7", "0"]


def completions(n: int, seed: int) -> list[tuple[Problem, list[str]]]:
    """Eight problems with n completions each: half right, the others spread over wrong answers."""
    draw = random.Random(seed)
    work = []
    for number, gold in enumerate(GOLDS):
        answers = [gold if draw.random() < 0.5 else draw.choice(WRONG) for _ in range(n)]
        texts = [f"We compute step by step.\nSo it is $\\boxed{{{answer}}}$." for answer in answers]
        work.append((Problem("bench", str(number), "", gold), texts))
    return work


def with_pool(work: list[tuple[Problem, list[str]]], pool: VerifierPool) -> list[bool]:
    """Verdicts as the sampler makes them."""
    return [
        verdict.outcome is Outcome.CORRECT
        for problem, texts in work
        for verdict in grade_many(texts, problem, pool)
    ]


def one_by_one(work: list[tuple[Problem, list[str]]]) -> list[bool]:
    """math-verify called once per completion, in this process."""
    from math_verify import parse, verify

    verdicts = []
    for problem, texts in work:
        gold = parse(f"${problem.gold}$")
        verdicts += [bool(verify(gold, parse(text))) for text in texts]
    return verdicts


def naive_table(c: list[int], n: int, ks: tuple[int, ...]) -> list[list[float]]:
    """pass@k by binomials of Python integers, exact and slow."""
    return [[1 - math.comb(n - one, k) / math.comb(n, k) for k in ks] for one in c]


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def recorded() -> list[tuple[Problem, list[str]]]:
    """Rollouts of real models from ../shared/data: per problem, all completions of all files."""
    work: dict[tuple[str, str], tuple[Problem, list[str]]] = {}
    for path in [*RECORDED.glob("best_of_8/*.jsonl"), *RECORDED.glob("qwen_harness/*/*.jsonl")]:
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            gold = str(row["answer"])
            problem = Problem("recorded", row["question"], "", gold)
            work.setdefault((row["question"], gold), (problem, []))[1].extend(row["code"])
    return list(work.values())


def compare(name: str, work: list[tuple[Problem, list[str]]], workers: int) -> None:
    """Verifications per second by the pool against math-verify once per completion."""
    total = sum(len(texts) for _, texts in work)
    ours: list[bool] = []
    theirs: list[bool] = []
    with VerifierPool(workers) as pool:
        pool.decide_many([(Problem("warm", str(i), "", "y"), "math", "y+0") for i in range(32)])
        pooled = seconds(lambda: ours.extend(with_pool(work, pool)))
        second = seconds(lambda: second_opinions(work, pool))
    serial = seconds(lambda: theirs.extend(one_by_one(work)))
    agree = sum(a == b for a, b in zip(ours, theirs, strict=True))
    print(
        f"{name}: {total:,} completions of {len(work)} problems: pool {total / pooled:,.0f}/s",
        end="",
    )
    print(f" (second opinions {total / second:,.0f}/s), math-verify once each", end=" ")
    print(f"{total / serial:,.0f}/s, ratio {serial / pooled:.1f}, agree {agree}/{total}")


def second_opinions(work: list[tuple[Problem, list[str]]], pool: VerifierPool) -> None:
    """What runs beside it, about the same answers."""
    for problem, texts in work:
        answers = dict.fromkeys(get("math").extract(text).answer for text in texts)
        pool.decide_many((problem, "numeric", answer) for answer in answers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--completions", type=int, default=1024, help="per problem")
    parser.add_argument("--workers", type=int, default=0, help="0 = all cores")
    options = parser.parse_args()
    one_by_one(completions(1, seed=1))  # imports and caches warm on both sides
    generated = completions(options.completions, seed=0)
    compare("one problem", generated[2:3], options.workers)
    compare("eight problems", generated, options.workers)
    if RECORDED.is_dir():
        compare("recorded", recorded(), options.workers)
    else:
        print(f"recorded: left out, {RECORDED} is not here")
    for n, problems in ((1024, 500), (16384, 50)):
        compare_estimators(n, problems)


def compare_estimators(n: int, problems: int) -> None:
    c = np.random.default_rng(0).integers(0, n + 1, problems).tolist()
    ks = standard_ks(n)
    fast = seconds(lambda: table(c, [n] * problems, ks))
    slow = seconds(lambda: naive_table(c, n, ks))
    print(f"pass@k of {problems} problems, n = {n}, {len(ks)} ks: ", end="")
    print(f"{fast * 1e3:.0f} ms, binomials {slow * 1e3:.0f} ms, ratio {slow / fast:.1f}")


if __name__ == "__main__":
    main()
