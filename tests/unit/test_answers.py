"""Finding the answer in a completion, and doing so in linear time on hostile text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.core.answers import BOXED, LAST_NUMBER, NONE, PHRASE, find_answer, last_box


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"first \boxed{10}, no wait, so it is \boxed{42}.", "42"),
        (r"\boxed{\frac{1}{\sqrt{2}}}", r"\frac{1}{\sqrt{2}}"),
        (r"\fbox{7}", "7"),
        (r"\boxed 5.", "5"),
        (r"\boxed {x+1}", "x+1"),
        (r"$\boxed{\{1,2\}}$ and \{3\}", r"\{1,2\}"),
        (r"\boxed{\boxed{3}}", "3"),
        (r"\\boxed{004}", "004"),
        (r"\begin{aligned} a &= 1 \\\boxed{2} \end{aligned}", "2"),
        (r"an open { before \boxed{9} here", "9"),
        (r"\boxed{8} then \boxed{9", "8"),
        (r"\boxed{-2} \quad \text{and} \quad \boxed{1}", "-2, 1"),
        (r"$\boxed{5}$ or $\boxed{5}$", "5"),
        (r"\boxed{3} the answer is 4", "3"),
        (r"\boxed{}, so \boxed{6} and \boxed{ }", "6"),
        ("\\boxed{\n 12 \n}", "12"),
    ],
)
def test_boxes(text: str, answer: str) -> None:
    assert find_answer(text) == (answer, BOXED)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is 4. The answer is 5. I hope it is correct.", "5"),
        ("We add 6 and 6.\n#### 1,234", "1,234"),
        ("**Answer:** 5 apples\n", "5 apples"),
        ("**Final Answer**\n\n$12$\n", "12"),
        ("Final Answer: The final answer is $(0, 1)$. I hope", "(0, 1)"),
        ("the answer to this problem is: 3.5", "3.5"),
        ("Answer: (C) because 7 > 5", "C"),
        ("The correct answer is B) blue", "B"),
        ("<answer>42</answer>", "42"),
        ("Final answer: Jane started growing them 3 hours ago.", "3"),
        ("the answer should be $5.00", "$5.00"),
        ("The answer is 8<|im_end|>", "8"),
        ("答案是：17。", "17"),
        ("42", "42"),
        (r"\frac{10}{9}", r"\frac{10}{9}"),
        ("$x = 3$", "x = 3"),
        ("odd", "odd"),
    ],
)
def test_phrases_and_bare_answers(text: str, answer: str) -> None:
    assert find_answer(text) == (answer, PHRASE)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("We get 3 and then 4.5.", "4.5"),
        ("so the number is 10 which is 1,000.99m²", "1,000.99"),
        ("Therefore $x \\geq 5$ is the solution.", "x \\geq 5"),
        ("there are 12 distinct sequences", "12"),
        ("it costs $5 and then $7 more", "7"),
        ("the temperature fell to -3 degrees", "-3"),
        ("cut off in the box \\boxed{1", "1"),
    ],
)
def test_a_guess_is_marked_as_one(text: str, answer: str) -> None:
    assert find_answer(text) == (answer, LAST_NUMBER)


@pytest.mark.parametrize(
    "text", ["", "   \n", "I do not know the result", "see AZYUK2A there", "?!"]
)
def test_nothing_to_find(text: str) -> None:
    assert find_answer(text) == ("", NONE)


def test_the_final_answer_phrase_of_minerva_outranks_an_earlier_box() -> None:
    text = r"So $\boxed{255}$ interest. Final Answer: The final answer is $10,455$. I hope"
    assert find_answer(text) == ("10,455", PHRASE)
    assert find_answer(r"The final answer is $255$. So \boxed{7}") == ("7", BOXED)


HOSTILE = [
    "\\boxed{", "{", "}", "answer ", "answer is ", "answer for ", "$", "$a", "$$a", "1", "1,",
    "1,111",
    "\\(", "\\(a", "\\[", "#",
    " ", "\\", "\\boxed ", "\\boxed{1} ", "<answer>", "答案是", "a ", "**",
    "\\text{", "1/", "-", "\n", "final answer\n", "The final answer is $",
]  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", HOSTILE)
def test_half_a_megabyte_of_anything_is_read_in_one_pass(piece: str) -> None:
    # Quadratic work on this text would take hours; the time limit is a wide margin, not a gauge.
    find_answer(piece * (500_000 // len(piece)))


@pytest.mark.timeout(60)
def test_deeply_nested_boxes() -> None:
    assert last_box("\\boxed{" * 50_000 + "1" + "}" * 50_000) == "1"


@given(st.text())
def test_any_text_has_an_answer_or_none(text: str) -> None:
    answer, method = find_answer(text)
    assert (method == NONE) == (answer == "")


@given(st.text(alphabet="0123456789abcxyz+-^_ ,()", min_size=1).filter(str.strip))
def test_what_is_boxed_last_is_found(content: str) -> None:
    assert last_box(f"so \\boxed{{1}} but in the end \\boxed{{{content}}} holds") == content.strip()


@given(st.lists(st.sampled_from(["\\boxed", "\\fbox", "{", "}", "1", " ", "\\{", "x", "$"])))
def test_box_soup_never_breaks_and_contents_are_balanced(pieces: list[str]) -> None:
    content = last_box("".join(pieces)).replace("\\{", "")
    assert content.count("{") == content.count("}")
