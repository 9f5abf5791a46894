"""Grades what is stored without a verdict, in a thread of its own beside the sampling.

Invariant: it works from the database alone, so that what a killed sampler, an import or a new
verifier version left ungraded is graded like what was drawn a moment ago.
"""

from __future__ import annotations

import logging
import threading
from contextlib import closing
from pathlib import Path
from typing import Final

from explorer.errors import ExplorerError
from explorer.grading import grade_pending
from explorer.store.connection import open_writer
from explorer.verifiers.pool import VerifierPool

log = logging.getLogger(__name__)

RETRY_S: Final = 10.0
"""After an error, such as a full disk, it tries again when so much time has passed."""

PER_ROUND: Final = 1024


class Grader:
    """A thread that sleeps until it is woken."""

    def __init__(self, cache: Path, pool: VerifierPool) -> None:
        self._cache = cache
        self._pool = pool
        self._work = threading.Event()
        self._work.set()
        self._end = threading.Event()
        self._idle = False
        self._thread = threading.Thread(target=self._run, name="grader", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There may be something to grade."""
        self._idle = False
        self._work.set()

    @property
    def idle(self) -> bool:
        """Whether all that can be graded has been."""
        return self._idle

    def close(self) -> None:
        """End the thread and the pool; what is under way stays ungraded."""
        self._end.set()
        self._pool.close()
        self._work.set()
        self._thread.join()

    def _run(self) -> None:
        outdated = True
        while not self._end.is_set():
            try:
                self._work.clear()
                with closing(open_writer(self._cache)) as db:
                    while not self._end.is_set() and grade_pending(
                        db, self._pool, PER_ROUND, outdated=outdated
                    ):
                        pass
                outdated = False
                self._idle = not self._work.is_set()
                self._work.wait()
            except ExplorerError as error:
                log.error("grading stopped for a while: %s", error)
                self._idle = True
                self._end.wait(RETRY_S)
            except Exception:
                log.exception("a bug in grading")
                self._idle = True
                self._end.wait(RETRY_S)
