"""The maths verifier on kinds of answers, and on other graders' own test cases."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.core.completion import Outcome
from explorer.core.problem import Problem
from explorer.errors import SettingsError
from explorer.verifiers import registry

CASES = Path(__file__).parents[3] / "shared" / "data" / "graders" / "answer_cases.jsonl"


def outcome(gold: str, answer: str, verifier: str = "math") -> str:
    problem = Problem("test", "one", "", gold)
    return registry.get(verifier).decide(problem, answer).outcome.value


RIGHT = [
    ("1 + x", "x+1"), ("2024^{4046}", "2024^{4046}"),
    (r"\binom{2026}{1013}", r"\binom{2026}{1013}"),
    ("27.0", "27"), ("12", "012"), ("-3", "−3"), ("72", "72."), (".5", r"\frac12"),
    (r"4\frac{4}{9}", r"\frac{40}{9}"), ("4 4/9", r"4\frac{4}{9}"), ("-4 1/2", "-4.5"),
    ("50%", "0.5"), ("50%", "50"), (r"50\%", "1/2"), ("0.1", "10 percent"),
    ("12", "12 apples"), ("12", r"12\text{ cm}"), ("8", r"8\ \mathrm{cm}^2"), ("3.5 hours", "3.5"),
    ("18", r"\$18.00"), ("$32,348", "32348"), ("12,345,678", "12345678"), ("10,000", "10{,}000"),
    ("11111111100", r"11,\! 111,\! 111,\! 100"), ("10 000", "10000"), ("2.74", "2,74"),
    ("(1,2)", "( 1, 2 )"), ("1,2,3", "3,2,1"), (r"\{1,2,3\}", "1, 2, 3"), ("5 or 6", "6 and 5"),
    (r"(-\infty, 3]", r"x \le 3"), ("k \\geq 3", r"[3,\infty)"), (r"x>5", "5 < x"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{bmatrix} 1 \\ 2 \end{bmatrix}"),
    ("y = 2x+1", "2x+1"), ("x=5", "5"), ("5", "x = 5"), ("A=5, B=6", "5, 6"),
    ("p=5,q=2;p=7,q=2", "(5,2),(7,2)"), ("3x+2y=5", "2y+3x=5"), ("3x+2y=5", "6x+4y=10"),
    ("90", r"\angle ABC = 90^\circ"), ("45°", "45 degrees"), ("45", r"45^{\circ}"),
    (r"\text{Tuesday}", "tuesday"), ("B", r"\text{(B)}"), ("(C)", "C"), ("D", "D. None of them"),
    (r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt2}"), ("x^2-1", "(x-1)(x+1)"),
    (r"\frac{\pi}{4}", "pi/4"),
    ("300000", r"3\times10^5"), ("1024", "2^{10}"), (r"\frac{1}{3}", "0.333333"),
    ("2/3", "0.6666667"),
    ("12:30", "12:30 PM"), ("2:3", "4:6"), (r"\pm 2", "2, -2"),
    ("3+4i", "4i+3"), ("204_5", "204_{5}"), (r"\sin x", r"\sin(x)"),
]  # fmt: skip

WRONG = [
    ("3", "-3"), ("1/3", "0.33"), ("4", r"4\sqrt{2}"), ("10", "10,000"), ("1e-8", "2e-8"),
    ("0", "0.0000001"), ("123456.7", "123456.8"), ("(1,2)", "(2,1)"), ("[0,1)", "(0,1)"),
    ("1,2,3", "1,2"), ("1,2", "1,3"), (r"x > 5", "x < 5"), ("x+1", "x-1"), ("2x + z = 1", "1"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1\\3\end{pmatrix}"), ("C", "A"),
    ("odd", "even"), ("No", "yes"), ("12:00", "1:00"), ("i", "-i"), ("40/9", "4 4/9%"),
    ("x^2+2x+1", "x^3+2x+1"), ("Evelyn", "5"),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "answer"), RIGHT)
def test_right_answers_of_every_kind(gold: str, answer: str) -> None:
    assert outcome(gold, answer) == "correct"


@pytest.mark.parametrize(("gold", "answer"), WRONG)
def test_wrong_answers_of_every_kind(gold: str, answer: str) -> None:
    assert outcome(gold, answer) == "wrong"


@pytest.mark.parametrize("answer", ["", "  ", "9" * 3000])
def test_no_usable_answer_is_undecided(answer: str) -> None:
    assert outcome("5", answer) == "undecided"
    detail = registry.get("math").decide(Problem("d", "p", "", "5"), answer).detail
    assert detail == ("answer longer than 2000 characters" if answer.strip() else "no answer found")
    assert outcome("", "5") == "undecided"


@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12))
def test_integers_agree_with_python(gold: int, answer: int) -> None:
    assert (outcome(str(gold), str(answer)) == "correct") == (gold == answer)
    assert outcome(f"{gold:,}", str(gold)) == "correct"


@given(st.text(max_size=60))
def test_quick_never_contradicts_decide_nor_raises(answer: str) -> None:
    verifier = registry.get("math")
    problem = Problem("d", "p", "", "12")
    quick = verifier.quick(problem, answer)
    if quick is not None:
        assert verifier.decide(problem, answer) == quick


@pytest.mark.skipif(not CASES.is_file(), reason="the cases of ../shared/data/graders are not here")
def test_universal_cases_of_other_graders() -> None:
    """All of them; t0127 takes 0.33 for 1/3 at a precision that it states, as a dataset would."""
    verifier = registry.get("math")
    disagree = []
    rows = [json.loads(line) for line in CASES.read_text().splitlines()]
    chosen = [row for row in rows if row["policy"] == "universal" and row["kind"] == "math"]
    for row in chosen:
        found = verifier.extract(row["pred"])
        places = row["opts"].get("precision")
        extra = {} if places is None else {"precision": places}
        problem = Problem("cases", row["id"], "", row["gold"], extra=extra)
        if (verifier.decide(problem, found.answer).outcome is Outcome.CORRECT) != row["expected"]:
            disagree.append(row["id"])
    assert len(chosen) >= 129
    assert disagree == []


def test_exact_is_exact_but_for_white_space() -> None:
    assert outcome("New  York", " New York ", "exact") == "correct"
    assert outcome("New York", "new york", "exact") == "wrong"
    assert outcome("x", " ", "exact") == "undecided"


def test_unknown_verifier_names_those_that_exist() -> None:
    with pytest.raises(SettingsError, match="math, numeric"):
        registry.get("maths")


def test_versions_name_the_rules_and_math_verify() -> None:
    rules, library = registry.get("math").version.split("+")
    assert rules.startswith("math-")
    assert library.startswith("mv0.")


def test_no_computer_algebra_is_imported_before_it_is_needed() -> None:
    program = (
        "import sys, explorer.verifiers.pool, explorer.verifiers.grading\n"
        "from explorer.verifiers.registry import get, names\n"
        "from explorer.core.problem import Problem\n"
        "[get(name).quick(Problem('d', 'p', '', '5'), '5') for name in names()]\n"
        "heavy = {'sympy', 'math_verify', 'latex2sympy2_extended', 'torch'} & set(sys.modules)\n"
        "sys.exit(repr(heavy) if heavy else 0)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
