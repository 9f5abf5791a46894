"""Reviews as JSON lines, so that several reviewers can work apart and compare.

    {"type":"review","dataset":"twins","problem":"trees-01","model":"rl","arm":"a1:…","index":3,
     "text":"<digest>","reviewer":"ada","vote":0,"finding":"lucky","note":"…","made":1.7e9,
     "blind":true,"source":""}

Invariant: a review is merged only into the completion that it was made of, told by arm, problem,
sample index and the digest of its text; of two by one reviewer the later one stands.
"""

from __future__ import annotations

import json
import math
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from explorer.core.review import Finding
from explorer.errors import DataError
from explorer.json_lines import LineReader, RowFault
from explorer.store import reviews
from explorer.store.connection import transaction
from explorer.store.rows import ReviewRow

FAULTS_KEPT: Final = 20


@dataclass
class MergeReport:
    """What became of a file's reviews.

    Attributes:
        new: added; replaced: took an older one's place; same: were there already, or an older
            one of the file gave way to ours.
        absent: about completions that this cache does not have, or has with another text.
        faults: lines that are no reviews, at most `FAULTS_KEPT`; faulty: how many.
    """

    path: Path
    new: int = 0
    replaced: int = 0
    same: int = 0
    absent: int = 0
    faulty: int = 0
    faults: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """`bob.jsonl: 12 new, 1 replaced, 3 known, 2 about completions that are not here`."""
        said = f"{self.path.name}: {self.new} new, {self.replaced} replaced, {self.same} known"
        if self.absent:
            said += f", {self.absent} about completions that are not here"
        return said + (f", {self.faulty} faulty lines" if self.faulty else "")


def export_reviews(db: sqlite3.Connection, path: Path, dataset: str = "") -> int:
    """Write every review of a dataset or all; returns how many.

    Raises:
        DataError: the file cannot be written.
    """
    rows = reviews.everything(db, dataset)
    lines = [json.dumps(as_json(row), ensure_ascii=True) + "\n" for row in rows]
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text("".join(lines), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise DataError(
            f"{path.name} cannot be written", f"{path}: {error.strerror or error}."
        ) from error
    return len(rows)


def as_json(row: reviews.ReviewedRow) -> dict[str, Any]:
    """One line of the file."""
    review = row.review
    return {
        "type": "review",
        "dataset": row.dataset,
        "problem": row.problem,
        "model": row.model,
        "arm": row.arm_key,
        "index": row.index,
        "text": row.digest,
        "reviewer": review.reviewer,
        "vote": review.vote,
        "finding": review.finding.value,
        "note": review.note,
        "made": review.made,
        "blind": review.blind,
        "source": review.source,
    }


def merge_reviews(db: sqlite3.Connection, path: Path) -> MergeReport:
    """Read reviews that another cache exported; all of a file or none.

    Raises:
        DataError: the file is not there or may not be read.
    """
    report = MergeReport(path)
    with LineReader(path) as lines, transaction(db):
        for row in lines.rows():
            if isinstance(row, RowFault):
                _fault(report, row.line, row.reason)
                continue
            try:
                where, review = _read(row)
            except (KeyError, TypeError, ValueError) as error:
                _fault(report, lines.line, f"no review: {type(error).__name__} {error}")
                continue
            _merge(db, report, where, str(row["text"]), review)
    return report


def _read(row: dict[str, Any]) -> tuple[tuple[str, str, str, int], ReviewRow]:
    if row.get("type") != "review":
        raise ValueError("not of type 'review'")
    reviewer, vote = str(row["reviewer"]).strip(), int(row.get("vote", 0))
    made = float(row["made"])
    if not reviewer or vote < 0 or not math.isfinite(made):
        raise ValueError("reviewer, vote or made")
    where = (str(row["arm"]), str(row["dataset"]), str(row["problem"]), int(row["index"]))
    finding, note, text = Finding(row["finding"]), str(row.get("note", "")), str(row["text"])
    if not text:
        raise ValueError("no digest of the text")
    blind, source = bool(row.get("blind", False)), str(row.get("source", ""))
    return where, ReviewRow(0, reviewer, finding, note, made, blind, vote, source)


def _merge(
    db: sqlite3.Connection,
    report: MergeReport,
    where: tuple[str, str, str, int],
    digest: str,
    review: ReviewRow,
) -> None:
    from dataclasses import replace

    found = reviews.find_completion(db, *where)
    if found is None or found[1] != digest:
        report.absent += 1
        return
    mine = replace(review, completion_id=found[0])
    known = [
        row
        for row in reviews.of_completion(db, found[0])
        if (row.reviewer, row.vote) == (mine.reviewer, mine.vote)
    ]
    if known and known[0].made >= mine.made:
        report.same += 1
        return
    reviews.put_reviews(db, [mine])
    report.replaced += bool(known)
    report.new += not known


def _fault(report: MergeReport, line: int, reason: str) -> None:
    report.faulty += 1
    if len(report.faults) < FAULTS_KEPT:
        report.faults.append(f"{report.path.name}:{line}: {reason}")
