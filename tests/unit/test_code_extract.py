"""Which program a completion is taken to give."""

from __future__ import annotations

import pytest

from explorer.core.code_tests import CodeTests, TestKind
from explorer.verifiers.code import assembled
from explorer.verifiers.code_extract import find_code

F = "def f(x):\n    return x"
USE = "print(f(1))"
DOCUMENTED = '    """\n>>> f(1)\n"""\n    return x'


def fenced(code: str, language: str = "python") -> str:
    return f"```{language}\n{code}\n```"


@pytest.mark.parametrize(
    ("text", "code", "method"),
    [
        (fenced(F), F, "fenced"),
        (fenced(F, ""), F, "fenced"),
        (f"Sure!\r\n\r\n```python\r\n{F}\r\n```\r\nDone.", F, "fenced"),
        (f"First:\n{fenced('x = 1')}\nBetter:\n{fenced(F, 'py')}\nDone.", F, "fenced"),
        (f"{fenced(F)}\nUse it:\n{fenced(USE)}", F, "fenced-earlier"),
        (f"{fenced(F)}\nIt prints\n{fenced('1', '')}", F, "fenced"),
        (f"{fenced(F)}\n{fenced('pip install x', 'bash')}", F, "fenced"),
        (f"Here:\n```python\n{F}", F, "fence-open"),
        (f"```python\n{F}\n```python\n{USE}\n```", f"{F}\n```python\n{USE}", "fenced"),
        (f"    return x\n{fenced('', '')}\nExplained.", "    return x", "before-fence"),
        ("    return x\n```\n\nThat is it.", "    return x", "before-fence"),
        ("    return x\n", "    return x", "continuation"),
        ("\treturn x", "\treturn x", "continuation"),
        ("    return x\n\n\nprint(f(1))\n", "    return x", "continuation"),
        ("    return x\n\nif __name__ == '__main__':\n    f(1)", "    return x", "continuation"),
        ("    return g(x)\n\ndef g(x):\n    return x\n\n# Test\n",
         "    return g(x)\n\ndef g(x):\n    return x", "continuation"),
        (f"{DOCUMENTED}\n", DOCUMENTED, "continuation"),
        ("    return x\n\ndef g(", "    return x", "continuation"),
        ("return x", "return x", "continuation"),
        (F, F, "bare"),
        (f"import math\n{F}\n\nThis returns x.", f"import math\n{F}", "bare"),
        (f"Here is the code:\n\n{F}\n", F, "bare"),
        ("n = int(input())\nprint(n)", "n = int(input())\nprint(n)", "bare"),
        (f"<think>\n{fenced('def f(x): wrong')}\n</think>\n{fenced(F)}", F, "fenced"),
        (f"<think>\n{fenced(F)}", "", "none"),
        (f"{F}\n<|end_of_text|>", F, "bare"),
        (f"{F}\n<|im_end|>\n<|im_start|>user\ndef f(x): return 0", F, "bare"),
        ("The answer is 42.", "", "none"),
        ("", "", "none"),
        (fenced("console.log(1)", "javascript"), "", "none"),
        pytest.param("x" * 300_000, "", "none", id="too long"),
    ],
)  # fmt: skip
def test_the_program_in_a_text(text: str, code: str, method: str) -> None:
    assert find_code(text) == (code, method)


def test_hostile_texts_take_no_time() -> None:
    for text in ("```\n" * 20_000, "def f(\n" * 20_000, "    (" * 50_000, "`" * 200_000,
                 "<think>" * 50_000, "    x\n" * 30_000 + "(", '"""' * 50_000):  # fmt: skip
        find_code(text)


PROMPT = (
    "from typing import List\n\ndef one(x):\n    return 1\n\n\n"
    'def f(x: List) -> int:\n    """Doc."""\n'
)
HUMAN_EVAL = CodeTests(TestKind.CHECK, entry_point="f", prompt=PROMPT)
LEETCODE = CodeTests(
    TestKind.ASSERTS,
    entry_point="Solution",
    prompt="class Solution:\n    def go(self, x):\n        ",
)


@pytest.mark.parametrize(
    "answer",
    [
        "    return one(x) + 1",
        "\n    return one(x) + 1",
        "return one(x) + 1",
        "if x:\n        return one(x) + 1\n    return 2",
        "def f(x):\n    return one(x) + 1",
        "def f(x: List):\n    return 2",
        f"{PROMPT}    return one(x) + 1",
        "f = lambda x: one(x) + 1",
    ],
)
def test_answers_that_continue_a_prompt_and_answers_that_repeat_it(answer: str) -> None:
    names: dict[str, object] = {}
    exec(assembled(answer, HUMAN_EVAL), names)
    function = names["f"]
    assert callable(function)
    assert function([1]) == 2


@pytest.mark.parametrize(
    "answer",
    [
        "return x + 1",
        "        return x + 1",
        "y = x\n        return y + 1",
        "class Solution:\n    def go(self, x):\n        return x + 1",
    ],
)
def test_a_method_is_continued_at_its_depth(answer: str) -> None:
    names: dict[str, type] = {}
    exec(assembled(answer, LEETCODE), names)
    assert names["Solution"]().go(1) == 2
