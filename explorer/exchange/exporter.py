"""The cache's completions as a file of our recorded format, whole or not at all.

Invariant: the file is one moment of the cache (one read transaction), and it appears under its
name only when it is complete.
"""

from __future__ import annotations

import gzip
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from explorer.core.second_opinion import SECOND_OF
from explorer.exchange import native
from explorer.exchange.whole_file import whole_file
from explorer.store import queries
from explorer.store.blobs import unpack_floats, unpack_ints
from explorer.store.connection import database_path, store_errors
from explorer.store.facts import Facts, read_facts
from explorer.store.rows import ArmRow, ProblemRow, ScorerRow

SHORT_DIGITS: Final = 6
ALL_DIGITS: Final = 9
"""Significant digits that tell any two float32 apart."""

_SHORT_VERDICT: Final = ("verifier", "version", "outcome", "detail")


@dataclass(frozen=True, slots=True)
class Selection:
    """What to export; None means all.

    Attributes:
        dataset: name of a dataset.
        models: names of models.
        problems: row ids of problems.
        arms: row ids of arms.
        scores: whether to write scores too.
        exact: write floats with all digits of a float32 rather than six.
    """

    dataset: str | None = None
    models: Collection[str] | None = None
    problems: Collection[int] | None = None
    arms: Collection[int] | None = None
    scores: bool = True
    exact: bool = False


@dataclass(slots=True)
class ExportReport:
    """How much was written."""

    path: Path
    problems: int = 0
    arms: int = 0
    completions: int = 0
    scores: int = 0
    overrides: int = 0


def export(db: sqlite3.Connection, path: Path, selection: Selection) -> ExportReport:
    """Write the selected completions; gzipped if the name ends in `.gz`.

    Raises:
        DataError: the file cannot be written; an older one of that name is then unharmed.
        StoreError: the cache cannot be read.
    """
    report = ExportReport(path)
    with store_errors(database_path(db)), _one_moment(db), _lines_of(path) as write:
        _Exporter(db, selection, report, write).run()
    return report


