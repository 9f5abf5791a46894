"""The cache: one SQLite file that holds every completion, verdict, score and request.

Functions take an open `sqlite3.Connection` (see `connection`); writers wrap their statements in
`connection.transaction`. Completions are only ever appended, never changed.
"""
