"""The tables, as numbered migrations. A migration that has landed is never edited: add the next.

`PRAGMA user_version` repeats the number of migrations applied, so that opening an up-to-date
cache needs neither sqlite-utils nor a write lock.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

migrations = Migrations("explorer")


@migrations()
def m001_first_schema(db: Database) -> None:
    for statement in _FIRST_SCHEMA.split(";\n"):
        if statement.strip():
            db.execute(statement)


@migrations()
def m002_imported_files(db: Database) -> None:
    """Which version of a recorded file is already in, so that a start need not read it again."""
    db.execute(
        "CREATE TABLE imported (path TEXT PRIMARY KEY, size INTEGER NOT NULL,"
        " modified INTEGER NOT NULL, finished REAL NOT NULL) STRICT"
    )


_FIRST_SCHEMA = """
CREATE TABLE model (
  name TEXT PRIMARY KEY, role TEXT NOT NULL, base TEXT NOT NULL, algorithm TEXT NOT NULL
) STRICT;
CREATE TABLE problem (
  id INTEGER PRIMARY KEY, dataset TEXT NOT NULL, name TEXT NOT NULL, position INTEGER NOT NULL,
  statement TEXT NOT NULL, gold TEXT NOT NULL, family TEXT NOT NULL, level TEXT NOT NULL,
  note TEXT NOT NULL, verifier TEXT NOT NULL, extra TEXT NOT NULL,
  UNIQUE (dataset, name)
) STRICT;
CREATE TABLE arm (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, spec TEXT NOT NULL, model TEXT NOT NULL,
  created REAL NOT NULL
) STRICT;
CREATE TABLE prompt (
  arm_id INTEGER NOT NULL REFERENCES arm, problem_id INTEGER NOT NULL REFERENCES problem,
  text TEXT NOT NULL, ids BLOB NOT NULL, digest TEXT NOT NULL,
  PRIMARY KEY (arm_id, problem_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE completion (
  id INTEGER PRIMARY KEY, arm_id INTEGER NOT NULL REFERENCES arm,
  problem_id INTEGER NOT NULL REFERENCES problem, sample_index INTEGER NOT NULL,
  seed INTEGER NOT NULL, text TEXT NOT NULL, finish TEXT NOT NULL, n_tokens INTEGER,
  mean_logprob REAL, origin TEXT NOT NULL, source TEXT NOT NULL, created REAL NOT NULL,
  UNIQUE (arm_id, problem_id, sample_index)
) STRICT;
CREATE TABLE token_data (
  completion_id INTEGER PRIMARY KEY REFERENCES completion ON DELETE CASCADE,
  ids BLOB NOT NULL, ends BLOB NOT NULL, logprobs BLOB, exact INTEGER NOT NULL
) STRICT;
CREATE TABLE verdict (
  completion_id INTEGER NOT NULL REFERENCES completion ON DELETE CASCADE,
  verifier TEXT NOT NULL, version TEXT NOT NULL, outcome TEXT NOT NULL, answer TEXT NOT NULL,
  method TEXT NOT NULL, detail TEXT NOT NULL,
  PRIMARY KEY (completion_id, verifier)
) STRICT, WITHOUT ROWID;
CREATE TABLE decision (
  problem_id INTEGER NOT NULL REFERENCES problem, verifier TEXT NOT NULL, version TEXT NOT NULL,
  answer TEXT NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL,
  PRIMARY KEY (problem_id, verifier, version, answer)
) STRICT, WITHOUT ROWID;
CREATE TABLE tally (
  arm_id INTEGER NOT NULL REFERENCES arm, problem_id INTEGER NOT NULL REFERENCES problem,
  completions INTEGER NOT NULL, recorded INTEGER NOT NULL,
  correct INTEGER NOT NULL, wrong INTEGER NOT NULL, undecided INTEGER NOT NULL,
  PRIMARY KEY (arm_id, problem_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX tally_by_problem ON tally (problem_id);
CREATE TABLE scorer (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, model TEXT NOT NULL,
  checkpoint TEXT NOT NULL, tokenizer TEXT NOT NULL, engine TEXT NOT NULL, dtype TEXT NOT NULL
) STRICT;
CREATE TABLE score (
  completion_id INTEGER NOT NULL REFERENCES completion ON DELETE CASCADE,
  scorer_id INTEGER NOT NULL REFERENCES scorer, mean_logprob REAL,
  logprobs BLOB NOT NULL, ranks BLOB NOT NULL, entropies BLOB NOT NULL,
  top INTEGER NOT NULL, top_ids BLOB NOT NULL, top_logprobs BLOB NOT NULL, top_texts BLOB NOT NULL,
  created REAL NOT NULL,
  PRIMARY KEY (completion_id, scorer_id)
) STRICT;
CREATE TABLE request (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, model TEXT NOT NULL,
  problem_id INTEGER NOT NULL REFERENCES problem, sampling TEXT, n INTEGER NOT NULL,
  arm_id INTEGER REFERENCES arm, completion_id INTEGER REFERENCES completion,
  priority INTEGER NOT NULL, state TEXT NOT NULL, error TEXT NOT NULL, asked REAL NOT NULL,
  updated REAL NOT NULL
) STRICT;
CREATE INDEX request_open ON request (state, priority, asked);
CREATE TABLE live (
  arm_id INTEGER NOT NULL, problem_id INTEGER NOT NULL, sample_index INTEGER NOT NULL,
  text TEXT NOT NULL, n_tokens INTEGER NOT NULL, updated REAL NOT NULL,
  PRIMARY KEY (arm_id, problem_id, sample_index)
) STRICT, WITHOUT ROWID;
CREATE TABLE sampler (
  id INTEGER PRIMARY KEY CHECK (id = 1), pid INTEGER NOT NULL, host TEXT NOT NULL,
  started REAL NOT NULL, heartbeat REAL NOT NULL, state TEXT NOT NULL, model TEXT NOT NULL,
  detail TEXT NOT NULL, tokens_per_s REAL NOT NULL, stop_requested INTEGER NOT NULL
) STRICT;
CREATE TABLE revision (topic TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO revision VALUES ('problems', 0), ('counts', 0), ('live', 0), ('requests', 0),
  ('scores', 0), ('sampler', 0)
"""
