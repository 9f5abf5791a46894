"""`rlvr-explorer guide`: sample a whole set, where it changes the answer most, within a budget."""

from __future__ import annotations

from pathlib import Path

import click

from explorer.cli.options import (
    json_option,
    ks_option,
    parse_ks,
    read_settings,
    workspace_option,
)


@click.group(
    "guide",
    invoke_without_command=True,
    short_help="Sample a whole set, first where it changes the answer most.",
)
@workspace_option
@click.option(
    "-n", "n", type=click.IntRange(1, 100_000), help="Completions that each cell shall have."
)
@click.option(
    "-m", "--models", multiple=True, metavar="NAME,NAME…", help="Which models.  [default: all]"
)
@click.option(
    "-p",
    "--problems",
    default="all",
    show_default=True,
    metavar="NAMES",
    help="Problems: names or patterns ('trees-*'), a filter ('class:S base<5%'), or 'all'.",
)
@click.option("--preset", default="", help="Sampling preset.  [default: the workspace's]")
@click.option("--samples", metavar="N", help="Draw at most so many in all, such as 5000 or 20k.")
@click.option("--tokens", metavar="N", help="Draw at most so many tokens in all, such as 2M.")
@click.option(
    "--minutes", type=click.FloatRange(0, min_open=True), help="Work at most so long in all."
)
@ks_option
@click.option("--estimate", is_flag=True, help="Only print what it would cost.")
@click.option("--yes", is_flag=True, help="Do not ask whether to begin.")
@click.option("--wait", is_flag=True, help="Stay, show progress, and end when it is done.")
@click.pass_context
def command(
    context: click.Context,
    where: Path | None,
    n: int | None,
    models: tuple[str, ...],
    problems: str,
    preset: str,
    samples: str | None,
    tokens: str | None,
    minutes: float | None,
    ks: str,
    estimate: bool,
    yes: bool,
    wait: bool,
) -> None:
    """Sample a whole set, first where it changes the answer most.

    Each model shall have n completions of each problem, or as many as the limits allow; the first
    limit that is reached stops it. Every cell first gets 16 or more. Then come those where a
    sample is expected to take most uncertainty from the models' difference in mean pass@k per
    token: problems that are not solved yet, bands that overlap. It prints what it will cost,
    draws in the background, and goes on when this terminal goes away or the sampler is killed.

    It pays for pass@k with k above 1, and not for pass@1: while cells differ in n, the mean of
    c/n is slightly biased, because what was drawn decides what is drawn next. At n of everything
    nothing is left of that. Without -n it prints how far such sampling is.
    """
    context.obj = where
    if context.invoked_subcommand is not None:
        return
    from explorer.cli import guiding

    if n is None:
        if any((models, samples, tokens, minutes, estimate)) or problems != "all":
            raise click.UsageError("say with -n how many completions each cell shall have")
        guiding.tell(read_settings(where), as_json=False)
        return
    settings = read_settings(where)
    limits = guiding.limits_of(samples, tokens, minutes)
    guiding.begin(
        settings,
        guiding.Asked(n, ",".join(models), problems, preset, limits, parse_ks(ks)),
        only_estimate=estimate,
        sure=yes,
        wait=wait,
    )


@command.command("status", short_help="Print how far guided sampling is, and why it stopped.")
@workspace_option
@json_option
@click.pass_context
def status(context: click.Context, where: Path | None, as_json: bool) -> None:
    """Print how far guided sampling is, by model; what it draws now and why; why it stopped."""
    from explorer.cli import guiding

    guiding.tell(read_settings(where or context.obj), as_json=as_json)


def _mover(name: str, text: str) -> None:
    @command.command(name, short_help=text)
    @click.argument("number", type=int, required=False, metavar="[NUMBER]")
    @workspace_option
    @click.pass_context
    def move(context: click.Context, number: int | None, where: Path | None) -> None:
        from explorer.cli import guiding

        guiding.move(read_settings(where or context.obj), name, number)

    move.help = f"{text}\n\nNUMBER is what `guide status` prints; without it, the one there is."


_mover("pause", "Draw nothing more for now; what is stored stays.")
_mover("resume", "Go on with what was paused, cancelled or failed.")
_mover("cancel", "Give it up; what is stored stays.")
