"""Both verifiers of mathematics on our own cases, kind by kind, and on text that means harm."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from explorer.core.answers import find_answer
from explorer.core.completion import Outcome
from explorer.core.problem import Problem
from explorer.verifiers import registry
from explorer.verifiers.pool import VerifierPool
from explorer.verifiers.tolerance import allowed_error
from tests.unit.answer_kinds import COMPLETIONS, KINDS, UNDECIDED

CASES = Path(__file__).parents[3] / "shared" / "data" / "graders" / "answer_cases.jsonl"

ROUNDED = {(r"\pi", "3.14")}
"""Where the two verifiers differ on purpose: the second takes three digits for agreement."""


def outcome(gold: str, answer: str, verifier: str = "math", **extra: object) -> Outcome:
    problem = Problem("test", "one", "", gold, extra=extra)
    return registry.get(verifier).decide(problem, answer).outcome


def pairs(kind: str) -> Iterator[tuple[str, str, Outcome]]:
    """Gold, answer and what it should come out as."""
    boxes = KINDS if kind in KINDS else COMPLETIONS
    for cases, expected in zip(boxes[kind], (Outcome.CORRECT, Outcome.WRONG), strict=True):
        for gold, text in cases:
            yield gold, text if kind in KINDS else find_answer(text).text, expected


@pytest.mark.parametrize("kind", [*KINDS, *COMPLETIONS])
def test_every_kind_has_matches_and_near_misses_and_all_come_out(kind: str) -> None:
    cases = list(pairs(kind))
    assert {expected for *_, expected in cases} == {Outcome.CORRECT, Outcome.WRONG}
    assert [case for case in cases if outcome(*case[:2]) is not case[2]] == []


@pytest.mark.parametrize("kind", [*KINDS, *COMPLETIONS])
def test_the_second_verifier_is_right_or_undecided(kind: str) -> None:
    contradicted = [
        (gold, answer)
        for gold, answer, expected in pairs(kind)
        if outcome(gold, answer, "numeric") not in (expected, Outcome.UNDECIDED)
    ]
    assert set(contradicted) <= ROUNDED


def test_the_second_verifier_decides_most() -> None:
    counts = Counter(
        outcome(gold, answer, "numeric") is Outcome.UNDECIDED
        for kind in KINDS
        for gold, answer, _ in pairs(kind)
    )
    assert counts[True] < 0.1 * counts.total()


def test_there_are_hundreds_of_cases() -> None:
    count = Counter(e for kind in (*KINDS, *COMPLETIONS) for *_, e in pairs(kind))
    assert count[Outcome.CORRECT] > 250
    assert count[Outcome.WRONG] > 220


@pytest.mark.parametrize("text", UNDECIDED)
def test_no_answer_is_neither_right_nor_wrong(text: str) -> None:
    answer = find_answer(text).text
    assert {outcome("5", answer), outcome("5", answer, "numeric")} == {Outcome.UNDECIDED}


@pytest.mark.parametrize(
    ("gold", "answer", "extra", "expected"),
    [
        (r"\frac{1}{3}", "0.33", {"precision": 2}, Outcome.CORRECT),
        (r"\frac{1}{3}", "0.34", {"precision": 2}, Outcome.WRONG),
        (r"\frac{1}{3}", "0.33", {}, Outcome.WRONG),
        ("12.5", "12.9", {"tolerance": 0.5}, Outcome.CORRECT),
        ("12.5", "13.1", {"tolerance": 0.5}, Outcome.WRONG),
        ("12", "13", {"tolerance": 0.5}, Outcome.WRONG),
        (r"(1,\sqrt{2})", "(1, 1.41)", {"tolerance": 0.01}, Outcome.CORRECT),
        (r"(1,\sqrt{2})", "(1.41, 1)", {"tolerance": 0.01}, Outcome.WRONG),
        (
            r"\begin{pmatrix}1/3\\1/5\end{pmatrix}",
            r"\begin{pmatrix}0.33\\0.2\end{pmatrix}",
            {"precision": 2},
            Outcome.CORRECT,
        ),
    ],
)
def test_only_an_error_that_the_dataset_allows_is_allowed(
    gold: str, answer: str, extra: dict[str, object], expected: Outcome
) -> None:
    assert outcome(gold, answer, "math", **extra) is expected
    nothing = (None, float("nan"), "2", -1)
    assert all(
        allowed_error(Problem("d", "p", "", "", extra={"tolerance": x})) is None for x in nothing
    )


HOSTILE = [
    "9^{9^{9^{9}}}", "10^{10^{10}}", "(10^9)!", r"\binom{10^{9}}{5\cdot10^8}", "(" * 900 + "1",
    "1+" * 700 + "1", "-" * 1500 + "1", "{" * 1900, "\\" * 1500, "$" * 1900, "\x00\x1b[2J",
    r"\frac{0}{0}", "1/0", r"\log_{1}2", "e^{e^{e^{e^e}}}", "1e999999999", "9" * 1990, "x" * 1900,
    r"\sqrt{" * 250 + "2" + "}" * 250, r"\frac" * 300 + "{1}{2}", "|" * 1000, "[(" * 900,
    r"x_{" * 500, "'" * 1000, "0." + r"\overline{" * 100, "2^" * 900 + "2", "!" * 1500,
    "5" + "!" * 9,
]  # fmt: skip


@pytest.mark.parametrize("answer", HOSTILE, ids=lambda text: text[:12])
def test_hostile_answers_are_undecided_or_wrong_and_cost_nothing(answer: str) -> None:
    verifier = registry.get("numeric")
    for gold in ("1", r"\frac{x}{2}", "(1,2)", r"\text{none}"):
        decision = verifier.decide(Problem("h", "h", "", gold), answer)
        assert decision.outcome is not Outcome.CORRECT


def test_what_hangs_math_verify_is_undecided_and_the_pool_goes_on() -> None:
    with VerifierPool(workers=1, timeout_s=2.0) as pool:
        five = Problem("d", "p", "", "5")
        towers = pool.decide_many([(five, "math", HOSTILE[0]), (five, "numeric", HOSTILE[0])])
        assert [one.outcome for one in towers] == [Outcome.UNDECIDED] * 2
        assert "timed out" in towers[0].detail
        assert "too large" in towers[1].detail
        assert pool.decide_many([(five, "numeric", "10/2")])[0].outcome is Outcome.CORRECT


@pytest.mark.skipif(not CASES.is_file(), reason="the cases of ../shared/data/graders are not here")
def test_the_second_verifier_contradicts_no_universal_case() -> None:
    rows = [json.loads(line) for line in CASES.read_text().splitlines()]
    universal = [row for row in rows if row["policy"] == "universal" and row["kind"] == "math"]
    wrong = []
    for row in universal:
        answer = find_answer(row["pred"]).text
        said = outcome(row["gold"], answer, "numeric", **_options(row))
        if said is not Outcome.UNDECIDED and (said is Outcome.CORRECT) != row["expected"]:
            wrong.append((row["id"], row["gold"][-80:], answer))
    assert wrong == []


@pytest.mark.skipif(not CASES.is_file(), reason="the cases of ../shared/data/graders are not here")
def test_agreement_with_rules_of_particular_harnesses_is_known() -> None:
    """For comparison only; what differs does so by a rule that we do not share."""
    agree: Counter[str] = Counter()
    for line in CASES.read_text().splitlines():
        row = json.loads(line)
        if row["policy"] == "harness_specific" and row["kind"].startswith("math"):
            said = outcome(str(row["gold"]), find_answer(str(row["pred"])).text)
            agree[row["suite"]] += (said is Outcome.CORRECT) == row["expected"]
            agree["of all"] += 1
    total = agree.pop("of all")
    print(f"harness-specific agreement: {agree.total()}/{total}", dict(agree))
    assert agree.total() >= 0.85 * total


def _options(row: dict[str, dict[str, object]]) -> dict[str, object]:
    """Options of a case that a dataset would state too."""
    return {name: value for name, value in row["opts"].items() if re.fullmatch("precision", name)}
