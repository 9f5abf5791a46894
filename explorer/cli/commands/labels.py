"""`rlvr-explorer labels`: what imported files say of completions, against our verdicts."""

from __future__ import annotations

from pathlib import Path

import click

from explorer.cli.options import print_json, read_settings, workspace_option


@click.command(
    "labels", short_help="Compare what imported files say of completions with our verdicts."
)
@workspace_option
@click.option("-d", "--dataset", default="", help="Only this dataset.")
@click.option("-m", "--model", default="", help="Only this model.")
@click.option("--all", "everything", is_flag=True, help="List every difference, not twenty.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(where: Path | None, dataset: str, model: str, everything: bool, as_json: bool) -> None:
    """Compare what imported files say of completions with our verdicts.

    A label never becomes a verdict. Counted are those of a source's labels that say whether the
    answer is right; 'unclear' ones are between right and wrong. The screen finds the same with
    the filter word label-differs.
    """
    from contextlib import closing

    from explorer.preparation import prepare
    from explorer.report.labels import labels_as_dict, print_labels
    from explorer.store.connection import open_reader
    from explorer.views.labels import read_labels

    settings = read_settings(where)
    prepare(settings)
    with closing(open_reader(settings.workspace.cache)) as db:
        report = read_labels(db, dataset, model, -1 if everything or as_json else 20)
    if as_json:
        print_json(labels_as_dict(report))
    else:
        print_labels(report)
