"""HumanEval+ (Liu et al., 2023), in each of the layouts it is published in.

- The hub's: HumanEval's own columns, where `test` holds all inputs and expected results.
- EvalPlus's release (`HumanEvalPlus*.jsonl.gz`): `task_id`, `prompt`, `entry_point`,
  `canonical_solution`, `base_input`, `plus_input`, `atol`, `contract`. Results are those of the
  canonical solution on the same inputs.
- The early development build: `reference` for `canonical_solution`, no `plus_input`; the further
  inputs lie in a second file beside it, `HumanEvalPlusInputs*.jsonl` with `task_id`
  ('HumanEval_0') and `inputs`, and are joined. A problem that has none keeps its base inputs and
  says so in its note. Many references have HumanEval's `check` glued to their end; it is cut off.
  A reference that is no Python even then leaves its row out.

The release's `contract` (assertions about the arguments) is no part of the reference: its inputs
keep it. In the early build it is: some references use names that only the contract defines, and
inputs that break it are cases in which the reference itself raises, which the verifier leaves out.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from explorer.core.code_tests import CodeTests, TestCase, TestKind
from explorer.core.problem import Problem
from explorer.datasets import humaneval, sources
from explorer.datasets.contents import DatasetContents
from explorer.datasets.evalplus_inputs import COMPARISONS, expression
from explorer.datasets.reading import make, read_rows
from explorer.datasets.row import Row
from explorer.json_lines import RowFault
from explorer.settings import DatasetSettings

_INPUTS = "HumanEvalPlusInputs"
_GLUED = re.compile(r"^\s*def check\(", re.MULTILINE)


def read(settings: DatasetSettings) -> DatasetContents:
    """Read HumanEval+; see `reading.read_files`."""
    paths = sources.files(settings, ("HumanEvalPlus[-_.]*jsonl*", "HumanEvalPlus.jsonl*"))
    further, faults = _further(paths)
    contents = read_rows(
        settings,
        sources.rows(paths, lenient=True),
        lambda row, settings: problem(row, settings, further),
    )
    return DatasetContents(contents.problems, (*contents.faults, *faults), contents.format)


def problem(
    row: Row, settings: DatasetSettings, further: Mapping[str, list[Any]] | None = None
) -> Problem:
    """One row; `further` are the inputs of the early build by task id.

    Raises:
        ValueError: it lacks its prompt, its reference or its inputs.
    """
    if row.has("test") and not row.has("base_input"):
        return humaneval.problem(row, settings)
    name = row.needed("task_id").strip()
    prompt = row.needed("prompt")
    entry_point = row.needed("entry_point").strip()
    solution = _GLUED.split(row.needed("canonical_solution", "reference"))[0].rstrip() + "\n"
    if row.has("reference"):
        solution = row.text("contract").rstrip("\n") + "\n" + solution.lstrip("\n")
    _check_reference(f"{prompt}{solution}", entry_point)
    plus = row.items("plus_input") or (further or {}).get(name.replace("/", "_"), [])
    inputs = [*row.items("base_input"), *plus]
    if not inputs or not all(isinstance(one, list) for one in inputs):
        raise ValueError("'base_input' and 'plus_input' are not lists of arguments")
    return make(
        settings,
        row,
        name=name,
        statement=prompt,
        gold="",
        note="" if plus else "no inputs beyond HumanEval's own",
        extra={"entry_point": entry_point, "solution": solution},
        tests=CodeTests(
            TestKind.REFERENCE,
            entry_point=entry_point,
            prompt=prompt,
            code=COMPARISONS.get(entry_point, "") if entry_point == "find_zero" else "",
            cases=tuple(TestCase(expression(one)) for one in inputs),
            reference=f"{prompt}{solution}",
            tolerance=float(row.text("atol") or 0),
        ),
    )


def _check_reference(programme: str, entry_point: str) -> None:
    try:
        tree = ast.parse(programme)
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(f"the reference solution is not Python: {error}") from None
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    if entry_point not in {function.name for function in functions}:
        raise ValueError(f"the reference solution does not define {entry_point}")


def _further(paths: list[Path]) -> tuple[dict[str, list[Any]], list[RowFault]]:
    """The inputs of the early build's second file by task id, and what is wrong with its rows."""
    inputs: dict[str, list[Any]] = {}
    faults: list[RowFault] = []
    for path in paths:
        beside = path.with_name(path.name.replace("HumanEvalPlus", _INPUTS, 1))
        if beside == path or not beside.is_file():
            continue
        for row in sources.rows([beside], lenient=True):
            if isinstance(row, RowFault):
                faults.append(row)
                continue
            try:
                _join(inputs, row)
            except ValueError as error:
                faults.append(RowFault(row.path, row.line, str(error)))
    return inputs, faults


def _join(inputs: dict[str, list[Any]], row: Row) -> None:
    name = row.needed("task_id").strip()
    own = inputs.setdefault(name, [])
    seen = {json.dumps(one) for one in own}
    own += [one for one in row.items("inputs") if json.dumps(one) not in seen]
