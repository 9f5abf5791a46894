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


@migrations()
def m003_second_opinions_and_overrides(db: Database) -> None:
    """Second verdicts counted in tallies, and what people said over the verifiers."""
    for column in ("seconded", "disagreed", "overridden"):
        db.execute(f"ALTER TABLE tally ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0")
    db.execute(
        "CREATE TABLE override (completion_id INTEGER PRIMARY KEY REFERENCES completion"
        " ON DELETE CASCADE, outcome TEXT NOT NULL, note TEXT NOT NULL, author TEXT NOT NULL,"
        " made REAL NOT NULL) STRICT"
    )


@migrations()
def m004_arm_facts_and_noise(db: Database) -> None:
    """What was known of an arm's model when it drew, and how far it disagrees with itself."""
    db.execute(
        "CREATE TABLE arm_fact (arm_id INTEGER NOT NULL REFERENCES arm, name TEXT NOT NULL,"
        " value TEXT NOT NULL, PRIMARY KEY (arm_id, name, value)) STRICT, WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE noise (arm_id INTEGER NOT NULL REFERENCES arm,"
        " scorer_id INTEGER NOT NULL REFERENCES scorer, completions INTEGER NOT NULL,"
        " tokens INTEGER NOT NULL, median REAL NOT NULL, q95 REAL NOT NULL, q99 REAL NOT NULL,"
        " most REAL NOT NULL, perplexity_difference REAL,"
        " PRIMARY KEY (arm_id, scorer_id)) STRICT, WITHOUT ROWID"
    )


@migrations()
def m005_prompt_images(db: Database) -> None:
    """Which images a prompt showed, as JSON [[path, digest of its content], …]."""
    db.execute("ALTER TABLE prompt ADD COLUMN images TEXT NOT NULL DEFAULT '[]'")


@migrations()
def m006_images_and_tests(db: Database) -> None:
    """What problems show, and the tests of code problems apart from what lists read."""
    db.execute("ALTER TABLE problem ADD COLUMN images TEXT NOT NULL DEFAULT '[]'")
    db.execute(
        "CREATE TABLE problem_tests (problem_id INTEGER PRIMARY KEY REFERENCES problem"
        " ON DELETE CASCADE, digest TEXT NOT NULL, tests BLOB NOT NULL) STRICT"
    )


@migrations()
def m007_source_rows_and_labels(db: Database) -> None:
    """Where an imported completion came from, and what its source said of it."""
    db.execute(
        "CREATE TABLE source_row (completion_id INTEGER PRIMARY KEY REFERENCES completion"
        " ON DELETE CASCADE, key BLOB NOT NULL UNIQUE, format TEXT NOT NULL, line INTEGER NOT NULL,"
        " note TEXT NOT NULL) STRICT"
    )
    db.execute(
        "CREATE TABLE source_label (completion_id INTEGER NOT NULL REFERENCES completion"
        " ON DELETE CASCADE, name TEXT NOT NULL, value REAL, text TEXT NOT NULL,"
        " compared INTEGER NOT NULL, PRIMARY KEY (completion_id, name)) STRICT, WITHOUT ROWID"
    )
    db.execute("CREATE UNIQUE INDEX compared_label ON source_label (completion_id) WHERE compared")
    db.execute("ALTER TABLE tally ADD COLUMN label_differs INTEGER NOT NULL DEFAULT 0")


@migrations()
def m008_support(db: Database) -> None:
    """What a sampler makes of a scored completion's tokens; without values where only bounds are.

    `sampler` is the canonical JSON of temperature, top_p and top_k.
    """
    db.execute(
        "CREATE TABLE support (completion_id INTEGER NOT NULL REFERENCES completion"
        " ON DELETE CASCADE, scorer_id INTEGER NOT NULL REFERENCES scorer, sampler TEXT NOT NULL,"
        " vocabulary INTEGER NOT NULL, tempered BLOB, above BLOB, kept BLOB, short BLOB,"
        " PRIMARY KEY (completion_id, scorer_id, sampler)) STRICT"
    )
    db.execute("CREATE INDEX support_by_scorer ON support (scorer_id, vocabulary)")


@migrations()
def m009_settling(db: Database) -> None:
    """Wishes to settle which of two models solves a problem more often."""
    db.execute(
        "CREATE TABLE settling (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,"
        " problem_id INTEGER NOT NULL REFERENCES problem, base TEXT NOT NULL,"
        " other TEXT NOT NULL, sampling TEXT NOT NULL, cap INTEGER NOT NULL,"
        " priority INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,"
        " asked REAL NOT NULL) STRICT"
    )


