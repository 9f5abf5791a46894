"""Every way a command can end: message, exit code, and what is never shown."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from explorer.cli.run import run
from explorer.errors import BusyError, DataError, ExplorerError, MissingExtraError


def ending_with(error: BaseException) -> click.Command:
    @click.command()
    def command() -> None:
        secret = "hf_secret"
        assert secret
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (
            ExplorerError("It broke", "because", "Mend it."),
            1,
            "Error: It broke\nbecause\n→ Mend it.\n",
        ),
        (DataError("Only a title"), 5, "Error: Only a title\n"),
        (BusyError("Hostile \x1b[2J", "two\nlines\t\u202e"), 8, "Hostile �[2J\ntwo\nlines��\n"),
        (MissingExtraError("Sampling", "local"), 7, "→ pip install 'rlvr-explorer[local]'\n"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (click.UsageError("no such thing"), 2, "Error: no such thing\n"),
    ],
)
def test_expected_endings(
    error: BaseException, code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(ending_with(error), []) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith(says)


def test_a_bug_is_one_line_and_its_traceback_a_private_file_without_values(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run(ending_with(ZeroDivisionError("oops")), []) == 70
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    path = Path(re.search(r"is in (\S+)\.$", said.strip())[1])  # type: ignore[index]
    assert path.parent == tmp_path
    assert path.stat().st_mode & 0o077 == 0
    assert "ZeroDivisionError: oops" in path.read_text()
    assert "hf_secret" not in path.read_text().replace('secret = "hf_secret"', "")


def test_success_is_zero() -> None:
    assert run(click.Command("nothing", callback=lambda: None), []) == 0
