"""The verifier 'code' against published problems and recorded results, a part of each.

`python -m benchmarks.code_verification ../shared/data` runs all of them. They are not ours to
ship, so these tests skip where the folder is not there.
"""

from __future__ import annotations

import ast
import gzip
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from explorer.core.code_tests import CodeTests, TestCase, TestKind
from explorer.core.completion import Outcome
from explorer.core.passk import pass_at_k
from explorer.datasets.judge import PRELUDE
from explorer.verifiers.base import Decision
from explorer.verifiers.code import CodeVerifier
from explorer.verifiers.pool import VerifierPool
from tests.unit.code_problems import needs_sandbox, problem

DATA = Path(__file__).parents[3] / "shared" / "data"
HERE = pytest.mark.skipif(not DATA.is_dir(), reason="the published data of ../shared is not here")
pytestmark = [needs_sandbox, HERE]


@pytest.fixture(scope="module")
def pool() -> Iterator[VerifierPool]:
    with VerifierPool(workers=len(os.sched_getaffinity(0))) as pool:
        yield pool


def decided(pool: VerifierPool, items: Iterable[tuple[CodeTests, str]]) -> list[Decision]:
    verifier = CodeVerifier()
    return pool.decide_many(
        (problem(tests, str(number)), "code", verifier.extract(text).answer)
        for number, (tests, text) in enumerate(items)
    )


def rows(path: str) -> list[dict[str, Any]]:
    file = DATA / path
    text = gzip.decompress(file.read_bytes()) if path.endswith(".gz") else file.read_bytes()
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def human_eval(row: dict[str, Any]) -> CodeTests:
    return CodeTests(
        TestKind.CHECK, entry_point=row["entry_point"], prompt=row["prompt"], code=row["test"]
    )


def test_the_authors_solutions_pass(pool: VerifierPool) -> None:
    # With those whose tests use a helper of the prompt (32, 38, 50) or many calls (53).
    some = [row for n, row in enumerate(rows("benchmarks/humaneval/HumanEval.jsonl.gz"))
            if n % 20 == 0 or n in (32, 38, 50, 53)]  # fmt: skip
    made = decided(pool, ((human_eval(row), row["canonical_solution"]) for row in some))
    failed = {row["task_id"]: one for row, one in zip(some, made, strict=True)
              if one != Decision(Outcome.CORRECT)}  # fmt: skip
    assert not failed


def test_upstream_s_own_example(pool: VerifierPool) -> None:
    (task,) = rows("benchmarks/humaneval/example_problem.jsonl")
    samples = rows("benchmarks/humaneval/example_samples.jsonl")
    made = decided(pool, ((human_eval(task), one["completion"]) for one in samples))
    right = [one.outcome is Outcome.CORRECT for one in made]
    assert right == [False, False, False, True, True, True]
    assert pass_at_k(sum(right), len(right), 1) == pytest.approx(0.4999, abs=1e-3)


def test_recorded_results_come_out_again(pool: VerifierPool) -> None:
    """Each differing row is one that ends in a special token, on which upstream stumbled.

    The results' own `model_output` is each task's first generation, whatever the attempt; the
    generations file has the texts that were run.
    """
    folder = "recorded/bigcode_humaneval_n3"
    results = json.loads((DATA / folder / "164_k_3_final_codeeval_results.json").read_text())
    (path,) = (DATA / folder).glob("*_generations_*.json")
    texts = json.loads(path.read_text())
    some = [row for row in results if row["task_id"] % 13 == 0 or row["task_id"] in (25, 57, 59)]
    items = []
    for row in some:
        name = re.findall(r"^def\s+(\w+)\s*\(", row["prompt"], re.MULTILINE)[-1]
        tests = CodeTests(TestKind.CHECK, name, row["prompt"], code=row["reference_testdata"])
        items.append((tests, texts[row["task_id"]][row["attempt"]]))
    made = decided(pool, items)
    for row, (_, text), one in zip(some, items, made, strict=True):
        if (row["result"] == "passed") is not (one.outcome is Outcome.CORRECT):
            assert "invalid syntax" in row["failed_reason"], (row["task_id"], one)
            assert text.endswith("<|end_of_text|>")
        assert one.outcome is not Outcome.UNDECIDED


def code_case(row: dict[str, Any]) -> CodeTests:
    """A case of the graders' own test suites, in the layout of its dataset."""
    truth = row["ground_truth"]
    if isinstance(truth, list):
        cases = tuple(TestCase(one["input"], one["output"]) for one in truth)
        return CodeTests(TestKind.STDIN, prelude=PRELUDE, cases=cases)
    if "functional" in truth:
        checked = truth["functional"].rpartition("check(")[2].strip().removesuffix(")")
        return CodeTests(TestKind.CHECK, checked, prelude=PRELUDE, code=truth["functional"])
    # One of them has two of its inputs run together and an output too many; upstream zips.
    pairs = zip(truth["inputs"], truth["outputs"], strict=False)
    if "fn_name" in truth:
        cases = tuple(
            TestCase("\n".join(map(json.dumps, given)), json.dumps(out)) for given, (out,) in pairs
        )
        return CodeTests(TestKind.FUNCTIONAL, truth["fn_name"], prelude=PRELUDE, cases=cases)
    return CodeTests(TestKind.STDIN, prelude=PRELUDE, cases=tuple(TestCase(*one) for one in pairs))


def test_the_cases_of_other_graders(pool: VerifierPool) -> None:
    """One expects the share of passing tests, 0.9; here a program passes all of them or none."""
    cases = rows("graders/code_cases.jsonl")
    made = decided(pool, ((code_case(row), row["model_response"]) for row in cases))
    for row, one in zip(cases, made, strict=True):
        assert (one.outcome is Outcome.CORRECT) is (row["expected"] == 1), (row["test"], one)
        assert one.outcome is not Outcome.UNDECIDED


_ASSERT = re.compile(
    r"^test_input = (?P<given>\{.*\})\nassert my_solution\.(?P<name>\w+)\(\*\*test_input\) == "
    r"(?P<out>.*)$",
    re.MULTILINE,
)


def test_leetcode_s_asserts_ask_for_every_value(pool: VerifierPool) -> None:
    """A table of the right values passes; with the last one changed it fails on that assertion."""
    items, changed = [], []
    for row in rows("benchmarks/leetcode40/leetcode-test_first40.jsonl")[::8]:
        tests = CodeTests(
            TestKind.ASSERTS, "Solution", row["prompt"], PRELUDE, row["test"], time_limit_s=20.0
        )
        found = list(_ASSERT.finditer(row["test"]))
        # Some inputs come twice; floats may be repeated with other digits.
        table = {repr(ast.literal_eval(one["given"])): ast.literal_eval(one["out"])
                 for one in found}  # fmt: skip
        items.append((tests, _by_table(found[0]["name"], table)))
        last = list(table)[-1]
        changed.append((tests, _by_table(found[0]["name"], {**table, last: "another"})))
    assert [one.outcome for one in decided(pool, items)] == [Outcome.CORRECT] * len(items)
    made = decided(pool, changed)
    assert all(one.outcome is Outcome.WRONG and "'another'" in one.detail for one in made)


def _by_table(name: str, table: dict[str, Any]) -> str:
    return (
        f"table = {table!r}\nclass Solution:\n    def {name}(self, **given):\n"
        "        return table[repr(given)]\n"
    )
