"""`python -m explorer.cli.prepare FILE`: bring a workspace's files into its cache, in a process
of its own, so that the screen is there first and stays light. Its output is the log.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.settings import Settings


def start(settings: Settings) -> None:
    """Start it in the background; it outlives the terminal and writes to logs/prepare.log.

    Raises:
        StoreError: the log's folder cannot be made.
    """
    from explorer.sampler.lifecycle import child_environment
    from explorer.store.connection import store_errors

    module = ["-P", "-m", "explorer.cli.prepare"]
    logs = settings.workspace.logs
    with store_errors(logs):
        logs.mkdir(parents=True, exist_ok=True)
        with log_path(settings).open("ab") as log:
            subprocess.Popen(
                [sys.executable, *module, str(settings.workspace.settings)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=settings.workspace.root,
                env=child_environment(),
                start_new_session=True,
            )


def log_path(settings: Settings) -> Path:
    """Where it says what it did and what is wrong with the files."""
    return settings.workspace.logs / "prepare.log"


def main() -> int:
    """Prepare the workspace named on the command line."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from explorer.preparation import describe, prepare
    from explorer.settings.reader import load

    try:
        prepare(load(Path(sys.argv[1])), say=_say)
    except ExplorerError as error:
        _say(describe(error))
        return error.exit_code
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
