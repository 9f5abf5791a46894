"""Searching the texts of all completions, by an index that is brought up to date when asked for.

The index (SQLite's FTS5) is made by the first search, not by a migration and not by triggers: who
never searches pays nothing, and storing completions stays as quick as it was. Invariant: what the
index does not hold yet is scanned, so a search never misses what is stored; where FTS5 is missing
everything is. Completions are only ever added, with growing ids, and their text never changes.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from explorer.core.phrases import Phrase
from explorer.store.connection import database_path, store_errors, transaction

INDEXED_AT_ONCE: Final = 500
"""Completions per write: 2,000 tokens each are about half a second of the write lock."""

SCANNED_AT_ONCE: Final = 200

MOST_HITS: Final = 500
"""Hits that are listed; all are counted."""

_INDEX: Final = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS completion_words USING fts5(text, content='completion',"
    " content_rowid='id', columnsize=0, tokenize='unicode61 remove_diacritics 0')"
)
_STATE: Final = (
    "CREATE TABLE IF NOT EXISTS completion_words_upto (one INTEGER PRIMARY KEY CHECK (one = 1),"
    " last INTEGER NOT NULL)"
)

Progress = Callable[[int, int], bool]
"""Told (done, of all) now and then; False ends the work."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where to search: one problem, one dataset, or everything; of these arms or of all."""

    problem_id: int | None = None
    dataset: str | None = None
    arm_ids: tuple[int, ...] | None = None

    @property
    def condition(self) -> tuple[str, list[object]]:
        """SQL on `completion c` and `problem p`, and its values."""
        conditions: list[str] = ["1"]
        values: list[object] = []
        if self.problem_id is not None:
            conditions.append("c.problem_id = ?")
            values.append(self.problem_id)
        elif self.dataset is not None:
            conditions.append("p.dataset = ?")
            values.append(self.dataset)
        if self.arm_ids is not None:
            conditions.append(f"c.arm_id IN ({','.join('?' * len(self.arm_ids))})")
            values += self.arm_ids
        return " AND ".join(conditions), values


@dataclass(frozen=True, slots=True)
class Hit:
    """A completion in which the phrase occurs.

    Attributes:
        start, end: of its first occurrence, in characters of the text.
        times: occurrences.
        before, match, after: the text around the first one (hostile).
    """

    completion_id: int
    arm_id: int
    problem_id: int
    index: int
    outcome: str
    start: int
    end: int
    times: int
    before: str
    match: str
    after: str


@dataclass(slots=True)
class Found:
    """What a search found.

    Attributes:
        counts: completions that hold the phrase, by arm id.
        totals: completions searched, by arm id.
        hits: the first of them.
        scanned: completions that were read one by one because the index does not hold them.
        whole: False if it was ended early.
    """

    counts: Counter[int] = field(default_factory=Counter)
    totals: dict[int, int] = field(default_factory=dict)
    hits: list[Hit] = field(default_factory=list)
    scanned: int = 0
    whole: bool = True

    @property
    def count(self) -> int:
        return sum(self.counts.values())


def has_fts5(db: sqlite3.Connection) -> bool:
    """Whether this SQLite can index words."""
    return bool(
        db.execute("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'").fetchone()
        or db.execute("SELECT sqlite_compileoption_used('ENABLE_FTS5')").fetchone()[0]
    )


def indexed_upto(db: sqlite3.Connection) -> int:
    """The last completion id that the index holds, 0 without an index."""
    made = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'completion_words_upto'").fetchone()
    if made is None or not has_fts5(db):
        return 0
    row = db.execute("SELECT last FROM completion_words_upto").fetchone()
    return int(row[0]) if row else 0


def bring_up_to_date(db: sqlite3.Connection, progress: Progress = lambda _done, _all: True) -> bool:
    """Index what came since the last time, in short writes; False where FTS5 is missing.

    Raises:
        StoreError: the cache cannot be written.
    """
    with store_errors(database_path(db)):
        if not has_fts5(db):
            return False
        start = last = indexed_upto(db)
        (newest,) = db.execute("SELECT COALESCE(MAX(id), 0) FROM completion").fetchone()
        while last < newest and progress(last - start, newest - start):
            with transaction(db):
                last = _index_some(db, newest)
    return True


def _index_some(db: sqlite3.Connection, newest: int) -> int:
    db.execute(_INDEX)
    db.execute(_STATE)
    last = indexed_upto(db)  # another process may have been here meanwhile
    upto = db.execute(
        "SELECT MAX(id) FROM (SELECT id FROM completion WHERE id > ? ORDER BY id LIMIT ?)",
        (last, INDEXED_AT_ONCE),
    ).fetchone()[0]
    if upto is None:
        return newest
    db.execute(
        "INSERT INTO completion_words (rowid, text)"
        " SELECT id, text FROM completion WHERE id > ? AND id <= ?",
        (last, upto),
    )
    db.execute("INSERT OR REPLACE INTO completion_words_upto VALUES (1, ?)", (upto,))
    return int(upto)


