"""The command line's help: complete, documented, true, and light."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from explorer import errors
from explorer.cli.group import COMMANDS, EXIT_CODES, cli, load_command
from explorer.cli.run import BUG_EXIT_CODE, INTERRUPTED_EXIT_CODE

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_stored_help_is_what_the_command_says_of_itself(name: str) -> None:
    command = load_command(name)
    assert command.name == name
    assert command.short_help == COMMANDS[name]
    assert (command.help or "").startswith(COMMANDS[name])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_for_itself_and_its_options(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0, result.output
    for parameter in load_command(name).params:
        if isinstance(parameter, click.Option):
            described = parameter.help or isinstance(parameter.type, click.Choice)
            assert described, f"{name} {parameter.name} has no help"


def test_help_lists_every_command_and_exit_code() -> None:
    result = CliRunner().invoke(cli, ["--help"])
    for name, text in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(text)}", result.output, re.MULTILINE)
    listed = {int(number) for number in re.findall(r"(\d+) ", EXIT_CODES)}
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    ours = {kind.exit_code for kind in classes if issubclass(kind, errors.ExplorerError)}
    assert listed == ours | {0, BUG_EXIT_CODE, INTERRUPTED_EXIT_CODE}


def test_every_command_has_a_line_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert re.search(rf"^\| `rlvr-explorer {name}\b[^|]*` \|", readme, re.MULTILINE), name


def test_what_the_readme_says_of_options_is_true() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, line in re.findall(r"^\| `rlvr-explorer (\w+)([^`]*)`", readme, re.MULTILINE):
        known = {flag for parameter in load_command(name).params for flag in parameter.opts}
        for flag in re.findall(r"(?<!\w)--?[a-z]+", line):
            assert flag in known, f"{name} has no {flag}"


def test_files_named_by_make_and_ci_exist() -> None:
    for name in ("Makefile", ".ci/run", "constraints.txt", "LICENSE", "CONTRIBUTING.md"):
        assert (ROOT / name).is_file(), name
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o100
