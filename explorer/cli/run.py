"""Running the command line: every way a command can end, as a message and an exit code.

Expected failures are `ExplorerError`s and print three short parts; anything else is a bug, whose
traceback goes to a file that only its owner can read, without the values of local variables.
"""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from typing import NoReturn

import click

from explorer.errors import ExplorerError

BUG_EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED_EXIT_CODE = 130  # 128 + SIGINT, as shells report it
BROKEN_PIPE_EXIT_CODE = 141  # 128 + SIGPIPE


def main() -> NoReturn:
    """Run the command line and exit."""
    from explorer.cli.group import cli

    sys.exit(run(cli))


def run(command: click.Command, arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit code and never raises."""
    try:
        result = command.main(arguments, prog_name="rlvr-explorer", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except ExplorerError as error:
        show_error(error)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED_EXIT_CODE
    except (BrokenPipeError, SystemExit):
        # The reader (`head`, a pager) has enough. Click and Rich turn that into SystemExit, which
        # nothing else here raises. Python must not complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE_EXIT_CODE
    except Exception as error:
        show_bug(error)
        return BUG_EXIT_CODE
    return result if isinstance(result, int) else 0


def show_error(error: ExplorerError) -> None:
    """Print an expected failure to stderr: what, why, and what to do."""
    click.secho(f"Error: {printable(error.title)}", err=True, fg="red", bold=True)
    if error.detail:
        click.echo(printable(error.detail), err=True)
    if error.hint:
        click.echo(f"→ {printable(error.hint)}", err=True)


def show_bug(error: Exception) -> None:
    """Say that this is a bug and where its traceback is."""
    try:
        handle, path = tempfile.mkstemp(prefix="rlvr-explorer-bug-", suffix=".log")
        with os.fdopen(handle, "w") as file:
            file.write("".join(traceback.format_exception(error)))
        where = f"its traceback is in {path}"
    except OSError:
        where = "its traceback could not be written"
    name = type(error).__name__
    click.echo(f"This is a bug in rlvr-explorer ({name}); {where}.", err=True)


def printable(text: str) -> str:
    """Text that cannot drive the terminal: control characters but newline become '�'."""
    return "".join(ch if ch == "\n" or ch.isprintable() else "�" for ch in text)
