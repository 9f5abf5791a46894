"""Our own recorded format into the cache: arms, prompts, completions, scores and overrides.

Invariant: references of the file are translated to row ids once, or to the reason why lines that
use them are left out; lines are stored in transactions of bounded size.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from explorer.core.completion import Verdict
from explorer.core.problem import Problem
from explorer.core.second_opinion import SECOND_OF
from explorer.errors import DataError, ExplorerError, StoreError
from explorer.exchange import native
from explorer.exchange.report import FAULTS_KEPT, ImportProgress, ImportReport
from explorer.json_lines import Json, LineReader, RowFault
from explorer.store import catalog, completions, facts, overrides
from explorer.store.completions import PackedCompletion
from explorer.store.connection import transaction
from explorer.verifiers import registry as verifiers

BATCH_LINES: Final = 4096
"""Lines per transaction: large enough to be fast, small enough to let others write."""

BATCH_BYTES: Final = 8 << 20
"""Most text per transaction, because parsed lines take ten times their size in memory."""


class NativeImporter:
    """The state of one import: what the file's references mean here, and what waits to be stored.

    A reference maps to a row id, or to the reason why lines that use it are left out.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        reader: LineReader,
        report: ImportReport,
        on_progress: Callable[[ImportProgress], None] | None,
    ) -> None:
        self.db = db
        self.reader = reader
        self.report = report
        self.on_progress = on_progress
        self.faults: list[RowFault] = []
        self.seen = 0
        self.arms: dict[int, int] = {}
        self.scorers: dict[int, int] = {}
        self.problems: dict[str, int | str] = {}
        self.verifier: dict[int, str] = {}
        self.versions: dict[str, str | None] = {}
        self.barred: dict[tuple[int, int], str] = {}
        self.begun: set[tuple[int, int]] = set()
        self.others: set[tuple[int, int, int]] = set()
        self.waiting: dict[tuple[int, int], list[PackedCompletion]] = {}
        self.line = 0
        self.handlers: Mapping[str, Callable[[native.Row], None]] = {
            "completion": self._completion,
            "score": self._score,
            "override": self._override,
            "prompt": self._prompt,
            "problem": self._problem,
            "arm": self._arm,
            "model": self._model,
            "scorer": self._scorer,
        }

    def run(self) -> None:
        rows = self.reader.rows()
        self._header(next(rows, None))
        for batch in self._batches(rows):
            with transaction(self.db):
                for self.line, row in batch:
                    if isinstance(row, RowFault):
                        self._fault(row)
                    else:
                        self._row(row)
                self._flush()
            if self.on_progress:
                done = self.reader.bytes_read()
                self.on_progress(ImportProgress(done, self.reader.size, self.seen))
        self.report.faults = tuple(self.faults)

    def _batches(
        self, rows: Iterator[Json | RowFault]
    ) -> Iterator[list[tuple[int, Json | RowFault]]]:
        """Lines are parsed before the transaction that stores them, which others wait for."""
        batch: list[tuple[int, Json | RowFault]] = []
        start = self.reader.text_read
        for row in rows:
            batch.append((self.reader.line, row))
            if len(batch) == BATCH_LINES or self.reader.text_read - start > BATCH_BYTES:
                yield batch
                batch, start = [], self.reader.text_read
        yield batch

    def _header(self, row: Json | RowFault | None) -> None:
        path = self.reader.path
        if not isinstance(row, dict) or row.get("type") != native.FORMAT:
            found = row.reason if isinstance(row, RowFault) else "its first line says otherwise"
            raise DataError(
                f"{path.name} is not a file of recorded completions",
                f"{path}: {found if row is not None else 'it is empty'}.",
                'The first line must be {"type":"rlvr-explorer","version":1}.',
            )
        if row.get("version") != native.VERSION:
            raise DataError(
                f"{path.name} has version {row.get('version')!r} of the recorded format",
                f"This rlvr-explorer reads version {native.VERSION}.",
                "Upgrade rlvr-explorer, or export the file again.",
            )

    def _row(self, row: Json) -> None:
        kind = row.get("type")
        handler = self.handlers.get(kind) if isinstance(kind, str) else None
        try:
            if handler is None:
                raise ValueError(f"unknown type {kind!r}")
            handler(row)
        except StoreError:
            raise
        except (ValueError, ExplorerError) as error:
            self._fault(self.reader.fault(str(error), self.line))

    def _fault(self, fault: RowFault) -> None:
        self.report.faults_total += 1
        if len(self.faults) < FAULTS_KEPT:
            self.faults.append(fault)

    def _model(self, row: native.Row) -> None:
        catalog.add_model(self.db, native.model(row))

    def _problem(self, row: native.Row) -> None:
        problem = native.problem(row)
        reference = f"{problem.dataset}/{problem.name}"
        if reference in self.problems:
            raise ValueError(f"problem {reference!r} was already given")
        before = self.db.total_changes
        problem_id, stored = catalog.add_problem(self.db, problem)
        self.report.problems += self.db.total_changes > before
        if (stored.statement, stored.gold) != (problem.statement, problem.gold):
            self.problems[reference] = f"problem {reference!r} has another statement or gold here"
            raise ValueError(self.problems[reference])
        self._know_problem(reference, problem_id, stored)

    def _know_problem(self, reference: str, problem_id: int, problem: Problem) -> None:
        self.problems[reference] = problem_id
        self.verifier[problem_id] = problem.verifier

    def _arm(self, row: native.Row) -> None:
        reference = native.integer(row, "ref")
        if reference in self.arms:
            raise ValueError(f"arm {reference} was already given")
        known = native.facts(row)
        arm_id = catalog.put_arm(self.db, native.arm(row), native.text(row, "model"))
        self.arms[reference] = arm_id
        for name, value in known:
            facts.put_facts(self.db, arm_id, {name: value})

    def _scorer(self, row: native.Row) -> None:
        reference = native.integer(row, "ref")
        self.scorers[reference] = catalog.put_scorer(self.db, native.scorer(row))

    def _prompt(self, row: native.Row) -> None:
        cell = self._cell(row)
        prompt = native.prompt(row)
        if cell in self.begun:
            raise ValueError("a prompt that comes after its completions")
        try:
            catalog.put_prompt(self.db, *cell, prompt)
        except StoreError as error:
            if error.__cause__ is not None:  # SQLite's own trouble, not a disagreement
                raise
            self.barred[cell] = "its prompt is not the one that was sampled here"
            raise ValueError(f"{error.title}; the completions of this cell are left out") from error

    def _completion(self, row: native.Row) -> None:
        self.seen += 1
        cell = self._cell(row)
        verdict = self._verdict(row, cell[1])
        second = self._second(row, verdict) if verdict else None
        completion = native.completion(row, self.reader.path.name, verdict, second)
        self.begun.add(cell)
        self.waiting.setdefault(cell, []).append(completion)

    def _verdict(self, row: native.Row, problem_id: int) -> Verdict | None:
        """The line's verdict if the verifier that would decide here and now gave it."""
        verdict = native.verdict(row)
        if verdict is None or verdict.verifier != self.verifier[problem_id]:
            return None
        return verdict if verdict.version == self._version(verdict.verifier) else None

    def _second(self, row: native.Row, verdict: Verdict) -> Verdict | None:
        """The line's second verdict if it would be the same here and now."""
        second = native.second(row, verdict)
        if second is None or second.verifier != SECOND_OF.get(verdict.verifier):
            return None
        return second if second.version == self._version(second.verifier) else None

    def _version(self, verifier: str) -> str | None:
        if verifier not in self.versions:
            try:
                self.versions[verifier] = verifiers.get(verifier).version
            except ExplorerError:  # a problem whose verifier this installation does not have
                self.versions[verifier] = None
        return self.versions[verifier]

    def _score(self, row: native.Row) -> None:
        scorer = self.scorers.get(native.integer(row, "scorer"))
        if scorer is None:
            raise ValueError(f"scorer {row.get('scorer')!r} was not given before")
        cell = self._cell(row)
        if cell in self.waiting:
            self._flush()
        index = native.integer(row, "index")
        if (*cell, index) in self.others:
            raise ValueError(f"a score of completion {index}, which is another one here")
        found = self.db.execute(
            "SELECT c.id, c.n_tokens, EXISTS (SELECT 1 FROM score s WHERE s.completion_id = c.id"
            " AND s.scorer_id = ?) FROM completion c"
            " WHERE c.arm_id = ? AND c.problem_id = ? AND c.sample_index = ?",
            (scorer, *cell, index),
        ).fetchone()
        if found is None:
            raise ValueError(f"a score of completion {index}, which is not stored")
        completion_id, n_tokens, scored = found
        if scored:
            return
        scores = native.scores(row, n_tokens or 0)
        completions.record_score(self.db, scorer, completion_id, scores)
        self.report.scores += 1

    def _override(self, row: native.Row) -> None:
        """A person's word, unless somebody has judged that completion here."""
        cell, said = self._cell(row), native.override(row)
        if cell in self.waiting:
            self._flush()
        index = native.integer(row, "index")
        if (*cell, index) in self.others:
            raise ValueError(f"an override of completion {index}, which is another one here")
        found = self.db.execute(
            "SELECT c.id, o.made FROM completion c LEFT JOIN override o ON o.completion_id = c.id"
            " WHERE c.arm_id = ? AND c.problem_id = ? AND c.sample_index = ?",
            (*cell, index),
        ).fetchone()
        if found is None:
            raise ValueError(f"an override of completion {index}, which is not stored")
        if found[1] is None:
            overrides.override(self.db, [found[0]], said.outcome, said.author, said.note, said.made)
            self.report.overrides += 1

    def _cell(self, row: native.Row) -> tuple[int, int]:
        reference, name = native.integer(row, "arm"), native.text(row, "problem")
        arm, problem = self.arms.get(reference), self.problems.get(name)
        if arm is None:
            raise ValueError(f"arm {reference} was not given before")
        if problem is None:
            raise ValueError(f"problem {name!r} was not given before")
        if isinstance(problem, str):
            raise ValueError(problem)
        cell = (arm, problem)
        if cell in self.barred:
            raise ValueError(self.barred[cell])
        return cell

    def _flush(self) -> None:
        for cell, rows in self.waiting.items():
            ids = completions.append_packed(self.db, *cell, rows)
            self._count(cell, rows, ids)
        self.waiting.clear()

    def _count(
        self, cell: tuple[int, int], rows: list[PackedCompletion], ids: list[int | None]
    ) -> None:
        for row, row_id in zip(rows, ids, strict=True):
            if row_id is not None:
                self.report.added += 1
                self.report.graded_in_file += row.verdict is not None
                continue
            self.report.present += 1
            stored = self.db.execute(
                "SELECT text FROM completion"
                " WHERE arm_id = ? AND problem_id = ? AND sample_index = ?",
                (*cell, row.sample_index),
            ).fetchone()
            if stored[0] != row.text:
                self.report.different += 1
                self.others.add((*cell, row.sample_index))
