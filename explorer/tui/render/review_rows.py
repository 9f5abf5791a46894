"""The Review screen's text as rows of pieces: the page that is read, and the keys beneath it.

Invariant: `page_rows` says nothing of who wrote a completion; only `writer_rows` does, and the
screen shows that after a finding or where blindness was not asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from explorer.core.review import Finding
from explorer.tui.render.cells import wrap
from explorer.tui.widgets.line import Pieces
from explorer.views.text import lines_of, one_line

if TYPE_CHECKING:
    from explorer.store.rows import ReviewRow
    from explorer.views.review_queue import Item

FINDINGS: Final = (
    ("s", Finding.SOUND, "sound", "right"),
    ("l", Finding.LUCKY, "lucky", "undecided"),
    ("c", Finding.CALCULATION, "calculation", "wrong"),
    ("g", Finding.LOGIC, "logic", "wrong"),
    ("p", Finding.CONCEPT, "concept", "wrong"),
    ("o", Finding.OMISSION, "omission", "wrong"),
    ("x", Finding.GRADER_ERROR, "grader error", "wrong"),
)
"""Key, finding, its word on the screen, its colour."""

MEANINGS: Final = {
    Finding.SOUND: "the reasoning leads to the answer",
    Finding.LUCKY: "the answer is right, and the reasoning does not lead to it",
    Finding.CALCULATION: "a computation or rewriting is wrong",
    Finding.LOGIC: "a conclusion does not follow, or a case is lost",
    Finding.CONCEPT: "a definition or quantity is misunderstood",
    Finding.OMISSION: "a step that the answer needs is missing",
    Finding.GRADER_ERROR: "the answer is not right at all",
}

_CHUNK: Final = 3000
"""Longer lines of a trace are cut into parts of this, so that none of it is left out."""

_WIDEST: Final = 110


def page_rows(item: Item, width: int, raw: bool) -> list[Pieces]:
    """Statement, gold and the trace; nothing of who wrote it."""
    from explorer.views.latex import readable

    problem = item.problem.problem
    shown = str if raw else readable
    rows: list[Pieces] = [
        [(" ", "text"), (line, "strong")] for line in _wrapped(shown(problem.statement), width)
    ]
    rows += [[(f" shows {len(problem.images)} image(s): i", "accent")]] if problem.images else []
    gold = one_line(shown(problem.gold), limit=200) or "decided by tests"
    answer = one_line(shown(item.trace.head.answer), limit=200)
    facts = [(" gold ", "muted"), (gold, "right bold")]
    if answer:
        facts += [("  ·  answered ", "muted"), (answer, "text")]
    rows += [[], facts, [(" " + "─" * max(0, min(width - 2, _WIDEST)), "line")]]
    text = item.trace.text.strip("\n")
    rows += [[(" ", "text"), (line, "text")] for line in _wrapped(shown(text), width)]
    return [*rows, [(" ∎ end of the trace", "faint")]]


def key_rows(said: ReviewRow | None, width: int) -> list[Pieces]:
    """The findings and their keys; the one that was said stands out."""
    rows: list[list[tuple[str, str]]] = [[(" ", "text")]]
    last: Pieces
    used = 1
    for key, finding, word, colour in FINDINGS:
        gap = "   "
        before = [("flawed: ", "muted")] if finding is Finding.CALCULATION else []
        size = cell_len(key + " " + word + gap) + sum(cell_len(text) for text, _ in before)
        if used + size > width and used > 1:
            rows.append([(" ", "text")])
            used = 1
        chosen = said is not None and said.finding is finding
        mark = f"{colour} bold" if chosen else "text"
        rows[-1] += [*before, (key, "accent bold"), (f" {word}", mark), (gap, "text")]
        used += size
    if said is None:
        last = [(" Is the answer reached by sound reasoning? One key says it.", "muted")]
    else:
        last = _said_row(said)
    return [*rows, last]


def _said_row(said: ReviewRow) -> Pieces:
    word, colour = said.finding.value, "text"
    for _, finding, name, tone in FINDINGS:
        if finding is said.finding:
            word, colour = name, tone
    how = "said blind" if said.blind else "said knowing who wrote it"
    row = [(" ✓ ", f"{colour} bold"), (word, f"{colour} bold")]
    row += [(f"  {MEANINGS.get(said.finding, '')}", "muted"), (f"  ·  {how}", "faint")]
    return [*row, (f"  ·  “{one_line(said.note, 200)}”", "text")] if said.note else row


def writer_rows(item: Item) -> list[Pieces]:
    """Who wrote it."""
    arm = item.arm
    algorithm = f" · {one_line(arm.model.algorithm, 20)}" if arm.model.algorithm else ""
    role = f"{one_line(arm.model.role) or 'unknown role'}{algorithm}"
    known = arm.model.role if arm.model.role in ("base", "rl", "distilled") else "text"
    return [
        [
            (" written by ", "muted"),
            (one_line(arm.model.name, 40), f"{known} bold"),
            (f"  {role}  ·  sample #{item.trace.head.index}", "text"),
            (f"  ·  {arm.spec.sampling.label()}  ·  arm {arm.key[:11]}", "faint"),
        ]
    ]


def _wrapped(text: str, width: int) -> list[str]:
    lines: list[str] = []
    for source in text.replace("\r\n", "\n").split("\n"):
        for start in range(0, max(1, len(source)), _CHUNK):
            for safe in lines_of(source[start : start + _CHUNK]):
                lines += wrap(safe, max(10, min(width - 2, _WIDEST)))
    return lines