@migrations()
def m010_reviews(db: Database) -> None:
    """What people and judges found in the reasoning, and who has seen which model wrote what.

    `vote` counts a judge's votes from 0; `source` is the key of the arm that a judge votes as.
    """
    db.execute(
        "CREATE TABLE review (id INTEGER PRIMARY KEY, completion_id INTEGER NOT NULL"
        " REFERENCES completion ON DELETE CASCADE, reviewer TEXT NOT NULL, vote INTEGER NOT NULL,"
        " finding TEXT NOT NULL, note TEXT NOT NULL, made REAL NOT NULL, blind INTEGER NOT NULL,"
        " source TEXT NOT NULL, UNIQUE (completion_id, reviewer, vote)) STRICT"
    )
    db.execute(
        "CREATE TABLE revealed (completion_id INTEGER NOT NULL REFERENCES completion"
        " ON DELETE CASCADE, reviewer TEXT NOT NULL, PRIMARY KEY (completion_id, reviewer))"
        " STRICT, WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE review_seed (id INTEGER PRIMARY KEY CHECK (id = 1), seed INTEGER NOT NULL)"
        " STRICT"
    )
    db.execute("INSERT INTO review_seed VALUES (1, ABS(RANDOM() % 1000000000))")
    db.execute("INSERT INTO revision VALUES ('reviews', 0)")


@migrations()
def m011_bookmarks(db: Database) -> None:
    """Places in traces that a person wants to come back to; `token` is 0-based, NULL if none."""
    db.execute(
        "CREATE TABLE bookmark (id INTEGER PRIMARY KEY, completion_id INTEGER NOT NULL REFERENCES"
        " completion ON DELETE CASCADE, token INTEGER, note TEXT NOT NULL, author TEXT NOT NULL,"
        " made REAL NOT NULL) STRICT"
    )


@migrations()
def m012_matched_entropy(db: Database) -> None:
    """At which settings a model's samples are as varied, token by token, as another's."""
    db.execute(
        "CREATE TABLE matched_entropy (model TEXT NOT NULL, reference TEXT NOT NULL,"
        " reference_sampling TEXT NOT NULL, sampling TEXT NOT NULL, target REAL NOT NULL,"
        " target_error REAL NOT NULL, entropy REAL NOT NULL, error REAL NOT NULL,"
        " tokens INTEGER NOT NULL, problems INTEGER NOT NULL, made REAL NOT NULL,"
        " PRIMARY KEY (model, reference, reference_sampling)) STRICT, WITHOUT ROWID"
    )


@migrations()
def m013_branches(db: Database) -> None:
    """Which prefixes of which completions models were made to go on from.

    `position` tokens of the completion are kept; `swapped_id` then stands for the next one.
    """
    db.execute(
        "CREATE TABLE branch (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,"
        " completion_id INTEGER NOT NULL REFERENCES completion ON DELETE CASCADE,"
        " position INTEGER NOT NULL, swapped_id INTEGER, swapped_text TEXT NOT NULL,"
        " model TEXT NOT NULL, sampling TEXT NOT NULL, arm_id INTEGER REFERENCES arm,"
        " request_id INTEGER REFERENCES request, made REAL NOT NULL) STRICT"
    )
    db.execute("CREATE INDEX branch_of ON branch (completion_id)")
    db.execute("CREATE INDEX branch_for ON branch (request_id)")


@migrations()
def m014_guides(db: Database) -> None:
    """Wishes for whole sets, the requests made for them, and how fast arms were drawn where."""
    db.execute(
        "CREATE TABLE guide (id INTEGER PRIMARY KEY, models TEXT NOT NULL,"
        " problem_ids TEXT NOT NULL, sampling TEXT NOT NULL, pairs TEXT NOT NULL,"
        " named TEXT NOT NULL, n INTEGER NOT NULL, ks TEXT NOT NULL, most_samples INTEGER,"
        " most_tokens INTEGER, most_seconds REAL, state TEXT NOT NULL, reason TEXT NOT NULL,"
        " samples INTEGER NOT NULL, tokens INTEGER NOT NULL, seconds REAL NOT NULL,"
        " asked REAL NOT NULL, UNIQUE (models, problem_ids, sampling)) STRICT"
    )
    db.execute(
        "CREATE TABLE guide_draw (request_id INTEGER PRIMARY KEY REFERENCES request,"
        " guide_id INTEGER NOT NULL REFERENCES guide, after_id INTEGER NOT NULL,"
        " samples INTEGER NOT NULL, why TEXT NOT NULL) STRICT"
    )
    db.execute(
        "CREATE TABLE speed (arm_id INTEGER NOT NULL REFERENCES arm, host TEXT NOT NULL,"
        " tokens REAL NOT NULL, seconds REAL NOT NULL, PRIMARY KEY (arm_id, host))"
        " STRICT, WITHOUT ROWID"
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
