"""Parity as rows of pieces: a line for under a table, and the whole list with the prompt diff."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from explorer.tui.widgets.line import Pieces
from explorer.views.text import lines_of, one_line

if TYPE_CHECKING:
    from explorer.core.parity_evidence import Finding
    from explorer.views.parity import PairParity, Parity

KEY: Final = "e"

_LOOKS: Final = {"blocks": ("✗ blocks", "wrong"), "doubt": ("? doubt", "undecided"),
                 "note": ("· note", "muted")}  # fmt: skip


def parity_mark(parity: Parity | None) -> Pieces:
    """`2 parity doubts · e`; nothing where nothing matters."""
    found = parity.mark if parity else ""
    return [(f"{found} · {KEY}", "undecided")] if found else []


def pair_rows(parity: Parity | None) -> list[Pieces]:
    """One line for each pair in which something matters."""
    from explorer.views.parity import mark, topics

    rows: list[Pieces] = []
    for pair in parity.pairs if parity else ():
        found = mark(pair.findings)
        if found:
            rows.append(
                [
                    (f" ≠ {pair.other} / {pair.base}: {found}", "undecided"),
                    (f"  {topics(pair)}", "muted"),
                    (f"  {KEY} lists them", "faint"),
                ]
            )
    return rows


def parity_rows(parity: Parity) -> list[Pieces]:
    """Everything, for a page of its own."""
    if not parity.pairs:
        return [[("There is no pair yet: a model and its base, both sampled.", "muted")]]
    rows: list[Pieces] = []
    for pair in parity.pairs:
        rows += [*_pair(pair), []]
    return rows


def _pair(pair: PairParity) -> Iterator[Pieces]:
    from explorer.views.numbers import count

    seen = " and ".join(count(n) for n in pair.looked_at)
    yield [
        (f"{pair.other} against {pair.base}", "strong bold"),
        (f"  {seen} completions looked at", "muted"),
    ]
    yield []
    for finding in pair.findings:
        yield from _finding(finding)
    if not pair.findings:
        yield [("No difference was found.", "text")]
    if pair.diff:
        yield [("The prompts of ", "muted"), (pair.problem, "strong"), ("", "text")]
        for line in pair.diff:
            colour = {"-": "wrong", "+": "right"}.get(line.sign, "muted")
            for part in lines_of(line.text):
                yield [(f"{line.sign} ", colour), (part, colour)]
        yield [(f"- only {pair.base}   + only {pair.other}", "faint")]
        yield []
    yield [("Noise floor, each model on its own samples", "muted")]
    for floor in pair.floors:
        yield [("  ", "text"), (floor, "text")]


def _finding(finding: Finding) -> Iterator[Pieces]:
    word, colour = _LOOKS[finding.severity.value]
    yield [(f"{word:<9}", f"{colour} bold"), (one_line(finding.what), "text")]
    yield [(" " * 9, "text"), (one_line(finding.why), "muted")]
    yield [(" " * 9, "text"), (f"→ {one_line(finding.fix)}", "muted")]
    yield []
