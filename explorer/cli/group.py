"""The command line as a whole: which commands there are, each imported only when it is used.

Invariant: the short help stored here equals what each command says of itself (tested), so that
`rlvr-explorer --help` need import no command.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click
from click_default_group import DefaultGroup

from explorer import __version__

COMMANDS: Final = {
    "open": "Open the explorer, at a problem if LINK names one.",
    "demo": "Open the bundled models and problems in a workspace of their own.",
    "init": "Write a commented explorer.toml to fill in.",
    "sample": "Ask for completions of problems by a model.",
    "guide": "Sample a whole set, first where it changes the answer most.",
    "score": "Ask how likely a model finds another model's completions.",
    "branch": "Let a model go on from tokens of a completion.",
    "entropy": "Find at which temperature a model is as varied as its base.",
    "show": "Print what is known about one problem.",
    "nearest": "List the base completions most like a trace.",
    "search": "Search the texts of all completions, with shares per arm.",
    "bookmarks": "List the places in traces that were kept.",
    "report": "Print a dataset's pass@k table, coverage and differences.",
    "figures": "Draw a study's figures as PNG, SVG or PDF files.",
    "parity": "List differences between two arms that would fake a result.",
    "override": "Say that a verifier is wrong, or list where it was said.",
    "review": "Review the reasoning of right answers, blind.",
    "reviews": "List reviews of reasoning, and how far reviewers agree.",
    "judge": "Let a model judge the reasoning of right answers.",
    "guess": "Ask for answers without reasoning, to find guessable problems.",
    "import": "Read recorded completions into the cache.",
    "export": "Write completions as JSON lines or a Parquet table.",
    "labels": "Compare what imported files say of completions with our verdicts.",
    "datasets": "List the dataset formats, or look into one dataset.",
    "models": "List the models of the workspace and of its cache.",
    "status": "Print what the sampler is doing and what waits.",
    "stop": "Stop the sampler; what is stored stays.",
    "doctor": "Check the installation, the settings and the cache.",
}
"""Every command and its one line of help, in the order in which `--help` lists them."""

EXIT_CODES: Final = """\b
Exit codes: 0 done · 1 failed · 2 wrong usage · 3 settings · 4 cache · 5 data
6 model · 7 missing packages · 8 busy · 70 a bug · 130 interrupted"""


class LazyGroup(DefaultGroup):  # type: ignore[misc]  # the package has no types
    """A group that knows its commands' names and help before it imports them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands:
            known = cmd_name in COMMANDS
            self.add_command(load_command(cmd_name if known else self.default_cmd_name))
        # For a name that is no command, DefaultGroup now calls the default one with it.
        return super().get_command(ctx, cmd_name)  # type: ignore[no-any-return]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def load_command(name: str) -> click.Command:
    """Import a command's file and take the command from it."""
    file = f"{name}_" if name == "import" else name
    command: click.Command = import_module(f"explorer.cli.commands.{file}").command
    return command


@click.group(
    name="rlvr-explorer",
    cls=LazyGroup,
    default="open",
    default_if_no_args=True,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="rlvr-explorer", message="%(prog)s %(version)s")
def cli() -> None:
    """Did the base model already have this?

    Compares base, RL-trained and distilled reasoning models one problem at a time: pass@k
    curves, traces side by side, each token coloured by what the base model thinks of it.
    Without a command it opens the explorer on the workspace at hand.
    """
