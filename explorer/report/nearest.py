"""The samples most like a trace, as text or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rich.text import Text

from explorer.report.console import console, table
from explorer.views.nearest import Field, NearLine, as_dict
from explorer.views.numbers import percent
from explorer.views.text import one_line

_ANSWER_WIDTH: Final = 28


def print_nearest(field: Field, lines: Sequence[NearLine], top: int) -> None:
    """Print the table, most alike first."""
    out = console()
    name = f"{field.problem.problem.dataset}/{field.problem.problem.name}"
    about = f"{one_line(name)} · {one_line(field.arm.model.name)} #{field.trace.head.index}"
    answer = one_line(field.trace.head.answer, _ANSWER_WIDTH) or "no answer"
    same = sum(line.likeness.same_answer for line in lines)
    out.print(Text(f"{about} · {field.trace.head.outcome or 'ungraded'} · {answer}"))
    if not lines:
        out.print(Text("There is no other completion to compare it with."))
        return
    out.print(Text(f"{len(lines):,} compared · {same:,} with the same answer"))
    headers = ["arm", "sample", "verdict", "answer", "same answer", "prefix", "steps", "text"]
    rows = []
    for line in lines[:top]:
        head, like = line.peer.head, line.likeness
        rows.append(
            [
                one_line(line.peer.arm.model.name),
                f"#{head.index}",
                str(head.outcome or "ungraded"),
                one_line(head.answer, _ANSWER_WIDTH) or "–",
                "yes" if like.same_answer else "no",
                "–" if like.prefix is None else f"{like.prefix:,}",
                f"{like.shared_steps}/{like.steps}",
                percent(like.text),
            ]
        )
    out.print(table(headers, rows, text_columns=1))
    if len(lines) > top:
        out.print(Text(f"… and {len(lines) - top:,} more (--top lists them)"))


def nearest_as_dict(field: Field, lines: Sequence[NearLine]) -> dict[str, Any]:
    """The same for programs."""
    return {
        "problem": f"{field.problem.problem.dataset}/{field.problem.problem.name}",
        "model": field.arm.model.name,
        "arm": field.arm.key,
        "sample": field.trace.head.index,
        "answer": field.trace.head.answer,
        "same_tokenizer": field.same_tokens,
        "nearest": [as_dict(line) for line in lines],
    }
