"""Choices and vision benchmarks: letters, option texts, and numbers as each benchmark rounds."""

from __future__ import annotations

import pytest

from explorer.core.problem import Problem
from explorer.settings.reader import VERIFIERS
from explorer.verifiers import registry
from explorer.verifiers.mathvista import levenshtein

SHAPES = ["a circle", "a square", "an ellipse", "none of these"]
NUMBERS = ["12", "15", "18", "21", "24"]
LETTERS = ["A", "B", "C", "D", "E"]


def outcome(verifier: str, gold: str, answer: str, **extra: object) -> str:
    problem = Problem("vision", "one", "", gold, verifier=verifier, extra=extra)
    return registry.get(verifier).decide(problem, answer).outcome.value


def extracted(verifier: str, text: str) -> str:
    return registry.get(verifier).extract(text).answer


@pytest.mark.parametrize(
    "answer",
    ["C", "(C)", "C.", "c", r"\text{C}", r"\textbf{(C)}", "an ellipse", "An Ellipse",
     "(C) an ellipse", "C. an ellipse", "C: an ellipse", "The answer is (C)", "option C",
     r"\boxed{C}", "ellipse"],
)  # fmt: skip
@pytest.mark.parametrize("gold", ["C", "an ellipse"])
def test_the_right_option_in_every_form(gold: str, answer: str) -> None:
    assert outcome("choice", gold, answer, choices=SHAPES) == "correct"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("A", "wrong"), ("a circle", "wrong"), ("(D) none of these", "wrong"), ("hyperbola", "wrong"),
     ("C and D", "wrong"), ("A, B, C", "wrong"), ("(A) an ellipse", "undecided"), ("", "undecided"),
     ("F", "wrong"), ("7", "wrong"), ("9" * 3000, "undecided")],
)  # fmt: skip
def test_another_option_none_or_a_contradiction(answer: str, expected: str) -> None:
    assert outcome("choice", "C", answer, choices=SHAPES) == expected


def test_option_values_are_compared_as_values() -> None:
    assert outcome("choice", "B", "15", choices=NUMBERS) == "correct"
    assert outcome("choice", "B", "15.0", choices=NUMBERS) == "correct"
    assert outcome("choice", "B", r"15^\circ", choices=["12°", "15°"]) == "correct"
    assert outcome("choice", "B", "18", choices=NUMBERS) == "wrong"
    assert outcome("choice", "B", "2", choices=NUMBERS) == "wrong"


def test_several_right_letters_need_all_of_them() -> None:
    assert outcome("choice", "A, C", "C and A") == "correct"
    assert outcome("choice", "A, C", "AC") == "correct"
    assert outcome("choice", "A, C", "A") == "wrong"
    assert outcome("choice", "A", "A, C") == "wrong"


def test_a_gold_that_names_no_option_decides_nothing() -> None:
    assert outcome("choice", "a rhombus", "A", choices=SHAPES) == "undecided"


@pytest.mark.parametrize(
    ("text", "answer"),
    [("We see 12 dots, so I choose (C).", "C"), ("So the correct option is B", "B"),
     ("Hence 14 > 3.\nD", "D"), ("B\nbecause 3 < 4", "B"), (r"thus \boxed{E} after 3 steps", "E"),
     ("The answer is (C).", "(C)"), ("there are 17", "17")],
)  # fmt: skip
def test_letters_are_found_before_numbers_are_guessed(text: str, answer: str) -> None:
    assert extracted("choice", text) == answer
    assert extracted("mathvision", text) == answer


@pytest.mark.parametrize(
    ("gold", "answer", "choices", "expected"),
    [("D", "D", LETTERS, "correct"), ("D", "(D)", LETTERS, "correct"), ("D", "E", LETTERS, "wrong"),
     ("B", "15", NUMBERS, "correct"), ("B", "B", NUMBERS, "correct"), ("B", "12", NUMBERS, "wrong"),
     ("6", "6", None, "correct"), ("6", r"\frac{12}{2}", None, "correct"),
     ("4.8", "4.8", None, "correct"), ("4.8", "4.9", None, "wrong"), ("C", "C", None, "correct"),
     ("140", r"140^\circ", None, "correct")],
)  # fmt: skip
def test_mathvision(gold: str, answer: str, choices: list[str] | None, expected: str) -> None:
    assert outcome("mathvision", gold, answer, choices=choices) == expected


@pytest.mark.parametrize(
    ("gold", "answer", "kind", "precision", "expected"),
    [("1.2", "1.2", "float", 1, "correct"), ("1.2", "1.24", "float", 1, "correct"),
     ("1.2", "1.26", "float", 1, "wrong"), ("0.21", "0.214", "float", 2, "correct"),
     ("0.21", "0.22", "float", 2, "wrong"), ("1.2", "1.2 cm", "float", 1, "correct"),
     ("14", "14", "integer", None, "correct"), ("14", "14.7", "integer", None, "correct"),
     ("14", "15", "integer", None, "wrong"), ("2014", "2,014", "integer", None, "correct"),
     ("14", "fourteen", "integer", None, "wrong"), ("14", "", "integer", None, "undecided"),
     ("[2014, 2016]", "[2014,2016]", "list", None, "correct"),
     ("[2014, 2016]", "[2016, 2014]", "list", None, "wrong"),
     ("[2014, 2016]", "2014", "list", None, "wrong"), ("yes", "Yes", "text", None, "correct"),
     ("yes", "no", "text", None, "wrong")],
)  # fmt: skip
def test_mathvista_free_form(
    gold: str, answer: str, kind: str, precision: int | None, expected: str
) -> None:
    assert outcome("mathvista", gold, answer, answer_type=kind, precision=precision) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("145°", "correct"), ("C", "correct"), ("(C)", "correct"), ("145", "correct"), ("B", "wrong"),
     ("140", "wrong"), ("it cannot be told from the picture at all", "undecided")],
)  # fmt: skip
def test_mathvista_choices_go_to_the_nearest_option(answer: str, expected: str) -> None:
    choices = ["135°", "140°", "145°", "150°"]
    said = outcome("mathvista", "145°", answer, choices=choices, letter="C", answer_type="text")
    assert said == expected


def test_mathvista_says_how_near_the_option_was() -> None:
    problem = Problem("v", "1", "", "quarter", extra={"choices": ["half", "quarter", "o'clock"]})
    decision = registry.get("mathvista").decide(problem, "a quarterr")
    assert (decision.outcome.value, decision.detail) == (
        "correct",
        "nearest option B, 3 edits away",
    )


@pytest.mark.parametrize(
    ("one", "other", "edits"), [("", "", 0), ("a", "", 1), ("kitten", "sitting", 3)]
)
def test_levenshtein(one: str, other: str, edits: int) -> None:
    assert levenshtein(one, other) == levenshtein(other, one) == edits


def test_settings_know_every_verifier() -> None:
    assert set(VERIFIERS) == set(registry.names())