def search(
    db: sqlite3.Connection,
    phrase: Phrase,
    scope: Scope,
    progress: Progress = lambda _done, _all: True,
    most: int = MOST_HITS,
) -> Found:
    """Every completion in scope that holds the phrase, counted by arm; the first ones listed."""
    found = Found()
    if not phrase.text:
        return found
    with store_errors(database_path(db)):
        found.totals = _totals(db, scope)
        upto = indexed_upto(db) if phrase.has_words else 0
        ids: list[int] = []
        if upto:
            ids = _indexed(db, phrase, scope, found, progress)
        ids += _scanned(db, phrase, scope, upto, found, progress)
        found.hits = _hits(db, phrase, sorted(ids)[:most])
    return found


def _totals(db: sqlite3.Connection, scope: Scope) -> dict[int, int]:
    condition, values = scope.condition
    return dict(
        db.execute(
            "SELECT c.arm_id, SUM(c.completions) FROM tally c JOIN problem p"
            f" ON p.id = c.problem_id WHERE {condition} GROUP BY c.arm_id",
            values,
        )
    )


def _indexed(
    db: sqlite3.Connection, phrase: Phrase, scope: Scope, found: Found, progress: Progress
) -> list[int]:
    condition, values = scope.condition
    words = '"' + phrase.text.replace('"', " ") + '"' + ("*" if phrase.open_end else "")
    tables = (
        "completion_words JOIN completion c ON c.id = completion_words.rowid"
        f" JOIN problem p ON p.id = c.problem_id WHERE completion_words MATCH ? AND {condition}"
    )
    if phrase.by_words:  # the index says all there is to say
        rows = db.execute(f"SELECT c.id, c.arm_id FROM {tables}", (words, *values)).fetchall()
        found.counts.update(arm_id for _, arm_id in rows)
        return [row[0] for row in rows]
    (of_all,) = db.execute(f"SELECT COUNT(*) FROM {tables}", (words, *values)).fetchone()
    texts = db.execute(f"SELECT c.id, c.arm_id, c.text FROM {tables}", (words, *values))
    return list(_matching(texts, phrase, found, progress, of_all))


def _scanned(
    db: sqlite3.Connection,
    phrase: Phrase,
    scope: Scope,
    upto: int,
    found: Found,
    progress: Progress,
) -> list[int]:
    condition, values = scope.condition
    where = (
        f"FROM completion c JOIN problem p ON p.id = c.problem_id WHERE c.id > ? AND {condition}"
    )
    (found.scanned,) = db.execute(f"SELECT COUNT(*) {where}", (upto, *values)).fetchone()
    if not found.scanned:
        return []
    rows = db.execute(f"SELECT c.id, c.arm_id, c.text {where}", (upto, *values))
    return list(_matching(rows, phrase, found, progress, found.scanned))


def _matching(
    rows: sqlite3.Cursor, phrase: Phrase, found: Found, progress: Progress, of_all: int
) -> Iterator[int]:
    for done, (completion_id, arm_id, text) in enumerate(rows):
        if done % SCANNED_AT_ONCE == 0 and not progress(done, of_all):
            found.whole = False
            return
        if phrase.occurs_in(text):
            found.counts[arm_id] += 1
            yield completion_id


def _hits(db: sqlite3.Connection, phrase: Phrase, ids: list[int], around: int = 60) -> list[Hit]:
    found = []
    for completion_id in ids:
        row = db.execute(
            "SELECT c.arm_id, c.problem_id, c.sample_index, c.text,"
            " COALESCE(o.outcome, v.outcome, '') FROM completion c"
            " JOIN problem p ON p.id = c.problem_id LEFT JOIN override o ON o.completion_id = c.id"
            " LEFT JOIN verdict v ON v.completion_id = c.id AND v.verifier = p.verifier"
            " WHERE c.id = ?",
            (completion_id,),
        ).fetchone()
        arm_id, problem_id, index, text, outcome = row
        matches = [(one.start(), one.end()) for one in phrase.pattern.finditer(text)]
        start, end = matches[0] if matches else (0, 0)  # only where case folds differ
        found.append(
            Hit(
                completion_id, arm_id, problem_id, index, outcome, start, end, len(matches),
                text[max(0, start - around) : start], text[start:end], text[end : end + around],
            )
        )  # fmt: skip
    return found
