"""The verifier 'code' on recorded and published programs: speed, and each differing verdict.

`python -m benchmarks.code_verification FOLDER [WORKERS]`, FOLDER holding `recorded/` and
`benchmarks/` as described in the tests (bigcode's results of HumanEval, HumanEval, HumanEval+).
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from explorer.core.code_tests import CodeTests, TestKind
from explorer.core.completion import Outcome
from explorer.core.problem import Problem
from explorer.datasets import humaneval, humaneval_plus
from explorer.settings import DatasetSettings
from explorer.verifiers import sandbox
from explorer.verifiers.base import Decision
from explorer.verifiers.code import CodeVerifier
from explorer.verifiers.pool import VerifierPool

Item = tuple[Problem, str]


def decided(pool: VerifierPool, title: str, items: Sequence[Item]) -> list[Decision]:
    verifier = CodeVerifier()
    start = time.perf_counter()
    made = pool.decide_many(
        (problem, "code", verifier.extract(text).answer) for problem, text in items
    )
    took = time.perf_counter() - start
    counts = Counter(one.outcome.value for one in made)
    told = " · ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    print(f"{title:40} {len(items):5} in {took:6.1f} s = {len(items) / took:5.1f}/s   {told}")
    return made


def solutions(pool: VerifierPool, title: str, problems: Sequence[Problem]) -> None:
    items = [(problem, str(problem.extra["solution"])) for problem in problems]
    for problem, one in zip(problems, decided(pool, title, items), strict=True):
        if one.outcome is not Outcome.CORRECT or one.detail:
            print(f"    {problem.name:16} {one.outcome.value:9} {one.detail}")


def bigcode(pool: VerifierPool, folder: Path) -> None:
    results = json.loads((folder / "164_k_3_final_codeeval_results.json").read_text())
    (path,) = folder.glob("*_generations_*.json")
    texts = json.loads(path.read_text())
    items = []
    for row in results:
        name = re.findall(r"^def\s+(\w+)\s*\(", row["prompt"], re.MULTILINE)[-1]
        tests = CodeTests(TestKind.CHECK, name, row["prompt"], code=row["reference_testdata"])
        task = Problem("bigcode", str(row["task_id"]), "", "", verifier="code", tests=tests.pack())
        items.append((task, texts[row["task_id"]][row["attempt"]]))
    for row, one in zip(results, decided(pool, "bigcode_humaneval_n3", items), strict=True):
        if (row["result"] == "passed") is not (one.outcome is Outcome.CORRECT):
            print(
                f"    HumanEval/{row['task_id']} attempt {row['attempt']}: recorded"
                f" {row['result']} ({row['failed_reason']}), here {one.outcome.value} {one.detail}"
            )


def main() -> None:
    data = Path(sys.argv[1])
    workers = int(sys.argv[2]) if len(sys.argv) > 2 else len(os.sched_getaffinity(0))
    print(f"{workers} workers, {sandbox.probe()}\n")
    one, two = "humaneval/HumanEval.jsonl.gz", "humaneval_plus_early/HumanEvalPlus_early.jsonl"
    with VerifierPool(workers=workers) as pool:
        bigcode(pool, data / "recorded" / "bigcode_humaneval_n3")
        settings = DatasetSettings("humaneval", data / "benchmarks" / one, format="humaneval")
        solutions(pool, "HumanEval, the authors' solutions", humaneval.read(settings).problems)
        settings = DatasetSettings("plus", data / "benchmarks" / two, format="humaneval-plus")
        contents = humaneval_plus.read(settings)
        solutions(pool, "HumanEval+ early, its references", contents.problems)


if __name__ == "__main__":
    main()
