"""The published benchmark files themselves: every row is read, every quirk comes out right."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from explorer.core.code_tests import CodeTests, TestKind
from explorer.core.problem import Problem
from explorer.datasets import registry
from explorer.settings import DatasetSettings
from tests.benchmark_data import BENCHMARKS, FOLDERS, benchmark, needs_benchmarks

pytestmark = needs_benchmarks


def by_name(kind: str) -> dict[str, Problem]:
    return {problem.name: problem for problem in benchmark(kind).problems}


def suite_of(problem: Problem) -> CodeTests:
    assert problem.tests is not None
    return problem.tests.unpack()


@pytest.mark.parametrize("kind", FOLDERS)
def test_every_row_of_a_folder_is_read(kind: str) -> None:
    contents = benchmark(kind)
    assert contents.faults == ()
    assert len(contents.problems) == FOLDERS[kind][1]
    assert len({problem.name for problem in contents.problems}) == FOLDERS[kind][1]
    for problem in contents.problems:
        assert problem.statement.strip()
        assert bool(problem.gold) == (problem.tests is None)
    places = [problem.extra["idx"] for problem in contents.problems]
    assert places == list(range(len(places)))


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_format_is_recognised_by_its_fields(kind: str) -> None:
    folder = BENCHMARKS / FOLDERS[kind][0]
    contents = registry.read(DatasetSettings(kind, folder, "auto"))
    assert contents.format == kind
    assert contents.problems == benchmark(kind).problems


class TestMathematics:
    def test_gsm8k_has_plain_numbers_and_no_calculator_marks(self) -> None:
        problems = benchmark("gsm8k").problems
        assert all(re.fullmatch(r"-?\d+", problem.gold) for problem in problems)
        golds = {problem.gold for problem in problems}
        assert {"2125", "114200", "1450000", "-10", "-3"} <= golds
        assert not any("<<" in problem.extra["solution"] for problem in problems)

    def test_math500_ids_subjects_and_levels(self) -> None:
        first = benchmark("math500").problems[0]
        assert (first.name, first.family, first.level) == ("precalculus/807", "Precalculus", "2")
        assert first.extra["unique_id"] == "test/precalculus/807.json"
        assert first.gold == r"\left( 3, \frac{\pi}{2} \right)"

    def test_aime_answers_have_no_leading_zeros_and_ids_stay(self) -> None:
        problems = by_name("aime24")
        assert list(problems) == [str(number) for number in range(60, 90)]
        assert (problems["67"].gold, problems["78"].gold, problems["60"].gold) == (
            "25",
            "23",
            "204",
        )
        assert (problems["60"].family, problems["60"].note) == ("2024 AIME I", "problem 1")
        assert {problem.family for problem in problems.values()} == {"2024 AIME I", "2024 AIME II"}

    def test_amc_answers_are_no_floats(self) -> None:
        problems = by_name("amc23")
        assert (problems["0"].gold, problems["3"].gold, problems["15"].gold) == (
            "27",
            "3159",
            "1",
        )
        assert not any("." in problem.gold for problem in problems.values())
        assert problems["17"].gold == "-1"
        assert {problem.family for problem in problems.values()} == {"2023 AMC 12A", "2023 AMC 12B"}

    def test_minerva_answers_are_the_last_box_of_the_solution(self) -> None:
        problems = by_name("minerva")
        assert (problems["0"].gold, problems["1"].gold) == ("1.6", "4.5e33")
        assert problems["0"].family == "Introduction to Astronomy (8.282J Spring 2006)"
        for problem in problems.values():
            assert re.search(
                rf"boxed\{{\s*{re.escape(problem.gold)}\s*\}}", problem.extra["solution"]
            )

    def test_olympiadbench_answers_units_and_tolerances(self) -> None:
        problems = list(by_name("olympiadbench").values())
        assert not any("$" in problem.gold for problem in problems)
        assert "69,84" in {problem.gold for problem in problems}
        assert "f(n)=n, g(n)=1" in {problem.gold for problem in problems}
        several = [problem for problem in problems if problem.extra.get("is_multiple_answer")]
        assert len(several) == 94
        units = {problem.extra["unit"] for problem in problems if "unit" in problem.extra}
        assert units == {"^{\\circ}", "minute", "km", "cm^2", "km/h", "min", "minutes", "%"}
        (tolerant,) = [problem for problem in problems if "tolerance" in problem.extra]
        assert (tolerant.gold, tolerant.extra["tolerance"]) == ("4.2", 0.1)


class TestCode:
    def test_humaneval_is_checked_by_its_own_function(self) -> None:
        first = by_name("humaneval")["HumanEval/0"]
        tests = suite_of(first)
        assert (tests.kind, tests.entry_point) == (TestKind.CHECK, "has_close_elements")
        assert tests.prompt == first.statement
        assert "def check(candidate):" in tests.code
        assert first.verifier == "code"

    def test_the_early_inputs_are_joined_by_task(self) -> None:
        problems = by_name("humaneval-plus")
        tests = suite_of(problems["HumanEval/0"])
        assert (tests.kind, len(tests.cases)) == (TestKind.REFERENCE, 107)
        assert ast.literal_eval(tests.cases[0].input) == [[1.0, 2.0, 3.9, 4.0, 5.0, 2.2], 0.3]
        assert ast.literal_eval(tests.cases[7].input) == [[1.0, 2.5, 3.0, 4.5, 5.0, 6.5], 0.4]
        without = {name for name, problem in problems.items() if problem.note}
        assert without == {"HumanEval/39", "HumanEval/55", "HumanEval/95"}

    def test_every_reference_is_a_programme_with_its_entry_point(self) -> None:
        for problem in benchmark("humaneval-plus").problems:
            assert "def check(" not in suite_of(problem).reference
            tests = suite_of(problem)
            tree = ast.parse(tests.reference)
            assert tests.entry_point in {
                node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
            }
        assert "def same(" in suite_of(by_name("humaneval-plus")["HumanEval/32"]).code

    def test_leetcode_asserts_on_a_solution_object(self) -> None:
        first = benchmark("leetcode").problems[0]
        tests = suite_of(first)
        assert tests.kind is TestKind.ASSERTS
        assert "my_solution = Solution()" in tests.code
        assert tests.prompt.startswith('"""')
        assert (first.family, first.level) == ("weekly-contest-381", "Easy")
        for problem in benchmark("leetcode").problems:
            ast.parse(suite_of(problem).prelude + suite_of(problem).code)


