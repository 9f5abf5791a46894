"""`rlvr-explorer reviews`: what was found in the reasoning, by whom, and how far they agree."""

from __future__ import annotations

from pathlib import Path

import click

from explorer.cli.options import json_option, print_json, read_settings, workspace_option


@click.command("reviews", short_help="List reviews of reasoning, and how far reviewers agree.")
@workspace_option
@click.option("-d", "--dataset", default="", help="Only this dataset.")
@click.option(
    "--export",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Instead: write them as JSON lines for others to merge.",
)
@click.option(
    "--merge",
    "sources",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    help="First: read what others exported; give it once per file.",
)
@click.argument("more", nargs=-1, type=click.Path(path_type=Path, dir_okay=False))
@json_option
def command(
    where: Path | None,
    dataset: str,
    target: Path | None,
    sources: tuple[Path, ...],
    more: tuple[Path, ...],
    as_json: bool,
) -> None:
    """List reviews of reasoning, and how far reviewers agree.

    Cohen's kappa is of each pair of reviewers on what both reviewed, with that number; conflicts
    are listed. Merging takes a review only into the very completion it was made of; of two by
    one reviewer the later one stands. Files behind --merge FILE are merged too.
    """
    from contextlib import closing

    from explorer.cli.run import printable
    from explorer.errors import UsageError
    from explorer.exchange.reviews import export_reviews, merge_reviews
    from explorer.report.reviews import as_dict, print_reviews
    from explorer.store.connection import open_reader, open_writer
    from explorer.views.agreement import read_agreement

    if more and not sources:
        raise UsageError("What are these files for?", ", ".join(map(str, more)), "Say --merge.")
    settings = read_settings(where)
    cache = settings.workspace.cache
    open_reader(cache).close()  # says so if there is none yet
    if sources:
        with closing(open_writer(cache)) as db:
            for path in (*sources, *more):
                report = merge_reviews(db, path)
                click.echo(printable(report.sentence()), err=True)
                for fault in report.faults:
                    click.echo(printable(f"  {fault}"), err=True)
    with closing(open_reader(cache)) as db:
        if target is not None:
            count = export_reviews(db, target, dataset)
            click.echo(f"Wrote {count} review{'' if count == 1 else 's'} to {target}")
            return
        found = read_agreement(db, dataset)
    if as_json:
        print_json(as_dict(found))
    else:
        print_reviews(found)