@contextmanager
def _one_moment(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("ROLLBACK")


@contextmanager
def _lines_of(path: Path) -> Iterator[Callable[[str], object]]:
    """Writes lines to a file, gzipped if its name says so, that is there whole or not at all."""
    with whole_file(path) as part, part.open("xb") as raw:
        if path.suffix == ".gz":
            # No name and no time in the header: the same rows give the same bytes.
            with gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
                yield lambda line: file.write(line.encode() + b"\n")
        else:
            yield lambda line: raw.write(line.encode() + b"\n")
        raw.flush()
        os.fsync(raw.fileno())


class _Exporter:
    """The state of one export: which numbers stand for which arms and problems."""

    def __init__(
        self,
        db: sqlite3.Connection,
        selection: Selection,
        report: ExportReport,
        write: Callable[[str], object],
    ) -> None:
        self.db = db
        self.selection = selection
        self.report = report
        self.write = write
        self.digits = ALL_DIGITS if selection.exact else SHORT_DIGITS

    def run(self) -> None:
        cells = self._cells()
        arms = [arm for arm in queries.arms(self.db) if arm.id in {cell[0] for cell in cells}]
        problems = [
            row
            for row in queries.problems(self.db, self.selection.dataset)
            if row.id in {cell[1] for cell in cells}
        ]
        self.write(native.dump({"type": native.FORMAT, "version": native.VERSION}))
        self._models({arm.model.name for arm in arms})
        for row in problems:
            self.write(native.dump(_problem(row)))
        for reference, arm in enumerate(arms, 1):
            self.write(native.dump(_arm(arm, reference, read_facts(self.db, arm.id))))
        # All arms of a problem together: while the file is read, the first rows are soon whole.
        for row in problems:
            for reference, arm in enumerate(arms, 1):
                if (arm.id, row.id) in cells:
                    self._cell(reference, arm, row)
        if self.selection.scores:
            self._scores(arms, problems, cells)
        self.report.arms, self.report.problems = len(arms), len(problems)

    def _cells(self) -> set[tuple[int, int]]:
        wanted = self.selection
        models = {arm.id: arm.model.name for arm in queries.arms(self.db)}
        return {
            (arm, problem)
            for (arm, problem), tally in queries.tallies(self.db, wanted.dataset).items()
            if tally.completions
            and (wanted.arms is None or arm in wanted.arms)
            and (wanted.problems is None or problem in wanted.problems)
            and (wanted.models is None or models[arm] in wanted.models)
        }

    def _models(self, names: set[str]) -> None:
        known = queries.models(self.db)
        bases = {model.base for model in known if model.name in names}
        for model in known:
            if model.name in names | bases:
                columns = ("name", "role", "base", "algorithm")
                row = {column: getattr(model, column) for column in columns}
                self.write(native.dump({"type": "model", **row}))

    def _cell(self, reference: int, arm: ArmRow, row: ProblemRow) -> None:
        where = {"arm": reference, "problem": _reference(row)}
        prompt = queries.prompt(self.db, arm.id, row.id)
        if prompt:
            text: dict[str, object] = {"text": prompt.text, "ids": list(prompt.ids)}
            if prompt.images:
                text["images"] = [[image.path, image.digest] for image in prompt.images]
            self.write(native.dump({"type": "prompt", **where, **text}))
        found = self.db.execute(
            "SELECT c.sample_index, c.seed, c.text, c.finish, t.ids, t.ends, t.logprobs, t.exact,"
            " v.verifier, v.version, v.outcome, v.answer, v.method, v.detail,"
            " s.verifier, s.version, s.outcome, s.detail FROM completion c"
            " LEFT JOIN token_data t ON t.completion_id = c.id"
            " LEFT JOIN verdict v ON v.completion_id = c.id AND v.verifier = ?"
            " LEFT JOIN verdict s ON s.completion_id = c.id AND s.verifier = ?"
            " WHERE c.arm_id = ? AND c.problem_id = ? ORDER BY c.sample_index",
            (row.problem.verifier, SECOND_OF.get(row.problem.verifier), arm.id, row.id),
        )
        for columns in found:
            self._completion(where, columns)
        self._overrides(where, arm.id, row.id)

    def _overrides(self, where: dict[str, Any], arm_id: int, problem_id: int) -> None:
        """What people said over the verifier, behind the completions that it is about."""
        found = self.db.execute(
            "SELECT c.sample_index, o.outcome, o.note, o.author, o.made FROM completion c"
            " JOIN override o ON o.completion_id = c.id"
            " WHERE c.arm_id = ? AND c.problem_id = ? ORDER BY c.sample_index",
            (arm_id, problem_id),
        )
        for values in found:
            said = dict(zip(("index", "outcome", "note", "author", "made"), values, strict=True))
            self.write(native.dump({"type": "override", **where, **said}))
            self.report.overrides += 1

    def _completion(self, where: dict[str, Any], columns: tuple[Any, ...]) -> None:
        index, seed, text, finish, ids, ends, logprobs, exact, *verdict = columns
        line = {"type": "completion", **where, "index": index, "seed": seed}
        line |= {"text": text, "finish": finish}
        floats: dict[str, Any] = {}
        if ids is not None:
            line["ids"] = unpack_ints(ids).tolist()
            line["lengths"] = np.diff(unpack_ints(ends), prepend=0).tolist()
            line["exact"] = bool(exact)
            if logprobs is not None:
                floats["logprobs"] = unpack_floats(logprobs).tolist()
        if verdict[0] is not None:
            names: tuple[str, ...] = (*_SHORT_VERDICT[:3], "answer", "method", "detail")
            line["verdict"] = dict(zip(names, verdict[:6], strict=True))
            if verdict[6] is not None:
                line["second"] = dict(zip(_SHORT_VERDICT, verdict[6:], strict=True))
        if floats:
            self.write(native.dump_with_floats(line, floats, self.digits))
        else:
            self.write(native.dump(line))
        self.report.completions += 1

    def _scores(
        self, arms: list[ArmRow], problems: list[ProblemRow], cells: set[tuple[int, int]]
    ) -> None:
        references = {arm.id: number for number, arm in enumerate(arms, 1)}
        names = {row.id: _reference(row) for row in problems}
        found = self.db.execute(
            "SELECT DISTINCT c.arm_id, c.problem_id, c.sample_index, c.id FROM score s"
            " JOIN completion c ON c.id = s.completion_id"
            " ORDER BY c.arm_id, c.problem_id, c.sample_index"
        ).fetchall()
        scorers: dict[int, int] = {}
        for arm, problem, index, completion_id in found:
            if (arm, problem) in cells:
                where = {"arm": references[arm], "problem": names[problem], "index": index}
                self._scores_of(where, completion_id, scorers)

    def _scores_of(
        self, where: dict[str, Any], completion_id: int, scorers: dict[int, int]
    ) -> None:
        trace = queries.trace(self.db, completion_id)
        assert trace is not None
        for scorer, scores in trace.scores.items():
            if scorer.id not in scorers:
                scorers[scorer.id] = len(scorers) + 1
                self.write(native.dump(_scorer(scorer, scorers[scorer.id])))
            rows = list(scores.top_texts)  # decoded as often as it is gone through
            texts = list(dict.fromkeys(text for line in rows for text in line))
            place = {text: number for number, text in enumerate(texts)}
            line = {
                "type": "score",
                "scorer": scorers[scorer.id],
                **where,
                "ranks": scores.ranks.tolist(),
                "top_ids": scores.top_ids.tolist(),
                "texts": texts,
                "top_texts": [[place[text] for text in line] for line in rows],
            }
            floats = {
                "logprobs": scores.logprobs.tolist(),
                "entropies": scores.entropies.tolist(),
                "top_logprobs": scores.top_logprobs.tolist(),
            }
            self.write(native.dump_with_floats(line, floats, self.digits))
            self.report.scores += 1


def _reference(row: ProblemRow) -> str:
    return f"{row.problem.dataset}/{row.problem.name}"


def _problem(row: ProblemRow) -> dict[str, Any]:
    columns = ("dataset", "name", "statement", "gold", "family", "level", "note", "verifier")
    values = {column: getattr(row.problem, column) for column in columns}
    return {"type": "problem", **values, "extra": dict(row.problem.extra)}


def _arm(arm: ArmRow, reference: int, facts: Facts) -> dict[str, Any]:
    head = {"type": "arm", "ref": reference, "model": arm.model.name}
    known = {"facts": {name: list(values) for name, values in facts.items()}} if facts else {}
    return {**head, "key": arm.key, "spec": arm.spec.to_json(), **known}


def _scorer(scorer: ScorerRow, reference: int) -> dict[str, Any]:
    columns = ("model", "checkpoint", "tokenizer", "engine", "dtype")
    values = {column: getattr(scorer, column) for column in columns}
    return {"type": "scorer", "ref": reference, **values}