class TestVision:
    def test_mathvista_asks_what_the_benchmark_asks(self) -> None:
        ready = json.loads((BENCHMARKS / "mathvista" / "query_first150.json").read_text())
        problems = by_name("mathvista")
        assert len(ready) == 150
        for name, query in ready.items():
            assert problems[name].statement == query

    def test_mathvista_choices_precision_and_units(self) -> None:
        problems = by_name("mathvista")
        first, third = problems["1"], problems["3"]
        assert (first.extra["answer_type"], first.extra["precision"]) == ("float", 1)
        assert (third.gold, third.extra["letter"]) == ("145°", "C")
        assert problems["225"].extra["answer_type"] == "list"
        assert sum("choices" in problem.extra for problem in problems.values()) == 540
        assert sum(problem.extra.get("unit") == "years" for problem in problems.values()) == 49
        assert first.images == (str(BENCHMARKS.resolve() / "mathvista" / "images" / "1.jpg"),)

    def test_mathvision_letters_values_and_marks(self) -> None:
        problems = by_name("mathvision")
        assert problems["4"].statement.endswith("<image1>")
        assert (problems["59"].gold, problems["59"].extra.get("choices")) == ("C", None)
        listed = [problem for problem in problems.values() if "Choices:" in problem.statement]
        assert all("(A) " in problem.statement for problem in listed)
        bare = [p for p in problems.values() if p.extra.get("choices") == ["A", "B", "C", "D", "E"]]
        assert bare
        assert not any("Choices:" in problem.statement for problem in bare)
        assert sum("letter" in problem.extra for problem in problems.values()) == 190

    def test_images_that_are_missing_keep_their_path(self) -> None:
        images = [problem.images[0] for problem in benchmark("mathvision").problems]
        assert sum(Path(image).is_file() for image in images) == 70
        assert len(images) == 304
